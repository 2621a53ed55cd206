//! What the bootable image does, as far as it needs no machine: the words of its command line, the
//! application over the store, and arithmetic with times and memory ranges.
//!
//! The image itself is `main.rs` with `platform/`, or with `hermit.rs` on the Hermit kernel; `README.md`
//! tells how to boot it.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

extern crate alloc;

pub mod civil;

pub mod memory;

pub mod words;

pub mod status;

pub mod units;

pub mod demo;
