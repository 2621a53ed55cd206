//! The store: the contract over the log.
//!
//! The writer's lock is held for the whole of a writing call, device included, so that what it
//! checked still holds when it commits. The index's lock is held only to look and to apply: readers
//! never wait for the device on behalf of a writer. Changes are applied after the flush: what a
//! reader sees is durable.

mod apply;
pub mod batch;
mod checkpoint;
mod clean;
mod count;
mod create;
mod digest;
mod group;
mod grow;
mod info;
pub mod log_reader;
mod look;
pub mod lumps;
pub mod names;
mod object;
mod options;
mod queue;
mod read;
mod recovery;
mod rename;
mod room;
pub mod salvage;
pub mod scan;
pub mod segments;
pub mod stream;
mod verify;
mod write;

use crate::clock::Clock;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::layout::Layout;
use crate::format::{VERSION, superblock::Superblock};
use crate::index::Index;
use crate::lock::Mutex;
use crate::log::{Disk, Log};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

pub use info::{Counts, Cut, Info, Stat};
use options::Limits;
pub use options::{CreateOptions, OpenOptions};
use queue::Queue;

/// A key-value store on a block device.
///
/// It is `Send` and `Sync` if the device is: share it by reference, or in an `Arc`. Nothing is lost
/// when it is dropped; [`close`](Self::close) seals the log besides.
///
/// ```
/// use nerite::{CreateOptions, Key, KvRead, KvWrite, MemoryDevice, OpenOptions, Store, Timestamp};
///
/// let device = MemoryDevice::new(4096, 64);
/// Store::create(&device, CreateOptions::new(0x5eed))?;
/// let clock = || Timestamp(1_000_000_000);
/// let store = Store::open(device, clock, OpenOptions::new(0xcafe))?;
/// let key: Key = "/boot/count".parse()?;
/// store.set(&key, b"1")?;
/// assert_eq!(store.get(&key)?, b"1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Store<D> {
    disk: Disk<D>,
    clock: Box<dyn Clock + Send + Sync>,
    layout: Layout,
    birth: u64,
    limits: Limits,
    read_only: bool,
    cut: Option<Cut>,
    queue: Queue,
    log: Mutex<Log>,
    index: Mutex<Index>,
    /// Objects that are pending and that nobody writes.
    abandoned: Mutex<Vec<u64>>,
}

impl<D: BlockDevice> Store<D> {
    /// Makes an empty store on a blank device. If the power fails meanwhile, a store that was there
    /// before still is, or the new one is (`docs/design.md`, making a store).
    ///
    /// # Errors
    /// [`Error::NotBlank`] if there is anything in the first MiB or the last 128 KiB of the device
    /// and the options do not force it; [`Error::TooSmall`]; [`Error::Unsupported`] block sizes;
    /// [`Error::ReadOnly`]; [`Error::Device`].
    pub fn create(device: &D, options: CreateOptions) -> Result<(), Error> {
        create::create(device, &options)
    }

    /// Opens the store on a device. This writes nothing.
    ///
    /// # Errors
    /// [`Error::NotFormatted`] if there is none; [`Error::DeviceChanged`] if the device has become
    /// smaller; [`Error::Unsupported`] if the store is of a newer version, or needs what the device
    /// lacks; [`Error::ReadOnly`] if the device can't be written and the options do not say so;
    /// [`Error::Corrupt`] if anything durable is missing; [`Error::Device`].
    pub fn open(
        device: D,
        clock: impl Clock + Send + Sync + 'static,
        options: OpenOptions,
    ) -> Result<Self, Error> {
        let disk = Disk::new(device)?;
        let recovery::Recovered { log, mut index, cut } = recovery::recover(&disk, &options)?;
        let layout = log.superblock().layout;
        let limits = options.limits.on(&layout);
        // A mount that finds work to do pays for a step with its first commit: so it gets done even
        // where each mount makes but one.
        if index.frozen().is_some() || limits.is_full(&index) {
            index.credit = limits.step_nodes as u64;
        }
        Ok(Self {
            disk,
            clock: Box::new(clock),
            layout,
            birth: log.superblock().birth,
            limits,
            read_only: options.read_only,
            cut,
            queue: Queue::default(),
            log: Mutex::new(log),
            index: Mutex::new(index),
            abandoned: Mutex::new(Vec::new()),
        })
    }

    /// What was decided when the store was made, and where it stands. It waits for a writer.
    #[must_use]
    pub fn info(&self) -> Info {
        let log = self.log.lock();
        let Superblock { uuid, checkpoint, layout, .. } = *log.superblock();
        Info {
            version: VERSION,
            uuid,
            block_size: layout.block_len,
            block_count: layout.block_count,
            segment_size: layout.segment_len(),
            segment_count: layout.segment_count,
            checkpoint,
            epoch: log.point().epoch,
            flush: self.disk.geometry().flush,
            value_len_max: layout.value_len_max(),
        }
    }

    /// What the store holds and how much room it has. It waits for a writer.
    #[must_use]
    pub fn stat(&self) -> Stat {
        let log = self.log.lock();
        let index = self.index.lock();
        Stat {
            keys: log.segments.totals().keys,
            live_bytes: log.segments.totals().live,
            index_bytes: log.segments.totals().index,
            removals_unfinished: index.cut_count() as u64,
            used_bytes: log.used_bytes(),
            free_bytes: log.free_bytes(index.growth()),
            next_frame: log.point().number,
            cut: self.cut,
        }
    }

    /// Seals the log, so that damage to any of its frames shows from now on, and gives the device
    /// back. A store that this mount has not written to is left as it is.
    ///
    /// # Errors
    /// [`Error::Poisoned`] after a failed write; [`Error::Stolen`] if another writer has sealed it
    /// meanwhile; [`Error::Corrupt`] if the newest superblock is gone; [`Error::Device`]. What was
    /// acknowledged is durable all the same. The device is dropped then.
    pub fn close(self) -> Result<D, Error> {
        if !self.read_only {
            self.log.lock().seal(&self.disk)?;
        }
        Ok(self.disk.into_device())
    }
}

impl<D> fmt::Debug for Store<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = (&self.layout, self.read_only, self.cut);
        f.debug_tuple("Store").field(&fields).finish_non_exhaustive()
    }
}
