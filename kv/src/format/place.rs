//! Segments and places in them, as fields.

use super::bytes::{Put, Reader};
use crate::error::Fault;
use alloc::vec::Vec;

/// Encoded in place of a segment where there is none.
const NO_SEGMENT: u32 = u32::MAX;

/// Where a frame starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    /// Of the segment.
    pub(crate) block: u32,
}

/// The segments that the chain goes on in when the open one is full, in this order. Two are named
/// ahead, so that the loss of a whole segment does not hide what was written behind it.
pub(crate) type NextSegments = [Option<u32>; 2];

pub(super) fn put_next(out: &mut Vec<u8>, next: NextSegments) {
    for segment in next {
        put_segment(out, segment);
    }
}

pub(super) fn read_next(reader: &mut Reader<'_>) -> Result<NextSegments, Fault> {
    Ok([read_segment(reader)?, read_segment(reader)?])
}

fn put_segment(out: &mut Vec<u8>, segment: Option<u32>) {
    out.put_u32(segment.unwrap_or(NO_SEGMENT));
}

fn read_segment(reader: &mut Reader<'_>) -> Result<Option<u32>, Fault> {
    reader.u32().map(|segment| (segment != NO_SEGMENT).then_some(segment))
}

pub(super) fn put_place(out: &mut Vec<u8>, place: Option<Place>) {
    put_segment(out, place.map(|place| place.segment));
    out.put_u32(place.map_or(0, |place| place.block));
}

pub(super) fn read_place(reader: &mut Reader<'_>) -> Result<Option<Place>, Fault> {
    let (segment, block) = (read_segment(reader)?, reader.u32()?);
    Ok(segment.map(|segment| Place { segment, block }))
}
