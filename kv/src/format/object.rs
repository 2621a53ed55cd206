//! Objects: values that are longer than what a record holds.
//!
//! A key has the object's id and the value's length. The bytes lie in *extents*, each a record outside
//! the chain under a key of its own, which is the id and an offset. An extent begins at a multiple of
//! the chunk and is as long as one, but for the last, which ends with the value. Where there is none,
//! the value has zeros.

use super::bytes::{Put, Reader};
use super::layout::Layout;
use crate::error::Fault;
use alloc::vec::Vec;
use core::ops::Range;

/// A value in extents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    /// Names it for ever: a sequence that no other object has.
    pub(crate) id: u64,
    /// Bytes of the value.
    pub(crate) size: u64,
}

impl Object {
    /// Bytes of an encoded object.
    pub(crate) const LEN: usize = 16;

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.put_u64(self.id).put_u64(self.size);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(Self { id: reader.u64()?, size: reader.u64()? })
    }

    /// Where the extents begin that have anything of these bytes of the value.
    pub(crate) fn chunks(&self, layout: &Layout, bytes: &Range<u64>) -> impl Iterator<Item = u64> {
        let chunk = u64::from(layout.chunk_len()).max(1);
        let first = bytes.start.checked_div(chunk).unwrap_or(0);
        let end = bytes.end.min(self.size).div_ceil(chunk);
        (first..end).map(move |number| number.saturating_mul(chunk))
    }

    /// Bytes of the extent that begins there.
    pub(crate) fn chunk_len(&self, layout: &Layout, offset: u64) -> usize {
        let len = self.size.saturating_sub(offset).min(u64::from(layout.chunk_len()));
        usize::try_from(len).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_those_that_the_bytes_touch() {
        let layout = Layout::divide(4 << 20, 512).unwrap();
        let chunk = u64::from(layout.chunk_len());
        let object = Object { id: 1, size: 3 * chunk + 5 };
        let chunks = |bytes| object.chunks(&layout, &bytes).collect::<Vec<_>>();
        assert_eq!(chunks(0..u64::MAX), [0, chunk, 2 * chunk, 3 * chunk]);
        assert_eq!(chunks(chunk - 1..chunk + 1), [0, chunk]);
        assert_eq!(chunks(chunk..2 * chunk), [chunk]);
        assert_eq!(chunks(0..0), []);
        assert_eq!(chunks(object.size..object.size + 9), [3 * chunk], "the last one goes on");
        assert_eq!(object.chunk_len(&layout, 3 * chunk), 5);
        assert_eq!(object.chunk_len(&layout, 0) as u64, chunk);
    }

    #[test]
    fn eight_chunks_fill_a_segment() {
        for len in (16..40).map(|log| 1u64 << log) {
            let layout = Layout::divide(len, 512).unwrap();
            let (chunk, segment) = (u64::from(layout.chunk_len()), layout.segment_len());
            let records = (segment - 28) / (chunk + 26 + 8 + 17);
            assert!(records >= segment.min(8 << 10) / (1 << 10), "{len}: {records}");
            assert!(layout.record_value_len_max() + 140 + 34 + 1025 <= segment, "{len}");
        }
    }
}
