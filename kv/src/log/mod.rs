//! The log: commits as a chain of frames, and the superblock that tells where its tail starts. It
//! knows nothing of what keys mean.

mod append;
mod beyond;
mod change;
mod disk;
mod fetch;
mod flip;
mod frames;
mod nodes;
mod plan;
mod replay;
mod segments;
pub(crate) mod superblocks;

pub(crate) use append::Log;
pub(crate) use beyond::{Left, look_beyond, look_for_newer};
pub(crate) use change::{Change, Pending, What};
pub(crate) use disk::Disk;
pub(crate) use fetch::fetch;
pub(crate) use flip::Step;
pub(crate) use nodes::{NewNodes, read_node, read_table};
pub(crate) use plan::Reserve;
pub(crate) use replay::{Replayed, replay};
pub(crate) use segments::Segments;
