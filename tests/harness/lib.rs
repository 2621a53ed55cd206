//! What the tests share: the oracle, devices that count and fail, a clock that the test moves, and
//! a seeded generator. `README.md` beside it tells which file answers which question.

#![forbid(unsafe_code)]

pub mod clock;
pub mod contents;
pub mod disk;
pub mod model;
pub mod random;

pub use clock::TestClock;
pub use contents::{Contents, contents, differences};
pub use disk::{CountingDevice, Counts, Fate, Fault, SimDisk, Strike, Unflushed};
pub use model::Model;
pub use random::Random;

/// The example of the repository's `README.md`, compiled with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
