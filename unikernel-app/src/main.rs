//! The image: finds its disk, opens the store on it, runs the application, and reports. It runs on the
//! bare machine, or on the Hermit kernel.
#![cfg_attr(target_os = "none", no_std, no_main)]
// Addresses are numbers here: memory is mapped one to one, on a 64-bit machine.
#![allow(clippy::cast_possible_truncation)]

extern crate alloc;

// On the host it is only looked at, as for Hermit, which has the same standard library.
#[cfg(not(any(target_os = "none", target_os = "hermit", clippy)))]
compile_error!("the image is built by `make image`, or by `make hermit-image`");

#[cfg_attr(not(target_os = "none"), path = "hermit.rs")]
mod platform;

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;
use nerite::{BlockDevice, CreateOptions, Error, Flush, Geometry, OpenOptions, Store};
use nerite_unikernel::demo;
use nerite_unikernel::status::Status;
use nerite_unikernel::units::{Ms, Size};
use nerite_unikernel::words::{Crash, Plan};
use platform::{Boot, Clock, Disk, exit, println};

/// Why the image ends badly: with which status, and what to say.
type Failure = (Status, String);

#[cfg(not(target_os = "none"))]
fn main() -> ! {
    application(&platform::start())
}

fn application(boot: &Boot) -> ! {
    println!("nerite {}: {boot}", env!("CARGO_PKG_VERSION"));
    match run(boot) {
        Ok(()) => {
            println!("nerite: done");
            exit(Status::Done)
        }
        Err((status, message)) => {
            println!("error: {message}");
            exit(status)
        }
    }
}

fn run(boot: &Boot) -> Result<(), Failure> {
    let usage = |error: nerite_unikernel::words::UsageError| (Status::Usage, error.to_string());
    let plan = Plan::parse(&boot.command_line).map_err(usage)?;
    match plan.crash {
        Some(Crash::Panic) => panic!("the command line asked for it"),
        Some(Crash::Fault) => platform::provoke_fault(),
        None => {}
    }
    let (disk, name) = platform::disk().map_err(|error| (Status::Machine, error))?;
    let geometry = disk.geometry();
    print_disk(&name, &geometry);
    if geometry.read_only && plan.writes() {
        return Err((Status::Usage, "the command line writes, the disk is read-only".to_string()));
    }
    let store = open(&disk, boot.clock, plan.format)?;
    println!("store: {}", store.info().uuid);
    let first_get = serve(&store, &plan, boot.clock, geometry.read_only)
        .map_err(|error| (Status::Store, error.to_string()))?;
    print_store(&store);
    store.close().map_err(|error| (Status::Store, format!("close the store: {error}")))?;
    println!("time: {} to the first get, {} in all", Ms(first_get), Ms(boot.clock.uptime()));
    Ok(())
}

/// Opens the store; makes it first if the command line says so and there is none.
fn open(disk: &Disk, clock: Clock, format: bool) -> Result<Store<&Disk>, Failure> {
    let read_only = disk.geometry().read_only;
    let open = || {
        let options = OpenOptions::new(platform::seed()).read_only(read_only);
        Store::open(disk, move || clock.now(), options)
    };
    let store = match open() {
        Err(Error::NotFormatted) if format => {
            Store::create(&disk, CreateOptions::new(platform::seed()))
                .map_err(|error| (Status::Store, format!("make a store: {error}")))?;
            println!("format: made a store");
            open()
        }
        other => other,
    };
    store.map_err(|error| {
        let hint = match error {
            Error::NotFormatted => " (the word \"format\" makes one on a blank disk)",
            _ => "",
        };
        (Status::Store, format!("open the store: {error}{hint}"))
    })
}

/// Runs the application, and tells when its first read was answered.
fn serve(
    store: &Store<&Disk>,
    plan: &Plan,
    clock: Clock,
    read_only: bool,
) -> Result<Duration, demo::Failure> {
    let greeting = demo::greeting(store)?;
    let first_get = clock.uptime();
    if let Some(text) = greeting {
        println!("host says: {text}");
    }
    let boot = if read_only {
        println!("boot: not counted, the disk is read-only");
        demo::boots(store)?
    } else {
        let number = demo::count_boot(store, clock.now())?;
        println!("boot: {number}");
        number
    };
    demo::run(store, &plan.steps, boot, &mut platform::Console)?;
    Ok(first_get)
}

fn print_disk(name: &str, geometry: &Geometry) {
    let flush = match geometry.flush {
        Flush::Supported => "flush works",
        Flush::WriteThrough => "write-through",
        Flush::Unavailable => "NO flush",
    };
    let access = if geometry.read_only { "read-only" } else { "writable" };
    println!(
        "disk: {name}, {}, blocks of {} (physical {}), {flush}, {access}",
        Size(geometry.size()),
        geometry.block_size,
        geometry.physical_block_size,
    );
}

fn print_store(store: &Store<&Disk>) {
    let stat = store.stat();
    println!("keys: {}, free: {}", stat.keys, Size(stat.free_bytes));
    if let Some(cut) = stat.cut {
        println!("cut: the log ended at byte {}, before {} frames", cut.at, cut.frames_beyond);
    }
}
