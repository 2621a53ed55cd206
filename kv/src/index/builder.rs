//! A tree from the bottom up: cells come in key order, nodes go out when they are full.
//!
//! The same builder makes a new tree and a changed one: of that, whole subtrees are kept as they
//! are, and what is between them comes as cells.
//!
//! Invariants:
//! - The key of a branch's cell is above everything before it and not above anything below it.
//! - The first cell of a level takes what is lower, too: its key is empty until what was below it has
//!   gone.
//! - A level never holds more than two nodes' worth of cells.

use crate::error::Error;
use crate::format::node::{LEVEL_MAX, Limits, Pack, separator};
use crate::format::pointer::Pointer;
use crate::format::superblock::Tree;
use crate::log::NewNodes;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// A tree that is being made.
#[derive(Debug)]
pub(super) struct Builder {
    /// Cells that are in no node yet, of each level.
    levels: BTreeMap<u8, Pack>,
    /// The key that parts the next leaf from what is before it.
    low: Vec<u8>,
    limits: Limits,
    pub(super) new: NewNodes,
}

impl Builder {
    pub(super) const fn new(new: NewNodes, limits: Limits) -> Self {
        Self { levels: BTreeMap::new(), low: Vec::new(), limits, new }
    }

    /// Adds an entry. `from` is a key that is not above it, and above everything that was kept
    /// before.
    pub(super) fn push(&mut self, key: &[u8], payload: &[u8], from: &[u8]) -> Result<(), Error> {
        if self.pack(0).len() == 0 {
            self.low.clear();
            self.low.extend_from_slice(from);
        }
        self.add(0, key, payload)
    }

    /// Keeps the node of this level that `pointer` leads to, and all that is below it; `from` is
    /// its separator.
    pub(super) fn keep(&mut self, level: u8, from: &[u8], pointer: Pointer) -> Result<(), Error> {
        (0..=level).try_for_each(|level| self.close(level))?;
        self.add(above(level)?, from, &pointer.to_bytes())
    }

    /// Whether the cells of this level are so few that they should not make a node of their own.
    pub(super) fn is_small(&mut self, level: u8) -> bool {
        let limits = self.limits;
        let pack = self.pack(level);
        let few = |count: usize, limit: usize| count.saturating_mul(3) < limit;
        let len = pack.len();
        len > 0 && few(len, limits.cells) && few(pack.node_len(len), limits.len as usize)
    }

    /// The tree.
    pub(super) fn finish(mut self) -> Result<(Option<Tree>, NewNodes), Error> {
        let mut level = 0;
        while let Some((&top, pack)) = self.levels.last_key_value() {
            if let Some(below) = top.checked_sub(1).filter(|_| top == level && pack.len() == 1) {
                // A branch with one cell would say no more than what is below it.
                let root = Pointer::from_bytes(pack.payload(0));
                return Ok((root.map(|root| Tree { root, level: below }), self.new));
            }
            if level > top {
                break;
            }
            self.close(level)?;
            level = above(level)?;
        }
        Ok((None, self.new))
    }

    fn pack(&mut self, level: u8) -> &mut Pack {
        self.levels.entry(level).or_default()
    }

    fn add(&mut self, level: u8, key: &[u8], payload: &[u8]) -> Result<(), Error> {
        let Limits { len, cells } = self.limits;
        let twice = Limits { len: len.saturating_mul(2), cells: cells.saturating_mul(2) };
        let limits = self.limits;
        let pack = self.pack(level);
        pack.push(key, payload);
        if pack.fits(pack.len(), twice) {
            return Ok(());
        }
        let most = pack.most(limits);
        self.emit(level, most)
    }

    /// Puts all cells of a level into nodes, of about the same size.
    fn close(&mut self, level: u8) -> Result<(), Error> {
        loop {
            let limits = self.limits;
            let pack = self.pack(level);
            let count = match pack.len() {
                0 => return Ok(()),
                all if pack.fits(all, limits) => all,
                _ => pack.half().min(pack.most(limits)),
            };
            self.emit(level, count)?;
        }
    }

    /// Makes a node of the first cells of a level.
    fn emit(&mut self, level: u8, count: usize) -> Result<(), Error> {
        let count = count.max(1);
        let pack = self.levels.entry(level).or_default();
        let mut low = pack.key(0).to_vec();
        if level == 0 {
            let last = pack.key(count.saturating_sub(1));
            let next = separator(last, pack.key(count)).to_vec();
            low = core::mem::replace(&mut self.low, next);
        }
        let pointer = self.new.add(pack, count, level)?;
        self.add(above(level)?, &low, &pointer.to_bytes())
    }
}

fn above(level: u8) -> Result<u8, Error> {
    let above = level.checked_add(1).filter(|above| *above <= LEVEL_MAX);
    above.ok_or(Error::Unsupported("a tree of so many levels"))
}
