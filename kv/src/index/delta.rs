//! The changes since the last checkpoint, in memory. There are no checkpoints yet, so this is the
//! whole index, filled by replay.

use crate::clock::Timestamp;
use crate::format::index_key::IndexKey;
use crate::log::Pointer;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Bound;

/// What the index holds for a key that has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The operation that gave the key this value.
    pub(crate) sequence: u64,
    pub(crate) modified: Timestamp,
    /// Bytes of the value.
    pub(crate) size: u64,
    /// The record that holds it.
    pub(crate) record: Pointer,
}

/// Keys in order, with what they name.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: BTreeMap<IndexKey, Entry>,
}

impl Index {
    pub(crate) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(crate) fn insert(&mut self, key: IndexKey, entry: Entry) {
        self.entries.insert(key, entry);
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        self.entries.remove(key);
    }

    /// Removes every key from `from` on and below `to`, and tells what they named.
    pub(crate) fn remove_range(&mut self, from: &[u8], to: &[u8]) -> Vec<Entry> {
        let keys: Vec<_> = self.range(from, to).map(|(key, _)| key.clone()).collect();
        keys.iter().filter_map(|key| self.entries.remove(key)).collect()
    }

    /// The keys from `from` on and below `to`, in order. `from` must not be above `to`.
    pub(crate) fn range(
        &self,
        from: &[u8],
        to: &[u8],
    ) -> impl Iterator<Item = (&IndexKey, &Entry)> {
        self.entries.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)))
    }

    /// `key` itself, or the least key above it.
    pub(super) fn at_or_behind(&self, key: &[u8]) -> Option<(&IndexKey, &Entry)> {
        self.entries.range::<[u8], _>((Bound::Included(key), Bound::Unbounded)).next()
    }

    /// The greatest key below `key`.
    pub(super) fn predecessor(&self, key: &[u8]) -> Option<&IndexKey> {
        let below = (Bound::Unbounded, Bound::Excluded(key));
        self.entries.range::<[u8], _>(below).next_back().map(|(key, _)| key)
    }
}
