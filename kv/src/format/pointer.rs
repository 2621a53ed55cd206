//! Pointers: where something lies, and what proves it.

use super::bytes::{Put, Reader};
use super::layout::Layout;
use crate::error::Fault;
use alloc::vec::Vec;

/// Where bytes lie on the device, how many they are, and their check. Whoever follows a pointer
/// compares the check, so that what was whole once but is of another life does not pass for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    /// The first byte on the device.
    pub(crate) at: u64,
    /// Bytes.
    pub(crate) len: u32,
    pub(crate) check: u32,
}

impl Pointer {
    /// Bytes of an encoded pointer.
    pub(crate) const LEN: usize = 16;

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.put_u64(self.at).put_u32(self.len).put_u32(self.check);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(Self { at: reader.u64()?, len: reader.u32()?, check: reader.u32()? })
    }

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LEN);
        self.put(&mut bytes);
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::read(&mut Reader::new(bytes)).ok()
    }

    /// Whether it leads to bytes of one segment.
    pub(crate) fn fits(&self, layout: &Layout) -> bool {
        let last = u64::from(self.len).checked_sub(1).and_then(|last| self.at.checked_add(last));
        let segment = layout.segment_of(self.at);
        segment.is_some() && last.is_some_and(|last| layout.segment_of(last) == segment)
    }

    /// Whether it leads to whole blocks of one segment, `limit` bytes at most.
    pub(crate) fn fits_blocks(&self, layout: &Layout, limit: u32) -> bool {
        let whole = |len: u64| len.is_multiple_of(u64::from(layout.block_len));
        self.fits(layout) && self.len <= limit && whole(self.at) && whole(u64::from(self.len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bytes_of_one_segment_are_pointed_to() {
        let layout = Layout::divide(64 << 20, 4096).unwrap();
        let pointer = |at, len| Pointer { at, len, check: 0 };
        let (start, end) = (layout.at(7, 0), layout.at(8, 0));
        assert!(pointer(start + 5, 100).fits(&layout) && pointer(end - 1, 1).fits(&layout));
        assert!(!pointer(end - 1, 2).fits(&layout), "two segments");
        assert!(!pointer(start, 0).fits(&layout), "nothing");
        assert!(!pointer(u64::MAX, 2).fits(&layout) && !pointer(0, 512).fits(&layout));
        assert!(pointer(start, 8192).fits_blocks(&layout, 8192));
        assert!(!pointer(start, 8192).fits_blocks(&layout, 4096), "longer than allowed");
        assert!(!pointer(start + 1, 4096).fits_blocks(&layout, 8192));
        assert!(!pointer(start, 4095).fits_blocks(&layout, 8192));
    }
}
