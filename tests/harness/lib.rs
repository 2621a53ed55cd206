//! What the tests share: the oracle, devices that count and fail, a clock that the test moves, and
//! a seeded generator. `README.md` beside it tells which file answers which question.

#![forbid(unsafe_code)]

pub mod clock;
pub mod contents;
pub mod crash;
pub mod disk;
pub mod model;
pub mod random;
pub mod write;

pub use clock::TestClock;
pub use contents::{Contents, Untold, contents, differences, try_contents};
pub use disk::{CountingDevice, Counts, Fate, Fault, SimDisk, Strike, Unflushed};
pub use model::Model;
pub use random::Random;
pub use write::{KvBatch, Value, Write};

/// The example of the repository's `README.md`, compiled with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
