//! What a key is, in the words of the contract.

use super::cursor::{Cursor, Pins, Stop};
use super::entry::Entry;
use super::sources::{Index, Memory};
use crate::error::{Corruption, Part};
use crate::format::index_key::IndexKey;
use crate::format::node::Node;
use crate::key::Key;
use alloc::vec::Vec;

/// What stands at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Value(Entry),
    /// Something is below it, or it is the root.
    Dictionary,
    /// Nothing, and nothing can be: this key above it is a value.
    BelowValue(Key),
    Nothing,
}

impl Index {
    /// What stands at `key`. Its neighbours tell all: what is below a key follows it directly, and
    /// since no key is both a value and a dictionary, a value above it can only be the predecessor.
    pub(crate) fn find(&mut self, key: &Key, pins: &Pins) -> Result<Found, Stop> {
        if key.is_root() {
            return Ok(Found::Dictionary);
        }
        let key = IndexKey::path(key);
        if let Some(entry) = self.value_in_memory(key.as_bytes()) {
            return Ok(Found::Value(entry.clone()));
        }
        let (memory, mut tree) = self.split(pins);
        if !memory.knows(key.as_bytes()) {
            tree.seek(key.as_bytes())?;
            if let Some((leaf, cell)) = tree.found() {
                return Ok(Found::Value(entry_in(leaf, *cell)?));
            }
        }
        match at_or_behind(memory, &mut tree, key.as_bytes())? {
            Some((found, entry)) if found == key => return Ok(Found::Value(entry)),
            Some((found, _)) if found.is_below(&key) => return Ok(Found::Dictionary),
            _ => {}
        }
        Ok(match before(memory, &mut tree, key.as_bytes())? {
            Some(above) if key.is_below(&above) => Found::BelowValue(above.to_key()),
            _ => Found::Nothing,
        })
    }

    /// What the index holds for a key that has a value.
    pub(crate) fn entry(&mut self, key: &[u8], pins: &Pins) -> Result<Option<Entry>, Stop> {
        if let Some(entry) = self.value_in_memory(key) {
            return Ok(Some(entry.clone()));
        }
        let (memory, mut tree) = self.split(pins);
        if memory.knows(key) {
            return Ok(None);
        }
        tree.seek(key)?;
        tree.found().map(|(leaf, cell)| entry_in(leaf, *cell)).transpose()
    }

    /// Whether the tree has this node, one of whose keys is `key`, at this level.
    pub(crate) fn has_node(
        &mut self,
        key: &[u8],
        level: u8,
        at: u64,
        pins: &Pins,
    ) -> Result<bool, Stop> {
        let (_, mut tree) = self.split(pins);
        tree.seek(key)?;
        Ok(tree.passes(level, at))
    }

    /// The first key from `from` on and below `to` that has a value, if there is one.
    pub(crate) fn any_between(
        &mut self,
        from: &[u8],
        to: &[u8],
        pins: &Pins,
    ) -> Result<bool, Stop> {
        let (memory, mut tree) = self.split(pins);
        let found = at_or_behind(memory, &mut tree, from)?;
        Ok(found.is_some_and(|(key, _)| key.as_bytes() < to))
    }
}

/// `key` itself, or the least key above it that has a value.
fn at_or_behind(
    memory: Memory<'_>,
    tree: &mut Cursor<'_>,
    key: &[u8],
) -> Result<Option<(IndexKey, Entry)>, Stop> {
    let mut from = key.to_vec();
    loop {
        let in_tree = tree_behind(memory, tree, &from)?;
        let state = memory.state_behind(&from);
        let state = state.filter(|(key, _)| {
            in_tree.as_ref().is_none_or(|(leaf, cell)| leaf.key(*cell)[..] >= *key.as_bytes())
        });
        match (state, in_tree) {
            (Some((key, entry)), _) => match entry {
                Some(entry) => return Ok(Some((key.clone(), entry.clone()))),
                None => from = [key.as_bytes(), &[0]].concat(),
            },
            (None, Some((leaf, cell))) => {
                let key = IndexKey::from_checked(&leaf.key(cell));
                return Ok(Some((key, entry_in(&leaf, cell)?)));
            }
            (None, None) => return Ok(None),
        }
    }
}

/// The greatest key below `key` that has a value.
fn before(memory: Memory<'_>, tree: &mut Cursor<'_>, key: &[u8]) -> Result<Option<IndexKey>, Stop> {
    let mut below = key.to_vec();
    loop {
        let in_tree = tree_before(memory, tree, &below)?;
        let state = memory.state_before(&below);
        let state =
            state.filter(|(key, _)| in_tree.as_ref().is_none_or(|tree| *key.as_bytes() >= **tree));
        match (state, in_tree) {
            (Some((key, Some(_))), _) => return Ok(Some(key.clone())),
            (Some((key, _)), _) => below = key.as_bytes().to_vec(),
            (None, tree) => return Ok(tree.map(|key| IndexKey::from_checked(&key))),
        }
    }
}

/// The first entry of the tree from `from` on that no cut hides.
fn tree_behind(
    memory: Memory<'_>,
    tree: &mut Cursor<'_>,
    from: &[u8],
) -> Result<Option<(alloc::sync::Arc<Node>, usize)>, Stop> {
    let mut from = from.to_vec();
    loop {
        while let Some((_, end)) = memory.cut_of(&from) {
            from = end.to_vec();
        }
        tree.seek(&from)?;
        let Some((leaf, cell)) = tree.behind()? else { return Ok(None) };
        let key = leaf.key(cell);
        if key < from {
            return Err(tree.out_of_order());
        }
        match memory.cut_of(&key) {
            Some((_, end)) => from = end.to_vec(),
            None => return Ok(Some((leaf, cell))),
        }
    }
}

/// The last key of the tree below `below` that no cut hides.
fn tree_before(
    memory: Memory<'_>,
    tree: &mut Cursor<'_>,
    below: &[u8],
) -> Result<Option<Vec<u8>>, Stop> {
    let mut below = below.to_vec();
    loop {
        while let Some(from) = memory.cut_before(&below) {
            below = from.to_vec();
        }
        tree.seek(&below)?;
        let Some((leaf, cell)) = tree.before()? else { return Ok(None) };
        let key = leaf.key(cell);
        if key >= below {
            return Err(tree.out_of_order());
        }
        match memory.cut_of(&key) {
            Some((from, _)) => below = from.to_vec(),
            None => return Ok(Some(key)),
        }
    }
}

/// A copy of the entry in a cell of a leaf.
fn entry_in(leaf: &Node, cell: usize) -> Result<Entry, Stop> {
    let damaged = |fault| Stop::Corrupt(Corruption { part: Part::Node, at: leaf.at(), fault });
    leaf.entry(cell).map(|entry| Entry::from_leaf(&entry)).map_err(damaged)
}
