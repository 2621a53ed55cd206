//! What a value can be called, and ranges of that, where both keys and lumps can come up.

use super::lumps::LumpId;
use crate::escape::Escaped;
use crate::format::index_key::{self, IndexKey, lump_of};
use crate::key::Key;
use alloc::vec::Vec;
use core::fmt;

/// What a value is called. Keys come before lumps, each in their own order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A key.
    Key(Key),
    /// A lump.
    Lump(LumpId),
}

impl Name {
    /// Of bytes that may be no index key.
    pub(super) fn of(key: &[u8]) -> Option<Self> {
        index_key::check_key(key).ok().map(|()| Self::checked(key))
    }

    /// Of an index key.
    pub(super) fn checked(key: &[u8]) -> Self {
        match lump_of(key) {
            Some(id) => Self::Lump(LumpId(id)),
            None => Self::Key(IndexKey::from_checked(key).to_key()),
        }
    }

    /// The index key.
    pub(super) fn index_key(&self) -> IndexKey {
        match self {
            Self::Key(key) => IndexKey::path(key),
            Self::Lump(id) => IndexKey::lump(id.0),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Lump(id) => write!(f, "lump 0x{id}"),
        }
    }
}

/// Names that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// Index keys, or beginnings of them.
    from: Vec<u8>,
    to: Vec<u8>,
}

impl KeyRange {
    /// Those whose index keys are from the first on and below the second.
    pub(super) fn new(from: &[u8], to: &[u8]) -> Self {
        Self { from: from.into(), to: to.into() }
    }

    /// Whether the name is one of them.
    #[must_use]
    pub fn contains(&self, name: &Name) -> bool {
        let key = name.index_key();
        *self.from <= *key.as_bytes() && *key.as_bytes() < *self.to
    }
}

/// Prints `/a/` for all that is below a key, and otherwise `from /a up to /b`.
impl fmt::Display for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = index_key::dictionary_of(&self.from, &self.to) {
            return match &path[..] {
                [] => f.write_str("all keys"),
                path => write!(f, "/{}/", Escaped(path)),
            };
        }
        let [from, to] = [&self.from, &self.to].map(|end| index_key::shown(end));
        write!(f, "from {from} up to {to}")
    }
}
