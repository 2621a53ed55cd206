//! A virtio-blk disk as a [`nerite::BlockDevice`], over any transport of the `virtio-drivers` crate.
//!
//! ```no_run
//! # use nerite_virtio::VirtioBlk;
//! # use virtio_drivers::{Hal, transport::Transport};
//! # fn example<H: Hal, T: Transport>(transport: T) -> Result<(), nerite::DeviceError> {
//! use nerite::BlockDevice;
//!
//! let disk = VirtioBlk::<H, T>::new(transport)?;
//! assert!(disk.geometry().size() >= 64 << 10);
//! # Ok(())
//! # }
//! ```
//!
//! Requests go to the device one after another, and the CPU polls until each is served: a device
//! that never answers hangs its caller. Discard is not offered.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

extern crate alloc;

mod config;
mod transfer;

mod device;

pub use device::VirtioBlk;
