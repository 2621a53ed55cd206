//! The machine: an x86-64 PC as QEMU makes it (q35, microvm), entered through PVH, on one CPU with
//! interrupts off.

mod clock;
mod cmos;
mod entropy;
mod exit;
mod fault;
mod hal;
mod heap;
mod mmio;
mod paging;
mod pit;
mod port;
pub(crate) mod serial;
mod start_info;
mod tsc;

use alloc::format;
use alloc::string::{String, ToString};
use core::arch::global_asm;
use core::error::Error;
use core::fmt;
use nerite::DeviceError;
use nerite_unikernel::units::Size;
use nerite_virtio::{Bus, VirtioBlk};
use start_info::StartInfo;

pub(crate) use clock::Clock;
pub(crate) use entropy::seed;
pub(crate) use exit::exit;
pub(crate) use fault::provoke as provoke_fault;
pub(crate) use serial::{Serial as Console, println};

global_asm!(include_str!("boot.s"), options(att_syntax));

/// A disk of this machine.
pub(crate) type Disk = VirtioBlk<hal::Machine, Bus>;

/// What is there when the image begins.
pub(crate) struct Boot {
    pub(crate) clock: Clock,
    pub(crate) command_line: String,
    heap_size: u64,
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of heap, {}", Size(self.heap_size), self.clock)
    }
}

/// `boot.s` comes here: `entry` is the CPU's counter when the image began.
#[unsafe(no_mangle)]
extern "C" fn rust_entry(start_info: u32, entry: u64) -> ! {
    serial::Serial::start();
    fault::catch();
    // SAFETY: `boot.s` passes what the loader left. The heap keeps out of what it takes.
    let Some(info) = (unsafe { StartInfo::read(start_info) }) else {
        panic!("the loader passed no memory map (PVH version 1 is needed)");
    };
    assert!(info.module().is_none(), "the image takes no modules (-initrd)");
    let heap_size = heap::start(&info);
    let command_line = info.command_line().to_string_lossy().into_owned();
    crate::application(&Boot { clock: Clock::start(entry), command_line, heap_size })
}

/// The machine's first virtio disk and what to call it. Must be called once.
pub(crate) fn disk() -> Result<(Disk, String), String> {
    let on_pci = Bus::claim::<hal::Machine>().map_err(|error| told(&error))?;
    let (bus, name) = match on_pci {
        Some((bus, function)) => (bus, format!("virtio-blk-pci at {function}")),
        None if hal::pci().is_present() => return Err("there is no virtio disk".to_string()),
        None => {
            // SAFETY: QEMU's machine without PCI is microvm, and this is the only call.
            let (transport, name) = unsafe { mmio::find() }.ok_or("there is no virtio disk")?;
            (Bus::from(transport), name)
        }
    };
    let disk = VirtioBlk::new(bus).map_err(|error| told(&error))?;
    Ok((disk, name))
}

/// With what lies behind it.
fn told(error: &DeviceError) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
