//! What each segment is used for, and how much of it is live.
//!
//! Invariants:
//! - A segment is named only while nothing is in it, and then it is not free any more: no two uses
//!   ever share a segment.
//! - `live` is the sum of the lengths of those records in the segment that the index names.

use super::change::Pointer;
use crate::error::Fault;
use crate::format::layout::Layout;
use crate::format::place::NextSegments;
use crate::format::record::Replaced;
use alloc::vec;
use alloc::vec::Vec;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    /// Spoken for by the open segment: the chain goes on here.
    Named,
    /// Holds frames.
    Used,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    state: State,
    live: u64,
}

/// The segments of a store.
#[derive(Debug)]
pub(crate) struct Segments {
    layout: Layout,
    table: Vec<Segment>,
    free: u32,
}

impl Segments {
    /// All free.
    pub(crate) fn new(layout: Layout) -> Self {
        let table = vec![Segment { state: State::Free, live: 0 }; layout.segment_count as usize];
        Self { layout, table, free: layout.segment_count }
    }

    /// Segments that nothing is in and nothing speaks for.
    pub(crate) const fn free(&self) -> u32 {
        self.free
    }

    /// Bytes of records that the index names.
    pub(crate) fn live(&self) -> u64 {
        self.table.iter().fold(0, |sum, segment| sum.saturating_add(segment.live))
    }

    /// Segments that hold frames.
    pub(crate) fn used(&self) -> u32 {
        let used = self.table.iter().filter(|segment| segment.state == State::Used).count();
        u32::try_from(used).unwrap_or(u32::MAX)
    }

    /// Whether frames of the chain are in the segment.
    fn is_used(&self, segment: u32) -> bool {
        self.get(segment).is_some_and(|segment| segment.state == State::Used)
    }

    /// The free segments, from the lowest number up.
    pub(super) fn free_segments(&self) -> impl Iterator<Item = u32> {
        let numbered = (0..).zip(&self.table);
        numbered.filter(|(_, segment)| segment.state == State::Free).map(|(number, _)| number)
    }

    /// A frame now opens `segment` and names these.
    pub(super) fn open(&mut self, segment: u32, next: NextSegments) -> Result<(), Fault> {
        if self.is_used(segment) {
            return Err(Fault::Field("segment"));
        }
        self.set(segment, State::Used);
        self.name(next)
    }

    /// These are spoken for. One of them may have been already: it was named second before.
    pub(super) fn name(&mut self, next: NextSegments) -> Result<(), Fault> {
        let [one, two] = next;
        let usable = |segment| self.get(segment).is_some_and(|found| found.state != State::Used);
        if (one.is_some() && one == two) || !next.into_iter().flatten().all(usable) {
            return Err(Fault::Field("next segment"));
        }
        for segment in next.into_iter().flatten() {
            self.set(segment, State::Named);
        }
        Ok(())
    }

    /// The index now names the record.
    pub(crate) fn add(&mut self, record: Pointer) {
        let segment = self.layout.segment_of(record.at);
        if let Some(segment) = segment.and_then(|segment| self.get_mut(segment)) {
            segment.live = segment.live.saturating_add(u64::from(record.len));
        }
    }

    /// The index does not name the record any more.
    pub(crate) fn subtract(&mut self, record: Replaced) {
        if let Some(segment) = self.get_mut(u32::from(record.segment)) {
            segment.live = segment.live.saturating_sub(u64::from(record.len));
        }
    }

    /// The form in which a record names another one that it replaces.
    pub(crate) fn replaced(&self, record: Pointer) -> Option<Replaced> {
        let segment = u16::try_from(self.layout.segment_of(record.at)?).ok()?;
        Some(Replaced { segment, len: record.len })
    }

    fn get(&self, segment: u32) -> Option<&Segment> {
        self.table.get(segment as usize)
    }

    fn get_mut(&mut self, segment: u32) -> Option<&mut Segment> {
        self.table.get_mut(segment as usize)
    }

    fn set(&mut self, segment: u32, state: State) {
        if let Some(segment) = self.table.get_mut(segment as usize) {
            let was_free = segment.state == State::Free;
            segment.state = state;
            self.free -= u32::from(was_free);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments() -> Segments {
        Segments::new(Layout::divide(64 << 10, 4096).unwrap())
    }

    #[test]
    fn segments_are_taken_once() {
        let mut segments = segments();
        let all = segments.free();
        assert_eq!(segments.name([Some(0), Some(1)]), Ok(()));
        assert_eq!(segments.open(0, [Some(1), Some(2)]), Ok(()));
        assert_eq!((segments.used(), segments.free()), (1, all - 3));
        assert_eq!(segments.free_segments().next(), Some(3));
        assert_eq!(segments.open(0, [Some(3), Some(4)]), Err(Fault::Field("segment")));
    }

    #[test]
    fn what_is_used_out_of_range_or_named_twice_at_once_is_no_next_segment() {
        let mut segments = segments();
        segments.open(0, [Some(1), Some(2)]).unwrap();
        let refused = Err(Fault::Field("next segment"));
        for next in [[Some(0), None], [Some(3), Some(0)], [Some(5), Some(5)], [Some(14), None]] {
            assert_eq!(segments.name(next), refused, "{next:?}");
        }
        assert_eq!(segments.name([None, None]), Ok(()));
    }
}
