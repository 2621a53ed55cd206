//! Three sources, the newest first: the *delta*, the *frozen delta*, the *tree*. A point of a delta
//! hides what older sources have for its key; a cut hides what they have in its range.
//! A checkpoint freezes the delta and merges it into the tree, key range by key range; the frozen
//! delta stays on top, whole, until all of it is merged, so that it does not matter how far that is.
//!
//! Invariants:
//! - Everything in here is durable.
//! - What a delta holds depends on nothing but the operations that belong to it: on those from the
//!   tail start to where it was frozen, or on those from there on. So replay makes the same of them,
//!   however far the tree was when they were made; and counts agree.

use super::cache::Cache;
use super::cursor::{Cursor, Nodes, Pins};
use super::delta::{Delta, Point};
use super::entry::Entry;
use crate::format::index_key::IndexKey;
use crate::format::node::Node;
use crate::format::point::ChainPoint;
use crate::format::pointer::Pointer;
use crate::format::superblock::Tree;
use crate::planted::{Bug, planted};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A delta on its way into the tree.
#[derive(Clone, Debug)]
pub(crate) struct Frozen {
    pub(crate) delta: Arc<Delta>,
    /// Where it was frozen: the tail starts here when all of it is in the tree.
    pub(crate) point: ChainPoint,
    /// What is below this key is in the tree.
    pub(crate) merged_to: Vec<u8>,
}

/// Keys in order, with what they name.
#[derive(Debug)]
pub(crate) struct Index {
    delta: Delta,
    frozen: Option<Frozen>,
    tree: Option<Tree>,
    pub(crate) cache: Cache,
    /// Counts the changes: what was seen at one version is of one moment.
    version: u64,
    /// Counts the trees: what one of them names stays where it is as long as this does.
    tree_version: u64,
    /// Leaves that changes have paid for and no step has read yet.
    pub(crate) credit: u64,
}

impl Index {
    pub(crate) fn new(tree: Option<Tree>, cache: Cache) -> Self {
        Self {
            delta: Delta::default(),
            frozen: None,
            tree,
            cache,
            version: 0,
            tree_version: 0,
            credit: 0,
        }
    }

    pub(crate) const fn delta(&self) -> &Delta {
        &self.delta
    }

    pub(crate) const fn frozen(&self) -> Option<&Frozen> {
        self.frozen.as_ref()
    }

    /// How far the frozen delta is merged; empty if none is frozen.
    pub(crate) fn merged_to(&self) -> Vec<u8> {
        self.frozen.as_ref().map(|frozen| frozen.merged_to.clone()).unwrap_or_default()
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    pub(crate) const fn tree_version(&self) -> u64 {
        self.tree_version
    }

    /// Removals of ranges that hide something in the tree, perhaps.
    pub(crate) fn cut_count(&self) -> usize {
        self.delta.cut_count() + self.frozen.as_ref().map_or(0, |frozen| frozen.delta.cut_count())
    }

    /// The key now has this value. `replaces` tells whether it had one.
    pub(crate) fn insert(&mut self, key: IndexKey, entry: Entry, replaces: bool) {
        self.version += 1;
        self.delta.set(key, Some(entry), replaces);
    }

    /// The key has no value any more. `replaces` tells whether it had one.
    pub(crate) fn remove(&mut self, key: IndexKey, replaces: bool) {
        self.version += 1;
        self.delta.set(key, None, replaces);
    }

    /// Removes every key from `from` on and below `to`, and tells which had values in the delta,
    /// with these. What older sources have there is hidden from now on, and counted off when it is
    /// merged.
    pub(crate) fn remove_range(&mut self, from: IndexKey, to: IndexKey) -> Vec<(IndexKey, Entry)> {
        self.version += 1;
        self.delta.remove_range(from, to)
    }

    /// Bytes of entries that will be in the tree in addition to those that it has.
    pub(crate) fn growth(&self) -> u64 {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| frozen.delta.growth());
        self.delta.growth().saturating_add(frozen) as u64
    }

    /// The log has grown by this much: replay would read it to make the delta.
    pub(crate) const fn add_log_len(&mut self, len: u64) {
        self.delta.log_len = self.delta.log_len.saturating_add(len);
    }

    /// Bytes of the log that belong to the delta.
    pub(crate) const fn log_len(&self) -> u64 {
        self.delta.log_len
    }

    /// Bytes of the log that replay reads.
    pub(crate) fn tail_len(&self) -> u64 {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| frozen.delta.log_len);
        self.delta.log_len.saturating_add(frozen)
    }

    /// Freezes the delta, as of `point`. What it has below `merged_to` is in the tree. Nothing may be
    /// frozen already.
    pub(crate) fn freeze(&mut self, point: ChainPoint, merged_to: Vec<u8>) {
        debug_assert!(self.frozen.is_none(), "one round at a time");
        let delta = Arc::new(core::mem::take(&mut self.delta));
        self.frozen = Some(Frozen { delta, point, merged_to });
    }

    /// The tree is now this one; the frozen delta is in it below `merged_to`, or all of it.
    pub(crate) fn advance(
        &mut self,
        tree: Option<Tree>,
        merged_to: Option<Vec<u8>>,
        gone: &[Pointer],
    ) {
        self.replant(tree, gone);
        match (merged_to, &mut self.frozen) {
            (Some(key), Some(frozen)) => frozen.merged_to = key,
            _ => self.frozen = None,
        }
    }

    /// The tree is now this one, and holds the same.
    pub(crate) fn replant(&mut self, tree: Option<Tree>, gone: &[Pointer]) {
        self.tree = tree;
        self.tree_version += 1;
        for &pointer in gone {
            self.cache.remove(pointer);
        }
    }

    /// A node of the tree is in memory now.
    pub(crate) fn keep(&mut self, pointer: Pointer, node: Node) {
        self.cache.insert(pointer, node);
    }

    /// The node, if it is in memory.
    pub(crate) fn node(&mut self, pointer: Pointer) -> Option<Node> {
        self.cache.get(pointer).cloned()
    }

    /// Whether the value that operation `sequence` gave to the key can be its newest one, as far as
    /// memory knows.
    pub(crate) fn may_hold(&self, key: &IndexKey, sequence: u64) -> bool {
        match self.memory().known(key.as_bytes()) {
            Known::Value(entry) => entry.sequence == sequence,
            Known::Removed => false,
            Known::Nothing => true,
        }
    }

    pub(super) fn memory(&self) -> Memory<'_> {
        Memory { delta: &self.delta, frozen: self.frozen.as_ref().map(|frozen| &*frozen.delta) }
    }

    /// What memory has and the tree, which are looked at together.
    pub(super) fn split<'a>(&'a mut self, pins: &'a Pins) -> (Memory<'a>, Cursor<'a>) {
        let frozen = self.frozen.as_ref().map(|frozen| &*frozen.delta);
        let nodes = Nodes { cache: &mut self.cache, pins };
        (Memory { delta: &self.delta, frozen }, Cursor::new(nodes, self.tree))
    }
}

/// The newest state of a key: a value or none.
pub(super) type State<'a> = (&'a IndexKey, Option<&'a Entry>);

/// What memory knows of a key.
pub(super) enum Known<'a> {
    Value(&'a Entry),
    Removed,
    /// The tree has what there is.
    Nothing,
}

/// Both deltas, as one.
#[derive(Clone, Copy)]
pub(super) struct Memory<'a> {
    pub(super) delta: &'a Delta,
    pub(super) frozen: Option<&'a Delta>,
}

impl<'a> Memory<'a> {
    /// Whether a cut hides anything from `from` on and below `to`.
    pub(super) fn hides_any(&self, from: &[u8], to: &[u8]) -> bool {
        let hides = |delta: &Delta| delta.cuts_between(from, Some(to));
        hides(self.delta) || self.frozen.is_some_and(hides)
    }

    /// What memory knows of a key.
    pub(super) fn known(&self, key: &[u8]) -> Known<'a> {
        let known = |delta: &'a Delta| match delta.point(key) {
            Some(point) => point.entry.as_ref().map_or(Known::Removed, Known::Value),
            None if delta.cut_of(key).is_some() => Known::Removed,
            None => Known::Nothing,
        };
        match (known(self.delta), self.frozen) {
            (Known::Nothing, Some(frozen)) => known(frozen),
            (newest, _) => newest,
        }
    }

    /// The cut that hides what the tree has for `key`.
    pub(super) fn cut_of(&self, key: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
        let frozen = || self.frozen.and_then(|frozen| frozen.cut_of(key));
        self.delta.cut_of(key).or_else(frozen)
    }

    /// The newest states of the keys from `from` on and below `to`, in key order.
    pub(super) fn states(self, from: &'a [u8], to: &'a [u8]) -> impl Iterator<Item = State<'a>> {
        let mut newer = self.delta.points(from, Some(to)).peekable();
        let older = self.frozen.into_iter().flat_map(move |older| older.points(from, Some(to)));
        let mut older = older.peekable();
        core::iter::from_fn(move || {
            let (first, second) = (newer.peek().copied(), older.peek().copied());
            let (key, entry) = self.newest(first, second, |older, newer| older < newer)?;
            newer.next_if(|(newer, _)| *newer == key);
            older.next_if(|(older, _)| *older == key);
            Some((key, entry))
        })
    }

    /// The newest state of the last key below `key`.
    pub(super) fn state_before(&self, key: &[u8]) -> Option<State<'a>> {
        let newer = self.delta.point_before(key);
        let older = self.frozen.and_then(|frozen| frozen.point_before(key));
        self.newest(newer, older, |older, newer| older > newer)
    }

    /// Of two points, the state of the key that comes first; of one key, the newer one.
    fn newest(
        &self,
        newer: Option<(&'a IndexKey, &'a Point)>,
        older: Option<(&'a IndexKey, &'a Point)>,
        comes_first: impl Fn(&IndexKey, &IndexKey) -> bool,
    ) -> Option<State<'a>> {
        match (newer, older) {
            (Some((newer, _)), Some((older, point))) if comes_first(older, newer) => {
                Some(self.frozen_state(older, point))
            }
            (Some((key, point)), _) => {
                let hidden =
                    planted(Bug::RangeHidesNewer) && self.delta.cut_of(key.as_bytes()).is_some();
                Some((key, point.entry.as_ref().filter(|_| !hidden)))
            }
            (None, older) => older.map(|(key, point)| self.frozen_state(key, point)),
        }
    }

    /// The state that the frozen delta has for a key; none if a newer cut hides it.
    fn frozen_state(&self, key: &'a IndexKey, point: &'a Point) -> State<'a> {
        let hidden = self.delta.cut_of(key.as_bytes()).is_some();
        (key, point.entry.as_ref().filter(|_| !hidden))
    }
}
