//! What lies beyond the end of the chain.
//!
//! A chain ends because nothing more was written, because a crash took what was, or because a
//! frame that was durable is damaged. The first two are no loss. The third shows in any later frame
//! whose durable mark reaches the missing one: the mark was set when a flush had returned. Such
//! frames can only be in the rest of the open segment, in the next one, or in segments opened
//! later, whose first block tells how new they are.
//!
//! Only the last flush group has nothing behind it: damage to it looks like a crash, which
//! `docs/design.md` states as a limit.

use super::disk::Disk;
use super::frames::{Frames, header_at};
use super::segments::Segments;
use super::superblocks::check_newest;
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::frame::FrameHeader;
use crate::format::place::Place;
use crate::format::point::ChainPoint;
use crate::format::superblock::Superblock;
use crate::format::{FRAME_LEN_MAX, UNFLUSHED_MAX};
use alloc::vec;
use alloc::vec::Vec;

/// Segments whose first blocks are read in one call.
const HEADERS_AT_ONCE: usize = 64;

/// Looks for frames beyond the end of the chain, and counts those that a crash can have left.
///
/// # Errors
/// `Corrupt` if one of them says that the missing frame was durable, or names a checkpoint that no
/// slot holds.
pub(crate) fn look_beyond<D: BlockDevice>(
    disk: &Disk<D>,
    superblock: &Superblock,
    segments: &Segments,
    end: &ChainPoint,
) -> Result<u64, Error> {
    let layout = &superblock.layout;
    let mut beyond = Beyond { superblock, end, frames: 0 };
    for place in end.places(layout) {
        beyond.scan(disk, place)?;
    }
    let others: Vec<u32> = (0..layout.segment_count)
        .filter(|&segment| !segments.is_used(segment) && Some(segment) != end.next_segment)
        .collect();
    for group in others.chunks(HEADERS_AT_ONCE) {
        for header in first_headers(disk, superblock, group)? {
            check_newest(superblock, header.checkpoint)?;
            if header.number >= end.number {
                beyond.scan(disk, header.place)?;
            }
        }
    }
    Ok(beyond.frames)
}

struct Beyond<'a> {
    superblock: &'a Superblock,
    end: &'a ChainPoint,
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
        if header.number > missing && header.durable >= missing {
            let at = self.end.at(&self.superblock.layout);
            let fault = Fault::Missing { frame: missing };
            return Err(Corruption { part: Part::Frame, at, fault });
        }
        self.frames += u64::from(header.number >= missing);
        Ok(())
    }
}

/// The headers in the first blocks of these segments.
fn first_headers<D: BlockDevice>(
    disk: &Disk<D>,
    superblock: &Superblock,
    segments: &[u32],
) -> Result<Vec<FrameHeader>, Error> {
    let layout = &superblock.layout;
    let mut bufs = vec![vec![0; layout.block_len as usize]; segments.len()];
    let mut targets: Vec<_> = segments
        .iter()
        .zip(&mut bufs)
        .map(|(&segment, buf)| (layout.at(segment, 0), &mut buf[..]))
        .collect();
    disk.read_many(&mut targets)?;
    let headers = segments
        .iter()
        .zip(&bufs)
        .filter_map(|(&segment, buf)| header_at(buf, superblock, Place { segment, block: 0 }));
    Ok(headers.collect())
}
