//! Checkpoints: the delta goes into the tree, a step at a time, paid for by writes.
//!
//! A *round* begins when the delta is frozen and ends when all of it is in the tree; then the tail
//! starts where it was frozen. Steps are taken by writing calls, before their own commits but when
//! these are sure to be admitted: a call that is refused writes nothing, and if a step fails, the
//! call has changed nothing.
//!
//! Invariants:
//! - A delta is frozen between commits, and all of it is durable.
//! - A call of one operation takes one step at most. Work is saved up until it makes a whole step,
//!   so that most calls take none.
//! - If there is no room for a step, none is taken: the delta grows while the rest of the log is
//!   filled, which bounds it.

use super::Store;
use super::options::Limits;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::node::Limits as NodeLimits;
use crate::index::{self, Budget, Frozen, Index};
use crate::log::{Log, NewNodes, Step};
use alloc::sync::Arc;

/// Leaves that one change pays for while a round lasts: so a round of changes that each dirty a
/// leaf is over when half as many new ones have come.
const LEAVES_A_CHANGE: u64 = 2;

/// The same when the delta is full again: a removal of a large dictionary has left more work than
/// changes.
const LEAVES_A_CHANGE_WHEN_FULL: u64 = 32;

impl<D: BlockDevice> Store<D> {
    /// Takes the steps that earlier changes have paid for, and leaves `spoken_for` free segments to
    /// the commit that follows.
    pub(super) fn maintain(&self, log: &mut Log, spoken_for: u32) -> Result<(), Error> {
        if !log.has_mounted() {
            return Ok(());
        }
        let step_leaves = self.limits.step_nodes as u64;
        loop {
            let (frozen, paid) = {
                let mut index = self.index.lock();
                if index.frozen().is_none() && is_full(&index, &self.limits) {
                    index.freeze(*log.point());
                }
                (index.frozen().cloned(), index.credit)
            };
            let Some(frozen) = frozen.filter(|_| paid >= step_leaves) else { return Ok(()) };
            match self.step(log, &frozen, spoken_for) {
                Ok(leaves) => {
                    let mut index = self.index.lock();
                    index.credit = index.credit.saturating_sub((leaves as u64).max(step_leaves));
                }
                Err(Error::NoSpace { .. }) => {
                    self.index.lock().credit = 0;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// `changes` have been made: they pay for as many leaves.
    pub(super) fn pay(&self, index: &mut Index, changes: usize) {
        if index.frozen().is_none() {
            index.credit = 0;
            return;
        }
        let full = is_full(index, &self.limits);
        let each = if full { LEAVES_A_CHANGE_WHEN_FULL } else { LEAVES_A_CHANGE };
        let each = each.min(self.limits.step_nodes as u64);
        index.credit = index.credit.saturating_add(each.saturating_mul(changes as u64));
    }

    /// Merges a range of keys and makes that durable. Tells how many leaves it has read.
    fn step(&self, log: &mut Log, frozen: &Frozen, spoken_for: u32) -> Result<usize, Error> {
        let superblock = *log.superblock();
        let first = superblock.tail_start.sequence;
        let node = superblock.layout.node_len_max();
        let budget = Budget {
            leaves: self.limits.step_nodes,
            bytes: self.limits.step_nodes.saturating_mul(node as usize),
            limits: NodeLimits { len: node, cells: self.limits.node_entries },
        };
        let merged = index::step(
            |pointer, level| self.read_node(pointer, level),
            frozen,
            (superblock.tree, first, superblock.layout),
            NewNodes::new(log, spoken_for),
            budget,
        )?;
        let done = merged.next.is_none();
        let step = Step {
            tree: merged.tree,
            new: merged.new,
            old: &merged.old,
            forgotten: merged.forgotten,
            frozen: frozen.point,
            done,
        };
        let new = log.checkpoint(&self.disk, step)?;
        let mut index = self.index.lock();
        index.advance(merged.tree, merged.next, &merged.old);
        for (pointer, node) in new {
            index.keep(pointer, Arc::new(node));
        }
        Ok(merged.leaves)
    }
}

/// Whether it is time to freeze the delta. Both deltas together are what replay must read.
fn is_full(index: &Index, limits: &Limits) -> bool {
    let delta = index.delta();
    let full = delta.count() >= limits.delta_entries
        || delta.len() >= limits.delta_bytes
        || index.log_len() >= limits.tail_bytes / 2;
    full && delta.count() > 0
}
