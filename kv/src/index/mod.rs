//! The index: what each key names, in key order.
//!
//! `sources.rs` says what it is made of and how the parts hide each other.

mod builder;
mod cache;
mod census;
mod chunk;
mod cursor;
mod delta;
mod entry;
mod find;
mod merge;
mod sources;
#[cfg(test)]
mod tests;

pub(crate) use cache::Cache;
pub(crate) use chunk::{Chunk, Row};
pub(crate) use cursor::{Pins, Stop};
pub(crate) use delta::Delta;
pub(crate) use entry::{Entry, Stored};
pub(crate) use find::Found;
pub(crate) use merge::{Budget, Merged, Work, step};
pub(crate) use sources::{Frozen, Index};
