#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bus;
mod config;
mod device;
mod engine;
mod fault;
mod hal;
#[cfg(target_arch = "x86_64")]
mod ports;
mod queue;
mod segments;
mod shared;

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "test disks are small")]
mod fake;
#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "test disks are small")]
mod tests;
pub use bus::Bus;
pub use device::VirtioBlk;
pub use fault::Fault;
pub use hal::{Hal, Run};
#[cfg(target_arch = "x86_64")]
pub use ports::Ports;
