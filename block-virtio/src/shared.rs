//! The memory that driver and device share (VIRTIO 1.2, 2.7 and 5.2.6).
//!
//! All of it is atomics: the device may write to any of it at any time, and that is no undefined
//! behaviour. It is allocated once for each device and never given back, so a device that writes
//! when it should not any more still hits nothing else.

use crate::fault::Fault;
use crate::hal::Hal;
use alloc::boxed::Box;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64};

/// The most descriptors that a queue has here.
pub(crate) const DEPTH_MAX: u16 = 256;
const ENTRIES: usize = DEPTH_MAX as usize;

/// Begins a block of 4096 bytes and does not leave it, so a device sees it in one piece.
#[derive(Debug)]
#[repr(C, align(4096))]
pub(crate) struct Page<T>(pub(crate) T);

#[derive(Debug)]
#[repr(C)]
pub(crate) struct Descriptor {
    address: AtomicU64,
    len: AtomicU32,
    flags: AtomicU16,
    next: AtomicU16,
}

impl Descriptor {
    pub(crate) fn set(&self, address: u64, len: u32, flags: u16, next: u16) {
        self.address.store(address, Relaxed);
        self.len.store(len, Relaxed);
        self.flags.store(flags, Relaxed);
        self.next.store(next, Relaxed);
    }
}

/// The ring on which the driver hands over chains.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Available {
    pub(crate) flags: AtomicU16,
    pub(crate) index: AtomicU16,
    pub(crate) ring: [AtomicU16; ENTRIES],
}

#[derive(Debug)]
#[repr(C)]
pub(crate) struct UsedElement {
    pub(crate) id: AtomicU32,
    pub(crate) len: AtomicU32,
}

/// The ring on which the device gives chains back.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Used {
    pub(crate) flags: AtomicU16,
    pub(crate) index: AtomicU16,
    pub(crate) ring: [UsedElement; ENTRIES],
}

/// What the device writes.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Written {
    pub(crate) used: Used,
    pub(crate) statuses: [AtomicU8; ENTRIES],
}

/// A request's header, or the range that a discard is about: each is 16 bytes.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Words {
    first: AtomicU64,
    second: AtomicU64,
}

impl Words {
    pub(crate) const LEN: u32 = 16;

    pub(crate) fn header(&self, kind: u32, sector: u64) {
        self.first.store(u64::from(kind).to_le(), Relaxed);
        self.second.store(sector.to_le(), Relaxed);
    }

    /// `count` in sectors; no flags.
    pub(crate) fn range(&self, sector: u64, count: u32) {
        self.first.store(sector.to_le(), Relaxed);
        self.second.store(u64::from(count).to_le(), Relaxed);
    }
}

/// All tables. Those in the order of descriptors belong to the chain that begins there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared {
    pub(crate) descriptors: &'static Page<[Descriptor; ENTRIES]>,
    pub(crate) available: &'static Page<Available>,
    pub(crate) written: &'static Page<Written>,
    pub(crate) headers: &'static Page<[Words; ENTRIES]>,
    pub(crate) ranges: &'static Page<[Words; ENTRIES]>,
}

/// Where the device finds the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) descriptors: u64,
    pub(crate) available: u64,
    pub(crate) used: u64,
    pub(crate) statuses: u64,
    pub(crate) headers: u64,
    pub(crate) ranges: u64,
}

impl Shared {
    /// Zeros.
    pub(crate) fn new() -> Self {
        let words = || Words { first: AtomicU64::new(0), second: AtomicU64::new(0) };
        let descriptor = || Descriptor {
            address: AtomicU64::new(0),
            len: AtomicU32::new(0),
            flags: AtomicU16::new(0),
            next: AtomicU16::new(0),
        };
        let used = || UsedElement { id: AtomicU32::new(0), len: AtomicU32::new(0) };
        Self {
            descriptors: page(core::array::from_fn(|_| descriptor())),
            available: page(Available {
                flags: AtomicU16::new(0),
                index: AtomicU16::new(0),
                ring: core::array::from_fn(|_| AtomicU16::new(0)),
            }),
            written: page(Written {
                used: Used {
                    flags: AtomicU16::new(0),
                    index: AtomicU16::new(0),
                    ring: core::array::from_fn(|_| used()),
                },
                statuses: core::array::from_fn(|_| AtomicU8::new(0)),
            }),
            headers: page(core::array::from_fn(|_| words())),
            ranges: page(core::array::from_fn(|_| words())),
        }
    }

    pub(crate) fn addresses<H: Hal>(&self) -> Result<Addresses, Fault> {
        Ok(Addresses {
            descriptors: address::<H, _>(self.descriptors)?,
            available: address::<H, _>(self.available)?,
            used: address::<H, _>(&self.written.0.used)?,
            statuses: address::<H, _>(&self.written.0.statuses)?,
            headers: address::<H, _>(self.headers)?,
            ranges: address::<H, _>(self.ranges)?,
        })
    }
}

fn page<T>(table: T) -> &'static Page<T> {
    const { assert!(size_of::<Page<T>>() == 4096) };
    Box::leak(Box::new(Page(table)))
}

fn address<H: Hal, T>(table: &'static T) -> Result<u64, Fault> {
    match H::physical(NonNull::from(table).cast(), size_of::<T>()) {
        Some(run) if run.len == size_of::<T>() => Ok(run.address),
        _ => Err(Fault::Unreachable),
    }
}
