//! A node as it lies on the disk: searched in place.
//!
//! Invariants of a [`Node`]: its check fits; it lies where it says, in this store, at this level;
//! every cell is within it, with a key of possible length and a payload of possible length. Whether
//! keys ascend, `verify` looks; a search in cells out of order finds something else, no more.

use super::leaf::{LeafEntry, OBJECT, RECORD};
use crate::error::Fault;
use crate::format::bytes::Reader;
use crate::format::check::{check, flipped_bit};
use crate::format::index_key::RANGE_END_LEN_MAX;
use crate::format::pointer::Pointer;
use crate::planted::{Bug, planted};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Range;

/// Bytes of a node's header; the common prefix follows.
pub(super) const HEADER_LEN: usize = 32;
pub(super) const MAGIC: [u8; 4] = *b"NrNo";
pub(super) const CHECKED_FROM: usize = 8;
const AT: Range<usize> = 16..24;
/// Where the cell starts, and its head: what mostly parts it from its neighbours, so that a search
/// looks at few cells.
pub(super) const SLOT_LEN: usize = 2 + 4;
/// Bytes of a cell without its key and payload.
pub(super) const CELL_LEN: usize = 2;

/// The levels of the highest tree: more than 2⁶⁴ entries have.
pub(crate) const LEVEL_MAX: u8 = 63;

/// What `bytes`, read from `at`, tell of the node that begins there: its length, its level, and a key
/// whose way through the tree passes it. `None` if there is none.
pub(crate) fn first_key(bytes: &[u8], birth: u64, at: u64) -> Option<(u64, u8, Vec<u8>)> {
    let mut reader = Reader::new(bytes);
    if reader.array().ok()? != MAGIC {
        return None;
    }
    reader.u32().ok()?;
    if reader.u64().ok()? != birth || reader.u64().ok()? != at {
        return None;
    }
    let level = reader.u8().ok()?;
    reader.u8().ok()?;
    let [count, prefix_len, end] =
        [reader.u16().ok()?, reader.u16().ok()?, reader.u16().ok()?].map(usize::from);
    let prefix = bytes.get(HEADER_LEN..HEADER_LEN.checked_add(prefix_len)?)?;
    let slot = HEADER_LEN.checked_add(prefix_len)?;
    let cell = usize::from(Reader::new(bytes.get(slot..)?).u16().ok()?);
    let mut cell = Reader::new(bytes.get(cell..)?);
    let suffix_len = usize::from(cell.u16().ok()?);
    let suffix = cell.take(suffix_len).ok().filter(|_| count > 0)?;
    Some((end as u64, level, [prefix, suffix].concat()))
}

/// The check that the node in `bytes` has, whether it fits or not.
pub(crate) fn stored_check(bytes: &[u8]) -> Option<u32> {
    let field = bytes.get(MAGIC.len()..CHECKED_FROM)?.first_chunk()?;
    Some(u32::from_le_bytes(*field))
}

/// Makes the bytes those of the node that had this check, if it is one bit that is wrong with them; what
/// stands before what the check covers may be anything. Tells whether the check fits then.
///
/// Something else that is wrong with a node of 4 KiB passes for one bit with a chance of 2⁻¹⁷.
pub(crate) fn mend(bytes: &mut [u8], expected: u32) -> bool {
    let Some((before, covered)) = bytes.split_at_mut_checked(CHECKED_FROM) else { return false };
    before.copy_from_slice(&[MAGIC, expected.to_le_bytes()].concat());
    if check(covered) == expected {
        return true;
    }
    let Some(bit) = flipped_bit(covered, expected) else { return false };
    if let Some(byte) = covered.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
    check(covered) == expected
}

/// A node, as it lies on the disk. A clone shares its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    bytes: Arc<[u8]>,
    level: u8,
    count: u16,
    prefix_len: u16,
    /// Where the last cell ends.
    end: u16,
}

impl Node {
    /// The node in `bytes`, which were read from where `pointer` leads.
    pub(crate) fn open(
        bytes: &[u8],
        pointer: Pointer,
        birth: u64,
        level: u8,
    ) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != MAGIC {
            return Err(Fault::Magic);
        }
        let stored = reader.u32()?;
        let covered = bytes.get(CHECKED_FROM..).unwrap_or_default();
        let fits = stored == pointer.check && check(covered) == stored;
        if !fits && !planted(Bug::NodeUnchecked) {
            return Err(Fault::Check);
        }
        if reader.u64()? != birth || reader.u64()? != pointer.at {
            return Err(Fault::Field("place"));
        }
        if reader.u8()? != level || reader.u8()? != 0 {
            return Err(Fault::Field("level"));
        }
        let (count, prefix_len, end) = (reader.u16()?, reader.u16()?, reader.u16()?);
        let node = Self { bytes: bytes.into(), level, count, prefix_len, end };
        node.check_cells()?;
        Ok(node)
    }

    fn check_cells(&self) -> Result<(), Fault> {
        let damaged = Fault::Field("cells");
        let mut start = self.slots_at().saturating_add(self.len().saturating_mul(SLOT_LEN));
        if self.count == 0 || self.end() > self.bytes.len() || start > self.end() {
            return Err(damaged);
        }
        for index in 0..self.len() {
            let (found, end) = (self.cell_at(index), self.cell_end(index));
            let cell = self.bytes.get(found..end).filter(|_| found == start).ok_or(damaged)?;
            let mut reader = Reader::new(cell);
            let suffix_len = usize::from(reader.u16()?);
            let suffix = reader.take(suffix_len)?;
            if self.head_at(index) != Some(head(suffix)) {
                return Err(Fault::Field("head"));
            }
            if self.prefix().len().saturating_add(suffix_len) > RANGE_END_LEN_MAX {
                return Err(Fault::Field("key length"));
            }
            if self.level == 0 {
                self.entry(index)?;
            } else if self.payload(index).len() != Pointer::LEN {
                return Err(damaged);
            }
            start = end;
        }
        Ok(())
    }

    /// The first byte on the device.
    pub(crate) fn at(&self) -> u64 {
        let at = self.bytes.get(AT).and_then(|at| at.first_chunk());
        at.map_or(0, |at| u64::from_le_bytes(*at))
    }

    /// 0 for a leaf.
    pub(crate) const fn level(&self) -> u8 {
        self.level
    }

    /// Cells in the node, at least 1.
    pub(crate) const fn len(&self) -> usize {
        self.count as usize
    }

    const fn end(&self) -> usize {
        self.end as usize
    }

    /// Appends the key of a cell to `key`.
    pub(crate) fn put_key(&self, index: usize, key: &mut Vec<u8>) {
        key.extend_from_slice(self.prefix());
        key.extend_from_slice(self.suffix(index));
    }

    /// The key of a cell.
    pub(crate) fn key(&self, index: usize) -> Vec<u8> {
        let (prefix, suffix) = (self.prefix(), self.suffix(index));
        let mut key = Vec::with_capacity(prefix.len().saturating_add(suffix.len()));
        self.put_key(index, &mut key);
        key
    }

    /// Whether the keys of its cells ascend, from `from` on and below `to`.
    pub(crate) fn is_in_order(&self, from: &[u8], to: Option<&[u8]>) -> bool {
        let mut last: Option<Vec<u8>> = None;
        (0..self.len()).all(|cell| {
            let key = self.key(cell);
            let within = *key >= *from && to.is_none_or(|to| *key < *to);
            let ascends = last.as_ref().is_none_or(|last| *last < key);
            last = Some(key);
            within && ascends
        })
    }

    /// The cell of this key, or the one that it would come before.
    pub(crate) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        let prefix = self.prefix();
        let Some(rest) = key.strip_prefix(prefix) else {
            return Err(if key < prefix { 0 } else { self.len() });
        };
        let head = Some(head(rest));
        let (mut from, mut to) = (0usize, self.len());
        while from < to {
            let middle = from.midpoint(to);
            match self.head_at(middle).cmp(&head).then_with(|| self.suffix(middle).cmp(rest)) {
                Ordering::Less => from = middle.saturating_add(1),
                Ordering::Greater => to = middle,
                Ordering::Equal => return Ok(middle),
            }
        }
        Err(from)
    }

    /// The cell of a branch below which `key` is, if it is anywhere.
    pub(crate) fn child_of(&self, key: &[u8]) -> usize {
        self.search(key).unwrap_or_else(|behind| behind.saturating_sub(1))
    }

    /// Where a cell of a branch leads.
    pub(crate) fn child(&self, index: usize) -> Result<Pointer, Fault> {
        Pointer::read(&mut Reader::new(self.payload(index)))
    }

    /// Whether the value of a cell of a leaf is in it.
    #[inline]
    pub(crate) fn is_inline(&self, index: usize) -> bool {
        self.payload(index).first().is_none_or(|flags| flags & (RECORD | OBJECT) == 0)
    }

    /// The key of a cell of a leaf, without the prefix, and its entry.
    #[inline]
    pub(crate) fn cell(&self, index: usize) -> (&[u8], Result<LeafEntry<'_>, Fault>) {
        let (suffix, payload) = self.split_cell(index);
        (suffix, LeafEntry::decode(payload))
    }

    /// The entry in a cell of a leaf.
    #[inline]
    pub(crate) fn entry(&self, index: usize) -> Result<LeafEntry<'_>, Fault> {
        LeafEntry::decode(self.payload(index))
    }

    #[inline]
    pub(crate) fn payload(&self, index: usize) -> &[u8] {
        self.split_cell(index).1
    }

    /// The key of a cell, without the prefix, and the payload.
    #[inline]
    fn split_cell(&self, index: usize) -> (&[u8], &[u8]) {
        let cell = self.bytes.get(self.cell_at(index)..self.cell_end(index)).unwrap_or_default();
        let (len, rest) = split_len(cell);
        rest.split_at_checked(len).unwrap_or_default()
    }

    /// What the keys of all cells begin with.
    #[inline]
    pub(crate) fn prefix(&self) -> &[u8] {
        self.bytes.get(HEADER_LEN..self.slots_at()).unwrap_or_default()
    }

    /// The key of a cell, without the prefix.
    #[inline]
    pub(crate) fn suffix(&self, index: usize) -> &[u8] {
        let (len, rest) = split_len(self.bytes.get(self.cell_at(index)..).unwrap_or_default());
        rest.get(..len).unwrap_or_default()
    }

    const fn slots_at(&self) -> usize {
        HEADER_LEN.saturating_add(self.prefix_len as usize)
    }

    #[inline]
    fn slots(&self) -> &[[u8; SLOT_LEN]] {
        let slots = self.bytes.get(self.slots_at()..).unwrap_or_default().as_chunks().0;
        slots.get(..self.len()).unwrap_or_default()
    }

    fn head_at(&self, index: usize) -> Option<u32> {
        self.slots().get(index).map(|&[_, _, head @ ..]| u32::from_le_bytes(head))
    }

    #[inline]
    fn cell_at(&self, index: usize) -> usize {
        let slot = self.slots().get(index);
        slot.map_or(self.end(), |&[low, high, ..]| usize::from(u16::from_le_bytes([low, high])))
    }

    #[inline]
    fn cell_end(&self, index: usize) -> usize {
        self.cell_at(index.saturating_add(1))
    }
}

/// The length that a cell begins with, and the rest.
fn split_len(cell: &[u8]) -> (usize, &[u8]) {
    let (len, rest) = cell.split_first_chunk().unwrap_or((&[0; CELL_LEN], &[]));
    (usize::from(u16::from_le_bytes(*len)), rest)
}

/// What stands in the slot of a cell, by the rest of its key: the first bytes as a number, so that it
/// compares as they do; zeros for those that it lacks.
pub(super) fn head(suffix: &[u8]) -> u32 {
    let byte = |index: usize| u32::from(suffix.get(index).copied().unwrap_or(0));
    byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3)
}
