//! What each segment is used for, how much of it is live, and what all keys name, counted.
//!
//! Invariants:
//! - A segment is named only while nothing is in it, and then it is not free any more: no two uses
//!   ever share a segment.
//! - `live` of a segment is the sum of the lengths of those records in it that hold the value of
//!   some key, and of the nodes and the table in it that the newest checkpoint names. Records whose
//!   value is in the index itself do not count: once it is in a leaf they are not needed.
//! - `totals` are those of all keys; they and `live` are too high by what unfinished range removals
//!   hide, and by nothing else.

use super::change::{Change, What};
use crate::error::Fault;
use crate::format::layout::Layout;
use crate::format::place::NextSegments;
use crate::format::pointer::Pointer;
use crate::format::record::Replaced;
use crate::format::table::{Table, Totals, Use};
use alloc::vec;
use alloc::vec::Vec;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    /// Spoken for by the open segment: the chain goes on here.
    Named,
    /// Holds frames, the first of them with this number; 0 if it is before the tail start.
    Chain(u64),
    /// Holds nodes and tables.
    Index,
}

impl State {
    const fn is_used(self) -> bool {
        matches!(self, Self::Chain(_) | Self::Index)
    }
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    state: State,
    live: u64,
}

/// The segments of a store.
#[derive(Clone, Debug)]
pub(crate) struct Segments {
    layout: Layout,
    table: Vec<Segment>,
    free: u32,
    totals: Totals,
}

impl Segments {
    /// All free.
    pub(crate) fn new(layout: Layout) -> Self {
        let table = vec![Segment { state: State::Free, live: 0 }; layout.segment_count as usize];
        Self { layout, table, free: layout.segment_count, totals: Totals::default() }
    }

    /// As a checkpoint left them: replay finds those that frames from its tail start on opened.
    pub(crate) fn from_table(layout: Layout, table: &Table) -> Self {
        let row = |&(used, live): &(Use, u64)| {
            let state = match used {
                Use::Free => State::Free,
                Use::Chain => State::Chain(0),
                Use::Index => State::Index,
            };
            Segment { state, live }
        };
        let free = table.rows.iter().filter(|(used, _)| *used == Use::Free).count();
        let free = u32::try_from(free).unwrap_or(0);
        Self { layout, table: table.rows.iter().map(row).collect(), free, totals: table.totals }
    }

    /// The table of a checkpoint whose tail starts in a segment of this generation. Counted are the
    /// changes up to this frame.
    pub(super) fn to_table(&self, generation: u64, counted: u64) -> Table {
        let row = |segment: &Segment| {
            let used = match segment.state {
                State::Chain(first) if first < generation => Use::Chain,
                State::Free | State::Named | State::Chain(_) => Use::Free,
                State::Index => Use::Index,
            };
            (used, segment.live)
        };
        Table { counted, totals: self.totals, rows: self.table.iter().map(row).collect() }
    }

    /// Segments that nothing is in and nothing speaks for.
    pub(crate) const fn free(&self) -> u32 {
        self.free
    }

    pub(crate) const fn totals(&self) -> Totals {
        self.totals
    }

    /// Live bytes of each segment.
    pub(crate) fn live(&self) -> impl Iterator<Item = u64> {
        self.table.iter().map(|segment| segment.live)
    }

    /// Segments that hold something.
    pub(crate) fn used(&self) -> u32 {
        let used = self.table.iter().filter(|segment| segment.state.is_used()).count();
        u32::try_from(used).unwrap_or(u32::MAX)
    }

    /// Whether nodes may lie in the segment.
    pub(crate) fn is_index(&self, segment: u32) -> bool {
        self.get(segment).is_some_and(|segment| segment.state == State::Index)
    }

    /// The free segments, from the lowest number up.
    pub(super) fn free_segments(&self) -> impl DoubleEndedIterator<Item = u32> {
        let numbered = (0..self.layout.segment_count).zip(&self.table);
        numbered.filter(|(_, segment)| segment.state == State::Free).map(|(number, _)| number)
    }

    /// A frame of this number now opens `segment` and names these.
    pub(super) fn open(
        &mut self,
        segment: u32,
        number: u64,
        next: NextSegments,
    ) -> Result<(), Fault> {
        if self.get(segment).is_none_or(|segment| segment.state.is_used()) {
            return Err(Fault::Field("segment"));
        }
        self.set(segment, State::Chain(number));
        self.name(next)
    }

    /// These are spoken for. One of them may have been already: it was named second before.
    pub(super) fn name(&mut self, next: NextSegments) -> Result<(), Fault> {
        let [one, two] = next;
        let usable = |segment| self.get(segment).is_some_and(|found| !found.state.is_used());
        if (one.is_some() && one == two) || !next.into_iter().flatten().all(usable) {
            return Err(Fault::Field("next segment"));
        }
        for segment in next.into_iter().flatten() {
            self.set(segment, State::Named);
        }
        Ok(())
    }

    /// The index takes a free segment.
    pub(super) fn take(&mut self, segment: u32) {
        self.set(segment, State::Index);
    }

    /// Counts what a change does, but for what a range removal hides.
    pub(crate) fn count(&mut self, change: &Change) {
        match &change.what {
            What::Set { inline, .. } => {
                let len = u64::from(change.record.len);
                self.totals.live = self.totals.live.saturating_add(len);
                if inline.is_none() {
                    self.add(change.record);
                }
                if change.replaced.is_none() {
                    self.totals.keys = self.totals.keys.saturating_add(1);
                }
            }
            What::Remove { .. } if change.replaced.is_some() => {
                self.totals.keys = self.totals.keys.saturating_sub(1);
            }
            What::Remove { .. } | What::RemoveRange { .. } => {}
        }
        if let Some(replaced) = change.replaced {
            self.replace(replaced);
        }
    }

    /// Counts one key less, which had a value from this record.
    pub(crate) fn forget(&mut self, record: Replaced) {
        self.totals.keys = self.totals.keys.saturating_sub(1);
        self.replace(record);
    }

    fn replace(&mut self, record: Replaced) {
        self.totals.live = self.totals.live.saturating_sub(u64::from(record.len));
        let segment = record.segment.and_then(|segment| self.get_mut(u32::from(segment)));
        if let Some(segment) = segment {
            segment.live = segment.live.saturating_sub(u64::from(record.len));
        }
    }

    /// Bytes that are needed from now on.
    pub(super) fn add(&mut self, bytes: Pointer) {
        let segment = self.layout.segment_of(bytes.at);
        if let Some(segment) = segment.and_then(|segment| self.get_mut(segment)) {
            segment.live = segment.live.saturating_add(u64::from(bytes.len));
        }
    }

    /// Bytes that are not needed any more.
    pub(super) fn subtract(&mut self, bytes: Pointer) {
        let segment = self.layout.segment_of(bytes.at);
        if let Some(segment) = segment.and_then(|segment| self.get_mut(segment)) {
            segment.live = segment.live.saturating_sub(u64::from(bytes.len));
        }
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
        assert_eq!(segments.open(0, 1, [Some(1), Some(2)]), Ok(()));
        assert_eq!((segments.used(), segments.free()), (1, all - 3));
        assert_eq!(segments.free_segments().next(), Some(3));
        assert_eq!(segments.open(0, 2, [Some(3), Some(4)]), Err(Fault::Field("segment")));
    }

    #[test]
    fn what_is_used_out_of_range_or_named_twice_at_once_is_no_next_segment() {
        let mut segments = segments();
        segments.open(0, 1, [Some(1), Some(2)]).unwrap();
        let refused = Err(Fault::Field("next segment"));
        for next in [[Some(0), None], [Some(3), Some(0)], [Some(5), Some(5)], [Some(14), None]] {
            assert_eq!(segments.name(next), refused, "{next:?}");
        }
        assert_eq!(segments.name([None, None]), Ok(()));
    }

    #[test]
    fn a_table_holds_what_replay_does_not_find() {
        let mut segments = segments();
        segments.open(0, 1, [Some(1), Some(2)]).unwrap();
        segments.open(1, 5, [Some(2), Some(3)]).unwrap();
        segments.take(13);
        segments.add(Pointer { at: segments.layout.at(13, 0), len: 4096, check: 0 });
        let table = segments.to_table(5, 9);
        let uses: Vec<Use> = table.rows.iter().map(|row| row.0).collect();
        assert_eq!(uses[..4], [Use::Chain, Use::Free, Use::Free, Use::Free]);
        assert_eq!(table.rows[13], (Use::Index, 4096));
        let mut again = Segments::from_table(segments.layout, &table);
        assert_eq!(again.free(), 12);
        assert_eq!(again.open(1, 5, [Some(2), Some(3)]), Ok(()));
        assert_eq!(again.open(13, 9, [Some(2), Some(3)]), Err(Fault::Field("segment")));
        assert_eq!((again.free(), again.used()), (segments.free(), segments.used()));
    }
}
