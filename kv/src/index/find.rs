//! What a key is, in the words of the contract.

use super::delta::{Entry, Index};
use crate::format::index_key::IndexKey;
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
        let key = IndexKey::path(key);
        match self.at_or_behind(key.as_bytes()) {
            Some((found, entry)) if *found == key => return Found::Value(*entry),
            Some((found, _)) if found.is_below(&key) => return Found::Dictionary,
            _ => {}
        }
        match self.predecessor(key.as_bytes()) {
            Some(above) if key.is_below(above) => Found::BelowValue(above.to_key()),
            _ => Found::Nothing,
        }
    }
}
