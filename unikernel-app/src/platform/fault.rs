//! CPU exceptions: each prints where it happened and ends the image.

use super::exit::exit;
use super::serial::println;
use core::arch::asm;
use nerite_unikernel::status::Status;
use spin::Mutex;

const VECTORS: usize = 32;
const STUB_SIZE: usize = 8;
/// The exceptions that push an error code: 8, 10 to 14, 17, 21, 29, 30.
const WITH_ERROR_CODE: u32 = 0x6022_7d00;

unsafe extern "C" {
    /// In `boot.s`: one stub after another, each of `STUB_SIZE` bytes.
    static fault_stubs: [[u8; STUB_SIZE]; VECTORS];
}

/// The interrupt descriptor table: 16 bytes for each vector.
static IDT: Mutex<[[u64; 2]; VECTORS]> = Mutex::new([[0; 2]; VECTORS]);

#[repr(C, packed)]
struct TablePointer {
    limit: u16,
    base: u64,
}

/// From here on a CPU exception is reported; before, it resets the machine.
pub(crate) fn catch() {
    let mut idt = IDT.lock();
    for (vector, gate) in idt.iter_mut().enumerate() {
        let handler = (stubs() + vector * STUB_SIZE) as u64;
        // Code segment 8, present, an interrupt gate; the address lies in three pieces around it.
        let kind = (8 << 16) | (0x8e00 << 32);
        *gate = [(handler & 0xffff) | kind | ((handler >> 16 & 0xffff) << 48), handler >> 32];
    }
    let limit = size_of_val(&*idt) as u16 - 1;
    let pointer = TablePointer { limit, base: (&raw const *idt) as u64 };
    // SAFETY: the table is a static, holds valid gates to code that never returns, and is not
    // changed any more.
    unsafe { asm!("lidt [{}]", in(reg) &raw const pointer, options(readonly, nostack)) }
}

/// An exception on purpose.
pub(crate) fn provoke() -> ! {
    // SAFETY: `ud2` raises exception 6, and its handler does not return.
    unsafe { asm!("ud2", options(noreturn)) }
}

fn stubs() -> usize {
    &raw const fault_stubs as usize
}

/// `stack`: the return address of the stub's call, then what the CPU pushed.
#[unsafe(no_mangle)]
extern "C" fn rust_fault(stack: *const [usize; 4]) -> ! {
    // SAFETY: the stub pushed one word and the CPU at least five before it got here.
    let stack = unsafe { stack.read() };
    let vector = stack[0].wrapping_sub(stubs()) / STUB_SIZE;
    let (code, rip) = match WITH_ERROR_CODE >> vector & 1 {
        1 => (stack[1], stack[2]),
        _ => (0, stack[1]),
    };
    let address: u64;
    // SAFETY: reading CR2 has no effect.
    unsafe { asm!("mov {}, cr2", out(reg) address, options(nomem, nostack)) }
    println!("fault: CPU exception {vector}, code {code:#x}, rip {rip:#x}, cr2 {address:#x}");
    exit(Status::Fault)
}
