//! Frames from the device, read ahead.

use super::disk::Disk;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::FRAME_LEN_MAX;
use crate::format::frame::{FrameHeader, is_torn_header};
use crate::format::place::Place;
use crate::format::point::ChainPoint;
use crate::format::superblock::Superblock;
use alloc::vec::Vec;

/// Bytes that are read at once while frames follow each other.
const READ_AHEAD: u64 = 128 << 10;

/// The header that `bytes`, read from `place`, start with, if the frame is of this store, lies
/// where it says, and stays within its segment and the limits.
pub(super) fn header_at(
    bytes: &[u8],
    superblock: &Superblock,
    place: Place,
) -> Option<FrameHeader> {
    let layout = &superblock.layout;
    let room = layout.segment_blocks.saturating_sub(place.block);
    let header = FrameHeader::decode(bytes).ok()?;
    let belongs = header.uuid == superblock.uuid
        && header.birth == superblock.birth
        && header.place == place
        && header.next_segments.into_iter().flatten().all(|next| next < layout.segment_count)
        && header.len(layout) <= u64::from(FRAME_LEN_MAX)
        && header.blocks(layout) <= room;
    belongs.then_some(header)
}

/// What a crash may have left of another frame where the next one can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Remains {
    None,
    /// Its header, or either end of one.
    Torn,
    /// All of it. It was cut, as what it places is lost, or disowned before.
    Whole,
}

/// A reader of frames, forwards through the log.
pub(super) struct Frames<'a, D> {
    disk: &'a Disk<D>,
    superblock: &'a Superblock,
    buf: Vec<u8>,
    /// The address of the first byte of `buf`.
    at: u64,
}

impl<'a, D: BlockDevice> Frames<'a, D> {
    pub(super) const fn new(disk: &'a Disk<D>, superblock: &'a Superblock) -> Self {
        Self { disk, superblock, buf: Vec::new(), at: 0 }
    }

    /// The header of the frame of this store at `place`, if there is one.
    pub(super) fn header(&mut self, place: Place) -> Result<Option<FrameHeader>, Error> {
        let superblock = self.superblock;
        let bytes = self.read(place, u64::from(superblock.layout.block_len))?;
        Ok(header_at(bytes, superblock, place))
    }

    /// What is left of other frames that fit `point`, in any place where the next one can go.
    pub(super) fn remains(&mut self, point: &ChainPoint) -> Result<Remains, Error> {
        let mut worst = Remains::None;
        for place in point.places(&self.superblock.layout) {
            worst = worst.max(self.remains_at(point, place)?);
        }
        Ok(worst)
    }

    fn remains_at(&mut self, point: &ChainPoint, place: Place) -> Result<Remains, Error> {
        let superblock = self.superblock;
        let bytes = self.read(place, u64::from(superblock.layout.block_len))?;
        let Ok(header) = FrameHeader::decode(bytes) else {
            let store = (&superblock.uuid, superblock.birth);
            let is_torn = is_torn_header(bytes, store, point.number, place);
            return Ok(if is_torn { Remains::Torn } else { Remains::None });
        };
        if !point.accepts(&header) {
            return Ok(Remains::None);
        }
        let Some(header) = header_at(bytes, superblock, place) else { return Ok(Remains::Torn) };
        Ok(if self.records(&header)?.is_some() { Remains::Whole } else { Remains::Torn })
    }

    /// The records and the check of the frame of this header, if it is valid.
    pub(super) fn records(&mut self, header: &FrameHeader) -> Result<Option<(&[u8], u32)>, Error> {
        let len = header.len(&self.superblock.layout);
        let bytes = self.read(header.place, len)?;
        Ok(header.open(bytes).ok())
    }

    /// `len` bytes from `place` on, within its segment: out of the buffer, or read with those that
    /// follow.
    pub(super) fn read(&mut self, place: Place, len: u64) -> Result<&[u8], Error> {
        let layout = &self.superblock.layout;
        let at = layout.at(place.segment, place.block);
        let held_to = self.at.saturating_add(self.buf.len() as u64);
        if at < self.at || at.saturating_add(len) > held_to {
            let log_end = layout.at(layout.segment_count, 0);
            let ahead = READ_AHEAD.min(log_end.saturating_sub(at)).max(len);
            // While it is refilled, the buffer holds nothing.
            self.at = u64::MAX;
            self.buf.resize(usize::try_from(ahead).unwrap_or(usize::MAX), 0);
            if self.disk.read(at, &mut self.buf).is_err() {
                // What could not be read may be something that nobody needs.
                self.buf.truncate(usize::try_from(len).unwrap_or(usize::MAX));
                self.disk.read(at, &mut self.buf)?;
            }
            self.at = at;
        }
        let start = usize::try_from(at.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        Ok(self.buf.get(start..).and_then(|rest| rest.get(..len)).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::frame::HEADER_LEN;
    use alloc::vec;
    use uuid::Uuid;

    const HERE: Place = Place { segment: 3, block: 2 };

    fn header() -> FrameHeader {
        let Superblock { uuid, birth, .. } = Superblock::example();
        FrameHeader { uuid, birth, place: HERE, ..FrameHeader::example() }
    }

    fn is_found(header: &FrameHeader, place: Place) -> bool {
        let mut bytes = vec![0; HEADER_LEN];
        header.seal(&mut bytes, 4096);
        header_at(&bytes, &Superblock::example(), place).is_some()
    }

    #[test]
    fn only_frames_of_this_store_at_their_own_place_are_found() {
        assert!(is_found(&header(), HERE));
        assert!(!is_found(&header(), Place { segment: 4, ..HERE }));
        assert!(!is_found(&header(), Place { block: 1, ..HERE }));
        assert!(!is_found(&FrameHeader { uuid: Uuid::nil(), ..header() }, HERE));
        assert!(!is_found(&FrameHeader { birth: 3, ..header() }, HERE));
        assert!(!is_found(&FrameHeader { next_segments: [Some(255), None], ..header() }, HERE));
    }

    #[test]
    fn a_length_that_leaves_the_segment_is_not_believed() {
        // All but two of the segment's 64 blocks are left.
        let fits = 62 * 4096 - u32::try_from(HEADER_LEN).unwrap();
        assert!(is_found(&FrameHeader { records_len: fits, ..header() }, HERE));
        for records_len in [fits + 1, u32::MAX] {
            assert!(!is_found(&FrameHeader { records_len, ..header() }, HERE), "{records_len}");
        }
    }
}
