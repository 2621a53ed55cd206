#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

// From the bottom up; a module imports only what stands before it.
mod escape;

#[cfg(not(planted))]
mod planted;
#[cfg(planted)]
pub mod planted;

pub mod key;

pub mod clock;

pub mod device;

pub mod error;

mod lock;

mod random;

mod memory;

mod traits;

mod format;

mod log;

mod index;

pub mod store;

pub use clock::{Clock, Timestamp};
pub use device::{
    BlockDevice, DeviceError, DeviceErrorKind, Flush, Geometry, ReadRequest, WriteRequest,
};
pub use error::{Corruption, Error, Fault, Part};
pub use escape::Escaped;
pub use key::{InvalidKey, Key};
pub use memory::MemoryDevice;
pub use store::batch::Batch;
pub use store::log_reader::{
    LogFrame, LogHead, LogItem, LogOperation, LogReader, LogRecord, LogWalk,
};
pub use store::lumps::{LumpHead, LumpId, LumpStore};
pub use store::names::{KeyRange, LogKey, Name};
pub use store::salvage::{Loss, Lost, Salvage, Salvaged, SalvagedValue};
pub use store::scan::{Row, Scan};
pub use store::segments::{Segment, Usage};
pub use store::stream::{Reader, Writer};
pub use store::{Counts, CreateOptions, Cut, Info, OpenOptions, Stat, Store};
pub use traits::{Digest, Entry, Kind, KvRead, KvWrite};
pub use uuid::Uuid;
