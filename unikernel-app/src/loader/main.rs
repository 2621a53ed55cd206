//! Boots an application for Hermit: an ELF file that QEMU's `-initrd` brings, kernel and all.
//!
//! QEMU finds this loader by PVH, as it finds the bare image, and `boot.s` is the same. What stays in
//! use when the kernel runs, its boot stack, the page tables, the device tree, lies in this loader's
//! own memory: the kernel takes all RAM above itself for free, and none below.
#![no_std]
#![no_main]
// Addresses are numbers here: memory is mapped one to one, on a 64-bit machine.
#![allow(clippy::cast_possible_truncation)]

extern crate alloc;

#[cfg(not(all(target_arch = "x86_64", target_os = "none")))]
compile_error!("the loader is built by `make hermit-image`, for x86_64-unknown-none");

mod device_tree;

// The image's own; the loader needs less of it.
#[allow(dead_code, unused_imports, unused_macros)]
#[path = "../platform"]
mod platform {
    pub(crate) mod exit;
    pub(crate) mod fault;
    mod port;
    pub(crate) mod serial;
    pub(crate) mod start_info;
}

use alloc::boxed::Box;
use alloc::vec;
use core::arch::{asm, global_asm};
use core::mem::MaybeUninit;
use core::ops::Range;
use core::slice;
use hermit_entry::boot_info::{
    BootInfo, DeviceTreeAddress, HardwareInfo, PlatformInfo, RawBootInfo, SerialPortBase,
};
use hermit_entry::elf::{KernelObject, LoadedKernel};
use platform::serial::Serial;
use platform::start_info::StartInfo;
use spin::Mutex;
use talc::{ClaimOnOom, Span, Talc, Talck};

global_asm!(include_str!("../platform/boot.s"), options(att_syntax));

/// Where a kernel goes that may lie anywhere: behind this loader. It must be a multiple of 2 MiB,
/// which is how the kernel counts.
const KERNEL: u64 = 4 << 20;
const COM1: u16 = 0x3f8;
/// As much as the kernel takes for its own: it is given the stack's lower end, and adds its length.
const STACK_SIZE: usize = 32 << 10;

/// The heap, for what the kernel is told.
static mut ARENA: [u8; 128 << 10] = [0; 128 << 10];
#[global_allocator]
static HEAP: Talck<Mutex<()>, ClaimOnOom> =
    // SAFETY: nobody else uses the array.
    Talc::new(unsafe { ClaimOnOom::new(Span::from_array(&raw mut ARENA)) }).lock();

unsafe extern "C" {
    /// In `image.ld`: the first byte after the loader.
    static image_end: u8;
}

/// `boot.s` comes here.
#[unsafe(no_mangle)]
extern "C" fn rust_entry(start_info: u32, _entry: u64) -> ! {
    Serial::start();
    platform::fault::catch();
    assert!(&raw const image_end as u64 <= KERNEL, "the loader has outgrown its place");
    // SAFETY: `boot.s` passes what was left in EBX. What it names is not written before the kernel
    // runs, which does not need it: `load` checks.
    let Some(info) = (unsafe { StartInfo::read(start_info) }) else {
        panic!("the loader needs a memory map (PVH version 1)");
    };
    let Some(module) = info.module() else {
        panic!("the loader needs an application (-initrd)");
    };
    let kernel = load(&info, module);
    let Ok(command_line) = info.command_line().to_str() else {
        panic!("the command line is not UTF-8");
    };
    let tree = match device_tree::make(info.ram(), info.rsdp(), command_line) {
        Ok(tree) => tree.leak(),
        Err(error) => panic!("the device tree can't be made: {error}"),
    };
    let told = BootInfo {
        hardware_info: HardwareInfo {
            phys_addr_range: 0..0,
            serial_port_base: SerialPortBase::new(COM1),
            device_tree: DeviceTreeAddress::new(tree.as_ptr() as u64),
        },
        load_info: kernel.load_info,
        platform_info: PlatformInfo::Fdt,
    };
    let stack = vec![0_u128; STACK_SIZE / 16].leak();
    let told: &RawBootInfo = Box::leak(Box::new(told.into()));
    // SAFETY: the kernel's entry takes where it is told something, the number of its CPU, and a
    // stack of its own; it never returns.
    unsafe {
        asm!(
            "mov rsp, {stack}",
            "jmp {entry}",
            stack = in(reg) stack.as_mut_ptr(),
            entry = in(reg) kernel.entry_point,
            in("rdi") &raw const *told,
            in("rsi") 0,
            options(noreturn)
        )
    }
}

/// Puts the application where it runs.
fn load(info: &StartInfo, module: Range<u64>) -> LoadedKernel {
    let at = module.start as usize as *const u8;
    // SAFETY: the module lies there, in RAM that nothing has written to since.
    let file = unsafe { slice::from_raw_parts(at, (module.end - module.start) as usize) };
    let object = match KernelObject::parse(file) {
        Ok(object) => object,
        Err(error) => panic!("the application is none for Hermit: {error}"),
    };
    let start = object.start_addr().unwrap_or(KERNEL);
    let place = start..start.saturating_add(object.mem_size() as u64);
    let in_ram = |ram: Range<u64>| ram.start <= place.start && place.end <= ram.end;
    // Above 4 GiB nothing is mapped yet.
    let fits = place.start >= KERNEL && place.end <= 1 << 32 && info.ram().any(in_ram);
    let hits = |other: &Range<u64>| place.start < other.end && other.start < place.end;
    assert!(fits && !hits(&module), "the machine has not enough memory for the application");
    assert!(!info.taken().iter().any(hits), "the command line is where the application goes");
    let memory = start as usize as *mut MaybeUninit<u8>;
    // SAFETY: this is RAM, mapped, and used by nothing.
    let memory = unsafe { slice::from_raw_parts_mut(memory, object.mem_size()) };
    object.load_kernel(memory, start)
}
