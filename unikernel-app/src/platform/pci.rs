//! PCI: configuration space by I/O ports, and the search for a disk on bus 0.

use super::hal::Machine;
use super::port::Port;
use alloc::format;
use alloc::string::{String, ToString};
use virtio_drivers::transport::DeviceType;
use virtio_drivers::transport::pci::bus::{Command, ConfigurationAccess, DeviceFunction, PciRoot};
use virtio_drivers::transport::pci::{PciTransport, virtio_device_type};

// SAFETY: it selects what `DATA` shows.
const ADDRESS: Port = unsafe { Port::new(0xcf8) };
// SAFETY: a configuration register can make a device a bus master. Only `virtio-drivers` and `find`
// write here, for devices that were given no memory but by the driver.
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

/// The first virtio disk, and what to call it. Firmware has given addresses to its BARs.
pub(crate) fn find() -> Result<Option<(PciTransport, String)>, String> {
    let mut root = PciRoot::new(Ports);
    let mut devices = root.enumerate_bus(0);
    let found = devices.find(|(_, info)| virtio_device_type(info) == Some(DeviceType::Block));
    let Some((function, _)) = found else {
        return Ok(None);
    };
    let (_, command) = root.get_status_command(function);
    root.set_command(function, command | Command::MEMORY_SPACE | Command::BUS_MASTER);
    let transport =
        PciTransport::new::<Machine, _>(&mut root, function).map_err(|error| error.to_string())?;
    Ok(Some((transport, format!("virtio-blk-pci at {function}"))))
}
