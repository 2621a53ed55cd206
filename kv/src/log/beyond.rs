//! What lies beyond the end of the chain.
//!
//! A chain ends because nothing more was written, because a crash took what was, or because a
//! frame that was durable is damaged. The first two are no loss. The third shows in any later frame
//! whose durable mark reaches the missing one: the mark was set when a flush had returned.
//!
//! Such frames lie in the rest of the open segment, in the two that its frames name, or in those
//! that frames found there name: a whole segment can be lost without hiding what is behind it.
//!
//! Only the last flush group has nothing behind it: damage to it looks like a crash, which
//! `docs/design.md` states as a limit.

use super::disk::Disk;
use super::frames::Frames;
use super::superblocks::check_newest;
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::frame::FrameHeader;
use crate::format::place::Place;
use crate::format::point::ChainPoint;
use crate::format::superblock::Superblock;
use crate::format::{FRAME_LEN_MAX, UNFLUSHED_MAX};
use alloc::vec::Vec;

/// Looks for frames beyond the end of the chain, and counts those that a crash can have left.
///
/// # Errors
/// `Corrupt` if one of them says that the missing frame was durable, or names a checkpoint that no
/// slot holds.
pub(crate) fn look_beyond<D: BlockDevice>(
    disk: &Disk<D>,
    superblock: &Superblock,
    end: &ChainPoint,
) -> Result<u64, Error> {
    let named = end.next_segments.into_iter().flatten().collect();
    let mut beyond = Beyond { superblock, end, named, frames: 0 };
    if let Some(place) = end.open {
        beyond.scan(disk, place)?;
    }
    let mut next = 0;
    while let Some(&segment) = beyond.named.get(next) {
        beyond.scan(disk, Place { segment, block: 0 })?;
        next += 1;
    }
    Ok(beyond.frames)
}

struct Beyond<'a> {
    superblock: &'a Superblock,
    end: &'a ChainPoint,
    /// Segments in which the chain may have gone on, each once.
    named: Vec<u32>,
    frames: u64,
}

impl Beyond<'_> {
    /// Looks at every block from `place` to the end of its segment, or as far as the writer can
    /// have gone without a flush.
    fn scan<D: BlockDevice>(&mut self, disk: &Disk<D>, mut place: Place) -> Result<(), Error> {
        let layout = &self.superblock.layout;
        let window = layout.blocks(UNFLUSHED_MAX + 2 * u64::from(FRAME_LEN_MAX));
        let window = u32::try_from(window).unwrap_or(u32::MAX);
        let end = layout.segment_blocks.min(place.block.saturating_add(window));
        let mut frames = Frames::new(disk, self.superblock);
        while place.block < end {
            let mut blocks = 1;
            if let Some(header) = frames.header(place)? {
                self.judge(&header)?;
                blocks = header.blocks(layout);
            }
            place.block = place.block.saturating_add(blocks);
        }
        Ok(())
    }

    fn judge(&mut self, header: &FrameHeader) -> Result<(), Corruption> {
        check_newest(self.superblock, header.checkpoint)?;
        let missing = self.end.number;
        if header.number < missing {
            return Ok(());
        }
        if header.number > missing && header.durable >= missing {
            let at = self.end.at(&self.superblock.layout);
            let fault = Fault::Missing { frame: missing };
            return Err(Corruption { part: Part::Frame, at, fault });
        }
        self.frames += 1;
        for segment in header.next_segments.into_iter().flatten() {
            if !self.named.contains(&segment) {
                self.named.push(segment);
            }
        }
        Ok(())
    }
}
