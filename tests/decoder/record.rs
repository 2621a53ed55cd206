//! "Record" of `docs/format.md`.

use super::bytes::{Bytes, Pointer, Wrong, crc32c, demand};

/// One operation.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) kind: u8,
    pub(crate) sequence: u64,
    /// Its own, if it has one.
    pub(crate) time: Option<u64>,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) pointer: Pointer,
}

impl<'a> Record<'a> {
    /// The record at this byte of the image.
    pub(crate) fn read(image: Bytes<'a>, at: u64) -> Result<Self, Wrong> {
        let [key_len, value_len] = [image.u16(at + 6)?.into(), u64::from(image.u32(at + 8)?)];
        let timed = image.u8(at + 5)? == 1;
        let key_at = if timed { at + 34 } else { at + 26 };
        let len = key_at - at + key_len + value_len;
        let check = image.u32(at)?;
        let fits = crc32c(image.slice(at + 4, len - 4)?) == check;
        demand(fits, || format!("the check of the record at {at}"))?;
        Ok(Self {
            kind: image.u8(at + 4)?,
            sequence: image.u64(at + 12)?,
            time: if timed { Some(image.u64(at + 26)?) } else { None },
            key: image.slice(key_at, key_len)?,
            value: image.slice(key_at + key_len, value_len)?,
            pointer: Pointer { at, len, check },
        })
    }

    /// The record that is pointed to.
    pub(crate) fn read_at(image: Bytes<'a>, pointer: Pointer) -> Result<Self, Wrong> {
        let record = Self::read(image, pointer.at)?;
        demand(record.pointer == pointer, || format!("{pointer:?} leads to {record:?}"))?;
        Ok(record)
    }
}
