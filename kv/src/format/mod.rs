//! Bytes and their meaning: pure functions, no I/O. One file per section of `docs/format.md`.
//!
//! Whatever is decoded here came from a disk and may be anything: every length is bounded before
//! it is believed, arithmetic is checked, and what is wrong is told as a [`Fault`]; the callers in
//! `log` know where it was and make it a `Corruption`.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod bytes;
mod check;
pub(crate) mod frame;
pub(crate) mod index_key;
pub(crate) mod layout;
pub(crate) mod node;
pub(crate) mod object;
pub(crate) mod place;
pub(crate) mod point;
pub(crate) mod pointer;
pub(crate) mod record;
pub(crate) mod superblock;
pub(crate) mod survivors;
pub(crate) mod table;

/// The version of the format that this code writes.
pub(crate) const VERSION: u16 = 0;

/// Bytes in a frame, header and padding included. It bounds what replay must hold at once.
pub(crate) const FRAME_LEN_MAX: u32 = 1 << 20;

/// Bytes of frames that may be written between two flushes, and so bytes in one group.
pub(crate) const UNFLUSHED_MAX: u64 = 8 << 20;

/// The unit that superblock copies keep apart, so that one torn page can't hit two of them.
pub(crate) const PAGE_LEN: u32 = 4096;

/// The smallest segment: one node of the index fits.
pub(crate) const SEGMENT_LEN_MIN: u32 = 4096;

/// The largest node: one block, or this where blocks are smaller.
pub(crate) const NODE_LEN_MIN: u32 = 4096;

/// The longest value that can be kept in a leaf: any two entries fit one node.
pub(crate) const INLINE_LEN_MAX: u16 = 512;
