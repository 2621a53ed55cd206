//! What the index holds for a key that has a value.

use crate::clock::Timestamp;
use crate::format::layout::Layout;
use crate::format::node::{LeafEntry, LeafValue};
use crate::format::object::Object;
use crate::format::pointer::Pointer;
use crate::format::record::{Replaced, record_len};
use alloc::boxed::Box;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The operation that gave the key this value.
    pub(crate) sequence: u64,
    pub(crate) modified: Timestamp,
    /// Bytes of the value.
    pub(crate) size: u64,
    pub(crate) value: Stored,
}

/// Where the value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// Here.
    Inline {
        bytes: Box<[u8]>,
        /// Whether its record had a time of its own.
        timed: bool,
    },
    /// In this record of the log.
    Record(Pointer),
    /// In the extents of this object.
    Object {
        id: u64,
        /// Whether its record had a time of its own.
        timed: bool,
    },
}

impl Entry {
    /// As a leaf holds it.
    pub(crate) fn as_leaf(&self) -> LeafEntry<'_> {
        let value = match &self.value {
            Stored::Inline { bytes, timed } => LeafValue::Inline { bytes, timed: *timed },
            Stored::Record(record) => LeafValue::Record { size: self.size, record: *record },
            Stored::Object { id, timed } => {
                let object = Object { id: *id, size: self.size };
                LeafValue::Object { object, timed: *timed }
            }
        };
        LeafEntry { sequence: self.sequence, modified: self.modified, value }
    }

    /// A copy of what a leaf holds.
    pub(crate) fn from_leaf(leaf: &LeafEntry<'_>) -> Self {
        let (size, value) = match leaf.value {
            LeafValue::Inline { bytes, timed } => {
                (bytes.len() as u64, Stored::Inline { bytes: bytes.into(), timed })
            }
            LeafValue::Record { size, record } => (size, Stored::Record(record)),
            LeafValue::Object { object: Object { id, size }, timed } => {
                (size, Stored::Object { id, timed })
            }
        };
        Self { sequence: leaf.sequence, modified: leaf.modified, size, value }
    }

    /// The object that the value is, if it is one.
    pub(crate) fn object(&self) -> Option<Object> {
        match self.value {
            Stored::Object { id, .. } => Some(Object { id, size: self.size }),
            _ => None,
        }
    }

    /// The form in which a record names the one that it replaces.
    pub(crate) fn replaced(&self, layout: &Layout, key: &[u8]) -> Replaced {
        replaced(&self.as_leaf(), layout, key)
    }
}

/// The form in which the record of an entry of `key` is named when it goes.
pub(super) fn replaced(entry: &LeafEntry<'_>, layout: &Layout, key: &[u8]) -> Replaced {
    match entry.value {
        LeafValue::Inline { bytes, timed } => {
            let len = record_len(key.len(), bytes.len() as u64, timed);
            Replaced { segment: None, len: u32::try_from(len).unwrap_or(u32::MAX) }
        }
        LeafValue::Object { timed, .. } => {
            let len = record_len(key.len(), Object::LEN as u64, timed);
            Replaced { segment: None, len: u32::try_from(len).unwrap_or(u32::MAX) }
        }
        LeafValue::Record { record, .. } => {
            let segment =
                layout.segment_of(record.at).and_then(|number| u16::try_from(number).ok());
            Replaced { segment, len: record.len }
        }
    }
}
