//! A frozen delta on its way into the tree: one step merges a range of keys.
//!
//! The tree is walked in key order. Subtrees in whose range the delta has nothing are kept; the
//! leaves of the others are merged with what it has, and their cells go into new nodes.
//!
//! Invariants:
//! - A step ends when its budget is spent, at a key; what it has merged is all below that key.
//! - To merge something twice changes nothing: after a crash replay brings back what a step had
//!   merged already.
//! - What a step drops from the tree and no operation has counted off is in `forgotten`, once. Only
//!   a cut hides such entries; those that are not older than the delta are its own work.
//! - If such an entry names an object, that is in `orphans`: whoever gives an object another key, or
//!   removes it, takes its old key out by itself, and never by a range.

use super::builder::Builder;
use super::delta::{Delta, Point};
use super::entry::replaced;
use crate::error::{Corruption, Error, Part};
use crate::format::index_key::{IndexKey, Keyspace};
use crate::format::layout::Layout;
use crate::format::node::{LeafEntry, LeafValue, Limits, Node};
use crate::format::pointer::Pointer;
use crate::format::record::Replaced;
use crate::format::superblock::Tree;
use crate::log::NewNodes;
use alloc::vec::Vec;
use core::iter::Peekable;

/// What a step may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Leaves to read.
    pub(crate) leaves: usize,
    /// Bytes of entries that come from the delta.
    pub(crate) bytes: usize,
    /// What a node may hold.
    pub(crate) limits: Limits,
}

/// What a step is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work<'a> {
    /// What goes into the tree.
    pub(crate) delta: &'a Delta,
    /// From this key on: what is below it is in the tree already.
    pub(crate) start: &'a [u8],
    /// Keys in order: the nodes on the way to each are written anew.
    pub(crate) moved: &'a [Vec<u8>],
}

/// What a step has come to.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) tree: Option<Tree>,
    pub(crate) new: NewNodes,
    /// Nodes that are not in the tree any more.
    pub(crate) old: Vec<Pointer>,
    pub(crate) forgotten: Vec<(Keyspace, Replaced)>,
    /// Objects that no key has any more since a range was removed: their extents are still there.
    pub(crate) orphans: Vec<u64>,
    /// What is below this key is in the tree now; `None` if all is.
    pub(crate) next: Option<Vec<u8>>,
    /// Leaves that were read.
    pub(crate) leaves: usize,
}

/// A step under way.
struct Merge<'a, R, P: Iterator> {
    read: R,
    delta: &'a Delta,
    layout: Layout,
    /// The sequence of the first operation in the delta.
    first: u64,
    /// Where the step begins.
    start: &'a [u8],
    moved: &'a [Vec<u8>],
    budget: Budget,
    points: Peekable<P>,
    builder: Builder,
    old: Vec<Pointer>,
    forgotten: Vec<(Keyspace, Replaced)>,
    orphans: Vec<u64>,
    leaves: usize,
    /// Bytes of entries that have come from the delta.
    bytes: usize,
    merged_to: Option<Vec<u8>>,
    payload: Vec<u8>,
}

/// A node and its place among the keys: from `from` on and below `to`.
#[derive(Clone, Copy)]
struct Place<'a> {
    pointer: Pointer,
    level: u8,
    from: &'a [u8],
    to: Option<&'a [u8]>,
}

/// Does the work on `tree`. `first` is the sequence at the tail start; `read` brings nodes.
///
/// # Errors
/// `NoSpace`, and what `read` fails with. Nothing has been written.
pub(crate) fn step(
    read: impl FnMut(Pointer, u8) -> Result<Node, Error>,
    Work { delta, start, moved }: Work<'_>,
    (tree, first, layout): (Option<Tree>, u64, Layout),
    new: NewNodes,
    budget: Budget,
) -> Result<Merged, Error> {
    let mut merge = Merge {
        read,
        delta,
        layout,
        first,
        start,
        moved,
        budget,
        points: delta.points(start, None).peekable(),
        builder: Builder::new(new, budget.limits),
        old: Vec::new(),
        forgotten: Vec::new(),
        // The first step tells those that were never in the tree.
        orphans: if start.is_empty() { delta.orphans.clone() } else { Vec::new() },
        leaves: 0,
        bytes: 0,
        merged_to: None,
        payload: Vec::new(),
    };
    match tree {
        Some(Tree { root, level }) => {
            merge.rewrite(Place { pointer: root, level, from: &[], to: None })?;
        }
        None => merge.points_below(None, &[])?,
    }
    let Merge { builder, old, forgotten, orphans, leaves, merged_to, .. } = merge;
    let (tree, new) = builder.finish()?;
    Ok(Merged { tree, new, old, forgotten, orphans, next: merged_to, leaves })
}

impl<'a, R, P> Merge<'a, R, P>
where
    R: FnMut(Pointer, u8) -> Result<Node, Error>,
    P: Iterator<Item = (&'a IndexKey, &'a Point)>,
{
    /// Puts the cells of a node, changed, into the builder.
    fn rewrite(&mut self, place: Place<'_>) -> Result<(), Error> {
        let node = (self.read)(place.pointer, place.level)?;
        self.old.push(place.pointer);
        let Some(level) = place.level.checked_sub(1) else {
            return self.rewrite_leaf(&node, place);
        };
        let mut from = place.from.to_vec();
        for cell in 0..node.len() {
            let next = (cell + 1 < node.len()).then(|| node.key(cell + 1));
            let pointer = node.child(cell).map_err(|fault| damaged(&node, fault))?;
            let to = next.as_deref().or(place.to);
            let child = Place { pointer, level, from: &from, to };
            if self.touches(&child) || self.builder.is_small(level) {
                self.rewrite(child)?;
            } else {
                self.builder.keep(level, &from, pointer)?;
            }
            from = next.unwrap_or_default();
        }
        Ok(())
    }

    /// Whether there is anything to do below a node.
    fn touches(&mut self, place: &Place<'_>) -> bool {
        let below = |key: &[u8]| place.to.is_none_or(|to| key < to);
        let moved = self.moved.partition_point(|key| &key[..] < place.from);
        if self.moved.get(moved).is_some_and(|key| below(key)) {
            return true;
        }
        let from = place.from.max(self.start);
        self.merged_to.is_none()
            && (self.points.peek().is_some_and(|(key, _)| below(key.as_bytes()))
                || (below(from) && self.delta.cuts_between(from, place.to)))
    }

    fn rewrite_leaf(&mut self, leaf: &Node, place: Place<'_>) -> Result<(), Error> {
        self.leaves += 1;
        let mut key = Vec::new();
        for cell in 0..leaf.len() {
            key.clear();
            leaf.put_key(cell, &mut key);
            self.points_below(Some(&key), place.from)?;
            let entry = leaf.entry(cell).map_err(|fault| damaged(leaf, fault))?;
            if self.hides(&key, &entry, place.from)? {
                continue;
            }
            self.builder.push(&key, leaf.payload(cell), place.from)?;
        }
        match place.to {
            None => self.points_below(None, place.from)?,
            Some(to) => {
                self.points_below(Some(to), place.from)?;
                if self.merged_to.is_none() && self.is_spent() {
                    self.merged_to = Some(to.to_vec());
                }
            }
        }
        Ok(())
    }

    /// Puts the points below `key`, or all that are left, into the builder, as far as the budget
    /// goes.
    fn points_below(&mut self, key: Option<&[u8]>, from: &[u8]) -> Result<(), Error> {
        while self.merged_to.is_none() {
            let Some((next, point)) =
                self.points.next_if(|(next, _)| key.is_none_or(|key| next.as_bytes() < key))
            else {
                break;
            };
            if self.bytes >= self.budget.bytes {
                self.merged_to = Some(next.as_bytes().to_vec());
                break;
            }
            self.push_point(next, point, from)?;
        }
        Ok(())
    }

    fn push_point(&mut self, key: &IndexKey, point: &Point, from: &[u8]) -> Result<(), Error> {
        if let Some(entry) = &point.entry {
            self.payload.clear();
            entry.as_leaf().encode(&mut self.payload);
            self.bytes += key.as_bytes().len() + self.payload.len();
            self.builder.push(key.as_bytes(), &self.payload, from)?;
        }
        Ok(())
    }

    /// Whether the delta replaces or hides this entry of the tree. What replaces it goes into the
    /// builder.
    fn hides(&mut self, key: &[u8], entry: &LeafEntry<'_>, from: &[u8]) -> Result<bool, Error> {
        if self.merged_to.is_some() || key < self.start {
            return Ok(false);
        }
        let point = self.points.next_if(|(next, _)| next.as_bytes() == key);
        if point.is_none() && self.delta.cut_of(key).is_none() {
            return Ok(false);
        }
        let counted_off = point.is_some_and(|(_, point)| point.covers);
        if !counted_off && entry.sequence < self.first {
            self.forgotten.push((Keyspace::of(key), replaced(entry, &self.layout, key)));
            if let LeafValue::Object { object, .. } = entry.value {
                self.orphans.push(object.id);
            }
        }
        if let Some((key, point)) = point {
            self.push_point(key, point, from)?;
        }
        Ok(true)
    }

    fn is_spent(&self) -> bool {
        self.leaves >= self.budget.leaves || self.bytes >= self.budget.bytes
    }
}

fn damaged(node: &Node, fault: crate::error::Fault) -> Error {
    Corruption { part: Part::Node, at: node.at(), fault }.into()
}
