//! The entries of leaves.

use crate::clock::Timestamp;
use crate::error::Fault;
use crate::format::bytes::{Put, Reader};
use crate::format::object::Object;
use crate::format::pointer::Pointer;
use alloc::vec::Vec;

/// The value is in a record of the log.
pub(super) const RECORD: u8 = 1;
/// The record that brought the value had a time of its own.
const TIMED: u8 = 2;
/// The value is an object.
pub(super) const OBJECT: u8 = 4;
const OBJECT_TIMED: u8 = OBJECT | TIMED;

/// What a leaf holds for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeafEntry<'a> {
    /// The operation that gave the key this value.
    pub(crate) sequence: u64,
    pub(crate) modified: Timestamp,
    pub(crate) value: LeafValue<'a>,
}

/// The value, or where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeafValue<'a> {
    Inline {
        bytes: &'a [u8],
        /// Whether its record had a time of its own, and was longer by that.
        timed: bool,
    },
    Record {
        /// Bytes of the value.
        size: u64,
        record: Pointer,
    },
    /// In extents, under the object's id.
    Object { object: Object, timed: bool },
}

impl<'a> LeafEntry<'a> {
    /// Bytes of the value.
    pub(crate) const fn size(&self) -> u64 {
        match self.value {
            LeafValue::Inline { bytes, .. } => bytes.len() as u64,
            LeafValue::Record { size, .. } => size,
            LeafValue::Object { object, .. } => object.size,
        }
    }

    /// Whether the value is here.
    pub(crate) const fn is_inline(&self) -> bool {
        matches!(self.value, LeafValue::Inline { .. })
    }

    /// The payload of the entry's cell.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self.value {
            LeafValue::Inline { bytes, timed } => {
                out.put_u8(if timed { TIMED } else { 0 });
                out.put_u64(self.sequence).put_u64(self.modified.0).put(bytes);
            }
            LeafValue::Record { size, record } => {
                out.put_u8(RECORD).put_u64(self.sequence).put_u64(self.modified.0).put_u64(size);
                record.put(out);
            }
            LeafValue::Object { object, timed } => {
                out.put_u8(if timed { OBJECT_TIMED } else { OBJECT });
                out.put_u64(self.sequence).put_u64(self.modified.0);
                object.put(out);
            }
        }
    }

    #[inline]
    pub(super) fn decode(payload: &'a [u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(payload);
        let (flags, sequence, modified) = (reader.u8()?, reader.u64()?, Timestamp(reader.u64()?));
        let value = match flags {
            RECORD => {
                LeafValue::Record { size: reader.u64()?, record: Pointer::read(&mut reader)? }
            }
            0 | TIMED => LeafValue::Inline { bytes: reader.rest(), timed: flags == TIMED },
            OBJECT | OBJECT_TIMED => {
                let object = Object::read(&mut reader)?;
                LeafValue::Object { object, timed: flags == OBJECT_TIMED }
            }
            _ => return Err(Fault::Field("entry flags")),
        };
        if !reader.rest().is_empty() {
            return Err(Fault::Field("entry length"));
        }
        Ok(Self { sequence, modified, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back() {
        let record = Pointer { at: 1 << 40, len: 5000, check: 7 };
        for value in [
            LeafValue::Inline { bytes: b"", timed: false },
            LeafValue::Inline { bytes: b"value", timed: true },
            LeafValue::Record { size: 4900, record },
            LeafValue::Object { object: Object { id: 8, size: 1 << 33 }, timed: false },
            LeafValue::Object { object: Object { id: 8, size: 0 }, timed: true },
        ] {
            let entry = LeafEntry { sequence: u64::MAX, modified: Timestamp(3), value };
            let mut bytes = Vec::new();
            entry.encode(&mut bytes);
            assert_eq!(LeafEntry::decode(&bytes), Ok(entry));
        }
    }

    #[test]
    fn what_can_not_be_is_refused() {
        assert!(LeafEntry::decode(&[0; 16]).is_err(), "too short");
        assert!(LeafEntry::decode(&[RECORD; 40]).is_err(), "too short for a record");
        assert!(LeafEntry::decode(&[RECORD; 42]).is_err(), "too long for a record");
        assert!(LeafEntry::decode(&[OBJECT; 34]).is_err(), "too long for an object");
        assert!(LeafEntry::decode(&[8; 41]).is_err(), "an unknown flag");
    }
}
