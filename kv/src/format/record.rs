//! Records: one operation each, packed one after the other in a frame.
//!
//! A record can be verified alone, so that a value can be read without its frame. Its check stands
//! first and covers the rest.

use super::bytes::{Put, Reader};
use super::check::check;
use super::index_key::{self, RANGE_END_LEN_MAX};
use super::layout::Layout;
use super::object::Object;
use super::pointer::Pointer;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::planted::{Bug, planted};
use alloc::vec::Vec;

/// Bytes of a record without its time, key and value.
pub(crate) const HEADER_LEN: usize = 26;
/// Bytes of the time, where a record has its own.
pub(crate) const TIME_LEN: usize = 8;

const CHECK_LEN: usize = 4;

const SET: u8 = 1;
const REMOVE: u8 = 2;
const REMOVE_RANGE: u8 = 3;
const MOVE: u8 = 4;
const OBJECT: u8 = 5;
const EXTENT: u8 = 6;
const PLACE: u8 = 7;

const TIMED: u8 = 1;

/// Encoded in place of a segment where there is none.
const NO_SEGMENT: u16 = u16::MAX;

/// What is done to the index. Keys are index keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation<'a> {
    Set {
        key: &'a [u8],
        value: &'a [u8],
    },
    Remove {
        key: &'a [u8],
    },
    /// Removes every key from `from` on and below `to`.
    RemoveRange {
        from: &'a [u8],
        to: &'a [u8],
    },
    /// The record of the key's value lies elsewhere now; the value is the same.
    Move {
        key: &'a [u8],
        moved: Moved,
    },
    /// The key's value is this object, or, if the key is that of a pending one, it is being written.
    SetObject {
        key: &'a [u8],
        object: Object,
    },
    /// Bytes of an object. Such a record lies outside the chain.
    Extent {
        key: &'a [u8],
        bytes: &'a [u8],
    },
    /// Bytes of an object lie there, in a record outside the chain.
    Place {
        key: &'a [u8],
        placed: Moved,
    },
}

/// A value whose record has moved, or an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    /// The operation that set the value.
    pub(crate) sequence: u64,
    /// Bytes of the value.
    pub(crate) size: u32,
    /// Where the record lies now.
    pub(crate) record: Pointer,
}

impl Moved {
    pub(crate) const LEN: usize = 12 + Pointer::LEN;

    fn put(&self, out: &mut Vec<u8>) {
        out.put_u64(self.sequence).put_u32(self.size);
        self.record.put(out);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes);
        if bytes.len() != Self::LEN {
            return Err(Fault::Field("value"));
        }
        let (sequence, size) = (reader.u64()?, reader.u32()?);
        Ok(Self { sequence, size, record: Pointer::read(&mut reader)? })
    }
}

/// The record whose value an operation makes dead: counts follow without a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replaced {
    /// `None` if the index holds the value itself.
    pub(crate) segment: Option<u16>,
    /// Bytes of the record, never 0.
    pub(crate) len: u32,
}

/// One operation of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// Names this version of the key for ever.
    pub(crate) sequence: u64,
    /// `None`: the time of the frame.
    pub(crate) modified: Option<Timestamp>,
    pub(crate) replaced: Option<Replaced>,
    pub(crate) operation: Operation<'a>,
}

impl<'a> Operation<'a> {
    /// The kind, the key, and of the value what is there as bytes.
    const fn parts(&self) -> (u8, &'a [u8], &'a [u8]) {
        match *self {
            Self::Set { key, value } => (SET, key, value),
            Self::Remove { key } => (REMOVE, key, &[]),
            Self::RemoveRange { from, to } => (REMOVE_RANGE, from, to),
            Self::Move { key, .. } => (MOVE, key, &[]),
            Self::SetObject { key, .. } => (OBJECT, key, &[]),
            Self::Extent { key, bytes } => (EXTENT, key, bytes),
            Self::Place { key, .. } => (PLACE, key, &[]),
        }
    }

    /// The one key that it is about.
    pub(crate) const fn key(&self) -> Option<&'a [u8]> {
        match *self {
            Self::RemoveRange { .. } => None,
            Self::Set { key, .. }
            | Self::Remove { key }
            | Self::Move { key, .. }
            | Self::SetObject { key, .. }
            | Self::Extent { key, .. }
            | Self::Place { key, .. } => Some(key),
        }
    }

    const fn value_len(&self) -> usize {
        match *self {
            Self::Move { .. } | Self::Place { .. } => Moved::LEN,
            Self::SetObject { .. } => Object::LEN,
            _ => self.parts().2.len(),
        }
    }

    /// Bytes of the record of this operation.
    pub(crate) const fn record_len(&self, modified: Option<Timestamp>) -> u64 {
        record_len(self.parts().1.len(), self.value_len() as u64, modified.is_some())
    }
}

/// Bytes of a record with a key and a value of these lengths.
pub(crate) const fn record_len(key_len: usize, value_len: u64, timed: bool) -> u64 {
    let time = if timed { TIME_LEN } else { 0 };
    let fixed = HEADER_LEN.saturating_add(time).saturating_add(key_len);
    value_len.saturating_add(fixed as u64)
}

/// Bytes of the records of an object's extents, if it has all of them.
pub(crate) fn extents_len(object: Object, layout: &Layout) -> u64 {
    let count = object.size.div_ceil(u64::from(layout.chunk_len()).max(1));
    let headers = record_len(index_key::EXTENT_LEN, 0, false);
    object.size.saturating_add(count.saturating_mul(headers))
}

impl<'a> Record<'a> {
    /// Appends the record to `out` and returns its check. Keys and values within the limits of the
    /// format are stated in full by the length fields.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> u32 {
        let start = out.len();
        let (kind, key, value) = self.operation.parts();
        let replaced = self.replaced.unwrap_or(Replaced { segment: Some(0), len: 0 });
        out.put_u32(0).put_u8(kind).put_u8(if self.modified.is_some() { TIMED } else { 0 });
        out.put_u16(u16::try_from(key.len()).unwrap_or(u16::MAX));
        out.put_u32(u32::try_from(self.operation.value_len()).unwrap_or(u32::MAX));
        out.put_u64(self.sequence).put_u16(replaced.segment.unwrap_or(NO_SEGMENT));
        out.put_u32(replaced.len);
        if let Some(Timestamp(modified)) = self.modified {
            out.put_u64(modified);
        }
        out.put(key).put(value);
        match &self.operation {
            Operation::Move { moved, .. } | Operation::Place { placed: moved, .. } => {
                moved.put(out);
            }
            Operation::SetObject { object, .. } => object.put(out),
            _ => {}
        }
        let record = out.get_mut(start..).unwrap_or_default();
        let check = check(record.get(CHECK_LEN..).unwrap_or_default());
        if let Some(field) = record.first_chunk_mut() {
            *field = check.to_le_bytes();
        }
        if planted(Bug::CheckAfterData) {
            record.rotate_left(CHECK_LEN);
        }
        check
    }

    /// The record at the start of `bytes`, with its length and check.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<(Self, usize, u32), Fault> {
        let mut reader = Reader::new(bytes);
        let mut stored = if planted(Bug::CheckAfterData) { 0 } else { reader.u32()? };
        let (kind, flags) = (reader.u8()?, reader.u8()?);
        let (key_len, value_len) = (usize::from(reader.u16()?), reader.u32()?);
        if flags & !TIMED != 0 {
            return Err(Fault::Field("record flags"));
        }
        let timed = flags & TIMED != 0;
        let len = usize::try_from(record_len(key_len, u64::from(value_len), timed));
        let covered = len.ok().and_then(|len| bytes.get(CHECK_LEN..len));
        let mut covered = covered.ok_or(Fault::Field("record length"))?;
        if planted(Bug::CheckAfterData) {
            let (record, behind) = bytes.split_at_checked(covered.len()).unwrap_or_default();
            (covered, stored) = (record, Reader::new(behind).u32()?);
        }
        if check(covered) != stored {
            return Err(Fault::Check);
        }
        let sequence = reader.u64()?;
        let segment = Some(reader.u16()?).filter(|&segment| segment != NO_SEGMENT);
        let replaced = Replaced { segment, len: reader.u32()? };
        let modified = if timed { Some(Timestamp(reader.u64()?)) } else { None };
        let key = reader.take(key_len)?;
        let value = reader.take(value_len as usize)?;
        let operation = decode_operation(kind, key, value)?;
        let replaced = (replaced.len != 0).then_some(replaced);
        if matches!(operation, Operation::Move { .. }) && (modified.is_none() || replaced.is_none())
        {
            return Err(Fault::Field("move"));
        }
        let len = covered.len().saturating_add(CHECK_LEN);
        Ok((Self { sequence, modified, replaced, operation }, len, stored))
    }
}

/// What bytes that may be damaged say of the record that they begin with; nothing of it is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outline<'a> {
    /// Bytes of the record. There may be fewer.
    pub(crate) len: u64,
    pub(crate) sequence: u64,
    /// The key, if it is one.
    pub(crate) key: Option<&'a [u8]>,
}

impl<'a> Outline<'a> {
    /// `None` if they say what can't be.
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        reader.u32().ok()?;
        let (kind, flags) = (reader.u8().ok()?, reader.u8().ok()?);
        let key_len = usize::from(reader.u16().ok()?);
        if !(SET..=PLACE).contains(&kind) || flags & !TIMED != 0 || key_len > RANGE_END_LEN_MAX {
            return None;
        }
        let timed = flags & TIMED != 0;
        let len = record_len(key_len, u64::from(reader.u32().ok()?), timed);
        let sequence = reader.u64().ok()?;
        let key_at = if timed { HEADER_LEN.saturating_add(TIME_LEN) } else { HEADER_LEN };
        let key = bytes.get(key_at..).and_then(|rest| rest.get(..key_len));
        Some(Self { len, sequence, key: key.filter(|key| index_key::check_key(key).is_ok()) })
    }
}

fn decode_operation<'a>(kind: u8, key: &'a [u8], value: &'a [u8]) -> Result<Operation<'a>, Fault> {
    match kind {
        SET => {
            index_key::check_key(key)?;
            Ok(Operation::Set { key, value })
        }
        REMOVE => {
            index_key::check_key(key)?;
            if value.is_empty() {
                Ok(Operation::Remove { key })
            } else {
                Err(Fault::Field("value"))
            }
        }
        REMOVE_RANGE => {
            if index_key::is_range(key, value) {
                Ok(Operation::RemoveRange { from: key, to: value })
            } else {
                Err(Fault::Field("range"))
            }
        }
        MOVE => {
            index_key::check_key(key)?;
            Ok(Operation::Move { key, moved: Moved::decode(value)? })
        }
        OBJECT => {
            index_key::check_key(key)?;
            let mut reader = Reader::new(value);
            let object = Object::read(&mut reader)?;
            let whole = value.len() == Object::LEN && index_key::check_extent(key).is_err();
            if whole {
                Ok(Operation::SetObject { key, object })
            } else {
                Err(Fault::Field("value"))
            }
        }
        EXTENT => {
            index_key::check_extent(key)?;
            Ok(Operation::Extent { key, bytes: value })
        }
        PLACE => {
            index_key::check_extent(key)?;
            Ok(Operation::Place { key, placed: Moved::decode(value)? })
        }
        _ => Err(Fault::Field("record kind")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENT_KEY: &[u8] = b"\x03\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\x07\xc0";
    const PLACED: Moved =
        Moved { sequence: 6, size: 5, record: Pointer { at: 1 << 30, len: 48, check: 9 } };

    fn records() -> [Record<'static>; 7] {
        let set = Operation::Set { key: b"\x01a\0b", value: b"value" };
        let replaced = Some(Replaced { segment: Some(7), len: 99 });
        [
            Record { sequence: 1, modified: None, replaced: None, operation: set },
            Record { sequence: u64::MAX, modified: Some(Timestamp(5)), replaced, operation: set },
            Record {
                sequence: 3,
                modified: None,
                replaced,
                operation: Operation::Remove { key: b"\x01a" },
            },
            Record {
                sequence: 4,
                modified: None,
                replaced: Some(Replaced { segment: None, len: 1 }),
                operation: Operation::RemoveRange { from: b"\x01", to: b"\x02" },
            },
            Record {
                sequence: 5,
                modified: Some(Timestamp(6)),
                replaced: None,
                operation: Operation::SetObject {
                    key: b"\x01a",
                    object: Object { id: 5, size: 1 << 40 },
                },
            },
            Record {
                sequence: 6,
                modified: None,
                replaced: None,
                operation: Operation::Extent { key: EXTENT_KEY, bytes: b"bytes" },
            },
            Record {
                sequence: 6,
                modified: None,
                replaced,
                operation: Operation::Place { key: EXTENT_KEY, placed: PLACED },
            },
        ]
    }

    #[test]
    fn comes_back_with_its_length_from_among_others() {
        let mut bytes = Vec::new();
        for record in records() {
            record.encode(&mut bytes);
        }
        let mut rest = &bytes[..];
        for record in records() {
            let (decoded, len, _) = Record::decode(rest).unwrap();
            assert_eq!(decoded, record);
            assert_eq!(len as u64, record.operation.record_len(record.modified));
            rest = &rest[len..];
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        for record in records() {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(Record::decode(&damaged).is_err(), "bit {bit}");
            }
            for len in 0..bytes.len() {
                assert!(Record::decode(&bytes[..len]).is_err(), "{len} bytes");
            }
        }
    }

    #[test]
    fn what_can_not_be_is_refused_though_its_check_fits() {
        let refused = [
            Operation::Set { key: b"\x01", value: b"the root" },
            Operation::Set { key: b"\x01a\0\0b", value: b"an empty name" },
            Operation::Set { key: b"\x09a", value: b"an unknown keyspace" },
            Operation::RemoveRange { from: b"\x01b", to: b"\x01a" },
            Operation::RemoveRange { from: b"\x01b", to: b"\x02a" },
            Operation::RemoveRange { from: b"\x00", to: b"\x01" },
            Operation::SetObject { key: EXTENT_KEY, object: Object { id: 1, size: 1 } },
            Operation::Extent { key: b"\x01a", bytes: b"of no object" },
            Operation::Place { key: b"\x01a", placed: PLACED },
        ];
        for operation in refused {
            let mut bytes = Vec::new();
            Record { sequence: 1, modified: None, replaced: None, operation }.encode(&mut bytes);
            assert!(matches!(Record::decode(&bytes), Err(Fault::Field(_))), "{operation:?}");
        }
    }
}
