//! A place in the tree, by the path that leads there.

use super::cache::Cache;
use crate::error::{Corruption, Fault, Part};
use crate::format::node::Node;
use crate::format::pointer::Pointer;
use crate::format::superblock::Tree;
use alloc::vec::Vec;

/// Why a look at the index can't go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It needs this node, which is not in memory, at this level.
    Wanted(Pointer, u8),
    /// What it looks for is not in front of this key, and it has looked long enough for once.
    Passed(Vec<u8>),
    Corrupt(Corruption),
}

/// What one look keeps while it starts again: so it gets on however small the cache is.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    /// Nodes that it needs, beside those in the cache.
    pub(crate) nodes: Vec<(Pointer, Node)>,
    /// It has stopped here, with [`Stop::Passed`].
    pub(crate) passed: Option<Vec<u8>>,
}

/// The nodes that are in memory.
pub(super) struct Nodes<'a> {
    pub(super) cache: &'a mut Cache,
    pub(super) pins: &'a Pins,
}

impl Nodes<'_> {
    fn get(&mut self, pointer: Pointer, level: u8) -> Result<&Node, Stop> {
        let pinned = || self.pins.nodes.iter().find(|(pinned, _)| *pinned == pointer);
        let found = self.cache.get(pointer).or_else(|| pinned().map(|(_, node)| node));
        let found = found.ok_or(Stop::Wanted(pointer, level))?;
        // The cache does not know who asks.
        if found.level() == level { Ok(found) } else { Err(damaged(pointer)) }
    }
}

fn damaged(pointer: Pointer) -> Stop {
    Stop::Corrupt(Corruption { part: Part::Node, at: pointer.at, fault: Fault::Field("level") })
}

/// A node on the path, and the cell taken.
type Step = (Node, usize);

/// Where a key is, or would be: between the cells before and behind it.
pub(super) struct Cursor<'a> {
    nodes: Nodes<'a>,
    tree: Option<Tree>,
    path: Vec<Step>,
    sought: Option<Vec<u8>>,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(nodes: Nodes<'a>, tree: Option<Tree>) -> Self {
        Self { nodes, tree, path: Vec::new(), sought: None }
    }

    /// The leaf where `key` is, if it is anywhere. The cursor stays where it is.
    pub(super) fn leaf_of(&mut self, key: &[u8]) -> Result<Option<&Node>, Stop> {
        let Some(Tree { root: mut pointer, mut level }) = self.tree else { return Ok(None) };
        while let Some(below) = level.checked_sub(1) {
            let node = self.nodes.get(pointer, level)?;
            (pointer, level) = (child(node, node.child_of(key))?, below);
        }
        self.nodes.get(pointer, level).map(Some)
    }

    /// Goes to the first entry from `key` on. If that is where it is, it stays.
    pub(super) fn seek(&mut self, key: &[u8]) -> Result<(), Stop> {
        let Some(Tree { root, level }) = self.tree.filter(|_| self.sought.as_deref() != Some(key))
        else {
            return Ok(());
        };
        self.path.clear();
        self.descend(root, level, |node| {
            if node.level() > 0 {
                node.child_of(key)
            } else {
                node.search(key).unwrap_or_else(|behind| behind)
            }
        })?;
        self.sought = Some(key.to_vec());
        Ok(())
    }

    /// Goes to the first entry of the next leaf. There must be one.
    pub(super) fn next_leaf(&mut self) -> Result<(), Stop> {
        self.sought = None;
        self.path.pop();
        while self.path.pop_if(|(branch, cell)| *cell + 1 >= branch.len()).is_some() {}
        let Some((branch, cell)) = self.path.last_mut() else { return Ok(()) };
        *cell += 1;
        let (pointer, below) = (child(branch, *cell)?, branch.level().saturating_sub(1));
        self.descend(pointer, below, |_| 0)
    }

    /// Goes on from a node down to a leaf, by the cells that `cell_of` chooses.
    fn descend(
        &mut self,
        mut pointer: Pointer,
        mut level: u8,
        cell_of: impl Fn(&Node) -> usize,
    ) -> Result<(), Stop> {
        loop {
            let node = self.nodes.get(pointer, level)?.clone();
            let cell = cell_of(&node);
            let next = level.checked_sub(1).map(|below| Ok((child(&node, cell)?, below)));
            self.path.push((node, cell));
            let Some(next) = next else { return Ok(()) };
            (pointer, level) = next?;
        }
    }

    /// Whether the way to the key that was sought passes this node.
    pub(super) fn passes(&self, level: u8, at: u64) -> bool {
        self.path.iter().any(|(node, _)| (node.level(), node.at()) == (level, at))
    }

    /// What shows when keys do not come in the order that the tree promises.
    pub(super) fn out_of_order(&self) -> Stop {
        let at = self.path.last().map_or(0, |(leaf, _)| leaf.at());
        Stop::Corrupt(Corruption { part: Part::Node, at, fault: Fault::Field("order of keys") })
    }

    /// The leaf, and the cell in it from which on keys are not below the sought one.
    pub(super) fn leaf(&self) -> Option<&Step> {
        self.path.last()
    }

    /// The key from which on the next leaf has what there is.
    pub(super) fn leaf_end(&self) -> Option<Vec<u8>> {
        let (_, branches) = self.path.split_last()?;
        let more = branches.iter().rev().find(|(branch, cell)| cell + 1 < branch.len());
        more.map(|(branch, cell)| branch.key(cell + 1))
    }

    /// The last entry before here.
    pub(super) fn before(&mut self) -> Result<Option<Step>, Stop> {
        let Some((leaf, cell)) = self.path.last() else { return Ok(None) };
        if let Some(cell) = cell.checked_sub(1) {
            return Ok(Some((leaf.clone(), cell)));
        }
        // From the lowest branch that has a cell before the one taken, down to the last leaf there.
        let branches = self.path.split_last().map_or(&[][..], |(_, branches)| branches);
        let turn = branches
            .iter()
            .rev()
            .find_map(|(branch, cell)| cell.checked_sub(1).map(|cell| (branch.clone(), cell)));
        let Some((mut node, mut cell)) = turn else { return Ok(None) };
        while let Some(level) = node.level().checked_sub(1) {
            let pointer = child(&node, cell)?;
            node = self.nodes.get(pointer, level)?.clone();
            cell = node.len() - 1;
        }
        Ok(Some((node, cell)))
    }
}

fn child(node: &Node, cell: usize) -> Result<Pointer, Stop> {
    let damaged = |fault| Stop::Corrupt(Corruption { part: Part::Node, at: node.at(), fault });
    node.child(cell).map_err(damaged)
}
