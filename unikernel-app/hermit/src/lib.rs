#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]
// Addresses are numbers here, on a 64-bit machine.
#![allow(clippy::cast_possible_truncation)]

#[cfg(not(target_arch = "x86_64"))]
compile_error!("the kernel's other architectures have other page tables, and no I/O ports");

mod hal;
mod paging;
mod time;

pub use hal::Machine;
pub use time::{SystemClock, random_seed};
