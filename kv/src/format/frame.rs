//! Frames: what a commit is written as.
//!
//! ```text
//! | magic | frame check | header check | header ... | records ... | zeros to a block |
//!                |             `-- covers --'       |             |                  |
//!                `------------------------- covers ----------------------------------'
//! ```
//!
//! A frame is *valid* by itself: its checks fit, it is of this store, and it lies where it says.
//! It is *chained* if it also fits its predecessor ([`ChainPoint::accepts`]).
//!
//! [`ChainPoint::accepts`]: super::point::ChainPoint::accepts

use super::bytes::{Put, Reader};
use super::check::check;
use super::layout::Layout;
use super::place::{NextSegments, Place, put_next, read_next};
use crate::clock::Timestamp;
use crate::error::Fault;
use alloc::vec::Vec;
use uuid::Uuid;

/// Bytes of a frame's header. Records follow it directly.
pub(crate) const HEADER_LEN: usize = 140;

const MAGIC: [u8; 4] = *b"NrFr";
const FRAME_CHECK_FROM: usize = 8;
const HEADER_CHECK_FROM: usize = 12;

// Fields on both sides of the epoch.
const UUID_AT: usize = 16;
const BIRTH_AT: usize = 32;
const NUMBER_AT: usize = 56;
const SEGMENT_AT: usize = 80;
const BLOCK_AT: usize = 84;

const FIRST: u16 = 1;
const LAST: u16 = 2;
const MOUNT: u16 = 4;

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "three flags of the format, not a state machine")]
pub(crate) struct FrameHeader {
    /// The first frame of its group.
    pub(crate) first: bool,
    /// The last frame of its group: the commit is whole.
    pub(crate) last: bool,
    /// The first frame of a mount: the only place where the epoch changes.
    pub(crate) mount: bool,
    pub(crate) uuid: Uuid,
    pub(crate) birth: u64,
    /// Random bits of the mount that wrote the frame.
    pub(crate) epoch: u64,
    /// Of a mount frame, the epoch of the frame before it; otherwise 0.
    pub(crate) previous_epoch: u64,
    /// Counts the frames of the chain from 1.
    pub(crate) number: u64,
    /// The number of the first frame of this group.
    pub(crate) group: u64,
    /// The number of the first frame in this segment.
    pub(crate) generation: u64,
    /// Where the frame lies.
    pub(crate) place: Place,
    /// Where the chain goes on when this segment is full: the same in all its frames.
    pub(crate) next_segments: NextSegments,
    /// The check of the frame before.
    pub(crate) previous_check: u32,
    /// The highest frame known durable when this one was written.
    pub(crate) durable: u64,
    /// The newest checkpoint known durable when this one was written.
    pub(crate) checkpoint: u64,
    /// The sequence of the first operation; the others count up.
    pub(crate) sequence: u64,
    /// The time of those operations that have none of their own.
    pub(crate) time: Timestamp,
    /// Bytes of records.
    pub(crate) records_len: u32,
    pub(crate) record_count: u32,
}

impl FrameHeader {
    /// Completes `frame`, which holds [`HEADER_LEN`] bytes of anything and then the records: pads
    /// it to a whole block, fills in the header, and returns the frame's check.
    pub(crate) fn seal(&self, frame: &mut Vec<u8>, block_len: u32) -> u32 {
        let padded = frame.len().checked_next_multiple_of(block_len as usize);
        frame.resize(padded.unwrap_or(frame.len()), 0);
        let header = self.encode();
        replace(frame, HEADER_CHECK_FROM, &header);
        replace(frame, FRAME_CHECK_FROM, &check(&header).to_le_bytes());
        let check = check(frame.get(FRAME_CHECK_FROM..).unwrap_or_default());
        replace(frame, 0, &MAGIC);
        replace(frame, MAGIC.len(), &check.to_le_bytes());
        check
    }

    /// A frame of one group, in segment 3, with every field different.
    #[cfg(test)]
    pub(crate) const fn example() -> Self {
        Self {
            first: true,
            last: true,
            mount: false,
            uuid: Uuid::from_bytes([1; 16]),
            birth: 2,
            epoch: 3,
            previous_epoch: 0,
            number: 5,
            group: 6,
            generation: 7,
            place: Place { segment: 3, block: 2 },
            next_segments: [Some(10), None],
            previous_check: 11,
            durable: 12,
            checkpoint: 13,
            sequence: 14,
            time: Timestamp(15),
            records_len: 0,
            record_count: 0,
        }
    }

    fn encode(&self) -> Vec<u8> {
        let flag = |set: bool, flag: u16| if set { flag } else { 0 };
        let mut out = Vec::with_capacity(HEADER_LEN);
        out.put_u16(flag(self.first, FIRST) | flag(self.last, LAST) | flag(self.mount, MOUNT));
        out.put_u16(0).put(self.uuid.as_bytes()).put_u64(self.birth);
        out.put_u64(self.epoch).put_u64(self.previous_epoch);
        out.put_u64(self.number).put_u64(self.group).put_u64(self.generation);
        out.put_u32(self.place.segment).put_u32(self.place.block);
        put_next(&mut out, self.next_segments);
        out.put_u32(self.previous_check).put_u64(self.durable).put_u64(self.checkpoint);
        out.put_u64(self.sequence).put_u64(self.time.0);
        out.put_u32(self.records_len).put_u32(self.record_count);
        out
    }

    /// The header of a frame that starts with `bytes`. Its length can be believed then.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != MAGIC {
            return Err(Fault::Magic);
        }
        let (_frame_check, header_check) = (reader.u32()?, reader.u32()?);
        let covered = reader.take(HEADER_LEN.saturating_sub(HEADER_CHECK_FROM))?;
        if check(covered) != header_check {
            return Err(Fault::Check);
        }
        Self::decode_fields(&mut Reader::new(covered))
    }

    fn decode_fields(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let flags = reader.u16()?;
        if flags & !(FIRST | LAST | MOUNT) != 0 || reader.u16()? != 0 {
            return Err(Fault::Field("flags"));
        }
        Ok(Self {
            first: flags & FIRST != 0,
            last: flags & LAST != 0,
            mount: flags & MOUNT != 0,
            uuid: Uuid::from_bytes(reader.array()?),
            birth: reader.u64()?,
            epoch: reader.u64()?,
            previous_epoch: reader.u64()?,
            number: reader.u64()?,
            group: reader.u64()?,
            generation: reader.u64()?,
            place: Place { segment: reader.u32()?, block: reader.u32()? },
            next_segments: read_next(reader)?,
            previous_check: reader.u32()?,
            durable: reader.u64()?,
            checkpoint: reader.u64()?,
            sequence: reader.u64()?,
            time: Timestamp(reader.u64()?),
            records_len: reader.u32()?,
            record_count: reader.u32()?,
        })
    }

    /// Bytes of the frame, padding included.
    pub(crate) fn len(&self, layout: &Layout) -> u64 {
        layout.whole(u64::from(self.records_len).saturating_add(HEADER_LEN as u64))
    }

    /// Blocks of the frame.
    pub(crate) fn blocks(&self, layout: &Layout) -> u32 {
        let bytes = u64::from(self.records_len).saturating_add(HEADER_LEN as u64);
        u32::try_from(layout.blocks(bytes)).unwrap_or(u32::MAX)
    }

    /// The records of the whole frame in `bytes`, and the frame's check.
    pub(crate) fn open<'a>(&self, bytes: &'a [u8]) -> Result<(&'a [u8], u32), Fault> {
        let mut reader = Reader::new(bytes);
        let (_magic, stored) = (reader.u32()?, reader.u32()?);
        if check(bytes.get(FRAME_CHECK_FROM..).unwrap_or_default()) != stored {
            return Err(Fault::Check);
        }
        let end = HEADER_LEN.saturating_add(self.records_len as usize);
        let records = bytes.get(HEADER_LEN..end).ok_or(Fault::Field("length"))?;
        Ok((records, stored))
    }
}

/// Whether `bytes`, which start with no header, hold either end of the header of such a frame as far
/// as its epoch: all that tells it from another frame of this number at this place.
pub(crate) fn is_torn_header(
    bytes: &[u8],
    (uuid, birth): (&Uuid, u64),
    number: u64,
    place: Place,
) -> bool {
    let holds =
        |at: usize, field: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(field));
    let start = holds(UUID_AT, uuid.as_bytes()) && holds(BIRTH_AT, &birth.to_le_bytes());
    let (segment, block) = (place.segment.to_le_bytes(), place.block.to_le_bytes());
    let end = holds(NUMBER_AT, &number.to_le_bytes())
        && holds(SEGMENT_AT, &segment)
        && holds(BLOCK_AT, &block);
    start || end
}

fn replace(bytes: &mut [u8], at: usize, by: &[u8]) {
    if let Some(target) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..by.len())) {
        target.copy_from_slice(by);
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{Operation, Record};
    use super::*;
    use alloc::vec;

    fn frame(value: &[u8]) -> (FrameHeader, Vec<u8>, u32) {
        let mut bytes = vec![0; HEADER_LEN];
        let operation = Operation::Set { key: b"\x01k", value };
        Record { sequence: 14, modified: None, replaced: None, operation }.encode(&mut bytes);
        let records_len = u32::try_from(bytes.len() - HEADER_LEN).unwrap();
        let header = FrameHeader { records_len, record_count: 1, ..FrameHeader::example() };
        let check = header.seal(&mut bytes, 512);
        (header, bytes, check)
    }

    #[test]
    fn comes_back_whole() {
        let (header, bytes, check) = frame(&[9; 600]);
        assert_eq!(bytes.len(), 1024);
        assert_eq!(FrameHeader::decode(&bytes), Ok(header));
        let (records, stored) = header.open(&bytes).unwrap();
        assert_eq!((records.len(), stored), (header.records_len as usize, check));
    }

    /// CRC32C of data followed by its own CRC32C is a constant: had a record's check stood behind
    /// the record, all these frames would have one check, and the chain would be blind.
    #[test]
    fn two_frames_that_differ_in_one_value_have_different_checks() {
        let checks: Vec<u32> = (0..50u8).map(|value| frame(&[value; 100]).2).collect();
        let mut distinct = checks.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), checks.len());
    }

    #[test]
    fn every_flipped_bit_is_noticed_padding_included() {
        let (_, bytes, _) = frame(&[9; 100]);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let read =
                FrameHeader::decode(&damaged).and_then(|header| header.open(&damaged).map(|_| ()));
            assert!(read.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn the_header_alone_is_proven_before_its_length_is_believed() {
        let (_, mut bytes, _) = frame(&[9; 100]);
        bytes[HEADER_LEN - 8] ^= 0xff;
        assert_eq!(FrameHeader::decode(&bytes), Err(Fault::Check));
    }

    #[test]
    fn either_end_of_a_header_up_to_the_epoch_is_told_from_other_bytes() {
        let (header, bytes, _) = frame(&[9; 100]);
        let FrameHeader { uuid, birth, number, place, .. } = header;
        let is_torn = |bytes: &[u8]| is_torn_header(bytes, (&uuid, birth), number, place);
        for torn in 1..HEADER_LEN {
            let (mut head, mut tail) = (bytes.clone(), bytes.clone());
            head[torn..].fill(0xEE);
            tail[..torn].fill(0xEE);
            assert!(is_torn(&head) || torn < 48, "{torn} bytes are left");
            assert!(is_torn(&tail) || torn > 40, "{torn} bytes are missing");
        }
        let other = |change: FrameHeader| {
            let mut bytes = bytes.clone();
            change.seal(&mut bytes, 512);
            is_torn_header(&bytes, (&Uuid::nil(), birth), number, place)
        };
        assert!(other(header), "of any store");
        assert!(!other(FrameHeader { number: number + 1, ..header }));
        assert!(!other(FrameHeader { place: Place { block: 9, ..place }, ..header }));
        assert!(!is_torn(&[0; 512]) && !is_torn(&[0xEE; 512]) && !is_torn(&[]));
    }

    #[test]
    fn zeros_and_stubs_are_no_frame() {
        assert_eq!(FrameHeader::decode(&[0; 512]), Err(Fault::Magic));
        assert!(FrameHeader::decode(b"NrFr").is_err());
        assert!(FrameHeader::decode(&[]).is_err());
    }
}
