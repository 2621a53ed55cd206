//! What each segment is used for, how much of it is live, and what all keys name, counted.
//!
//! Invariants:
//! - A segment is named only while nothing is needed of it, and then it is not free any more: no two
//!   uses ever share a segment.
//! - A segment becomes free again when nothing can ask for what is in it, as [`Horizon`] says.
//! - `live` of a segment is the sum of the lengths of those records in it that hold the value of
//!   some key, and of the nodes and the table in it that the newest checkpoint names. Records whose
//!   value is in the index itself do not count: once it is in a leaf they are not needed.
//! - `totals` are those of all keys; they and `live` are too high by what unfinished range removals
//!   hide, and by nothing else.

use super::change::{Change, What};
use crate::error::Fault;
use crate::format::index_key::Keyspace;
use crate::format::layout::Layout;
use crate::format::place::NextSegments;
use crate::format::point::ChainPoint;
use crate::format::pointer::Pointer;
use crate::format::record::Replaced;
use crate::format::table::{Table, Totals, Use};
use crate::planted::{Bug, planted};
use alloc::vec;
use alloc::vec::Vec;

/// What a segment is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Free,
    /// Nothing is needed of it, and the device has been told so; free when that is flushed.
    Discarded,
    /// Spoken for by the open segment: the chain goes on here.
    Named,
    /// Holds frames, the first of them with this number; 0 if it is before the tail start.
    Chain(u64),
    /// Holds nodes and tables.
    Nodes,
    /// Holds records that were moved.
    Survivors,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    state: State,
    live: u64,
    /// The last frame by which anything in it became dead.
    frame: u64,
    /// The last checkpoint by which anything in it became dead.
    checkpoint: u64,
    /// All that could be moved out of it has been, for now.
    stuck: bool,
}

impl Segment {
    const FREE: Self = Self { state: State::Free, live: 0, frame: 0, checkpoint: 0, stuck: false };

    /// Whether it holds anything, needed or not.
    const fn is_used(&self) -> bool {
        matches!(self.state, State::Chain(_) | State::Nodes | State::Survivors)
    }

    /// Whether no key names anything in it any more, and replay does not pass it.
    const fn is_dead(&self) -> bool {
        let passed = matches!(self.state, State::Chain(0) | State::Nodes | State::Survivors);
        passed && self.live == 0
    }

    /// Whether replay does not pass it, from whichever state.
    const fn is_behind(&self, horizon: &Horizon) -> bool {
        match self.state {
            State::Chain(first) => first < horizon.tail,
            State::Nodes | State::Survivors => true,
            State::Free | State::Discarded | State::Named => false,
        }
    }

    const fn is_spent(&self, horizon: &Horizon) -> bool {
        self.is_behind(horizon)
            && self.live == 0
            && self.frame <= horizon.frame
            && self.checkpoint <= horizon.checkpoint
    }
}

/// What a segment can be cleaned of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Records, in the chain or moved out of it.
    Records,
    Nodes,
}

/// What made something dead: the commit up to this frame, or this checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Frame(u64),
    Checkpoint(u64),
}

/// What a segment must be behind to be used again.
///
/// Both slots of the superblock hold a whole state, so that either may be lost: what the older one
/// names is needed as much as what the newer one does. And what a frame has made dead is not dead
/// before something durable testifies to that frame: if it rotted without, it would be cut off like
/// one that a crash took, and the record that it replaced would be needed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Horizon {
    /// The generation of the segment in which the older state's tail starts.
    pub(super) tail: u64,
    /// The older state: what a newer one made dead, it still names.
    pub(super) checkpoint: u64,
    /// The last frame that something durable testifies to.
    pub(super) frame: u64,
    /// Nodes and survivors go on in these segments.
    pub(super) open: [Option<u32>; 2],
}

impl Horizon {
    fn is_open(&self, segment: u32) -> bool {
        self.open.contains(&Some(segment))
    }
}

/// The segments of a store.
#[derive(Clone, Debug)]
pub(crate) struct Segments {
    layout: Layout,
    table: Vec<Segment>,
    free: u32,
    /// Those that are free when what was discarded is flushed.
    discarded: Vec<u32>,
    /// Live bytes of all segments.
    live: u64,
    totals: Totals,
}

impl Segments {
    /// All free.
    pub(crate) fn new(layout: Layout) -> Self {
        let table = vec![Segment::FREE; layout.segment_count as usize];
        let (free, totals) = (layout.segment_count, Totals::default());
        Self { layout, table, free, discarded: Vec::new(), live: 0, totals }
    }

    /// The device is longer now: there are more of them, free ones.
    pub(super) fn grow(&mut self, layout: Layout) {
        let more = layout.segment_count.saturating_sub(self.layout.segment_count);
        self.table.resize(layout.segment_count as usize, Segment::FREE);
        self.free = self.free.saturating_add(more);
        self.layout = layout;
    }

    pub(super) const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// As a checkpoint left them: replay finds those that frames from its tail start on opened. What
    /// is dead became so by this checkpoint at the latest.
    pub(crate) fn from_table(layout: Layout, table: &Table, checkpoint: u64) -> Self {
        let row = |&(used, live): &(Use, u64)| {
            let state = match used {
                Use::Free => State::Free,
                Use::Chain => State::Chain(0),
                Use::Nodes => State::Nodes,
                Use::Survivors => State::Survivors,
            };
            Segment { state, live, frame: 0, checkpoint, stuck: false }
        };
        let free = table.rows.iter().filter(|(used, _)| *used == Use::Free).count();
        let free = u32::try_from(free).unwrap_or(0);
        let live = table.rows.iter().fold(0, |sum: u64, (_, live)| sum.saturating_add(*live));
        let rows = table.rows.iter().map(row).collect();
        let (discarded, totals) = (Vec::new(), table.totals);
        Self { layout, table: rows, free, discarded, live, totals }
    }

    /// The table of a checkpoint whose tail starts in a segment of this generation. Counted are the
    /// changes up to this frame.
    pub(super) fn to_table(&self, generation: u64, counted: u64, merged_to: &[u8]) -> Table {
        let row = |segment: &Segment| {
            let used = match segment.state {
                State::Chain(first) if first < generation => Use::Chain,
                State::Free | State::Discarded | State::Named | State::Chain(_) => Use::Free,
                State::Nodes => Use::Nodes,
                State::Survivors => Use::Survivors,
            };
            (used, segment.live)
        };
        let rows = self.table.iter().map(row).collect();
        Table { counted, totals: self.totals, merged_to: merged_to.to_vec(), rows }
    }

    /// Segments that nothing is in and nothing speaks for.
    pub(crate) const fn free(&self) -> u32 {
        self.free
    }

    pub(crate) const fn totals(&self) -> Totals {
        self.totals
    }

    /// Live bytes of all segments together.
    pub(crate) const fn live_sum(&self) -> u64 {
        self.live
    }

    /// Live bytes of a segment.
    pub(crate) fn live_in(&self, segment: u32) -> u64 {
        self.get(segment).map_or(0, |segment| segment.live)
    }

    /// Live bytes of each segment.
    pub(crate) fn live(&self) -> impl Iterator<Item = u64> {
        self.table.iter().map(|segment| segment.live)
    }

    /// What each segment is used for, and its live bytes.
    pub(crate) fn states(&self) -> impl Iterator<Item = (State, u64)> {
        self.table.iter().map(|segment| (segment.state, segment.live))
    }

    /// Segments that hold something.
    pub(crate) fn used(&self) -> u32 {
        let used = self.table.iter().filter(|segment| segment.is_used()).count();
        u32::try_from(used).unwrap_or(u32::MAX)
    }

    /// Whether nodes may lie in the segment.
    pub(crate) fn is_index(&self, segment: u32) -> bool {
        self.get(segment).is_some_and(|segment| segment.state == State::Nodes)
    }

    /// Whether anything may lie in the segment that is needed.
    pub(crate) fn holds(&self, segment: u32) -> bool {
        self.get(segment).is_some_and(Segment::is_used)
    }

    /// The free segments, from the lowest number up.
    pub(super) fn free_segments(&self) -> impl DoubleEndedIterator<Item = u32> {
        let free = |(_, segment): &(u32, &Segment)| segment.state == State::Free;
        self.numbered().filter(free).map(|(number, _)| number)
    }

    /// Segments in which the writer may have gone on, from the lowest number up.
    pub(super) fn usable_segments(&self) -> impl Iterator<Item = u32> {
        let usable = |(_, segment): &(u32, &Segment)| {
            matches!(segment.state, State::Free | State::Discarded) || segment.is_dead()
        };
        self.numbered().filter(usable).map(|(number, _)| number)
    }

    /// The chain goes on from this point.
    pub(crate) fn start(&mut self, point: &ChainPoint) -> Result<(), Fault> {
        match point.open {
            Some(place) => self.open(place.segment, point.generation, point.next_segments),
            None => self.name(point.next_segments),
        }
    }

    /// A frame of this number now opens `segment` and names these.
    pub(crate) fn open(
        &mut self,
        segment: u32,
        number: u64,
        next: NextSegments,
    ) -> Result<(), Fault> {
        if !self.is_usable(segment) {
            return Err(Fault::Field("segment"));
        }
        self.set(segment, State::Chain(number));
        self.name(next)
    }

    /// Nothing is in it that anybody needs. (The writer has freed it first; replay sees no more than
    /// that it could.)
    fn is_usable(&self, segment: u32) -> bool {
        self.get(segment).is_some_and(|found| !found.is_used() || found.is_dead())
    }

    /// These are spoken for. One of them may have been already: it was named second before.
    pub(super) fn name(&mut self, next: NextSegments) -> Result<(), Fault> {
        let [one, two] = next;
        let usable = |segment| self.is_usable(segment);
        if (one.is_some() && one == two) || !next.into_iter().flatten().all(usable) {
            return Err(Fault::Field("next segment"));
        }
        for segment in next.into_iter().flatten() {
            self.set(segment, State::Named);
        }
        Ok(())
    }

    /// A free segment is taken for nodes, or for records that are moved.
    pub(super) fn take(&mut self, segment: u32, kind: Kind) {
        let state = match kind {
            Kind::Nodes => State::Nodes,
            Kind::Records => State::Survivors,
        };
        self.set(segment, state);
    }

    /// Survivors lie in the segment, as a change says that replay has come to.
    pub(crate) fn occupy(&mut self, segment: u32) -> Result<(), Fault> {
        match self.get(segment).map(|segment| segment.state) {
            Some(State::Survivors) => Ok(()),
            Some(State::Named) | None => Err(Fault::Field("place of a move")),
            Some(_) if self.is_usable(segment) => {
                self.take(segment, Kind::Records);
                Ok(())
            }
            _ => Err(Fault::Field("place of a move")),
        }
    }

    /// Frees the segments that nothing can ask for any more, and tells which they are. If they are
    /// to be discarded, they are free only when that is durable.
    pub(super) fn release(&mut self, horizon: &Horizon, discard: bool) -> Vec<u32> {
        let released: Vec<u32> = self.spent(horizon).collect();
        let state = if discard { State::Discarded } else { State::Free };
        for segment in &released {
            if let Some(segment) = self.get_mut(*segment) {
                *segment = Segment { state, ..Segment::FREE };
            }
        }
        if discard {
            self.discarded.extend(&released);
        } else {
            self.free = self.free.saturating_add(u32::try_from(released.len()).unwrap_or(u32::MAX));
        }
        released
    }

    /// The segments that nothing can ask for any more.
    pub(super) fn spent(&self, horizon: &Horizon) -> impl Iterator<Item = u32> {
        let spent = |(_, segment): &(u32, &Segment)| segment.is_spent(horizon);
        self.numbered()
            .filter(spent)
            .map(|(number, _)| number)
            .filter(|number| !horizon.is_open(*number))
    }

    /// The segment of which least is live, at most `most` bytes, of those of a kind that can be freed.
    pub(super) fn victim(
        &self,
        horizon: &Horizon,
        (kind, most): (Kind, u64),
        passed: &[u32],
    ) -> Option<u32> {
        let victims = self.numbered().filter(|(number, segment)| {
            (1..=most).contains(&segment.live)
                && (segment.state == State::Nodes) == (kind == Kind::Nodes)
                && segment.is_behind(horizon)
                && !segment.stuck
                && !horizon.is_open(*number)
                && !passed.contains(number)
        });
        victims.min_by_key(|(_, segment)| segment.live).map(|(number, _)| number)
    }

    /// Bytes of the segments that replay passes, live ones and others.
    pub(super) fn tail_shares(&self, horizon: &Horizon) -> (u64, u64) {
        let in_tail = |segment: &&Segment| matches!(segment.state, State::Chain(first) if first >= horizon.tail);
        self.table.iter().filter(in_tail).fold((0, 0), |(live, dead), segment| {
            let rest = self.layout.segment_len().saturating_sub(segment.live);
            (live.saturating_add(segment.live), dead.saturating_add(rest))
        })
    }

    /// Of what is still live in the segment, nothing can be moved now.
    pub(crate) fn give_up(&mut self, segment: u32) {
        if let Some(segment) = self.get_mut(segment) {
            segment.stuck = segment.live > 0;
        }
    }

    /// The tree has everything up to a new tail start: what could not be moved may have changed.
    pub(super) fn try_again(&mut self) {
        self.table.iter_mut().for_each(|segment| segment.stuck = false);
    }

    /// Everything written and discarded so far is durable.
    pub(super) fn flushed(&mut self) {
        for segment in core::mem::take(&mut self.discarded) {
            if let Some(segment) = self.get_mut(segment) {
                segment.state = State::Free;
                self.free = self.free.saturating_add(1);
            }
        }
    }

    /// Counts what a change in this frame does, but for what a range removal hides.
    pub(crate) fn count(&mut self, change: &Change, frame: u64) {
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
            What::SetObject { key, .. } => {
                self.totals.live = self.totals.live.saturating_add(u64::from(change.record.len));
                if change.replaced.is_none() {
                    let count = self.count_of(Keyspace::of(key.as_bytes()));
                    *count = count.saturating_add(1);
                }
            }
            What::Place { placed: moved, .. } | What::Move { moved, .. } => {
                self.totals.live = self.totals.live.saturating_add(u64::from(moved.record.len));
                self.add(moved.record);
                if change.replaced.is_none() {
                    self.totals.extents = self.totals.extents.saturating_add(1);
                }
            }
            What::Remove { key } if change.replaced.is_some() => {
                let count = self.count_of(Keyspace::of(key.as_bytes()));
                *count = count.saturating_sub(1);
            }
            What::Remove { .. } | What::RemoveRange { .. } => {}
        }
        let drifts = matches!(change.what, What::Move { .. }) && planted(Bug::CountDrifts);
        if let Some(replaced) = change.replaced.filter(|_| !drifts) {
            self.replace(replaced, By::Frame(frame));
        }
    }

    /// Counts one key less, which had a value from this record.
    pub(crate) fn forget(&mut self, (keyspace, record): (Keyspace, Replaced), by: By) {
        let count = self.count_of(keyspace);
        *count = count.saturating_sub(1);
        self.replace(record, by);
    }

    const fn count_of(&mut self, keyspace: Keyspace) -> &mut u64 {
        match keyspace {
            Keyspace::Pending => &mut self.totals.pending,
            Keyspace::Path => &mut self.totals.keys,
            Keyspace::Extent => &mut self.totals.extents,
        }
    }

    fn replace(&mut self, record: Replaced, by: By) {
        self.totals.live = self.totals.live.saturating_sub(u64::from(record.len));
        if let Some(segment) = record.segment {
            self.kill(u32::from(segment), record.len, by);
        }
    }

    /// Bytes that are needed from now on.
    pub(super) fn add(&mut self, bytes: Pointer) {
        let segment = self.layout.segment_of(bytes.at);
        if let Some(segment) = segment.and_then(|segment| self.get_mut(segment)) {
            segment.live = segment.live.saturating_add(u64::from(bytes.len));
            self.live = self.live.saturating_add(u64::from(bytes.len));
        }
    }

    /// Nodes or a table that are needed from now on.
    pub(super) fn add_index(&mut self, bytes: Pointer) {
        self.totals.index = self.totals.index.saturating_add(u64::from(bytes.len));
        self.add(bytes);
    }

    /// Nodes or a table that are not needed any more.
    pub(super) fn subtract_index(&mut self, bytes: Pointer, by: By) {
        self.totals.index = self.totals.index.saturating_sub(u64::from(bytes.len));
        if let Some(segment) = self.layout.segment_of(bytes.at) {
            self.kill(segment, bytes.len, by);
        }
    }

    fn kill(&mut self, segment: u32, len: u32, by: By) {
        let Some(segment) = self.get_mut(segment) else { return };
        // A count that does not add up frees nothing.
        let Some(live) = segment.live.checked_sub(u64::from(len)) else { return };
        segment.live = live;
        match by {
            By::Frame(frame) => segment.frame = segment.frame.max(frame),
            By::Checkpoint(checkpoint) => {
                segment.checkpoint = segment.checkpoint.max(checkpoint);
            }
        }
        self.live = self.live.saturating_sub(u64::from(len));
    }

    fn numbered(&self) -> impl DoubleEndedIterator<Item = (u32, &Segment)> {
        (0..self.layout.segment_count).zip(&self.table)
    }

    fn get(&self, segment: u32) -> Option<&Segment> {
        self.table.get(segment as usize)
    }

    fn get_mut(&mut self, segment: u32) -> Option<&mut Segment> {
        self.table.get_mut(segment as usize)
    }

    fn set(&mut self, segment: u32, state: State) {
        if let Some(segment) = self.get_mut(segment) {
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
        segments.take(13, Kind::Nodes);
        segments.add(Pointer { at: segments.layout.at(13, 0), len: 4096, check: 0 });
        let table = segments.to_table(5, 9, &[]);
        let uses: Vec<Use> = table.rows.iter().map(|row| row.0).collect();
        assert_eq!(uses[..4], [Use::Chain, Use::Free, Use::Free, Use::Free]);
        assert_eq!(table.rows[13], (Use::Nodes, 4096));
        let mut again = Segments::from_table(segments.layout, &table, 1);
        assert_eq!(again.free(), 12);
        assert_eq!(again.open(1, 5, [Some(2), Some(3)]), Ok(()));
        assert_eq!(again.open(13, 9, [Some(2), Some(3)]), Err(Fault::Field("segment")));
        assert_eq!((again.free(), again.used()), (segments.free(), segments.used()));
    }
}
