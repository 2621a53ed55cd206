//! What the disk's driver needs of the machine. Memory is mapped one to one and there is no IOMMU,
//! so a device sees every buffer at its own address.

use super::clock::elapsed;
use super::paging::map_device;
use super::tsc::ticks;
use core::hint::spin_loop;
use core::ptr::NonNull;
use core::time::Duration;
use nerite_virtio::{Hal, Ports, Run};
use virtio_drivers::transport::pci::bus::{DeviceFunction, DeviceFunctionInfo};

/// How often the CPU pauses in one wait: some microseconds.
const PAUSES: u32 = 64;

pub(crate) struct Machine;

/// The machine's PCI, as far as it has one.
pub(crate) const fn pci() -> Ports {
    // SAFETY: this is a PC in ring 0, on one CPU without interrupts. Only the driver of a device
    // gives it memory.
    unsafe { Ports::new() }
}

// SAFETY: nobody else drives devices here; `map_device` maps what lies outside RAM for ever;
// physical addresses are virtual ones, and on x86 the caches are coherent with devices.
unsafe impl Hal for Machine {
    type Configuration = Ports;

    fn claim(
        wanted: &dyn Fn(&DeviceFunctionInfo) -> bool,
    ) -> Option<(Self::Configuration, DeviceFunction)> {
        pci().find(wanted).map(|function| (pci(), function))
    }

    fn map(address: u64, len: usize) -> NonNull<u8> {
        map_device(address, len as u64);
        NonNull::new(address as usize as *mut u8).unwrap_or_else(|| panic!("a BAR is at 0"))
    }

    fn physical(memory: NonNull<u8>, len: usize) -> Option<Run> {
        Some(Run { address: memory.as_ptr() as u64, len })
    }

    /// Interrupts are off: the CPU only pauses.
    fn wait() -> Duration {
        let start = ticks();
        (0..PAUSES).for_each(|_| spin_loop());
        elapsed(start)
    }
}
