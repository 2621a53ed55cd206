//! What a key is, in the words of the contract.

use super::delta::{Entry, Index};
use crate::format::index_key::{IndexKey, Subtree};
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
    pub(crate) fn find(&self, key: &Key) -> Found {
        if key.is_root() {
            return Found::Dictionary;
        }
        let encoded = IndexKey::path(key);
        if let Some(entry) = self.get(encoded.as_bytes()) {
            return Found::Value(entry);
        }
        let below = Subtree::of(key);
        if self.range(&below.from, &below.to).next().is_some() {
            return Found::Dictionary;
        }
        match self.predecessor(encoded.as_bytes()).map(IndexKey::to_key) {
            Some(above) if key.starts_with(&above) => Found::BelowValue(above),
            _ => Found::Nothing,
        }
    }
}
