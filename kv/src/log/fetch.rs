//! One record by its pointer.

use super::disk::Disk;
use super::plan::record_len_max;
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::layout::Layout;
use crate::format::pointer::Pointer;
use crate::format::record::{Operation, Record};
use crate::planted::{Bug, planted};
use alloc::vec;
use alloc::vec::Vec;

/// A value, as its record has it.
pub(crate) struct Fetched {
    pub(crate) value: Vec<u8>,
    /// The time of its own that the record has, if it has one.
    pub(crate) modified: Option<Timestamp>,
}

/// Reads the value of `key` as of operation `sequence` from the record at `pointer`.
///
/// The record is proven by its check, and must be of that key and sequence: a whole record of
/// something else is damage too.
pub(crate) fn fetch<D: BlockDevice>(
    disk: &Disk<D>,
    layout: &Layout,
    pointer: Pointer,
    key: &[u8],
    sequence: u64,
) -> Result<Fetched, Error> {
    let damaged = |fault| Corruption { part: Part::Record, at: pointer.at, fault };
    // Lengths are from the disk: what no record can have is not allocated.
    if !pointer.fits(layout) || u64::from(pointer.len) > record_len_max(layout) {
        return Err(damaged(Fault::Field("pointer")).into());
    }
    let block_len = u64::from(layout.block_len);
    let skip = pointer.at % block_len;
    let first = pointer.at - skip;
    let len = layout.whole(skip + u64::from(pointer.len));
    let mut buf = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    disk.read(first, &mut buf)?;
    let start = usize::try_from(skip).unwrap_or(usize::MAX);
    let value = value_in(buf.get(start..).unwrap_or_default(), pointer, key, sequence);
    let (len, modified) = value.map_err(damaged)?;
    // The value ends its record: keep it without a second buffer.
    let check_behind = if planted(Bug::CheckAfterData) { 4 } else { 0 };
    let end = start.saturating_add(pointer.len as usize).saturating_sub(check_behind);
    buf.truncate(end);
    buf.drain(..end.saturating_sub(len));
    Ok(Fetched { value: buf, modified })
}

/// The length of the value in the record that `bytes` start with, and the record's own time.
fn value_in(
    bytes: &[u8],
    pointer: Pointer,
    key: &[u8],
    sequence: u64,
) -> Result<(usize, Option<Timestamp>), Fault> {
    let (record, len, check) = Record::decode(bytes)?;
    match record.operation {
        Operation::Set { key: found, value } | Operation::Extent { key: found, bytes: value }
            if (found, record.sequence) == (key, sequence)
                && (len, check) == (pointer.len as usize, pointer.check) =>
        {
            Ok((value.len(), record.modified))
        }
        _ => Err(Fault::WrongRecord),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_record_that_the_pointer_means_is_taken() {
        let mut bytes = Vec::new();
        let operation = Operation::Set { key: b"\x01a", value: b"xyz" };
        let record = Record { sequence: 7, modified: None, replaced: None, operation };
        let check = record.encode(&mut bytes);
        let pointer = Pointer { at: 0, len: u32::try_from(bytes.len()).unwrap(), check };
        assert_eq!(value_in(&bytes, pointer, b"\x01a", 7), Ok((3, None)));
        let wrong = Err(Fault::WrongRecord);
        assert_eq!(value_in(&bytes, pointer, b"\x01b", 7), wrong);
        assert_eq!(value_in(&bytes, pointer, b"\x01a", 8), wrong);
        assert_eq!(value_in(&bytes, Pointer { len: 1, ..pointer }, b"\x01a", 7), wrong);
        assert_eq!(value_in(&bytes, Pointer { check: !check, ..pointer }, b"\x01a", 7), wrong);
        let mut bytes = Vec::new();
        let operation = Operation::Remove { key: b"\x01a" };
        Record { operation, ..record }.encode(&mut bytes);
        assert_eq!(value_in(&bytes, pointer, b"\x01a", 7), wrong);
    }
}
