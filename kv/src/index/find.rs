//! What a key is, in the words of the contract.

use super::chunk;
use super::cursor::{Cursor, Pins, Stop};
use super::entry::Entry;
use super::sources::{Index, Known, Memory};
use crate::error::{Corruption, Part};
use crate::format::index_key::{IndexKey, Subtree};
use crate::format::node::Node;
use crate::key::Key;

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
        let below = || Subtree::of(key).to;
        let key = IndexKey::path(key);
        let (memory, mut tree) = self.split(pins);
        if pins.passed.is_none()
            && let Some(entry) = entry(memory, &mut tree, key.as_bytes())?
        {
            return Ok(Found::Value(entry));
        }
        if any_between(memory, &mut tree, (key.as_bytes(), &below()), pins)? {
            return Ok(Found::Dictionary);
        }
        let above = value_above(memory, &mut tree, &key)?;
        Ok(above.map_or(Found::Nothing, |above| Found::BelowValue(above.to_key())))
    }

    /// What the index holds for a key that has a value.
    pub(crate) fn entry(&mut self, key: &[u8], pins: &Pins) -> Result<Option<Entry>, Stop> {
        let (memory, mut tree) = self.split(pins);
        entry(memory, &mut tree, key)
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

    /// Whether any key from `from` on and below `to` has a value.
    pub(crate) fn any_between(
        &mut self,
        from: &[u8],
        to: &[u8],
        pins: &Pins,
    ) -> Result<bool, Stop> {
        let (memory, mut tree) = self.split(pins);
        any_between(memory, &mut tree, (from, to), pins)
    }
}

/// The newest value of a key.
fn entry(memory: Memory<'_>, tree: &mut Cursor<'_>, key: &[u8]) -> Result<Option<Entry>, Stop> {
    match memory.known(key) {
        Known::Value(entry) => return Ok(Some(entry.clone())),
        Known::Removed => return Ok(None),
        Known::Nothing => {}
    }
    let Some(leaf) = tree.leaf_of(key)? else { return Ok(None) };
    leaf.search(key).ok().map(|cell| entry_in(leaf, cell)).transpose()
}

/// Whether any key of a range has a value. It looks at one leaf: if all in it is removed, the look
/// stops, to go on behind it.
fn any_between(
    memory: Memory<'_>,
    tree: &mut Cursor<'_>,
    (from, to): (&[u8], &[u8]),
    pins: &Pins,
) -> Result<bool, Stop> {
    match chunk::any(memory, tree, (pins.passed.as_deref().unwrap_or(from), to))? {
        (false, Some(next)) => Err(Stop::Passed(next)),
        (any, _) => Ok(any),
    }
}

/// The value above `key`, below which there is none. If the greatest key below a bound has no value
/// any more, it does not matter what comes right before that one: nothing else that has a value is
/// between `key` and a value above it. So the next bound is behind the longest key above `key` that
/// is not above what was found.
fn value_above(
    memory: Memory<'_>,
    tree: &mut Cursor<'_>,
    key: &IndexKey,
) -> Result<Option<IndexKey>, Stop> {
    let mut below = key.as_bytes().to_vec();
    let mut longest = key.as_bytes().len();
    while key.above(longest).is_some() {
        tree.seek(&below)?;
        let in_tree = tree.before()?.map(|(leaf, cell)| leaf.key(cell));
        if in_tree.as_ref().is_some_and(|key| *key >= below) {
            return Err(tree.out_of_order());
        }
        let in_memory = memory.state_before(&below);
        let in_memory = in_memory
            .filter(|(key, _)| in_tree.as_deref().is_none_or(|tree| key.as_bytes() >= tree));
        let (last, has_value) = match (in_memory, in_tree) {
            (Some((key, entry)), _) => (key.clone(), entry.is_some()),
            (None, Some(key)) => (IndexKey::from_checked(&key), memory.cut_of(&key).is_none()),
            (None, None) => return Ok(None),
        };
        if has_value {
            return Ok(key.is_below(&last).then_some(last));
        }
        longest = last.shared_len(key);
        let Some(above) = key.above(longest) else { break };
        below = above.to_vec();
        if *above == *last.as_bytes() {
            longest = above.len().saturating_sub(1);
        } else {
            below.push(0);
        }
    }
    Ok(None)
}

/// A copy of the entry in a cell of a leaf.
fn entry_in(leaf: &Node, cell: usize) -> Result<Entry, Stop> {
    let damaged = |fault| Stop::Corrupt(Corruption { part: Part::Node, at: leaf.at(), fault });
    leaf.entry(cell).map(|entry| Entry::from_leaf(&entry)).map_err(damaged)
}
