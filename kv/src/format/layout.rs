//! Where things lie on the device: superblock pages first, then segments of equal size.
//!
//! Invariants: every length is a power of two; superblock pages and all segments lie within the
//! device, apart from each other; the table fits one segment.

use super::index_key::RANGE_END_LEN_MAX;
use super::place::Place;
use super::{NODE_LEN_MIN, PAGE_LEN, SEGMENT_LEN_MIN};
use crate::error::Fault;

/// The smallest device.
pub(crate) const DEVICE_LEN_MIN: u64 = 64 << 10;

/// Devices from this size on hold two copies of each superblock slot, smaller ones one.
const TWO_COPIES_FROM: u64 = 256 << 10;

/// Block sizes that a store can have.
pub(crate) const BLOCK_LEN_MIN: u32 = 512;
pub(crate) const BLOCK_LEN_MAX: u32 = 64 << 10;

const SEGMENTS_WANTED: u64 = 256;
/// Smaller devices have fewer: very small segments are filled badly.
const SEGMENTS_WANTED_SMALL: u64 = 64;
const SEGMENT_LEN_SMALL: u64 = 16 << 10;
const SEGMENTS_MAX: u64 = 4096;
/// One to write to, and the reserve of three (`log/plan.rs`).
const SEGMENTS_MIN: u64 = 4;
/// Bytes of the table (`format/table.rs`): of what stands before its rows, and of each of them.
pub(super) const TABLE_HEADER_LEN: usize = 78;
pub(super) const TABLE_ROW_LEN: usize = 8;
/// Bytes of the table without its rows, with the longest key.
const TABLE_FIXED_LEN: u64 = (TABLE_HEADER_LEN + RANGE_END_LEN_MAX) as u64;
/// A chunk is an eighth of a segment, so that few bytes are left where no other one fits, and no longer
/// than this: one index entry for so many bytes weighs nothing, and is what a partial read reads.
const CHUNK_LEN_WANTED: u64 = 64 << 10;
const CHUNK_LEN_SMALL: u64 = 1 << 10;
/// What lies around a chunk (`format/record.rs`, `format/survivors.rs`), and a little more: eight of
/// them fill a segment.
const CHUNK_HEADERS_LEN: u64 = 64;

/// The longest value in a record: it can be copied when it is renamed, and a frame that does not fit the
/// open segment leaves little of it. (Below, an object would take more than it saves.)
const RECORD_VALUE_LEN_WANTED: u64 = 64 << 10;
const RECORD_VALUE_LEN_SMALL: u64 = 4 << 10;
/// What a frame holds besides a value, with the longest key.
const RECORD_HEADERS_LEN: u64 = 1199;

/// Larger segments gain nothing until their number reaches its limit.
const SEGMENT_LEN_WANTED: u64 = 1 << 20;

/// The division of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) block_len: u32,
    pub(crate) block_count: u64,
    pub(crate) segment_blocks: u32,
    pub(crate) segment_count: u32,
}

impl Layout {
    /// Divides `len` bytes into blocks of `block_len`; `None` if they are too few.
    pub(crate) fn divide(len: u64, block_len: u32) -> Option<Self> {
        let block = u64::from(block_len);
        let block_count = len.checked_div(block)?;
        let few = len.checked_div(SEGMENTS_WANTED_SMALL)?.clamp(1, SEGMENT_LEN_SMALL);
        let wanted = len.checked_div(SEGMENTS_WANTED)?.clamp(few, SEGMENT_LEN_WANTED);
        let mut segment_len = 1u64.checked_shl(wanted.ilog2())?;
        segment_len = segment_len.max(u64::from(SEGMENT_LEN_MIN)).max(block);
        while len.checked_div(segment_len)? > SEGMENTS_MAX {
            segment_len = segment_len.checked_mul(2)?;
        }
        let segment_blocks = u32::try_from(segment_len.checked_div(block)?).ok()?;
        let mut layout = Self { block_len, block_count, segment_blocks, segment_count: 0 };
        let rest = layout.len().checked_sub(layout.log_start())?;
        layout.segment_count = u32::try_from(rest.checked_div(segment_len)?).ok()?;
        layout.check().is_ok().then_some(layout)
    }

    /// The same division of a device that has become `len` bytes long, as far as it can go on: up to
    /// the largest number of segments, to as many as the table can list, and not to where slots have
    /// two copies if they have one. Never less than this.
    pub(crate) fn grown(&self, len: u64) -> Self {
        let most =
            if self.copies() == 1 { len.min(TWO_COPIES_FROM.saturating_sub(1)) } else { len };
        let block_count = most.checked_div(self.block_len.into()).unwrap_or(0);
        let mut layout = Self { block_count: block_count.max(self.block_count), ..*self };
        let segment = self.segment_len();
        let rest = layout.len().saturating_sub(layout.log_start());
        let rows = segment.saturating_sub(TABLE_FIXED_LEN);
        let rows = rows.checked_div(TABLE_ROW_LEN as u64).unwrap_or(0);
        let fit = rest.checked_div(segment).unwrap_or(0);
        let count = fit.min(rows).min(SEGMENTS_MAX);
        layout.segment_count = u32::try_from(count).unwrap_or(0).max(self.segment_count);
        if count < fit {
            // No more than the segments reach.
            let end = layout.at(layout.segment_count, 0).div_ceil(self.block_len.into());
            layout.block_count = end.max(self.block_count);
        }
        layout
    }

    /// Whether the fields, which may come from a disk, describe a possible store.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let block_range = BLOCK_LEN_MIN..=BLOCK_LEN_MAX;
        if !self.block_len.is_power_of_two() || !block_range.contains(&self.block_len) {
            return Err(Fault::Field("block size"));
        }
        let len = self.block_count.checked_mul(u64::from(self.block_len));
        let len = len.filter(|&len| len >= DEVICE_LEN_MIN).ok_or(Fault::Field("block count"))?;
        let segment_len = self.segment_len();
        if !self.segment_blocks.is_power_of_two() || segment_len < u64::from(SEGMENT_LEN_MIN) {
            return Err(Fault::Field("segment size"));
        }
        let segments = segment_len.checked_mul(u64::from(self.segment_count));
        let end = segments.and_then(|segments| segments.checked_add(self.log_start()));
        let counts = SEGMENTS_MIN..=SEGMENTS_MAX;
        if !counts.contains(&u64::from(self.segment_count))
            || end.is_none_or(|end| end > len)
            || self.table_len() > segment_len
        {
            return Err(Fault::Field("segment count"));
        }
        Ok(())
    }

    /// Bytes that the store takes of the device.
    pub(crate) fn len(&self) -> u64 {
        self.block_count.saturating_mul(u64::from(self.block_len))
    }

    /// Copies of each superblock slot.
    pub(crate) fn copies(&self) -> u8 {
        if self.len() >= TWO_COPIES_FROM { 2 } else { 1 }
    }

    /// Bytes from one superblock copy to the next.
    pub(crate) fn page_len(&self) -> u64 {
        u64::from(self.block_len.max(PAGE_LEN))
    }

    /// Bytes of the largest node.
    pub(crate) fn node_len_max(&self) -> u32 {
        self.block_len.max(NODE_LEN_MIN)
    }

    /// Bytes of the table with the longest key, in whole blocks.
    pub(crate) fn table_len(&self) -> u64 {
        let rows = u64::from(self.segment_count).saturating_mul(TABLE_ROW_LEN as u64);
        self.whole(rows.saturating_add(TABLE_FIXED_LEN))
    }

    /// Bytes of an extent, but for the last one of an object.
    pub(crate) fn chunk_len(&self) -> u32 {
        let len = (self.segment_len() / 8).clamp(CHUNK_LEN_SMALL, CHUNK_LEN_WANTED);
        u32::try_from(len.saturating_sub(CHUNK_HEADERS_LEN)).unwrap_or(u32::MAX)
    }

    /// Bytes of the longest value that is no object.
    pub(crate) fn record_value_len_max(&self) -> u64 {
        let quarter = self.segment_len() / 4;
        let wanted = quarter.clamp(RECORD_VALUE_LEN_SMALL, RECORD_VALUE_LEN_WANTED);
        wanted.min(self.segment_len().saturating_sub(RECORD_HEADERS_LEN))
    }

    /// Bytes of the longest value: as many as all segments have.
    pub(crate) fn value_len_max(&self) -> u64 {
        self.segment_len().saturating_mul(u64::from(self.segment_count))
    }

    /// The first byte of a superblock copy. The slots alternate: A0, B0, A1, B1.
    pub(crate) fn superblock_at(&self, slot: u8, copy: u8) -> u64 {
        let page = u64::from(copy).saturating_mul(2).saturating_add(u64::from(slot));
        page.saturating_mul(self.page_len())
    }

    /// The first byte of segment 0.
    pub(crate) fn log_start(&self) -> u64 {
        self.superblock_at(0, self.copies())
    }

    /// Bytes in a segment.
    pub(crate) fn segment_len(&self) -> u64 {
        u64::from(self.segment_blocks).saturating_mul(u64::from(self.block_len))
    }

    /// The first byte of a block of a segment.
    pub(crate) fn at(&self, segment: u32, block: u32) -> u64 {
        let start = u64::from(segment).saturating_mul(self.segment_len());
        let offset = u64::from(block).saturating_mul(u64::from(self.block_len));
        self.log_start().saturating_add(start).saturating_add(offset)
    }

    /// The segment that a byte of the log is in.
    pub(crate) fn segment_of(&self, at: u64) -> Option<u32> {
        let segment = at.checked_sub(self.log_start())?.checked_div(self.segment_len())?;
        u32::try_from(segment).ok().filter(|&segment| segment < self.segment_count)
    }

    /// The segment of a place at which there is room.
    pub(crate) const fn open_segment(&self, place: Option<Place>) -> Option<u32> {
        match place {
            Some(Place { segment, block }) if block < self.segment_blocks => Some(segment),
            _ => None,
        }
    }

    /// Bytes from a place to the end of its segment; none if there is no place.
    pub(crate) fn rest(&self, place: Option<Place>) -> u64 {
        let blocks = place.map_or(0, |place| self.segment_blocks.saturating_sub(place.block));
        u64::from(blocks).saturating_mul(u64::from(self.block_len))
    }

    /// Bytes of the blocks that `len` bytes take.
    pub(crate) fn whole(&self, len: u64) -> u64 {
        self.blocks(len).saturating_mul(u64::from(self.block_len))
    }

    /// `len` bytes in whole blocks.
    pub(crate) fn blocks(&self, len: u64) -> u64 {
        len.div_ceil(u64::from(self.block_len.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_a_256th_or_a_64th_no_smaller_than_a_node_and_no_more_than_4096() {
        let of = |len: u64, block_len| {
            let layout = Layout::divide(len, block_len).unwrap();
            layout.check().unwrap();
            (layout.segment_len(), layout.segment_count, layout.log_start())
        };
        assert_eq!(of(64 << 10, 4096), (4096, 14, 8192));
        assert_eq!(of(64 << 10, 512), (4096, 14, 8192));
        assert_eq!(of(256 << 10, 512), (4096, 60, 16384));
        assert_eq!(of(1 << 20, 4096), (16 << 10, 63, 16384));
        assert_eq!(of(4 << 20, 4096), (16 << 10, 255, 16384));
        assert_eq!(of(64 << 20, 4096), (256 << 10, 255, 16384));
        assert_eq!(of(1 << 30, 4096), (1 << 20, 1023, 16384));
        assert_eq!(of(1 << 40, 4096), (256 << 20, 4095, 16384));
        assert_eq!(of(1 << 20, 65536), (65536, 12, 4 * 65536));
    }

    #[test]
    fn the_table_is_no_longer_than_a_segment() {
        let block_lens = (BLOCK_LEN_MIN.ilog2()..=BLOCK_LEN_MAX.ilog2()).map(|log| 1 << log);
        for block_len in block_lens {
            for len in
                (DEVICE_LEN_MIN..8 << 20).step_by(1021).chain((3..50).map(|log| (1 << log) - 1))
            {
                let Some(layout) = Layout::divide(len, block_len) else {
                    assert!(
                        len < 64 * u64::from(block_len).max(1024),
                        "{len} in blocks of {block_len}"
                    );
                    continue;
                };
                assert!(layout.table_len() <= layout.segment_len(), "{layout:?}");
            }
        }
        let crafted = Layout {
            segment_blocks: 8,
            segment_count: 375,
            ..Layout::divide(4 << 20, 512).unwrap()
        };
        assert_eq!(crafted.check(), Err(Fault::Field("segment count")), "a table of 9 blocks");
        assert_eq!(Layout { segment_count: 374, ..crafted }.check(), Ok(()));
    }

    #[test]
    fn a_store_grows_by_whole_segments_as_far_as_its_table_and_its_slots_allow() {
        let grown = |from: u64, to: u64| {
            let layout = Layout::divide(from, 512).unwrap();
            let grown = layout.grown(to);
            grown.check().unwrap();
            assert_eq!(grown.log_start(), layout.log_start());
            assert_eq!(grown.segment_len(), layout.segment_len());
            let unused = grown.len() - grown.at(grown.segment_count, 0);
            assert!(unused < grown.segment_len() || grown == layout, "{unused} bytes");
            (layout.segment_count, grown.segment_count)
        };
        assert_eq!(grown(4 << 20, 8 << 20), (255, 511));
        assert_eq!(grown(4 << 20, (4 << 20) + 16_000), (255, 255));
        assert_eq!(grown(4 << 20, 1 << 20), (255, 255));
        assert_eq!(grown(4 << 20, 1 << 40), (255, 1910), "rows in a segment of 16 KiB");
        assert_eq!(grown(64 << 20, 1 << 40), (255, 4096));
        assert_eq!(grown(64 << 10, 1 << 20), (14, 61), "slots keep their one copy");
    }

    #[test]
    fn what_is_too_small_is_not_divided() {
        assert_eq!(Layout::divide((64 << 10) - 1, 512), None);
        assert_eq!(Layout::divide(64 << 10, 65536), None);
        assert_eq!(Layout::divide(0, 4096), None);
    }

    #[test]
    fn addresses_and_segments_agree() {
        let layout = Layout::divide(64 << 20, 4096).unwrap();
        assert_eq!(layout.segment_of(layout.at(7, 3)), Some(7));
        assert_eq!(layout.segment_of(layout.at(254, 63) + 4095), Some(254));
        assert_eq!(layout.segment_of(layout.at(255, 0)), None);
        assert_eq!(layout.segment_of(0), None);
    }
}
