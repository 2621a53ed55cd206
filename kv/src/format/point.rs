//! A point of the chain: what the frame that comes next must fit.
//!
//! The writer makes frames from it and replay judges frames by it, so that the two can't disagree.

use super::bytes::{Put, Reader};
use super::frame::FrameHeader;
use super::layout::Layout;
use super::place::{Place, put_segment, read_segment};
use crate::error::Fault;
use alloc::vec::Vec;

/// Where the chain goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChainPoint {
    /// The open segment, and its first block without a frame; `None` before the first frame.
    pub(crate) open: Option<Place>,
    /// The number of the first frame in the open segment.
    pub(crate) generation: u64,
    /// The segment to go on in when the open one is full, chosen when that one was opened.
    pub(crate) next_segment: Option<u32>,
    /// The number of the next frame.
    pub(crate) number: u64,
    /// The epoch of the previous frame.
    pub(crate) epoch: u64,
    /// The check of the previous frame.
    pub(crate) previous_check: u32,
    /// The sequence of the next operation.
    pub(crate) sequence: u64,
}

/// Bytes of an encoded point.
pub(super) const LEN: usize = 48;

impl ChainPoint {
    /// Where the first frame of a new store goes.
    pub(crate) const fn first(epoch: u64) -> Self {
        Self {
            open: None,
            generation: 0,
            next_segment: Some(0),
            number: 1,
            epoch,
            previous_check: 0,
            sequence: 1,
        }
    }

    /// Where the next frame can be: right here, or at the start of the next segment if it did not
    /// fit here.
    pub(crate) fn places(&self, layout: &Layout) -> impl Iterator<Item = Place> {
        let here = self.open.filter(|place| place.block < layout.segment_blocks);
        let rolled = self.next_segment.map(|segment| Place { segment, block: 0 });
        here.into_iter().chain(rolled)
    }

    /// The first byte of the first of these places; of the log, if there is none.
    pub(crate) fn at(&self, layout: &Layout) -> u64 {
        let place = self.places(layout).next().unwrap_or(Place { segment: 0, block: 0 });
        layout.at(place.segment, place.block)
    }

    /// Whether a valid frame is the next one of the chain.
    pub(crate) fn accepts(&self, header: &FrameHeader) -> bool {
        let opens_a_segment = header.place.block == 0;
        let generation = if opens_a_segment { self.number } else { self.generation };
        let epoch = if header.mount { header.previous_epoch } else { header.epoch };
        (opens_a_segment || header.next_segment == self.next_segment)
            && header.number == self.number
            && header.previous_check == self.previous_check
            && epoch == self.epoch
            && header.generation == generation
            && header.sequence == self.sequence
    }

    /// Moves behind a frame of `blocks` blocks. `None` if a counter is used up.
    pub(crate) fn advance(&mut self, header: &FrameHeader, check: u32, blocks: u32) -> Option<()> {
        let block = header.place.block.checked_add(blocks)?;
        *self = Self {
            open: Some(Place { segment: header.place.segment, block }),
            generation: header.generation,
            next_segment: header.next_segment,
            number: header.number.checked_add(1)?,
            epoch: header.epoch,
            previous_check: check,
            sequence: header.sequence.checked_add(u64::from(header.record_count))?,
        };
        Some(())
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_segment(out, self.open.map(|place| place.segment));
        out.put_u32(self.open.map_or(0, |place| place.block)).put_u64(self.generation);
        put_segment(out, self.next_segment);
        out.put_u64(self.number).put_u64(self.epoch).put_u32(self.previous_check);
        out.put_u64(self.sequence);
    }

    pub(super) fn read(reader: &mut Reader<'_>, layout: &Layout) -> Result<Self, Fault> {
        let (segment, block) = (read_segment(reader)?, reader.u32()?);
        let point = Self {
            open: segment.map(|segment| Place { segment, block }),
            generation: reader.u64()?,
            next_segment: read_segment(reader)?,
            number: reader.u64()?,
            epoch: reader.u64()?,
            previous_check: reader.u32()?,
            sequence: reader.u64()?,
        };
        let known = |segment: u32| segment < layout.segment_count;
        let blocks = 1..=layout.segment_blocks;
        let fits = |place: Place| known(place.segment) && blocks.contains(&place.block);
        if !point.open.is_none_or(fits) {
            return Err(Fault::Field("tail start"));
        }
        if !point.next_segment.is_none_or(known) {
            return Err(Fault::Field("next segment"));
        }
        Ok(point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point() -> ChainPoint {
        let open = Some(Place { segment: 3, block: 4 });
        ChainPoint {
            open,
            generation: 5,
            next_segment: Some(6),
            number: 7,
            epoch: 8,
            previous_check: 9,
            sequence: 10,
        }
    }

    fn read(point: &ChainPoint) -> Result<ChainPoint, Fault> {
        let mut bytes = Vec::new();
        point.put(&mut bytes);
        assert_eq!(bytes.len(), LEN);
        let layout = Layout::divide(4 << 20, 4096).ok_or(Fault::Field("layout"))?;
        ChainPoint::read(&mut Reader::new(&bytes), &layout)
    }

    #[test]
    fn comes_back() {
        for point in [point(), ChainPoint::first(1), ChainPoint { next_segment: None, ..point() }] {
            assert_eq!(read(&point), Ok(point));
        }
    }

    #[test]
    fn what_lies_outside_the_log_is_refused() {
        let open = |segment, block| ChainPoint { open: Some(Place { segment, block }), ..point() };
        for point in [open(255, 1), open(0, 5), open(0, 0)] {
            assert_eq!(read(&point), Err(Fault::Field("tail start")));
        }
        let next = ChainPoint { next_segment: Some(255), ..point() };
        assert_eq!(read(&next), Err(Fault::Field("next segment")));
    }
}
