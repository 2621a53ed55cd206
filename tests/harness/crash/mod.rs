//! The crash explorer.
//!
//! A [`Script`] says what is done to a store and how power is lost meanwhile; [`replay`] does it and
//! judges what is left. [`explore`] draws a workload from a seed and goes through all that crashes
//! can make of it. A failure comes with its script, [`shrink`] makes that short, and a test takes
//! its line as input.

mod explore;
mod failure;
mod judge;
mod life;
mod oracle;
mod replay;
mod rot;
mod script;
mod shape;
mod shrink;
mod survivors;
mod workload;

pub use explore::{Bounds, Found, Stats, explore};
pub use failure::{Failure, tell_panics_as_failures};
pub use replay::replay;
pub use script::{Cut, Life, NoScript, Script, Step};
pub use shape::{Oddities, Oddity, Shape};
pub use shrink::shrink;
