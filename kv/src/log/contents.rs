//! What lies in a segment: the way to what must be moved out of it.
//!
//! It may be of any age, damaged, or left over from an earlier use of the segment. Whether anything
//! needs it, the index tells: by a pointer that leads right there.

use super::disk::Disk;
use super::frames::Frames;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::frame::HEADER_LEN as FRAME_HEADER_LEN;
use crate::format::node;
use crate::format::place::Place;
use crate::format::pointer::Pointer;
use crate::format::record::{Operation, Record};
use crate::format::superblock::Superblock;
use crate::format::survivors;
use alloc::vec::Vec;

/// Something that begins with a block.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// Records, from here on.
    Records { at: u64, bytes: &'a [u8] },
    /// A node of this level, with a key whose way passes it.
    Node { at: u64, level: u8, key: Vec<u8> },
    /// A block that nothing begins with, as far as one can tell.
    Other,
}

/// A record with a value that is not in the index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) sequence: u64,
    pub(crate) pointer: Pointer,
    pub(crate) bytes: &'a [u8],
}

/// A reader of segments.
pub(crate) struct Contents<'a, D> {
    frames: Frames<'a, D>,
    superblock: &'a Superblock,
}

impl<'a, D: BlockDevice> Contents<'a, D> {
    pub(crate) const fn new(disk: &'a Disk<D>, superblock: &'a Superblock) -> Self {
        Self { frames: Frames::new(disk, superblock), superblock }
    }

    /// What begins at `place`, and the first block behind it.
    pub(crate) fn at(&mut self, place: Place) -> Result<(Content<'_>, u32), Error> {
        let Superblock { layout, birth, .. } = *self.superblock;
        let at = layout.at(place.segment, place.block);
        let room = layout.rest(Some(place));
        let behind = |len: u64| {
            let blocks = u32::try_from(layout.blocks(len)).unwrap_or(u32::MAX).max(1);
            place.block.saturating_add(blocks)
        };
        let header = self.frames.header(place)?;
        // As much as the longest node has: its first key need not lie in its first block.
        let block = self.frames.read(place, room.min(u64::from(layout.node_len_max())))?;
        let (skip, len) = if let Some(header) = header {
            (FRAME_HEADER_LEN, u64::from(header.records_len))
        } else if let Ok(len) = survivors::records_len(block, birth, at) {
            (survivors::HEADER_LEN, u64::from(len))
        } else {
            let found = node::first_key(block, birth, at);
            return Ok(found.map_or((Content::Other, behind(1)), |(len, level, key)| {
                (Content::Node { at, level, key }, behind(len))
            }));
        };
        let whole = len.saturating_add(skip as u64);
        if whole > room {
            return Ok((Content::Other, behind(1)));
        }
        let bytes = self.frames.read(place, layout.whole(whole))?;
        let end = usize::try_from(whole).unwrap_or(usize::MAX);
        let bytes = bytes.get(skip..end).unwrap_or_default();
        Ok((Content::Records { at: at.saturating_add(skip as u64), bytes }, behind(whole)))
    }
}

/// The records in `bytes` whose values the index does not hold, up to the first that is damaged.
pub(crate) fn kept_records(
    at: u64,
    bytes: &[u8],
    inline_max: u16,
) -> impl Iterator<Item = Kept<'_>> {
    let mut rest = bytes;
    let records = core::iter::from_fn(move || {
        let (record, len, check) = Record::decode(rest).ok()?;
        let at = at.saturating_add((bytes.len().saturating_sub(rest.len())) as u64);
        let (taken, behind) = rest.split_at_checked(len)?;
        rest = behind;
        let pointer = Pointer { at, len: u32::try_from(len).ok()?, check };
        Some((record, pointer, taken))
    });
    records.filter_map(move |(record, pointer, bytes)| match record.operation {
        Operation::Set { key, value } if value.len() > usize::from(inline_max) => {
            Some(Kept { key, sequence: record.sequence, pointer, bytes })
        }
        Operation::Extent { key, .. } => {
            Some(Kept { key, sequence: record.sequence, pointer, bytes })
        }
        _ => None,
    })
}
