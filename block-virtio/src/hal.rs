//! What the driver asks of the machine it runs on: four calls.

use core::ptr::NonNull;
use core::time::Duration;
use virtio_drivers::transport::pci::bus::{
    ConfigurationAccess, DeviceFunction, DeviceFunctionInfo,
};

/// Memory as a device sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where the first byte lies, by the device's addresses.
    pub address: u64,
    /// How many bytes from there on are contiguous, at least 1 and at most what was asked for.
    pub len: usize,
}

/// The machine, or the kernel that has it.
///
/// A kernel that offers these four calls lets a driver for virtio-blk live in the application.
/// There is one machine, so none of them has a receiver.
///
/// # Safety
/// An implementation keeps what each call's documentation demands under "Implementation safety".
pub unsafe trait Hal {
    /// How the claimed function's PCI configuration space is reached.
    type Configuration: ConfigurationAccess;

    /// Claims the first PCI function that is `wanted` and that nobody has claimed; its BARs have
    /// addresses. On a machine without PCI there is none.
    ///
    /// # Implementation safety
    /// Until the end of the program nobody else drives a function that was claimed.
    fn claim(
        wanted: &dyn Fn(&DeviceFunctionInfo) -> bool,
    ) -> Option<(Self::Configuration, DeviceFunction)>;

    /// Maps `len` bytes of device registers at the physical `address`, which lie in a BAR of a
    /// claimed function, and returns where they appear. The same registers may be asked for again.
    ///
    /// # Implementation safety
    /// What is returned is mapped uncached, for ever, and is no memory of the program. If that
    /// can't be had, the call does not return.
    fn map(address: u64, len: usize) -> NonNull<u8>;

    /// Where the device finds the `len` bytes at `memory`, which is memory of the program: its
    /// heap, a stack, a static. `len` is not 0. `None` if a device can't reach it.
    ///
    /// The driver hands addresses of the caller's own buffers to the device, so nothing is copied.
    /// Where memory is mapped one to one, the answer is the question.
    ///
    /// # Implementation safety
    /// The address is that memory's, for [`Run::len`] bytes and for as long as the memory stays
    /// allocated; `memory`'s provenance is exposed, since the device writes there. The caches of the CPU hide nothing from the device, nor its writes from the CPU.
    /// Bytes that share an aligned block of 4096 are contiguous.
    fn physical(memory: NonNull<u8>, len: usize) -> Option<Run>;

    /// Called while the device is slow: returns after a moment, or when an interrupt came, and
    /// tells how much time has passed. Others may run meanwhile.
    ///
    /// Called again and again; when the sum passes the driver's patience, it gives the device up.
    fn wait() -> Duration;
}
