//! The log: commits as a chain of frames, and the superblock that tells where its tail starts. It
//! knows nothing of what keys mean.

mod append;
mod beyond;
mod change;
mod contents;
mod disk;
mod extents;
mod fetch;
mod flip;
mod frames;
mod grow;
mod nodes;
mod open;
mod outside;
mod plan;
mod proof;
mod records;
mod replay;
mod reserve;
mod segments;
mod slots;
pub(crate) mod superblocks;
mod survivors;
mod walk;

pub(crate) use append::Log;
pub(crate) use beyond::{Left, look_beyond};
pub(crate) use change::{Change, Pending, What};
pub(crate) use contents::{Content, Contents, Kept, kept_records};
pub(crate) use disk::Disk;
pub(crate) use fetch::{Fetched, fetch};
pub(crate) use flip::{Progress, Step};
pub(crate) use nodes::{NewNodes, read_node, read_or_mend_node, read_table};
pub(crate) use open::Open;
pub(crate) use proof::{Event, Replayed};
pub(crate) use replay::replay;
pub(crate) use reserve::{NAMED, Purpose, STEP_BYTES_MIN, kept_by_steps};
pub(crate) use segments::{By, Kind, Segments, State};
pub(crate) use walk::{Step as WalkStep, Walk};
