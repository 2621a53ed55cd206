//! The table: what every segment is used for and how much of it is live, as of a checkpoint.

use super::bytes::{Put, Reader};
use super::check::check;
use super::index_key::RANGE_END_LEN_MAX;
use super::layout::{Layout, TABLE_HEADER_LEN, TABLE_ROW_LEN};
use super::pointer::Pointer;
use crate::error::Fault;
use alloc::vec::Vec;

const MAGIC: [u8; 4] = *b"NrTb";
const CHECKED_FROM: usize = 8;

/// Live bytes are the low 56 bits of a row, the use is above them.
const LIVE_BITS: u32 = 56;

const FREE: u64 = 0;
const CHAIN: u64 = 1;
const NODES: u64 = 2;
const SURVIVORS: u64 = 3;

/// What a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Nothing, or frames from the tail start on: replay finds those.
    Free,
    /// Frames before the tail start.
    Chain,
    /// Nodes and tables.
    Nodes,
    /// Records that were moved.
    Survivors,
}

/// What all keys name, and what it takes to find them, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Paths that have a value.
    pub(crate) keys: u64,
    /// Extents of objects.
    pub(crate) extents: u64,
    /// Objects that are being written.
    pub(crate) pending: u64,
    /// Bytes of the records that brought all these.
    pub(crate) live: u64,
    /// Bytes of the nodes and of the table.
    pub(crate) index: u64,
}

/// The counts as of one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// The last frame whose changes are counted.
    pub(crate) counted: u64,
    pub(crate) totals: Totals,
    /// What the frozen delta has below this key is in the tree already.
    pub(crate) merged_to: Vec<u8>,
    /// Of each segment, its use and the bytes in it that are live.
    pub(crate) rows: Vec<(Use, u64)>,
}

impl Table {
    /// Bytes of the table of a store with a key of this length, without what fills the last block.
    pub(crate) const fn len(layout: &Layout, key_len: usize) -> usize {
        let rows = (layout.segment_count as usize).saturating_mul(TABLE_ROW_LEN);
        rows.saturating_add(TABLE_HEADER_LEN).saturating_add(key_len)
    }

    /// The table as it lies at `at`, in whole blocks, and its check.
    pub(crate) fn encode(&self, birth: u64, at: u64, block_len: u32) -> (Vec<u8>, u32) {
        let mut bytes = Vec::new();
        bytes.put(&MAGIC).put_u32(0).put_u64(birth).put_u64(at).put_u64(self.counted);
        let Totals { keys, extents, pending, live, index } = self.totals;
        bytes.put_u64(keys).put_u64(extents).put_u64(pending).put_u64(live).put_u64(index);
        bytes.put_u32(u32::try_from(self.rows.len()).unwrap_or(u32::MAX));
        for (used, live) in &self.rows {
            let used = match used {
                Use::Free => FREE,
                Use::Chain => CHAIN,
                Use::Nodes => NODES,
                Use::Survivors => SURVIVORS,
            };
            bytes.put_u64(used << LIVE_BITS | live & LIVE_MASK);
        }
        bytes.put_u16(u16::try_from(self.merged_to.len()).unwrap_or(u16::MAX));
        bytes.put(&self.merged_to);
        let whole = bytes.len().checked_next_multiple_of(block_len as usize);
        bytes.resize(whole.unwrap_or(bytes.len()), 0);
        let check = check(bytes.get(CHECKED_FROM..).unwrap_or_default());
        if let Some(field) = bytes.get_mut(MAGIC.len()..CHECKED_FROM) {
            field.copy_from_slice(&check.to_le_bytes());
        }
        (bytes, check)
    }

    /// The table in `bytes`, which were read from where `pointer` leads.
    pub(crate) fn decode(
        bytes: &[u8],
        pointer: Pointer,
        birth: u64,
        layout: &Layout,
    ) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != MAGIC {
            return Err(Fault::Magic);
        }
        let stored = reader.u32()?;
        if stored != pointer.check || check(bytes.get(CHECKED_FROM..).unwrap_or_default()) != stored
        {
            return Err(Fault::Check);
        }
        if reader.u64()? != birth || reader.u64()? != pointer.at {
            return Err(Fault::Field("place"));
        }
        let counted = reader.u64()?;
        let totals = Totals {
            keys: reader.u64()?,
            extents: reader.u64()?,
            pending: reader.u64()?,
            live: reader.u64()?,
            index: reader.u64()?,
        };
        if reader.u32()? != layout.segment_count {
            return Err(Fault::Field("segments"));
        }
        let rows = (0..layout.segment_count).map(|_| decode_row(reader.u64()?, layout));
        let rows = rows.collect::<Result<_, _>>()?;
        let key_len = usize::from(reader.u16()?);
        if key_len > RANGE_END_LEN_MAX {
            return Err(Fault::Field("key length"));
        }
        Ok(Self { counted, totals, merged_to: reader.take(key_len)?.to_vec(), rows })
    }
}

const LIVE_MASK: u64 = (1 << LIVE_BITS) - 1;

fn decode_row(row: u64, layout: &Layout) -> Result<(Use, u64), Fault> {
    let used = match row >> LIVE_BITS {
        FREE => Use::Free,
        CHAIN => Use::Chain,
        NODES => Use::Nodes,
        SURVIVORS => Use::Survivors,
        _ => return Err(Fault::Field("use")),
    };
    let live = row & LIVE_MASK;
    if live > layout.segment_len() { Err(Fault::Field("live bytes")) } else { Ok((used, live)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::divide(64 << 10, 512).unwrap()
    }

    fn table() -> Table {
        let uses = [Use::Free, Use::Chain, Use::Nodes, Use::Survivors].into_iter().cycle();
        let rows = uses.zip([0, 4096, 77, 5]).cycle().take(14).collect();
        let totals = Totals { keys: 4, extents: 7, pending: 8, live: 5, index: 6 };
        Table { counted: 3, totals, merged_to: b"key".to_vec(), rows }
    }

    fn decode(bytes: &[u8], check: u32) -> Result<Table, Fault> {
        let pointer = Pointer { at: 8192, len: 512, check };
        Table::decode(bytes, pointer, 7, &layout())
    }

    #[test]
    fn comes_back_from_its_own_place_only() {
        let (bytes, check) = table().encode(7, 8192, 512);
        assert_eq!(bytes.len(), 512);
        assert_eq!(Table::len(&layout(), 3), TABLE_HEADER_LEN + 14 * TABLE_ROW_LEN + 3);
        assert_eq!(decode(&bytes, check), Ok(table()));
        let (bytes, check) = table().encode(7, 4096, 512);
        assert_eq!(decode(&bytes, check), Err(Fault::Field("place")));
        let (bytes, check) = table().encode(8, 8192, 512);
        assert_eq!(decode(&bytes, check), Err(Fault::Field("place")));
        assert_eq!(decode(&bytes, !check), Err(Fault::Check));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let (bytes, check) = table().encode(7, 8192, 512);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged, check).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len], check).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn what_can_not_be_is_refused_though_its_check_fits() {
        let more = Table { rows: [table().rows, [(Use::Free, 0)].into()].concat(), ..table() };
        let live = Table { rows: [(Use::Chain, 4097); 14].into(), ..table() };
        for crafted in [more, live] {
            let (bytes, check) = crafted.encode(7, 8192, 512);
            assert!(matches!(decode(&bytes, check), Err(Fault::Field(_))));
        }
    }
}
