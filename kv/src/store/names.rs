//! What a value can be called, and ranges of that, where both keys and lumps can come up.

use super::lumps::LumpId;
use crate::escape::Escaped;
use crate::format::index_key::{self, IndexKey, Keyspace, lump_of};
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
    /// Of bytes that may be no index key, or one of another keyspace.
    pub(super) fn of(key: &[u8]) -> Option<Self> {
        index_key::check_key(key).ok()?;
        (Keyspace::of(key) == Keyspace::Path).then(|| Self::checked(key))
    }

    /// Of an index key of a path or a lump.
    fn checked(key: &[u8]) -> Self {
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

/// What a record of the log is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogKey {
    /// A value.
    Name(Name),
    /// Bytes of a long value, which lie apart.
    Extent {
        /// The number of the long value.
        object: u64,
        /// Where they begin in it.
        offset: u64,
    },
    /// A long value that is being written, and has no name yet.
    Pending {
        /// Its number.
        object: u64,
    },
}

impl LogKey {
    /// Of an index key.
    pub(super) fn checked(key: &[u8]) -> Self {
        match (Keyspace::of(key), index_key::object_of(key)) {
            (Keyspace::Extent, Some((object, offset))) => Self::Extent { object, offset },
            (Keyspace::Pending, Some((object, _))) => Self::Pending { object },
            _ => Self::Name(Name::checked(key)),
        }
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Extent { object, offset } => write!(f, "byte {offset} of long value {object}"),
            Self::Pending { object } => write!(f, "unfinished long value {object}"),
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
