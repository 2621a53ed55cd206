//! What lies beyond the end of the chain.
//!
//! A chain ends because nothing more was written, because a crash took what was, or because a
//! frame that was durable is damaged. The first two are no loss. The third shows in any later frame
//! whose durable mark reaches the missing one: the mark was set when a flush had returned.
//!
//! Such frames lie in the rest of the open segment, in the two that its frames name, in those that
//! frames found there name, and as the writer takes the lowest free segments, in these. As far as the
//! writer can have gone without a flush, the open segment is looked at in any case; of others, as many
//! as make [`LOOK_AHEAD`] bytes, the first [`GAP`] bytes. Damage must take every frame in that to hide
//! what is behind it.
//!
//! Blocks that can't be read are passed, like damaged ones. (Where the next frame may go, replay
//! has read before: there it is an error.)
//!
//! Only the last flush group has nothing behind it: damage to it looks like a crash, which
//! `docs/design.md` states as a limit.

use super::disk::Disk;
use super::frames::{Frames, Remains};
use super::segments::Segments;
use super::superblocks::{Newest, check_newest};
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::frame::FrameHeader;
use crate::format::place::Place;
use crate::format::point::ChainPoint;
use crate::format::{FRAME_LEN_MAX, UNFLUSHED_MAX};
use alloc::vec::Vec;

/// Bytes of segments that are looked at though no frame names them.
const LOOK_AHEAD: u64 = 1 << 20;

/// Bytes without a frame after which a segment is left that is not the open one: a damaged frame is no
/// longer than half of it.
const GAP: u64 = 2 * FRAME_LEN_MAX as u64;

/// What a crash may have left beyond the end of the chain.
#[derive(Debug)]
pub(crate) struct Left {
    /// Frames, whole or in part.
    pub(crate) frames: u64,
    /// What there is of another frame where the next one may go.
    pub(crate) remains: Remains,
}

/// Looks for frames beyond the end of the chain that a crash can have left.
///
/// # Errors
/// `Corrupt` if one of them says that the missing frame was durable, or names a checkpoint that no
/// slot holds.
pub(crate) fn look_beyond<D: BlockDevice>(
    disk: &Disk<D>,
    newest: &Newest,
    segments: &Segments,
    end: &ChainPoint,
) -> Result<Left, Error> {
    let count = LOOK_AHEAD.div_ceil(newest.superblock.layout.segment_len());
    let free = segments.usable_segments().take(usize::try_from(count).unwrap_or(usize::MAX));
    let named = end.next_segments.into_iter().flatten().chain(free).collect();
    let mut beyond = Beyond { newest, end, named, frames: 0 };
    let mut frames = Frames::new(disk, &newest.superblock);
    let remains = frames.remains(end)?;
    if let Some(place) = end.open {
        beyond.scan(&mut frames, place, UNFLUSHED_MAX + 2 * u64::from(FRAME_LEN_MAX))?;
    }
    let mut next = 0;
    while let Some(&segment) = beyond.named.get(next) {
        beyond.scan(&mut frames, Place { segment, block: 0 }, GAP)?;
        next += 1;
    }
    Ok(Left { frames: beyond.frames, remains })
}

struct Beyond<'a> {
    newest: &'a Newest,
    end: &'a ChainPoint,
    /// Segments in which the chain may have gone on, each once.
    named: Vec<u32>,
    frames: u64,
}

impl Beyond<'_> {
    /// Looks at every block from `place` to the end of its segment, or `gap` bytes beyond the last
    /// frame that can have followed.
    fn scan<D: BlockDevice>(
        &mut self,
        frames: &mut Frames<'_, D>,
        mut place: Place,
        gap: u64,
    ) -> Result<(), Error> {
        let layout = &self.newest.superblock.layout;
        let gap = u32::try_from(layout.blocks(gap)).unwrap_or(u32::MAX);
        let mut end = place.block.saturating_add(gap);
        while place.block < end.min(layout.segment_blocks) {
            let mut blocks = 1;
            match frames.header(place) {
                Ok(Some(header)) => {
                    self.judge(&header)?;
                    blocks = header.blocks(layout);
                    if header.number >= self.end.number {
                        end = place.block.saturating_add(blocks).saturating_add(gap);
                    }
                }
                // One that can't be read says as much as one that is damaged.
                Ok(None) | Err(Error::Device(_)) => {}
                Err(error) => return Err(error),
            }
            place.block = place.block.saturating_add(blocks);
        }
        Ok(())
    }

    fn judge(&mut self, header: &FrameHeader) -> Result<(), Corruption> {
        check_newest(self.newest, header.checkpoint)?;
        let (end, missing) = (self.end, self.end.number);
        if header.number < missing {
            return Ok(());
        }
        if header.number > missing && header.durable >= missing {
            let at = end.at(&self.newest.superblock.layout);
            let fault = Fault::Missing { frame: missing };
            return Err(Corruption { part: Part::Frame, at, fault });
        }
        // What else is left there is of a group that was lost here, or of one that was lost earlier
        // and has been followed by others since.
        self.frames += u64::from(header.group == missing || header.epoch == end.epoch);
        for segment in header.next_segments.into_iter().flatten() {
            if !self.named.contains(&segment) {
                self.named.push(segment);
            }
        }
        Ok(())
    }
}
