//! Cells on their way into nodes.

use super::view::{CELL_LEN, CHECKED_FROM, HEADER_LEN, MAGIC, SLOT_LEN, head};
use crate::format::bytes::Put;
use crate::format::check::check;
use alloc::vec::Vec;

/// What a node may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of a node.
    pub(crate) len: u32,
    /// Cells of a node, at least 2.
    pub(crate) cells: usize,
}

/// Where a cell is among the bytes of a [`Pack`].
#[derive(Clone, Copy, Debug)]
struct Cell {
    start: usize,
    key_len: usize,
    end: usize,
}

/// Cells in key order that are not in a node yet.
#[derive(Debug, Default)]
pub(crate) struct Pack {
    bytes: Vec<u8>,
    cells: Vec<Cell>,
}

impl Pack {
    /// Adds a cell behind the others.
    pub(crate) fn push(&mut self, key: &[u8], payload: &[u8]) {
        let start = self.bytes.len();
        self.bytes.put(key).put(payload);
        self.cells.push(Cell { start, key_len: key.len(), end: self.bytes.len() });
    }

    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    pub(crate) fn key(&self, index: usize) -> &[u8] {
        self.cells.get(index).map_or(&[], |cell| self.split(cell).0)
    }

    pub(crate) fn payload(&self, index: usize) -> &[u8] {
        self.cells.get(index).map_or(&[], |cell| self.split(cell).1)
    }

    /// Bytes of a node of the first `count` cells, without what fills the last block.
    pub(crate) fn node_len(&self, count: usize) -> usize {
        let prefix_len = self.prefix_len(count);
        let start = self.cells.first().map_or(0, |cell| cell.start);
        let last = count.checked_sub(1).and_then(|last| self.cells.get(last));
        let cells = last.map_or(0, |last| last.end.saturating_sub(start));
        HEADER_LEN
            .saturating_add(prefix_len)
            .saturating_add(cells)
            .saturating_add(count.saturating_mul(SLOT_LEN + CELL_LEN))
            .saturating_sub(count.saturating_mul(prefix_len))
    }

    /// Whether a node can hold the first `count` cells.
    pub(crate) fn fits(&self, count: usize, limits: Limits) -> bool {
        // Places in a node are 16 bits.
        let len = (limits.len as usize).min(usize::from(u16::MAX));
        count <= limits.cells && self.node_len(count) <= len
    }

    /// How many of the first cells a full node holds.
    pub(crate) fn most(&self, limits: Limits) -> usize {
        let (mut from, mut to) = (0, self.cells.len());
        while from < to {
            let middle = to.saturating_sub(to.saturating_sub(from) / 2);
            if self.fits(middle, limits) {
                from = middle;
            } else {
                to = middle.saturating_sub(1);
            }
        }
        from
    }

    /// How many of the first cells make about half of all bytes, at least 1.
    pub(crate) fn half(&self) -> usize {
        let half = self.bytes.len() / 2;
        self.cells.partition_point(|cell| cell.end <= half).max(1)
    }

    /// Takes the first `count` cells out, as a node that will lie at `at`: its bytes and its check.
    pub(crate) fn take_node(
        &mut self,
        count: usize,
        level: u8,
        (birth, at): (u64, u64),
        block_len: u32,
    ) -> (Vec<u8>, u32) {
        let (prefix_len, end) = (self.prefix_len(count), self.node_len(count));
        let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        let whole = end.checked_next_multiple_of(block_len as usize).unwrap_or(end);
        let mut bytes = Vec::with_capacity(whole);
        bytes.put(&MAGIC).put_u32(0).put_u64(birth).put_u64(at).put_u8(level).put_u8(0);
        bytes.put_u16(short(count)).put_u16(short(prefix_len)).put_u16(short(end));
        bytes.put(self.key(0).get(..prefix_len).unwrap_or_default());
        let taken = self.cells.get(..count).unwrap_or_default();
        let mut cell_at = bytes.len().saturating_add(count.saturating_mul(SLOT_LEN));
        for cell in taken {
            let suffix = self.split(cell).0.get(prefix_len..).unwrap_or_default();
            bytes.put_u16(short(cell_at)).put_u32(head(suffix));
            let len = cell.end.saturating_sub(cell.start).saturating_sub(prefix_len);
            cell_at = cell_at.saturating_add(CELL_LEN).saturating_add(len);
        }
        for cell in taken {
            let (key, payload) = self.split(cell);
            let suffix = key.get(prefix_len..).unwrap_or_default();
            bytes.put_u16(short(suffix.len())).put(suffix).put(payload);
        }
        bytes.resize(whole, 0);
        let check = check(bytes.get(CHECKED_FROM..).unwrap_or_default());
        if let Some(field) = bytes.get_mut(MAGIC.len()..CHECKED_FROM) {
            field.copy_from_slice(&check.to_le_bytes());
        }
        self.drop_first(count);
        (bytes, check)
    }

    fn drop_first(&mut self, count: usize) {
        let count = count.min(self.cells.len());
        self.cells.drain(..count);
        let taken = self.cells.first().map_or(self.bytes.len(), |cell| cell.start);
        self.bytes.drain(..taken);
        for cell in &mut self.cells {
            cell.start = cell.start.saturating_sub(taken);
            cell.end = cell.end.saturating_sub(taken);
        }
    }

    /// Bytes that the keys of the first `count` cells begin with: what the first and the last share.
    fn prefix_len(&self, count: usize) -> usize {
        let last = self.key(count.saturating_sub(1));
        common(self.key(0), last)
    }

    fn split(&self, cell: &Cell) -> (&[u8], &[u8]) {
        let bytes = self.bytes.get(cell.start..cell.end).unwrap_or_default();
        bytes.split_at_checked(cell.key_len).unwrap_or_default()
    }
}

fn common(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

/// The shortest key above `left` and not above `right`, which is the greater one.
pub(crate) fn separator<'a>(left: &[u8], right: &'a [u8]) -> &'a [u8] {
    let len = common(left, right).saturating_add(1);
    right.get(..len).unwrap_or(right)
}
