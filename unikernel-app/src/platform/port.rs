//! x86 I/O ports.

use core::arch::asm;

/// One I/O port.
#[derive(Clone, Copy)]
pub(crate) struct Port(u16);

impl Port {
    /// # Safety
    /// Nothing that is written to the port may make a device access memory that Rust uses.
    pub(crate) const unsafe fn new(number: u16) -> Self {
        Self(number)
    }

    pub(crate) fn read8(self) -> u8 {
        let value;
        // SAFETY: reading a port touches no memory (`new`).
        unsafe { asm!("in al, dx", in("dx") self.0, out("al") value, options(nomem, nostack)) }
        value
    }

    pub(crate) fn write8(self, value: u8) {
        // SAFETY: writing the port touches no memory that Rust uses (`new`).
        unsafe { asm!("out dx, al", in("dx") self.0, in("al") value, options(nomem, nostack)) }
    }

    pub(crate) fn write32(self, value: u32) {
        // SAFETY: writing the port touches no memory that Rust uses (`new`).
        unsafe { asm!("out dx, eax", in("dx") self.0, in("eax") value, options(nomem, nostack)) }
    }
}
