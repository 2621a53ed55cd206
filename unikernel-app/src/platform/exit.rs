//! The ways out. Each ends the machine with a status of its own.

use super::port::Port;
use super::serial::println;
use core::arch::asm;
use core::panic::PanicInfo;
use nerite_unikernel::status::{EXIT_PORT, Status};

// SAFETY: `isa-debug-exit` ends QEMU; elsewhere nothing is at this port.
const DEBUG_EXIT: Port = unsafe { Port::new(EXIT_PORT) };

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
