//! The superblock: what the store is, and where its tail starts.
//!
//! ```text
//! page   0    1    2    3        from 256 KiB on; below, pages 0 and 1 only
//!      | A0 | B0 | A1 | B1 | log
//! ```

use super::bytes::{Put, Reader};
use super::check::check;
use super::layout::Layout;
use super::node::LEVEL_MAX;
use super::place::{Place, put_place, read_place};
use super::point::{self, ChainPoint};
use super::pointer::Pointer;
use super::{FRAME_LEN_MAX, INLINE_LEN_MAX, UNFLUSHED_MAX, VERSION};
use crate::error::Fault;
use crate::key::Key;
use alloc::vec::Vec;
use uuid::Uuid;

/// Bytes of a superblock; the rest of its page is not used.
pub(crate) const LEN: usize = 512;

const MAGIC: [u8; 8] = *b"Nerite\r\n";
/// The check covers what comes behind it.
const CHECKED_FROM: usize = 12;
/// CRC32C, in 4 bytes.
const CHECK_ALGORITHM: u8 = 1;
const CHECK_LEN: u8 = 4;

/// Feature flags: those that this code does not know decide what it may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// Refuse the store.
    pub(crate) incompatible: u64,
    /// Refuse to write.
    pub(crate) read_only_compatible: u64,
    /// Go on as if it was not there.
    pub(crate) compatible: u64,
}

/// One state of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Superblock {
    pub(crate) flags: Flags,
    /// The store's name.
    pub(crate) uuid: Uuid,
    /// Random bits of the store's making: frames of an earlier store of the same name have others.
    pub(crate) birth: u64,
    pub(crate) layout: Layout,
    /// The longest value that leaves hold themselves, in bytes.
    pub(crate) inline_max: u16,
    /// Counts the states; the highest is in force.
    pub(crate) checkpoint: u64,
    /// The epoch of the mount that wrote this state.
    pub(crate) epoch: u64,
    /// The highest frame known durable when this state was written: replay must reach it.
    pub(crate) must_reach: u64,
    /// Where replay starts.
    pub(crate) tail_start: ChainPoint,
    /// The last frame whose changes are in the frozen delta, if a round of a checkpoint is under
    /// way; 0 if none is.
    pub(crate) frozen: u64,
    /// Where the next node goes: the open segment of the index, if there is one.
    pub(crate) index_open: Option<Place>,
    /// The table of segments; `None` before the first checkpoint that wrote one.
    pub(crate) table: Option<Pointer>,
    /// What the chain before the tail start has come to.
    pub(crate) tree: Option<Tree>,
}

/// The root of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) root: Pointer,
    /// Of the root; leaves are at level 0.
    pub(crate) level: u8,
}

/// Why bytes are no superblock for this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// They are damaged, or no superblock at all ([`Fault::Magic`]).
    Fault(Fault),
    /// They are one, of a format version that this code does not know.
    Version,
}

impl From<Fault> for Unreadable {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Superblock {
    /// The bytes of one copy in one slot.
    pub(crate) fn encode(&self, slot: u8, copy: u8) -> Vec<u8> {
        let mut covered = Vec::with_capacity(LEN);
        covered.put_u16(VERSION).put_u8(slot).put_u8(copy);
        covered.put_u8(CHECK_ALGORITHM).put_u8(CHECK_LEN).put_u16(KEY_LEN_MAX);
        covered.put_u64(self.flags.incompatible).put_u64(self.flags.read_only_compatible);
        covered.put_u64(self.flags.compatible);
        covered.put(self.uuid.as_bytes()).put_u64(self.birth);
        covered.put_u32(self.layout.block_len).put_u64(self.layout.block_count);
        covered.put_u32(self.layout.segment_blocks).put_u32(self.layout.segment_count);
        covered.put_u32(FRAME_LEN_MAX).put_u64(UNFLUSHED_MAX);
        covered.put_u64(self.checkpoint).put_u64(self.epoch).put_u64(self.must_reach);
        self.tail_start.put(&mut covered);
        covered.put_u64(self.frozen);
        put_place(&mut covered, self.index_open);
        self.table.unwrap_or(NOWHERE).put(&mut covered);
        covered.put_u8(u8::from(self.tree.is_some()));
        let tree = self.tree.unwrap_or(Tree { root: NOWHERE, level: 0 });
        tree.root.put(&mut covered);
        covered.put_u8(tree.level).put_u32(self.layout.node_len_max()).put_u16(self.inline_max);
        covered.put_u32(self.layout.chunk_len());
        covered.resize(LEN.saturating_sub(CHECKED_FROM), 0);
        let mut bytes = Vec::with_capacity(LEN);
        bytes.put(&MAGIC).put_u32(check(&covered)).put(&covered);
        bytes
    }

    /// The superblock in the first [`LEN`] of `bytes`, which were read from this slot and copy.
    pub(crate) fn decode(bytes: &[u8], slot: u8, copy: u8) -> Result<Self, Unreadable> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != MAGIC {
            return Err(Fault::Magic.into());
        }
        let stored = reader.u32()?;
        let covered = reader.take(LEN.saturating_sub(CHECKED_FROM))?;
        if check(covered) != stored {
            return Err(Fault::Check.into());
        }
        let mut reader = Reader::new(covered);
        if reader.u16()? != VERSION {
            return Err(Unreadable::Version);
        }
        if (reader.u8()?, reader.u8()?) != (slot, copy) {
            return Err(Fault::Field("slot").into());
        }
        Ok(Self::decode_fields(&mut reader)?)
    }

    fn decode_fields(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        if (reader.u8()?, reader.u8()?) != (CHECK_ALGORITHM, CHECK_LEN) {
            return Err(Fault::Field("check algorithm"));
        }
        if reader.u16()? != KEY_LEN_MAX {
            return Err(Fault::Field("key limit"));
        }
        let flags = Flags {
            incompatible: reader.u64()?,
            read_only_compatible: reader.u64()?,
            compatible: reader.u64()?,
        };
        let (uuid, birth) = (Uuid::from_bytes(reader.array()?), reader.u64()?);
        let layout = Layout {
            block_len: reader.u32()?,
            block_count: reader.u64()?,
            segment_blocks: reader.u32()?,
            segment_count: reader.u32()?,
        };
        layout.check()?;
        if (reader.u32()?, reader.u64()?) != (FRAME_LEN_MAX, UNFLUSHED_MAX) {
            return Err(Fault::Field("frame limits"));
        }
        Ok(Self {
            flags,
            uuid,
            birth,
            layout,
            checkpoint: reader.u64()?,
            epoch: reader.u64()?,
            must_reach: reader.u64()?,
            tail_start: ChainPoint::read(reader, &layout)?,
            frozen: reader.u64()?,
            index_open: read_index_open(reader, &layout)?,
            table: read_table(reader, &layout)?,
            tree: read_trees(reader, &layout)?,
            inline_max: read_limits(reader, &layout)?,
        })
    }

    /// The superblock of a device of 64 MiB, with every field different.
    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self {
            flags: Flags { incompatible: 0, read_only_compatible: 2, compatible: 3 },
            uuid: Uuid::from_bytes([7; 16]),
            birth: 8,
            layout: Layout::divide(64 << 20, 4096).unwrap(),
            checkpoint: 9,
            epoch: 10,
            must_reach: 11,
            tail_start: ChainPoint::first(12),
            frozen: 18,
            inline_max: 13,
            index_open: Some(Place { segment: 14, block: 15 }),
            table: Some(Pointer { at: 1 << 20, len: 4096, check: 16 }),
            tree: Some(Tree {
                root: Pointer { at: (1 << 20) + 4096, len: 4096, check: 17 },
                level: 1,
            }),
        }
    }

    /// Whether `bytes` start as a superblock does, whatever follows.
    pub(crate) fn starts(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }
}

/// Encoded in place of a pointer where there is none.
const NOWHERE: Pointer = Pointer { at: 0, len: 0, check: 0 };

fn read_index_open(reader: &mut Reader<'_>, layout: &Layout) -> Result<Option<Place>, Fault> {
    let open = read_place(reader)?;
    let fits =
        |place: Place| place.segment < layout.segment_count && place.block <= layout.segment_blocks;
    if open.is_none_or(fits) { Ok(open) } else { Err(Fault::Field("open segment of the index")) }
}

fn read_table(reader: &mut Reader<'_>, layout: &Layout) -> Result<Option<Pointer>, Fault> {
    let pointer = Pointer::read(reader)?;
    let whole = u64::from(pointer.len) <= layout.table_len();
    match pointer {
        NOWHERE => Ok(None),
        _ if whole && pointer.fits_blocks(layout, pointer.len) => Ok(Some(pointer)),
        _ => Err(Fault::Field("table")),
    }
}

/// The limits of nodes and of extents, which follow from the layout, and that of values in leaves.
fn read_limits(reader: &mut Reader<'_>, layout: &Layout) -> Result<u16, Fault> {
    if reader.u32()? != layout.node_len_max() {
        return Err(Fault::Field("node limit"));
    }
    let inline_max = reader.u16()?;
    if reader.u32()? != layout.chunk_len() {
        return Err(Fault::Field("chunk"));
    }
    if inline_max > INLINE_LEN_MAX { Err(Fault::Field("inline limit")) } else { Ok(inline_max) }
}

/// A list of trees, of which this version has one at most.
fn read_trees(reader: &mut Reader<'_>, layout: &Layout) -> Result<Option<Tree>, Fault> {
    let (count, root, level) = (reader.u8()?, Pointer::read(reader)?, reader.u8()?);
    match count {
        0 => Ok(None),
        1 if level <= LEVEL_MAX && root.fits_blocks(layout, layout.node_len_max()) => {
            Ok(Some(Tree { root, level }))
        }
        _ => Err(Fault::Field("trees")),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "1,024 fits")]
const KEY_LEN_MAX: u16 = Key::LEN_MAX as u16;
const _: () = assert!(
    CHECKED_FROM + 112 + point::LEN + 16 + 2 * Pointer::LEN + 12 <= LEN
        && KEY_LEN_MAX as usize == Key::LEN_MAX
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_from_its_own_slot_and_copy_only() {
        let bytes = Superblock::example().encode(1, 0);
        assert_eq!(bytes.len(), LEN);
        assert_eq!(Superblock::decode(&bytes, 1, 0), Ok(Superblock::example()));
        let misplaced = Unreadable::Fault(Fault::Field("slot"));
        assert_eq!(Superblock::decode(&bytes, 0, 0), Err(misplaced));
        assert_eq!(Superblock::decode(&bytes, 1, 1), Err(misplaced));
    }

    #[test]
    fn a_table_is_as_long_as_its_rows_make_it() {
        let table = |len| {
            let table = Some(Pointer { at: 1 << 20, len, check: 16 });
            let bytes = Superblock { table, ..Superblock::example() }.encode(0, 0);
            Superblock::decode(&bytes, 0, 0).map(|found| found.table)
        };
        assert_eq!(table(4096).unwrap().unwrap().len, 4096);
        for len in [4095, 4097, 8192, u32::MAX] {
            assert_eq!(table(len), Err(Fault::Field("table").into()), "{len}");
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = Superblock::example().encode(0, 1);
        for bit in 0..LEN * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Superblock::decode(&damaged, 0, 1).is_err(), "bit {bit}");
        }
        for len in 0..LEN {
            assert!(Superblock::decode(&bytes[..len], 0, 1).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut bytes = Superblock::example().encode(0, 0);
        bytes[CHECKED_FROM] = 1;
        let check = check(&bytes[CHECKED_FROM..]);
        bytes[8..CHECKED_FROM].copy_from_slice(&check.to_le_bytes());
        assert_eq!(Superblock::decode(&bytes, 0, 0), Err(Unreadable::Version));
    }
}
