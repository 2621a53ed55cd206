//! Where the frames of a commit will lie: decided before the first byte is written.
//!
//! Invariant: a commit is admitted only if the log still has the reserve behind it, so that a full
//! store can always remove.

use super::change::Pending;
use super::segments::Segments;
use crate::error::Error;
use crate::format::frame::HEADER_LEN;
use crate::format::layout::Layout;
use crate::format::place::{NextSegments, Place};
use crate::format::point::ChainPoint;
use crate::format::{FRAME_LEN_MAX, UNFLUSHED_MAX};
use alloc::vec::Vec;
use core::ops::Range;

/// One frame to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PlannedFrame {
    pub(super) place: Place,
    /// To be named in the header.
    pub(super) next_segments: NextSegments,
    /// Its bytes, padding included.
    pub(super) len: u64,
    /// Which of the operations it holds.
    pub(super) operations: Range<usize>,
}

/// Lays out `operations` from `from` on, so that `keep` segments are left, the named ones included. If
/// they are to go `over_all` places where the next frame can be, a frame without records goes to the
/// open segment, and all others behind it to the next.
///
/// # Errors
/// `TooLarge` if they never fit, `NoSpace` if they do not fit now.
pub(super) fn plan(
    layout: &Layout,
    segments: &Segments,
    (from, over_all): (&ChainPoint, bool),
    operations: &[Pending<'_>],
    keep: u32,
) -> Result<Vec<PlannedFrame>, Error> {
    let mut cursor = Cursor {
        layout,
        open: from.open,
        next_segments: from.next_segments,
        free_segments: segments.free_segments(),
        left: segments.free(),
    };
    let (mut frames, mut taken, mut start) = (Vec::new(), 0u64, 0);
    let here = from.open.filter(|place| over_all && place.block < layout.segment_blocks);
    if let Some(place) = here {
        let (next_segments, len) = (from.next_segments, u64::from(layout.block_len));
        frames.push(PlannedFrame { place, next_segments, len, operations: 0..0 });
        // Nothing else fits behind it.
        cursor.open = None;
    }
    while start < operations.len() {
        let rest = operations.get(start..).unwrap_or_default();
        let placed = cursor.place_frame(rest);
        // What goes into the open segment takes nothing that anything else could use.
        let leaves = |place: Place| {
            from.open.is_some_and(|open| open.segment == place.segment)
                || cursor.left_with_next() >= keep
        };
        let Some((place, count, len)) = placed.filter(|(place, ..)| leaves(*place)) else {
            return Err(no_space(layout, segments, (from, here.is_some()), operations, keep));
        };
        let operations = start..start.saturating_add(count);
        start = operations.end;
        taken = taken.saturating_add(len);
        if taken > UNFLUSHED_MAX {
            return Err(Error::TooLarge { size: taken, limit: UNFLUSHED_MAX });
        }
        frames.push(PlannedFrame { place, next_segments: cursor.next_segments, len, operations });
    }
    Ok(frames)
}

/// Segments that may be taken if `keep` are to be left, those that the chain names included.
pub(super) fn spare(segments: &Segments, point: &ChainPoint, keep: u32) -> Option<u32> {
    segments.free().saturating_add(count(point.next_segments)).checked_sub(keep)
}

/// Bytes that a commit can take: what is left of the open segment and of the others, but for `keep`
/// segments.
pub(super) fn free_bytes(
    layout: &Layout,
    segments: &Segments,
    point: &ChainPoint,
    keep: u32,
) -> u64 {
    let Some(left) = spare(segments, point, keep) else { return 0 };
    (u64::from(left) * layout.segment_len()).saturating_add(layout.rest(point.open))
}

/// What is missing: all that the operations take when they are laid out, the ends of segments that
/// they can't fill included, and what is left of the open one if they roll at once.
fn no_space(
    layout: &Layout,
    segments: &Segments,
    (from, rolls): (&ChainPoint, bool),
    operations: &[Pending<'_>],
    keep: u32,
) -> Error {
    let free_segments = core::iter::repeat(0);
    let open = from.open.filter(|_| !rolls);
    let (next_segments, left) = ([Some(0); 2], u32::MAX);
    let mut cursor = Cursor { layout, open, next_segments, free_segments, left };
    let mut rest = operations;
    while let Some((_, count, _)) = cursor.place_frame(rest) {
        rest = rest.get(count..).unwrap_or_default();
    }
    let block = |open: Option<Place>| open.map_or(layout.segment_blocks, |place| place.block);
    let rolled = u64::from(u32::MAX - cursor.left).saturating_mul(u64::from(layout.segment_blocks));
    let behind = rolled.saturating_add(u64::from(block(cursor.open)));
    let blocks = behind.saturating_sub(u64::from(block(from.open)));
    let needed = blocks.saturating_mul(u64::from(layout.block_len));
    Error::NoSpace { needed, free: free_bytes(layout, segments, from, keep) }
}

/// The longest record that a frame of this store can hold.
pub(super) fn record_len_max(layout: &Layout) -> u64 {
    layout.segment_len().min(u64::from(FRAME_LEN_MAX)).saturating_sub(HEADER_LEN as u64)
}

/// Where a commit goes on while it is laid out.
struct Cursor<'a, I> {
    layout: &'a Layout,
    open: Option<Place>,
    next_segments: NextSegments,
    /// Not yet taken by this commit.
    free_segments: I,
    /// How many they are.
    left: u32,
}

impl<I: Iterator<Item = u32>> Cursor<'_, I> {
    /// Where the next frame goes, how many of `operations` it takes, and its bytes. It rolls first
    /// if not even one fits here; `None` if there is nowhere to roll.
    fn place_frame(&mut self, operations: &[Pending<'_>]) -> Option<(Place, usize, u64)> {
        let first = operations.first()?.record_len().saturating_add(HEADER_LEN as u64);
        if first > self.room() {
            self.roll()?;
        }
        let (mut count, mut len) = (0usize, HEADER_LEN as u64);
        for pending in operations {
            let with = len.saturating_add(pending.record_len());
            if with > self.room() {
                break;
            }
            (count, len) = (count.saturating_add(1), with);
        }
        let place = self.open.filter(|_| count > 0)?;
        let blocks = u32::try_from(self.layout.blocks(len)).unwrap_or(u32::MAX);
        self.open = Some(Place { block: place.block.saturating_add(blocks), ..place });
        Some((place, count, self.layout.whole(len)))
    }

    /// Bytes that a frame can have here.
    fn room(&self) -> u64 {
        self.layout.rest(self.open).min(u64::from(FRAME_LEN_MAX))
    }

    /// Goes on in the next segment and chooses one more.
    fn roll(&mut self) -> Option<()> {
        let [next, after] = self.next_segments;
        self.open = Some(Place { segment: next?, block: 0 });
        let chosen = [after, None].map(|named| named.or_else(|| self.free_segments.next()));
        let taken = count(chosen).saturating_sub(u32::from(after.is_some()));
        (self.next_segments, self.left) = (chosen, self.left.saturating_sub(taken));
        Some(())
    }

    fn left_with_next(&self) -> u32 {
        self.left.saturating_add(count(self.next_segments))
    }
}

fn count(segments: NextSegments) -> u32 {
    segments.into_iter().flatten().fold(0, |count, _| count + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::record::Operation;
    use alloc::vec;

    fn sets(count: usize, value: &[u8]) -> Vec<Pending<'_>> {
        let operation = Operation::Set { key: b"\x01a", value };
        vec![Pending { operation, modified: None, replaced: None }; count]
    }

    /// The plan of a commit on a store of so many bytes with nothing in it.
    fn plan_on(len: u64, operations: &[Pending<'_>]) -> Result<Vec<PlannedFrame>, Error> {
        let layout = Layout::divide(len, 4096).unwrap();
        let mut segments = Segments::new(layout);
        let point = ChainPoint::first(1);
        segments.name(point.next_segments).unwrap();
        plan(&layout, &segments, (&point, false), operations, 3)
    }

    #[test]
    fn operations_share_frames_and_frames_follow_each_other() {
        // Segments of 4 blocks; each record takes less than one of them, two more.
        let frames = plan_on(4 << 20, &sets(9, &[0; 3000])).unwrap();
        let places: Vec<_> = frames.iter().map(|f| (f.place.segment, f.place.block)).collect();
        assert_eq!(places, [(0, 0), (1, 0)]);
        assert_eq!((frames[0].operations.clone(), frames[1].operations.clone()), (0..5, 5..9));
        assert_eq!((frames[0].len, frames[1].len), (16384, 12288));
        assert_eq!(frames[0].next_segments, [Some(1), Some(2)]);
        assert_eq!(frames[1].next_segments, [Some(2), Some(3)]);
    }

    #[test]
    fn a_commit_is_admitted_up_to_the_reserve() {
        // 14 segments of one block, each for one record.
        let one_each = |count| plan_on(64 << 10, &sets(count, &[0; 3000]));
        assert_eq!(one_each(11).unwrap().len(), 11);
        let Err(Error::NoSpace { needed, free }) = one_each(12) else { panic!("no reserve") };
        assert_eq!((needed, free), (12 * 4096, 11 * 4096));
    }

    #[test]
    fn a_group_over_whole_remains_goes_to_both_places_where_they_can_lie() {
        let layout = Layout::divide(4 << 20, 4096).unwrap();
        let mut segments = Segments::new(layout);
        let point =
            ChainPoint { open: Some(Place { segment: 7, block: 2 }), ..ChainPoint::first(1) };
        segments.name(point.next_segments).unwrap();
        let places = |point: &ChainPoint| {
            let frames = plan(&layout, &segments, (point, true), &sets(1, &[0; 10]), 3).unwrap();
            frames.iter().map(|f| (f.place, f.operations.len(), f.len)).collect::<Vec<_>>()
        };
        let next = (Place { segment: 0, block: 0 }, 1, 4096);
        assert_eq!(places(&point), [(Place { segment: 7, block: 2 }, 0, 4096), next]);
        let full = ChainPoint { open: Some(Place { segment: 7, block: 4 }), ..point };
        assert_eq!(places(&full), [next]);
        let Err(Error::NoSpace { needed, free }) =
            plan(&layout, &segments, (&point, true), &sets(1, &[0; 10]), 256)
        else {
            panic!("no reserve")
        };
        assert_eq!((needed, free), (3 * 4096, 0));
    }

    #[test]
    fn a_group_is_no_longer_than_what_can_be_unflushed_with_headers_and_padding() {
        // A frame for each record: the records are within the limit, the frames are not.
        let value = vec![0; 132_000];
        let operations = sets(63, &value);
        let records: u64 = operations.iter().map(Pending::record_len).sum();
        assert!(records < UNFLUSHED_MAX);
        assert!(matches!(plan_on(64 << 20, &operations), Err(Error::TooLarge { .. })));
    }
}
