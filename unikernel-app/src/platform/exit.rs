//! The ways out. Each ends the machine with a status of its own.

use super::port::Port;
use super::serial::println;
use core::arch::asm;
use core::panic::PanicInfo;

/// How the image ended. QEMU's `isa-debug-exit` makes the process exit with `2 * status + 1`.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Status {
    /// All that was asked for is done, and durable.
    Done = 0,
    /// The command line makes no sense.
    Usage = 1,
    /// The machine lacks something, or its disk can't be used.
    Machine = 2,
    /// The store, or the application on it, failed.
    Store = 3,
    /// The code panicked, or ran out of memory.
    Panic = 4,
    /// The CPU met an exception.
    Fault = 5,
}

// SAFETY: `isa-debug-exit` ends QEMU; elsewhere nothing is at this port.
const DEBUG_EXIT: Port = unsafe { Port::new(0xf4) };

/// Ends the machine.
pub(crate) fn exit(status: Status) -> ! {
    DEBUG_EXIT.write32(status as u32);
    println!("there is no isa-debug-exit device: halted with status {}", status as u32);
    loop {
        // SAFETY: with interrupts off, `hlt` waits for ever and touches nothing.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) }
    }
}

/// Out of memory comes here too: without std, a failed allocation panics.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("panic: {}", info.message());
    if let Some(location) = info.location() {
        println!("at {location}");
    }
    exit(Status::Panic)
}
