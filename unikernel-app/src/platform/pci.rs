//! PCI: configuration space by I/O ports, and the search on bus 0.

use super::port::Port;
use virtio_drivers::transport::pci::bus::{
    ConfigurationAccess, DeviceFunction, DeviceFunctionInfo, PciRoot,
};

// SAFETY: it selects what `DATA` shows.
const ADDRESS: Port = unsafe { Port::new(0xcf8) };
// SAFETY: a configuration register can make a device a bus master. Only the driver
// of a device writes here, which gives the device no memory but what it may have.
const DATA: Port = unsafe { Port::new(0xcfc) };

const ABSENT: u32 = u32::MAX;
const HOST_BRIDGE: DeviceFunction = DeviceFunction { bus: 0, device: 0, function: 0 };

pub(crate) struct Ports;

fn select(function: DeviceFunction, register: u8) {
    let DeviceFunction { bus, device, function } = function;
    let place = u32::from(bus) << 16 | u32::from(device) << 11 | u32::from(function) << 8;
    ADDRESS.write32(1 << 31 | place | u32::from(register & 0xfc));
}

impl ConfigurationAccess for Ports {
    fn read_word(&self, function: DeviceFunction, register: u8) -> u32 {
        select(function, register);
        DATA.read32()
    }

    fn write_word(&mut self, function: DeviceFunction, register: u8, value: u32) {
        select(function, register);
        DATA.write32(value);
    }

    unsafe fn unsafe_clone(&self) -> Self {
        Self
    }
}

/// Whether the machine has PCI at all.
pub(crate) fn present() -> bool {
    Ports.read_word(HOST_BRIDGE, 0) != ABSENT
}

/// The first function on bus 0 that is wanted; none if there is no PCI.
pub(crate) fn find(wanted: &dyn Fn(&DeviceFunctionInfo) -> bool) -> Option<DeviceFunction> {
    if !present() {
        return None;
    }
    let mut devices = PciRoot::new(Ports).enumerate_bus(0);
    devices.find(|(_, info)| wanted(info)).map(|(function, _)| function)
}
