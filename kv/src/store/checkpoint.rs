//! Checkpoints: the delta goes into the tree, a step at a time, paid for by writes.
//!
//! A *round* begins when the delta is frozen and ends when all of it is in the tree; then the tail
//! starts where it was frozen. Steps are taken by writing calls, before their own commits: whatever a
//! call has done for others, if it is refused or a step fails, it has changed no value.
//!
//! Invariants:
//! - A delta is frozen between commits, and all of it is durable.
//! - A call of one operation takes one step at most, or does one unit of other upkeep, if there is
//!   room. Work is saved up until it makes a whole step, so that most calls take none.
//! - If there is no room for a step, none is taken: the delta grows while the rest of the log is
//!   filled, which bounds it.

use super::Store;
use super::object::Gone;
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::node::Limits as NodeLimits;
use crate::format::object::Object;
use crate::format::pointer::Pointer;
use crate::index::{self, Budget, Delta, Frozen, Index, Merged, Work};
use crate::log::{Log, NewNodes, Progress, Step};
use alloc::vec::Vec;

/// Leaves that one change pays for while a round lasts: so a round of changes that each dirty a
/// leaf is over when an eighth as many new ones have come.
const LEAVES_A_CHANGE: u64 = 8;

/// The same when the delta is full again: a removal of a large dictionary has left more work than
/// changes.
const LEAVES_A_CHANGE_WHEN_FULL: u64 = 32;

/// Nodes beside which the table and the nodes above them do not weigh, though each step writes them.
const NODES_A_STEP_MIN: usize = 16;

impl<D: BlockDevice> Store<D> {
    /// Takes the steps that so many changes pay for, with what earlier ones have paid and was too
    /// little for a step. Leaves `keep` segments, the named ones included.
    ///
    /// Tells how many steps it has taken.
    pub(super) fn merge_paid(
        &self,
        log: &mut Log,
        changes: usize,
        keep: u32,
    ) -> Result<u64, Error> {
        let step_leaves = self.limits.step_nodes as u64;
        let mut steps = 0;
        self.pay(changes);
        loop {
            let frozen = {
                let mut index = self.index.lock();
                if index.frozen().is_none() && self.limits.is_full(&index) {
                    index.freeze(*log.point(), Vec::new());
                }
                index.frozen().filter(|_| index.credit >= step_leaves).cloned()
            };
            let Some(frozen) = frozen else { return Ok(steps) };
            let sizes = (self.step_bytes(), self.step_bytes_min());
            match self.step_that_fits(log, &frozen, sizes, keep) {
                Ok(leaves) => {
                    let mut index = self.index.lock();
                    index.credit = index.credit.saturating_sub((leaves as u64).max(step_leaves));
                    steps += 1;
                }
                Err(Error::NoSpace { .. }) => {
                    self.index.lock().credit = 0;
                    return Ok(steps);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// So many changes are made: they pay for leaves.
    fn pay(&self, changes: usize) {
        let mut index = self.index.lock();
        let full = self.limits.is_full(&index);
        if index.frozen().is_none() {
            if !full {
                index.credit = 0;
            }
            return;
        }
        let each = if full { LEAVES_A_CHANGE_WHEN_FULL } else { LEAVES_A_CHANGE };
        let each = each.min(self.limits.step_nodes as u64);
        index.credit = index.credit.saturating_add(each.saturating_mul(changes as u64));
    }

    /// Bytes of nodes that a step reads, and writes, about.
    pub(super) fn step_bytes(&self) -> usize {
        self.limits.step_nodes.saturating_mul(self.layout.node_len_max() as usize)
    }

    /// Bytes of nodes of a step that is made smaller since there is no room for a whole one, at least.
    pub(super) fn step_bytes_min(&self) -> usize {
        NODES_A_STEP_MIN.saturating_mul(self.layout.node_len_max() as usize)
    }

    /// Merges a range of keys, of about so many bytes, and makes that durable. Tells how many leaves
    /// it has read. It leaves `keep` segments, the named ones included.
    pub(super) fn step(
        &self,
        log: &mut Log,
        frozen: &Frozen,
        bytes: usize,
        keep: u32,
    ) -> Result<usize, Error> {
        let work = Work { delta: &frozen.delta, start: &frozen.merged_to, moved: &[] };
        let mut merged = self.merge(log, work, bytes, keep)?;
        if !merged.orphans.is_empty() {
            self.remove_orphans(log, &merged.orphans, keep)?;
            // The commit may have taken the room that nodes were to have.
            merged = self.merge(log, work, bytes, keep)?;
        }
        let progress = match merged.next.clone() {
            Some(next) => Progress::Part(frozen.point, next),
            None => Progress::Whole(frozen.point),
        };
        let (tree, next, leaves) = (merged.tree, merged.next.clone(), merged.leaves);
        self.make_durable(log, merged, progress, |index, old| index.advance(tree, next, old))?;
        Ok(leaves)
    }

    /// Removes the extents of objects whose keys a removal of a range hides, before the keys go: so a
    /// crash in between loses none of the work.
    fn remove_orphans(&self, log: &mut Log, orphans: &[u64], keep: u32) -> Result<(), Error> {
        let gone = orphans.iter().filter_map(|&id| Gone::of(Object { id, size: 0 }));
        let gone: Vec<_> = gone.collect();
        let removals: Vec<_> = gone.iter().map(Gone::pending).collect();
        let (changes, len) = log.append(&self.disk, Timestamp::default(), &removals, keep)?;
        self.apply(log, changes, len);
        Ok(())
    }

    /// Writes the nodes on the way to these keys anew, so that they lie elsewhere, if that takes no more
    /// than `most` bytes. Tells how many it has taken.
    pub(super) fn move_nodes(
        &self,
        log: &mut Log,
        keys: &[Vec<u8>],
        (most, keep): (u64, u32),
    ) -> Result<Option<u64>, Error> {
        let work = Work { delta: &Delta::default(), start: &[], moved: keys };
        let merged = self.merge(log, work, usize::MAX, keep)?;
        // The table goes with every step.
        let len = merged.new.len().saturating_add(self.layout.table_len());
        if len > most {
            return Ok(None);
        }
        let tree = merged.tree;
        let progress = Progress::Same(self.index.lock().merged_to());
        self.make_durable(log, merged, progress, |index, old| index.replant(tree, old))?;
        Ok(Some(len))
    }

    fn merge(&self, log: &Log, work: Work<'_>, bytes: usize, keep: u32) -> Result<Merged, Error> {
        let superblock = *log.superblock();
        let first = superblock.tail_start.sequence;
        let node = superblock.layout.node_len_max();
        let budget = Budget {
            leaves: (bytes / node as usize).max(1),
            bytes,
            limits: NodeLimits { len: node, cells: self.limits.node_entries },
        };
        index::step(
            |pointer, level| self.read_node(pointer, level),
            work,
            (superblock.tree, first, superblock.layout),
            NewNodes::new(log, keep),
            budget,
        )
    }

    /// Puts what a step has come to in force, on the disk and in memory.
    fn make_durable(
        &self,
        log: &mut Log,
        merged: Merged,
        progress: Progress,
        put: impl FnOnce(&mut Index, &[Pointer]),
    ) -> Result<(), Error> {
        let Merged { tree, new, old, forgotten, .. } = merged;
        log.debt = log.debt.saturating_add(new.len());
        let step = Step { tree, new, old: &old, forgotten, progress };
        let new = log.checkpoint(&self.disk, step)?;
        log.release(&self.disk);
        let mut index = self.index.lock();
        put(&mut index, &old);
        for (pointer, node) in new {
            index.keep(pointer, node);
        }
        Ok(())
    }
}
