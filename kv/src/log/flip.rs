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

use super::append::{COUNTERS_USED_UP, Log};
use super::disk::Disk;
use super::nodes::NewNodes;
use super::superblocks::{self, Newest, check_newest};
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::node::Node;
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
    pub(crate) forgotten: Vec<Replaced>,
    /// Where the delta was frozen.
    pub(crate) frozen: ChainPoint,
    /// Whether all of it is in the tree: then the tail starts where it was frozen.
    pub(crate) done: bool,
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
        let superblock = Superblock { epoch: self.point.epoch, ..*self.superblock() };
        self.flip(disk, superblock)
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
        let Step { tree, mut new, old, forgotten, frozen, done } = step;
        let tail_start = if done || planted(Bug::TailStartEarly) {
            frozen
        } else {
            self.superblock().tail_start
        };
        let frozen = if done { 0 } else { frozen.number.saturating_sub(1) };
        let layout = self.superblock().layout;
        let table_at = new.place(Table::len(&layout))?;
        let mut segments = self.segments.clone();
        new.taken.iter().for_each(|&segment| segments.take(segment));
        for (at, run) in &new.runs {
            let len = u32::try_from(run.len()).unwrap_or(u32::MAX);
            segments.add(Pointer { at: *at, len, check: 0 });
        }
        let gone = old.iter().copied().chain(self.superblock().table);
        gone.for_each(|gone| segments.subtract(gone));
        for record in forgotten {
            segments.forget(record);
        }
        let table_len = layout.blocks(Table::len(&layout) as u64) * u64::from(layout.block_len);
        let table_len = u32::try_from(table_len).unwrap_or(u32::MAX);
        segments.add(Pointer { at: table_at, len: table_len, check: 0 });
        let table = segments.to_table(tail_start.generation, self.durable);
        let (bytes, check) = table.encode(self.superblock().birth, table_at, layout.block_len);
        let table = Some(new.push(table_at, &bytes, check));
        self.poisoned = true;
        disk.write_many(new.runs.iter().map(|(at, run)| (*at, &run[..])))?;
        if !planted(Bug::FlipBeforeNodes) {
            disk.flush()?;
        }
        self.poisoned = false;
        let index_open = new.open;
        let epoch = self.point.epoch;
        let superblock =
            Superblock { epoch, tail_start, frozen, index_open, table, tree, ..*self.superblock() };
        self.flip(disk, superblock)?;
        self.segments = segments;
        Ok(new.into_nodes())
    }

    /// Puts `superblock` in force, as the state after the newest one.
    pub(super) fn flip<D: BlockDevice>(
        &mut self,
        disk: &Disk<D>,
        state: Superblock,
    ) -> Result<(), Error> {
        let Newest { superblock, slot } = self.newest;
        let found = superblocks::read(disk)?.newest;
        check_newest(&found, superblock.checkpoint)?;
        self.poisoned = true;
        if found != self.newest {
            return Err(Error::Stolen);
        }
        let checkpoint = superblock.checkpoint.checked_add(1).ok_or(COUNTERS_USED_UP)?;
        let superblock = Superblock { checkpoint, must_reach: self.durable, ..state };
        self.newest = Newest { superblock, slot: 1 - slot };
        self.newest.write(disk, 0..superblock.layout.copies())?;
        if !(planted(Bug::RemainsUnflushed) && superblock.epoch != self.point.epoch) {
            disk.flush()?;
        }
        self.poisoned = false;
        Ok(())
    }
}
