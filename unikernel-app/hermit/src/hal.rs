//! What the disk's driver needs of Hermit. The kernel offers none of it, but application and kernel
//! share one address space and ring 0, so the application can do it by itself:
//!
//! - Memory is mapped in pages that lie anywhere, so the live page tables tell where. The kernel
//!   maps all RAM one to one, and with it the tables.
//! - Device registers get a window of their own, from [`WINDOW`] on, where the kernel maps nothing:
//!   it maps RAM one to one far below, and everything else from 64 TiB on.
//! - It has no driver for disks, so it drives none that is claimed here.

use crate::paging::{self, PAGE, Tables};
use nerite_virtio::{Hal, Ports, Run};
use std::arch::asm;
use std::ptr::{NonNull, with_exposed_provenance, with_exposed_provenance_mut};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use virtio_drivers::transport::pci::bus::{Command, DeviceFunction, DeviceFunctionInfo, PciRoot};

/// A physical address below this is found at so much above it.
const WINDOW: u64 = 1 << 45;

/// The functions that were claimed. Held for as long as anything is looked for.
static CLAIMED: Mutex<Vec<DeviceFunction>> = Mutex::new(Vec::new());
/// Held while pages are mapped.
static MAPPING: Mutex<()> = Mutex::new(());

/// A machine with Hermit on it.
///
/// Its disks are those on PCI's bus 0. Claim them before other threads use PCI: configuration space
/// is reached by two ports, and nobody keeps one thread off while another one is between them.
#[derive(Debug)]
pub struct Machine;

// SAFETY: the kernel has no driver for disks, and `CLAIMED` keeps everybody else here from a
// function; the window is mapped uncached, and never again unmapped; `find` knows where memory lies,
// which the kernel does not move; on x86 the caches are coherent with devices.
unsafe impl Hal for Machine {
    type Configuration = Ports;

    fn claim(
        wanted: &dyn Fn(&DeviceFunctionInfo) -> bool,
    ) -> Option<(Self::Configuration, DeviceFunction)> {
        let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        let mut devices = PciRoot::new(pci()).enumerate_bus(0);
        let (function, _) =
            devices.find(|(function, info)| !claimed.contains(function) && wanted(info))?;
        claimed.push(function);
        // The kernel would not know whose interrupt it is.
        let mut root = PciRoot::new(pci());
        let (_, command) = root.get_status_command(function);
        root.set_command(function, command | Command::INTERRUPT_DISABLE);
        Some((pci(), function))
    }

    fn map(address: u64, len: usize) -> NonNull<u8> {
        let _turn = MAPPING.lock().unwrap_or_else(PoisonError::into_inner);
        let end = address.saturating_add(len as u64);
        assert!(end <= WINDOW, "device registers at {address:#x}");
        for page in (address / PAGE..end.div_ceil(PAGE)).map(|number| number * PAGE) {
            let mapped = paging::map_device(&Live, WINDOW + page, page);
            assert!(mapped.is_some(), "no memory to map device registers");
        }
        let start: *mut u8 = with_exposed_provenance_mut((WINDOW + address) as usize);
        NonNull::new(start).unwrap_or_else(|| unreachable!("the window is not at 0"))
    }

    fn physical(memory: NonNull<u8>, len: usize) -> Option<Run> {
        let run = paging::find(&Live, memory.as_ptr().expose_provenance() as u64)?;
        Some(Run { len: run.len.min(len), ..run })
    }

    /// Lets other threads run.
    fn wait() -> Duration {
        let start = Instant::now();
        thread::yield_now();
        start.elapsed()
    }
}

fn pci() -> Ports {
    // SAFETY: Hermit runs on PCs here, in ring 0. Only the driver of a device gives it memory.
    // `Machine`'s documentation demands that nobody else uses the ports meanwhile.
    unsafe { Ports::new() }
}

/// The tables that the CPU uses.
struct Live;

#[repr(align(4096))]
struct Table([u64; 512]);

impl Tables for Live {
    fn root(&self) -> u64 {
        let root;
        // SAFETY: reading CR3 has no effect; in ring 0 it is allowed.
        unsafe { asm!("mov {}, cr3", out(reg) root, options(nomem, nostack)) }
        root
    }

    fn read(&self, at: u64) -> u64 {
        let entry: *const u64 = with_exposed_provenance(at as usize);
        // SAFETY: `at` is an entry of a table, and the kernel has mapped it one to one.
        unsafe { entry.read_volatile() }
    }

    fn write(&self, at: u64, entry: u64) {
        let place: *mut u64 = with_exposed_provenance_mut(at as usize);
        // SAFETY: as above. Entries are only made in the window, which nobody else uses; the one of
        // the first level that leads to it is no other's either.
        unsafe { place.write_volatile(entry) }
    }

    fn make(&self) -> Option<u64> {
        let table = Box::leak(Box::new(Table([0; 512])));
        let address = (&raw mut table.0).expose_provenance();
        paging::find(self, address as u64).map(|run| run.address)
    }
}
