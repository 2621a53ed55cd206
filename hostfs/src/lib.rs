#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

// From the bottom up; a module imports only what stands before it.
mod clock;

mod error;

mod lock;

mod file;

pub use clock::{SystemClock, random_seed};
pub use error::OpenError;
pub use file::FileDevice;
