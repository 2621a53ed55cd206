//! The machine, with the Hermit kernel on it: the same for the image as `platform/`. What the disk's
//! driver needs is the crate `nerite-hermit`, which other applications use too.

use nerite::{Clock as _, DeviceError, Timestamp};
use nerite_hermit::{Machine, SystemClock};
use nerite_unikernel::status::{EXIT_PORT, Status};
use nerite_virtio::{Bus, VirtioBlk};
use std::arch::asm;
use std::error::Error;
use std::fmt;
use std::panic::{PanicHookInfo, set_hook};
use std::time::{Duration, Instant};

pub(crate) use nerite_hermit::random_seed as seed;
pub(crate) use std::println;

/// A disk of this machine.
pub(crate) type Disk = VirtioBlk<Machine, Bus>;

/// What is there when the image begins.
pub(crate) struct Boot {
    pub(crate) clock: Clock,
    pub(crate) command_line: String,
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("on Hermit, with its clock")
    }
}

/// The kernel comes to `main` with its own words taken off the command line, and a name put before
/// the rest.
pub(crate) fn start() -> Boot {
    let clock = Clock { start: Instant::now() };
    set_hook(Box::new(panic));
    let words: Vec<String> = std::env::args().skip(1).collect();
    Boot { clock, command_line: words.join(" ") }
}

/// The time, monotonic and of the day.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// Since `main` began.
    pub(crate) fn uptime(&self) -> Duration {
        self.start.elapsed()
    }

    #[expect(clippy::unused_self, reason = "the bare machine's clock keeps something")]
    pub(crate) fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

/// The machine's next virtio disk and what to call it.
pub(crate) fn disk() -> Result<(Disk, String), String> {
    let claimed = Bus::claim::<Machine>().map_err(|error| told(&error))?;
    let (bus, function) = claimed.ok_or("there is no virtio disk")?;
    let disk = VirtioBlk::new(bus).map_err(|error| told(&error))?;
    Ok((disk, format!("virtio-blk-pci at {function}")))
}

/// With what lies behind it.
fn told(error: &DeviceError) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Ends the machine.
pub(crate) fn exit(status: Status) -> ! {
    // SAFETY: `isa-debug-exit` ends QEMU; elsewhere nothing is at this port.
    unsafe {
        asm!("out dx, eax", in("dx") EXIT_PORT, in("eax") status as u32, options(nomem, nostack));
    }
    // The kernel knows another way, and prints the status.
    std::process::exit(status as i32)
}

fn panic(info: &PanicHookInfo<'_>) {
    println!("panic: {}", info.payload_as_str().unwrap_or("for no reason"));
    if let Some(location) = info.location() {
        println!("at {location}");
    }
    exit(Status::Panic)
}

/// An exception on purpose. The kernel reports it, ends the thread, and waits for ever for others.
pub(crate) fn provoke_fault() -> ! {
    // SAFETY: `ud2` raises exception 6, and its handler does not return.
    unsafe { asm!("ud2", options(noreturn)) }
}

/// The console.
pub(crate) struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print!("{text}");
        Ok(())
    }
}
