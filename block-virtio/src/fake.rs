//! A machine and a disk in it, for tests: they can do what no honest ones do.
//!
//! The disk takes requests when it is notified, and ends them when the driver [waits](Hal::wait), in
//! the way that the test's `ending` makes of it. It checks that the driver keeps to the protocol.

use crate::config::SECTOR_SIZE;
use crate::hal::{Hal, Run};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::ptr::{NonNull, with_exposed_provenance, with_exposed_provenance_mut};
use core::time::Duration;
use virtio_drivers::transport::pci::bus::{
    ConfigurationAccess, DeviceFunction, DeviceFunctionInfo,
};
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Physical addresses are not virtual ones.
const SHIFT: u64 = 1 << 40;

/// A request ends so: its id, the bytes written, and its status.
pub(crate) type Ended = (u32, u32, Option<u8>);
pub(crate) type Ending = Box<dyn FnMut(&mut Vec<Ended>)>;

/// A request that the disk got: its kind, its sector, its data's length, in how many pieces.
pub(crate) type Seen = (u32, u64, usize, usize);

#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) bytes: Vec<u8>,
    pub(crate) features: u64,
    pub(crate) config: Vec<u8>,
    pub(crate) depth: u32,
    pub(crate) ending: Option<Ending>,
    pub(crate) refuses_features: bool,
    /// It looks at the queue by itself.
    pub(crate) wants_no_notification: bool,
    pub(crate) bad_sector: Option<u64>,
    pub(crate) seen: Vec<Seen>,
    /// Those of discards and the like: kind, first sector, how many.
    pub(crate) ranges: Vec<(u32, u64, u32)>,
    pub(crate) accepted: u64,
    pub(crate) notifications: usize,
    pub(crate) resets: usize,
    /// The most requests at once.
    pub(crate) most: usize,
    pub(crate) status: DeviceStatus,
    pub(crate) rings: Option<(u64, u64, u64, u16)>,
    pub(crate) taken: u16,
    pub(crate) ended: u16,
    pub(crate) held: Vec<Held>,
}

pub(crate) struct Held {
    id: u16,
    kind: u32,
    sector: u64,
    /// Address, length, whether the device writes.
    data: Vec<(u64, usize, bool)>,
    status: u64,
}

std::thread_local! {
    static DISK: RefCell<Option<Rc<RefCell<Disk>>>> = const { RefCell::new(None) };
    static PAGE: Cell<usize> = const { Cell::new(usize::MAX) };
    static UNREACHABLE: Cell<usize> = const { Cell::new(0) };
}

/// From now on memory is contiguous within blocks of so many bytes only.
pub(crate) fn fragment_memory(page: usize) {
    PAGE.set(page);
}

/// From now on no device reaches this.
pub(crate) fn hide(memory: &[u8]) {
    UNREACHABLE.set(memory.as_ptr().addr());
}

fn peek(address: u64, len: usize) -> Vec<u8> {
    let start: *const u8 = with_exposed_provenance((address - SHIFT) as usize);
    // SAFETY: the driver gave the address to the device, from `Machine::physical`, and keeps what
    // lies there until it takes it back.
    (0..len).map(|at| unsafe { start.add(at).read_volatile() }).collect()
}

fn poke(address: u64, bytes: &[u8]) {
    let start: *mut u8 = with_exposed_provenance_mut((address - SHIFT) as usize);
    for (at, byte) in bytes.iter().enumerate() {
        // SAFETY: as above, and it let the device write there.
        unsafe { start.add(at).write_volatile(*byte) }
    }
}

fn peek16(address: u64) -> u16 {
    u16::from_le_bytes(peek(address, 2).try_into().unwrap())
}

fn peek64(address: u64) -> u64 {
    u64::from_le_bytes(peek(address, 8).try_into().unwrap())
}

pub(crate) struct Machine;

/// No test has PCI.
pub(crate) struct NoPci;

impl ConfigurationAccess for NoPci {
    fn read_word(&self, _: DeviceFunction, _: u8) -> u32 {
        u32::MAX
    }

    fn write_word(&mut self, _: DeviceFunction, _: u8, _: u32) {}

    unsafe fn unsafe_clone(&self) -> Self {
        Self
    }
}

// SAFETY: nothing is claimed or mapped; `peek` and `poke` undo what `physical` does.
unsafe impl Hal for Machine {
    type Configuration = NoPci;

    fn claim(_: &dyn Fn(&DeviceFunctionInfo) -> bool) -> Option<(NoPci, DeviceFunction)> {
        None
    }

    fn map(_: u64, _: usize) -> NonNull<u8> {
        panic!("there are no registers")
    }

    fn physical(memory: NonNull<u8>, len: usize) -> Option<Run> {
        assert!(len > 0, "nothing lies nowhere");
        let at = memory.as_ptr().expose_provenance();
        if (at..at + len).contains(&UNREACHABLE.get()) {
            return None;
        }
        let page = PAGE.get();
        Some(Run { address: at as u64 + SHIFT, len: len.min(page - at % page) })
    }

    fn wait() -> Duration {
        let disk = DISK.with_borrow(Clone::clone).expect("there is a disk");
        disk.borrow_mut().work();
        Duration::from_secs(1)
    }
}

impl Disk {
    /// It takes what the queue holds, and ends it.
    fn work(&mut self) {
        if self.wants_no_notification {
            self.take();
        }
        let Some((_, _, used, size)) = self.rings.filter(|_| !self.held.is_empty()) else {
            return;
        };
        let mut endings: Vec<Ended> = self.held.iter().map(|held| self.end(held)).collect();
        for (held, ended) in self.held.iter().zip(&endings) {
            if held.kind == 1 && ended.2 == Some(0) {
                let data: Vec<u8> =
                    held.data.iter().flat_map(|&(at, len, _)| peek(at, len)).collect();
                let at = held.sector as usize * 512;
                self.bytes[at..at + data.len()].copy_from_slice(&data);
            }
        }
        if let Some(ending) = &mut self.ending {
            ending(&mut endings);
        }
        for (id, len, status) in endings {
            if let Some(at) = self.held.iter().position(|held| u32::from(held.id) == id) {
                let held = self.held.remove(at);
                if let Some(status) = status {
                    poke(held.status, &[status]);
                }
            }
            let slot = used + 4 + u64::from(self.ended % size) * 8;
            poke(slot, &id.to_le_bytes());
            poke(slot + 4, &len.to_le_bytes());
            self.ended = self.ended.wrapping_add(1);
        }
        poke(used + 2, &self.ended.to_le_bytes());
    }

    /// An honest end of the request. What it reads is there already.
    fn end(&self, held: &Held) -> Ended {
        let id = u32::from(held.id);
        let len: usize = held.data.iter().map(|&(_, len, _)| len).sum();
        let sectors = held.sector..held.sector + (len as u64 / u64::from(SECTOR_SIZE)).max(1);
        if held.kind < 2 && self.bad_sector.is_some_and(|bad| sectors.contains(&bad)) {
            return (id, 1, Some(1));
        }
        if held.kind != 0 {
            return (id, 1, Some(0));
        }
        let mut at = held.sector as usize * 512;
        for &(address, len, _) in &held.data {
            poke(address, &self.bytes[at..at + len]);
            at += len;
        }
        (id, len as u32 + 1, Some(0))
    }

    fn take(&mut self) {
        let (_, available, _, size) = self.rings.expect("the queue was set up");
        assert_eq!(peek16(available), 1, "interrupts are not wanted");
        while self.taken != peek16(available + 2) {
            let id = peek16(available + 4 + u64::from(self.taken % size) * 2);
            self.taken = self.taken.wrapping_add(1);
            let held = self.chain(id);
            if held.kind == 4 {
                assert!(self.held.is_empty(), "a flush follows what has completed");
            }
            let len: usize = held.data.iter().map(|&(_, len, _)| len).sum();
            if let (11 | 13, [(at, 16, _)]) = (held.kind, &held.data[..]) {
                let count = u32::from_le_bytes(peek(*at + 8, 4).try_into().unwrap());
                self.ranges.push((held.kind, peek64(*at), count));
            }
            self.seen.push((held.kind, held.sector, len, held.data.len()));
            self.held.push(held);
        }
        self.most = self.most.max(self.held.len());
    }

    /// Follows the descriptors.
    fn chain(&self, head: u16) -> Held {
        let (descriptors, _, _, size) = self.rings.unwrap();
        let mut parts = Vec::new();
        let mut id = head;
        loop {
            assert!(id < size && parts.len() < usize::from(size), "the chain is in the queue");
            let at = descriptors + u64::from(id) * 16;
            let len = u32::from_le_bytes(peek(at + 8, 4).try_into().unwrap());
            let flags = peek16(at + 12);
            parts.push((peek64(at), len as usize, flags & 2 != 0));
            if flags & 1 == 0 {
                break;
            }
            id = peek16(at + 14);
        }
        let (header, len, _) = parts.remove(0);
        let (status, 1, true) = parts.pop().unwrap() else { panic!("a status is one byte") };
        assert_eq!(len, 16, "a header has 16 bytes");
        let kind = peek64(header) as u32;
        assert!(parts.iter().all(|part| part.2 == (kind == 0)), "only a read is written");
        Held { id: head, kind, sector: peek64(header + 8), data: parts, status }
    }
}

/// The test's side and the driver's side of a disk are the same.
#[derive(Clone)]
pub(crate) struct FakeTransport(pub(crate) Rc<RefCell<Disk>>);

impl FakeTransport {
    /// Puts the disk in the machine of this thread.
    pub(crate) fn new(disk: Disk) -> Self {
        let disk = Rc::new(RefCell::new(disk));
        DISK.set(Some(disk.clone()));
        PAGE.set(usize::MAX);
        UNREACHABLE.set(0);
        Self(disk)
    }
}

impl fmt::Debug for FakeTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeTransport")
    }
}

impl Transport for FakeTransport {
    fn device_type(&self) -> DeviceType {
        DeviceType::Block
    }

    fn read_device_features(&mut self) -> u64 {
        self.0.borrow().features
    }

    fn write_driver_features(&mut self, features: u64) {
        self.0.borrow_mut().accepted = features;
    }

    fn max_queue_size(&mut self, _: u16) -> u32 {
        self.0.borrow().depth
    }

    fn notify(&mut self, queue: u16) {
        assert_eq!(queue, 0);
        let mut disk = self.0.borrow_mut();
        assert!(!disk.wants_no_notification, "it said so");
        disk.notifications += 1;
        disk.take();
    }

    fn get_status(&self) -> DeviceStatus {
        self.0.borrow().status
    }

    fn set_status(&mut self, mut status: DeviceStatus) {
        let mut disk = self.0.borrow_mut();
        if status.is_empty() {
            disk.resets += 1;
            disk.held.clear();
            disk.rings = None;
        }
        if disk.refuses_features {
            status.remove(DeviceStatus::FEATURES_OK);
        }
        disk.status = status;
    }

    fn set_guest_page_size(&mut self, _: u32) {}

    fn requires_legacy_layout(&self) -> bool {
        false
    }

    fn queue_set(&mut self, _: u16, size: u32, at: PhysAddr, driver: PhysAddr, device: PhysAddr) {
        assert!(at.is_multiple_of(16) && driver.is_multiple_of(2) && device.is_multiple_of(4));
        let mut disk = self.0.borrow_mut();
        poke(device, &u16::from(disk.wants_no_notification).to_le_bytes());
        disk.rings = Some((at, driver, device, u16::try_from(size).unwrap()));
    }

    fn queue_unset(&mut self, _: u16) {}

    fn queue_used(&mut self, _: u16) -> bool {
        false
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        InterruptStatus::default()
    }

    fn read_config_generation(&self) -> u32 {
        0
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        let disk = self.0.borrow();
        assert!(disk.status.contains(DeviceStatus::FEATURES_OK), "read after that");
        Ok(T::read_from_prefix(&disk.config[offset..]).unwrap().0)
    }

    fn write_config_space<T: IntoBytes + Immutable>(&mut self, at: usize, value: T) -> Result<()> {
        let bytes = value.as_bytes();
        self.0.borrow_mut().config[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

/// An honest disk of so many sectors, each full of its number, with a queue of 256.
pub(crate) fn honest(sectors: u32) -> Disk {
    let mut config = vec![0; 60];
    let mut set = |at: usize, value: u32| config[at..at + 4].copy_from_slice(&value.to_le_bytes());
    set(0, sectors);
    set(12, 254);
    set(36, 100);
    set(44, 8);
    set(48, 64);
    config[32] = 1;
    let bytes = (0..sectors).flat_map(|sector| [sector as u8; 512]).collect();
    let features = 1 << 32 | 1 << 2 | 1 << 9;
    // Event indexes and indirect descriptors, which must not be taken.
    let features = features | 1 << 28 | 1 << 29;
    Disk { bytes, features, config, depth: 256, ..Disk::default() }
}
