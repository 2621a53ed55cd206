//! A point of the chain: what the frame that comes next must fit.
//!
//! The writer makes frames from it and replay judges frames by it, so that the two can't disagree.

use super::bytes::{Put, Reader};
use super::frame::FrameHeader;
use super::layout::Layout;
use super::place::{NextSegments, Place, put_next, put_place, read_next, read_place};
use crate::error::Fault;
use crate::planted::{Bug, planted};
use alloc::vec::Vec;

/// Where the chain goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChainPoint {
    /// The open segment, and its first block without a frame; `None` before the first frame.
    pub(crate) open: Option<Place>,
    /// The number of the first frame in the open segment.
    pub(crate) generation: u64,
    /// Where to go on when the open segment is full, as named in its frames.
    pub(crate) next_segments: NextSegments,
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
pub(super) const LEN: usize = 52;

impl ChainPoint {
    /// Where the first frame of a new store goes.
    pub(crate) const fn first(epoch: u64) -> Self {
        Self {
            open: None,
            generation: 0,
            next_segments: [Some(0), Some(1)],
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
        let rolled = self.next_segments[0].map(|segment| Place { segment, block: 0 });
        here.into_iter().chain(rolled)
    }

    /// The first byte of the first of these places; of the log, if there is none.
    pub(crate) fn at(&self, layout: &Layout) -> u64 {
        let place = self.places(layout).next().unwrap_or(Place { segment: 0, block: 0 });
        layout.at(place.segment, place.block)
    }

    /// Whether a valid frame is the next one of the chain.
    pub(crate) fn accepts(&self, header: &FrameHeader) -> bool {
        if planted(Bug::UnchainedFrames) {
            return header.number == self.number;
        }
        let opens_a_segment = header.place.block == 0;
        let generation = if opens_a_segment { self.number } else { self.generation };
        let epoch = if header.mount { header.previous_epoch } else { header.epoch };
        let next_segments = if opens_a_segment {
            self.next_segments[1].is_none() || header.next_segments[0] == self.next_segments[1]
        } else {
            header.next_segments == self.next_segments
        };
        next_segments
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
            next_segments: header.next_segments,
            number: header.number.checked_add(1)?,
            epoch: header.epoch,
            previous_check: check,
            sequence: header.sequence.checked_add(u64::from(header.record_count))?,
        };
        Some(())
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_place(out, self.open);
        out.put_u64(self.generation);
        put_next(out, self.next_segments);
        out.put_u64(self.number).put_u64(self.epoch).put_u32(self.previous_check);
        out.put_u64(self.sequence);
    }

    pub(super) fn read(reader: &mut Reader<'_>, layout: &Layout) -> Result<Self, Fault> {
        let point = Self {
            open: read_place(reader)?,
            generation: reader.u64()?,
            next_segments: read_next(reader)?,
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
        if !point.next_segments.into_iter().flatten().all(known) {
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
            next_segments: [Some(6), Some(1)],
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
        let full = ChainPoint { next_segments: [None; 2], ..point() };
        for point in [point(), ChainPoint::first(1), full] {
            assert_eq!(read(&point), Ok(point));
        }
    }

    /// A frame that fits the point, in its open segment.
    fn header() -> FrameHeader {
        FrameHeader {
            epoch: 8,
            number: 7,
            generation: 5,
            place: Place { segment: 3, block: 4 },
            next_segments: [Some(6), Some(1)],
            previous_check: 9,
            sequence: 10,
            record_count: 2,
            ..FrameHeader::example()
        }
    }

    #[test]
    fn only_a_frame_that_fits_in_every_respect_is_accepted() {
        let fits = header();
        assert!(point().accepts(&fits));
        let misfits = [
            FrameHeader { number: 8, ..fits },
            FrameHeader { number: 6, ..fits },
            FrameHeader { previous_check: 0, ..fits },
            FrameHeader { epoch: 9, ..fits },
            FrameHeader { mount: true, epoch: 8, previous_epoch: 0, ..fits },
            FrameHeader { generation: 7, ..fits },
            FrameHeader { next_segments: [Some(6), Some(2)], ..fits },
            FrameHeader { next_segments: [Some(6), None], ..fits },
            FrameHeader { sequence: 11, ..fits },
        ];
        for misfit in misfits {
            assert!(!point().accepts(&misfit), "{misfit:?}");
        }
        let mount = FrameHeader { mount: true, epoch: 99, previous_epoch: 8, ..fits };
        assert!(point().accepts(&mount));
        // A frame that opens a segment names one more, and is the first one in it.
        let place = Place { segment: 6, block: 0 };
        let next_segments = [Some(1), Some(9)];
        let opens = FrameHeader { place, generation: 7, next_segments, ..fits };
        assert!(point().accepts(&opens));
        assert!(!point().accepts(&FrameHeader { next_segments: [Some(2), Some(9)], ..opens }));
        assert!(!point().accepts(&FrameHeader { generation: 5, ..opens }));
    }

    #[test]
    fn behind_a_frame_the_point_asks_for_the_next_one() {
        let mut point = point();
        assert_eq!(point.advance(&header(), 77, 2), Some(()));
        let open = Some(Place { segment: 3, block: 6 });
        let expected = ChainPoint { open, number: 8, previous_check: 77, sequence: 12, ..point };
        assert_eq!(point, expected);
        let last = FrameHeader { number: u64::MAX, ..header() };
        assert_eq!(point.advance(&last, 77, 2), None);
    }

    #[test]
    fn what_lies_outside_the_log_is_refused() {
        let open = |segment, block| ChainPoint { open: Some(Place { segment, block }), ..point() };
        for point in [open(255, 1), open(0, 5), open(0, 0)] {
            assert_eq!(read(&point), Err(Fault::Field("tail start")));
        }
        for next_segments in [[Some(255), None], [Some(1), Some(255)]] {
            let next = ChainPoint { next_segments, ..point() };
            assert_eq!(read(&next), Err(Fault::Field("next segment")));
        }
    }
}
