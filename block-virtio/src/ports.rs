//! PCI as a PC has it: configuration space by I/O ports, and the search on bus 0.

use core::arch::asm;
use virtio_drivers::transport::pci::bus::{
    ConfigurationAccess, DeviceFunction, DeviceFunctionInfo, PciRoot,
};

/// Selects what `DATA` shows.
const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;

const ABSENT: u32 = u32::MAX;
const HOST_BRIDGE: DeviceFunction = DeviceFunction { bus: 0, device: 0, function: 0 };

/// The two ports through which a PC shows the configuration space of PCI: what a
/// [`Hal`](crate::Hal) for such a machine needs to claim a function.
#[derive(Debug)]
pub struct Ports(());

impl Ports {
    /// # Safety
    /// The machine is a PC, and the program may use its I/O ports. Nobody else uses these two while
    /// a call is under way that was given the result. What is written to a function's registers
    /// makes no device access memory that it was not given.
    #[must_use]
    pub const unsafe fn new() -> Self {
        Self(())
    }

    /// Whether the machine has PCI at all.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.read_word(HOST_BRIDGE, 0) != ABSENT
    }

    /// The first function on bus 0 that is wanted; none if there is no PCI.
    #[must_use]
    pub fn find(&self, wanted: &dyn Fn(&DeviceFunctionInfo) -> bool) -> Option<DeviceFunction> {
        if !self.is_present() {
            return None;
        }
        let mut devices = PciRoot::new(Self(())).enumerate_bus(0);
        devices.find(|(_, info)| wanted(info)).map(|(function, _)| function)
    }
}

fn select(function: DeviceFunction, register: u8) {
    let DeviceFunction { bus, device, function } = function;
    let place = u32::from(bus) << 16 | u32::from(device) << 11 | u32::from(function) << 8;
    let address = 1 << 31 | place | u32::from(register & 0xfc);
    // SAFETY: only who has `Ports` comes here. It selects a register, and touches no memory.
    unsafe { asm!("out dx, eax", in("dx") ADDRESS, in("eax") address, options(nomem, nostack)) }
}

impl ConfigurationAccess for Ports {
    fn read_word(&self, function: DeviceFunction, register: u8) -> u32 {
        select(function, register);
        let value;
        // SAFETY: reading a configuration register touches no memory.
        unsafe { asm!("in eax, dx", in("dx") DATA, out("eax") value, options(nomem, nostack)) }
        value
    }

    fn write_word(&mut self, function: DeviceFunction, register: u8, value: u32) {
        select(function, register);
        // SAFETY: it can make a device a bus master, but not give it memory that it may not have
        // (`new`).
        unsafe { asm!("out dx, eax", in("dx") DATA, in("eax") value, options(nomem, nostack)) }
    }

    unsafe fn unsafe_clone(&self) -> Self {
        Self(())
    }
}
