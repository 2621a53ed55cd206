//! The log: commits as a chain of frames, and the superblock that tells where its tail starts. It
//! knows nothing of what keys mean.

mod append;
mod beyond;
mod change;
mod disk;
mod fetch;
mod frames;
mod plan;
mod replay;
mod seal;
mod segments;
pub(crate) mod superblocks;

pub(crate) use append::Log;
pub(crate) use beyond::{Left, look_beyond};
pub(crate) use change::{Change, Pending, Pointer, What};
pub(crate) use disk::Disk;
pub(crate) use fetch::fetch;
pub(crate) use plan::Reserve;
pub(crate) use replay::replay;
pub(crate) use segments::Segments;
