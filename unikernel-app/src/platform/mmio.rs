//! virtio-mmio as QEMU's microvm has it: fixed slots, most of them empty.

use alloc::format;
use alloc::string::String;
use core::ptr::NonNull;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};

const FIRST_SLOT: usize = 0xfeb0_0000;
const SLOT_SIZE: usize = 512;
/// QEMU has 24; what is not there reads as zeros.
const SLOTS: usize = 32;

/// The first virtio disk, and what to call it.
///
/// # Safety
/// The machine is one that has nothing else at these addresses. Must be called once.
pub(crate) unsafe fn find() -> Option<(MmioTransport<'static>, String)> {
    // QEMU gives the last slot to the first device.
    (0..SLOTS).rev().find_map(|slot| {
        let at = FIRST_SLOT + slot * SLOT_SIZE;
        let header = NonNull::new(at as *mut VirtIOHeader)?;
        // SAFETY: a slot, or nothing, is there (see above), aligned and mapped for ever.
        let transport = unsafe { MmioTransport::new(header, SLOT_SIZE) }.ok()?;
        let is_disk = transport.device_type() == DeviceType::Block;
        is_disk.then(|| (transport, format!("virtio-mmio at {at:#x}")))
    })
}
