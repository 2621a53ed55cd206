//! Block devices: what the store stands on.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

/// How writes become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// [`BlockDevice::flush`] reaches stable media.
    Supported,
    /// There is no volatile cache: a completed write is durable, and a flush does nothing.
    WriteThrough,
    /// Writes may stay in a cache that nothing can flush. A store refuses such a device unless it
    /// is told to take it.
    Unavailable,
}

/// What a device is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Geometry {
    /// The unit of addresses and the smallest transfer, in bytes: a power of two from 512.
    pub block_size: u32,
    /// What the medium rewrites as a whole, in bytes: `block_size` times a power of two.
    pub physical_block_size: u32,
    /// Blocks on the device.
    pub block_count: u64,
    /// The address of every buffer must be a multiple of this many bytes; 1 for any.
    pub buffer_alignment: u32,
    /// Writes are refused.
    pub read_only: bool,
    /// Whether a flush can be trusted.
    pub flush: Flush,
    /// [`BlockDevice::discard`] does something.
    pub discard: bool,
}

impl Geometry {
    /// A writable device with a working flush, without discard, for buffers of any alignment.
    #[must_use]
    pub const fn new(block_size: u32, block_count: u64) -> Self {
        Self {
            block_size,
            physical_block_size: block_size,
            block_count,
            buffer_alignment: 1,
            read_only: false,
            flush: Flush::Supported,
            discard: false,
        }
    }

    /// Bytes on the device.
    #[must_use]
    pub const fn size(&self) -> u64 {
        (self.block_size as u64).saturating_mul(self.block_count)
    }
}

/// Whole blocks to read into `buf`, from `block` on.
#[derive(Debug)]
pub struct ReadRequest<'a> {
    /// The first block.
    pub block: u64,
    /// As long as the blocks to read.
    pub buf: &'a mut [u8],
}

/// The concatenation of `bufs`, whole blocks in total, to write from `block` on.
#[derive(Clone, Copy, Debug)]
pub struct WriteRequest<'a> {
    /// The first block.
    pub block: u64,
    /// Header, payload, padding: gathered without a copy. Each may have any length.
    pub bufs: &'a [&'a [u8]],
}

impl WriteRequest<'_> {
    /// The bytes in all buffers together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bufs.iter().fold(0, |sum, buf| sum.saturating_add(buf.len()))
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Numbered blocks that can be read, written and made durable.
///
/// Every method takes `&self`: an implementation locks inside, or issues positioned I/O.
///
/// # What may survive a crash
///
/// After `flush` returned `Ok`, every write that had completed before that call is durable. Until
/// then any subset of the 512-byte sectors written since the last flush may be durable, in any
/// order, and a sector that is not may hold its old bytes, its new ones, a mixture, or garbage. No
/// write changes a block other than those that it names.
pub trait BlockDevice {
    /// What the device is like. It never changes while the device is open.
    fn geometry(&self) -> Geometry;

    /// Serves all requests, in any order, possibly at once.
    ///
    /// # Errors
    /// A [`DeviceError`]; then any of the buffers may hold anything.
    fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError>;

    /// Serves all requests, in any order, possibly at once. On return they have completed, which
    /// does not make them durable.
    ///
    /// # Errors
    /// A [`DeviceError`]; then any of the named blocks may hold anything.
    fn write(&self, requests: &[WriteRequest<'_>]) -> Result<(), DeviceError>;

    /// Makes every write durable that completed before the call.
    ///
    /// # Errors
    /// A [`DeviceError`]; then none of the writes since the last flush may ever become durable, and
    /// a later `Ok` says nothing about them.
    fn flush(&self) -> Result<(), DeviceError>;

    /// Tells that the contents of `count` blocks from `block` on are no longer needed. They hold
    /// anything afterwards. Devices that can't make use of it do nothing.
    ///
    /// # Errors
    /// A [`DeviceError`].
    fn discard(&self, block: u64, count: u64) -> Result<(), DeviceError> {
        let _ = (block, count);
        Ok(())
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => { $(
        impl<D: BlockDevice + ?Sized> BlockDevice for $pointer {
            fn geometry(&self) -> Geometry {
                (**self).geometry()
            }
            fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError> {
                (**self).read(requests)
            }
            fn write(&self, requests: &[WriteRequest<'_>]) -> Result<(), DeviceError> {
                (**self).write(requests)
            }
            fn flush(&self) -> Result<(), DeviceError> {
                (**self).flush()
            }
            fn discard(&self, block: u64, count: u64) -> Result<(), DeviceError> {
                (**self).discard(block, count)
            }
        }
    )* };
}
forward!(&D, Box<D>, Arc<D>);

/// What kind of thing went wrong in a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceErrorKind {
    /// The device or the path to it failed.
    Io,
    /// A request reaches beyond the last block.
    OutOfRange,
    /// A length is not a multiple of the block size, or an address not of the alignment.
    Misaligned,
    /// A write to a device that can't be written.
    ReadOnly,
    /// The host has no room for the block (a sparse file on a full disk).
    NoSpace,
    /// The device did not answer in time.
    Timeout,
    /// The device can't do this.
    Unsupported,
}

impl fmt::Display for DeviceErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Io => "input/output error",
            Self::OutOfRange => "the request reaches beyond the last block",
            Self::Misaligned => "the request is not made of whole blocks",
            Self::ReadOnly => "the device is read-only",
            Self::NoSpace => "no room for the block behind the device",
            Self::Timeout => "the device did not answer in time",
            Self::Unsupported => "the device can't do this",
        })
    }
}

/// A device failed: how, at which block, and the platform's own error as [`Error::source`].
#[derive(Debug)]
pub struct DeviceError {
    kind: DeviceErrorKind,
    block: Option<u64>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl DeviceError {
    /// An error at `block`, or `None` if it concerns no block.
    #[must_use]
    pub const fn new(kind: DeviceErrorKind, block: Option<u64>) -> Self {
        Self { kind, block, source: None }
    }

    /// With the platform's own error.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> DeviceErrorKind {
        self.kind
    }

    /// The first block of the request that failed.
    #[must_use]
    pub const fn block(&self) -> Option<u64> {
        self.block
    }
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(block) = self.block {
            write!(f, " (block {block})")?;
        }
        Ok(())
    }
}

impl Error for DeviceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|error| error as _)
    }
}

/// Whether `len` bytes from `block` on are whole blocks of a device of this geometry.
///
/// Implementations of [`BlockDevice`] ask this before they touch the medium.
///
/// # Errors
/// [`DeviceErrorKind::Misaligned`] or [`DeviceErrorKind::OutOfRange`].
pub fn check_request(geometry: &Geometry, block: u64, len: usize) -> Result<(), DeviceError> {
    let size = u64::from(geometry.block_size);
    let len = len as u64;
    if size == 0 || !len.is_multiple_of(size) {
        return Err(DeviceError::new(DeviceErrorKind::Misaligned, Some(block)));
    }
    match block.checked_add(len / size) {
        Some(end) if end <= geometry.block_count => Ok(()),
        _ => Err(DeviceError::new(DeviceErrorKind::OutOfRange, Some(block))),
    }
}
