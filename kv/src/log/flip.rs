//! Flips: a new state of the superblock.
//!
//! Invariants:
//! - What a state names is flushed before the state is written; the state is flushed before
//!   anything relies on it.
//! - `must_reach` of a state is the highest number that was durable when it was written, and the
//!   counts in its table are those as of the number that the table names.
//! - The epoch of a state is that of the frame `must_reach`, or, where remains are disowned, that which
//!   the next frame must have.
//! - The tail start moves only to a point up to which the tree holds everything.
//! - What a state names is kept while it is in either slot: `release` frees no more than what neither
//!   needs.

use super::append::{COUNTERS_USED_UP, Log, Older};
use super::disk::Disk;
use super::nodes::NewNodes;
use super::replay::demanded_epoch;
use super::segments::{By, Horizon, Kind};
use super::superblocks::{self, Newest};
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::index_key::Keyspace;
use crate::format::node::Node;
use crate::format::place::Place;
use crate::format::point::ChainPoint;
use crate::format::pointer::Pointer;
use crate::format::record::Replaced;
use crate::format::superblock::{Superblock, Tree};
use crate::format::table::Table;
use crate::planted::{Bug, planted};
use alloc::vec::Vec;

/// What a checkpoint changes.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    /// The tree from now on.
    pub(crate) tree: Option<Tree>,
    pub(crate) new: NewNodes,
    /// Nodes of the tree before that are not in this one.
    pub(crate) old: &'a [Pointer],
    /// Records of values that a range removal hid and that are not in the tree any more.
    pub(crate) forgotten: Vec<(Keyspace, Replaced)>,
    pub(crate) progress: Progress,
}

/// How far a round is.
#[derive(Clone, Debug)]
pub(crate) enum Progress {
    /// As far as before, up to this key: nodes were moved, no more.
    Same(Vec<u8>),
    /// What the delta that was frozen here has below this key is in the tree.
    Part(ChainPoint, Vec<u8>),
    /// All of it is: the tail starts here.
    Whole(ChainPoint),
}

impl Log {
    /// Writes into the superblock that the chain is durable up to here, if this mount has written
    /// anything: from then on damage to any of its frames shows.
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint), without `NoSpace`.
    pub(crate) fn seal<D: BlockDevice>(&mut self, disk: &Disk<D>) -> Result<(), Error> {
        self.check()?;
        if !self.has_mounted() {
            return Ok(());
        }
        self.repeat(disk)
    }

    /// Writes the state once more: then both slots hold it, and what only the older one named can be
    /// released. Nothing that either needs changes.
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint), without `NoSpace`.
    pub(crate) fn repeat<D: BlockDevice>(&mut self, disk: &Disk<D>) -> Result<(), Error> {
        self.check()?;
        let superblock = Superblock { epoch: self.state_epoch(), ..*self.superblock() };
        self.flip(disk, superblock)
    }

    /// Segments that could be released if both slots held the state in force.
    pub(crate) fn waiting(&self) -> usize {
        self.segments.spent(&self.horizon_ahead()).count()
    }

    /// Whether segments could be released if both slots held the state in force, and the next commit
    /// alone will release none.
    pub(crate) fn waits_to_flip(&self) -> bool {
        let next = Horizon { frame: self.durable, ..self.horizon() };
        self.waiting() > 0 && self.segments.spent(&next).next().is_none()
    }

    /// Bytes of the tail's segments, live ones and others.
    pub(crate) fn tail_shares(&self) -> (u64, u64) {
        self.segments.tail_shares(&self.horizon_ahead())
    }

    /// Whether more segments could be cleaned if both slots held the state in force.
    pub(crate) const fn waits_to_clean(&self) -> bool {
        self.older.tail < self.superblock().tail_start.generation
    }

    const fn horizon_ahead(&self) -> Horizon {
        Horizon {
            tail: self.superblock().tail_start.generation,
            checkpoint: self.superblock().checkpoint,
            frame: self.durable,
            open: self.open_segments(),
        }
    }

    /// The segment that is best cleaned, of those of this kind with at most `most` live bytes and but
    /// for those that were passed.
    pub(crate) fn victim(&self, kind: Kind, most: u64, passed: &[u32]) -> Option<u32> {
        self.segments.victim(&self.horizon(), (kind, most), passed)
    }

    /// The live bytes of the segment of this kind that is best cleaned.
    pub(crate) fn least_live(&self, kind: Kind) -> u64 {
        let victim = self.victim(kind, u64::MAX, &[]);
        victim.map_or(u64::MAX, |segment| self.segments.live_in(segment))
    }

    /// The next block of a segment of this kind that is being cleaned.
    pub(crate) const fn cleaning_mut(&mut self, kind: Kind) -> &mut Option<Place> {
        match kind {
            Kind::Records => &mut self.cleaning.0,
            Kind::Nodes => &mut self.cleaning.1,
        }
    }

    /// Frees the segments of which neither slot nor the log needs anything, and tells how many they
    /// are. A device that can discard is told, and they are free when that is flushed.
    pub(crate) fn release<D: BlockDevice>(&mut self, disk: &Disk<D>) -> usize {
        let layout = self.superblock().layout;
        let discard = disk.geometry().discard;
        let released = self.segments.release(&self.horizon(), discard);
        for kind in [Kind::Records, Kind::Nodes] {
            let cleaning = self.cleaning_mut(kind);
            *cleaning = cleaning.filter(|place| !released.contains(&place.segment));
        }
        for segment in released.iter().filter(|_| discard) {
            // It is a hint: what becomes of the bytes does not matter.
            let _ = disk.discard(layout.at(*segment, 0), layout.segment_len());
        }
        released.len()
    }

    fn horizon(&self) -> Horizon {
        if planted(Bug::ReleaseAtFlip) {
            return Horizon { frame: self.attested, ..self.horizon_ahead() };
        }
        Horizon {
            tail: self.older.tail,
            checkpoint: self.older.checkpoint,
            frame: self.attested,
            open: self.open_segments(),
        }
    }

    /// Makes one step of a checkpoint durable: its nodes and the table first, then the superblock
    /// that names them. Gives back the new nodes.
    ///
    /// # Errors
    /// `NoSpace` before anything is written. `Stolen` if the superblock is newer than this mount
    /// knows: another writer was here. `Corrupt` if it is older. `Device`. After the last three
    /// the log may be poisoned, and the superblock is the one before or this one.
    pub(crate) fn checkpoint<D: BlockDevice>(
        &mut self,
        disk: &Disk<D>,
        step: Step<'_>,
    ) -> Result<Vec<(Pointer, Node)>, Error> {
        self.check()?;
        let Step { tree, mut new, old, forgotten, progress } = step;
        let before = *self.superblock();
        let (tail_start, frozen, merged_to) = match progress {
            Progress::Same(merged_to) => (before.tail_start, before.frozen, merged_to),
            Progress::Part(point, merged_to) => {
                let early = planted(Bug::TailStartEarly);
                let tail_start = if early { point } else { before.tail_start };
                (tail_start, point.number.saturating_sub(1), merged_to)
            }
            Progress::Whole(point) => (point, 0, Vec::new()),
        };
        let layout = *self.segments.layout();
        let table_len = Table::len(&layout, merged_to.len());
        let table_at = new.outside.place(table_len)?;
        let mut segments = self.segments.clone();
        new.outside.taken.iter().for_each(|&segment| segments.take(segment, Kind::Nodes));
        for (at, run) in &new.outside.runs {
            let len = u32::try_from(run.len()).unwrap_or(u32::MAX);
            segments.add_index(Pointer { at: *at, len, check: 0 });
        }
        let by = By::Checkpoint(before.checkpoint.saturating_add(1));
        let gone = old.iter().copied().chain(before.table);
        gone.for_each(|gone| segments.subtract_index(gone, by));
        for record in forgotten {
            segments.forget(record, by);
        }
        let table_len = u32::try_from(layout.whole(table_len as u64)).unwrap_or(u32::MAX);
        segments.add_index(Pointer { at: table_at, len: table_len, check: 0 });
        let table = segments.to_table(tail_start.generation, self.durable, &merged_to);
        let (bytes, check) = table.encode(before.birth, table_at, layout.block_len);
        let table = Some(new.push(table_at, &bytes, check));
        self.poisoned = true;
        disk.write_many(new.outside.runs.iter().map(|(at, run)| (*at, &run[..])))?;
        if !planted(Bug::FlipBeforeNodes) {
            disk.flush()?;
        }
        self.poisoned = false;
        let index_open = new.outside.open;
        let epoch = self.state_epoch();
        let superblock =
            Superblock { layout, epoch, tail_start, frozen, index_open, table, tree, ..before };
        self.flip(disk, superblock)?;
        self.open.nodes = index_open;
        self.segments = segments;
        self.segments.flushed();
        if frozen == 0 {
            self.segments.try_again();
        }
        Ok(new.into_nodes())
    }

    /// The epoch of a state that is written now.
    pub(super) fn state_epoch(&self) -> u64 {
        demanded_epoch(self.superblock(), &self.point).unwrap_or(self.point.epoch)
    }

    /// The segments in which nodes and survivors go on.
    const fn open_segments(&self) -> [Option<u32>; 2] {
        let layout = self.superblock().layout;
        [layout.open_segment(self.open.nodes), layout.open_segment(self.open.survivors)]
    }

    /// What was discarded is free when this returns `Ok`.
    ///
    /// # Errors
    /// `Device`, and then the log is poisoned.
    pub(crate) fn settle_discards<D: BlockDevice>(&mut self, disk: &Disk<D>) -> Result<(), Error> {
        if !disk.geometry().discard {
            return Ok(());
        }
        self.poisoned = true;
        disk.flush()?;
        self.poisoned = false;
        self.segments.flushed();
        Ok(())
    }

    /// Puts `superblock` in force, as the state after the newest one.
    pub(super) fn flip<D: BlockDevice>(
        &mut self,
        disk: &Disk<D>,
        state: Superblock,
    ) -> Result<(), Error> {
        let Newest { superblock, slot } = self.newest;
        let found = superblocks::read(disk)?.newest;
        if found.superblock.checkpoint < superblock.checkpoint {
            let (found, named) = (found.superblock.checkpoint, superblock.checkpoint);
            let at = superblock.layout.superblock_at(slot, 0);
            let fault = Fault::Older { found, named };
            return Err(Corruption { part: Part::Superblock, at, fault }.into());
        }
        self.poisoned = true;
        if found != self.newest {
            return Err(Error::Stolen);
        }
        let checkpoint = superblock.checkpoint.checked_add(1).ok_or(COUNTERS_USED_UP)?;
        let must_reach = self.durable;
        let superblock = Superblock { checkpoint, must_reach, ..state };
        let before = self.newest.superblock;
        self.newest = Newest { superblock, slot: 1 - slot };
        self.newest.write(disk, 0..superblock.layout.copies())?;
        if !(planted(Bug::RemainsUnflushed) && superblock.epoch != self.point.epoch) {
            disk.flush()?;
        }
        self.older = Older::of(&before);
        self.attested = must_reach;
        self.segments.flushed();
        self.poisoned = false;
        Ok(())
    }
}
