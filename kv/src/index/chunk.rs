//! Rows in key order, a leaf at a time.

use super::cursor::{Cursor, Pins, Stop};
use super::delta::{Delta, Point};
use super::sources::{Index, Memory, State};
use crate::clock::Timestamp;
use crate::error::{Corruption, Part};
use crate::format::index_key::IndexKey;
use crate::format::node::{LeafEntry, LeafValue, Node};
use crate::format::pointer::Pointer;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::iter::Peekable;
use core::ops::Range;

/// Keys that memory has and that are looked at together.
const STATES_MAX: usize = 256;

/// Where a copy is among the bytes of a chunk.
#[derive(Clone, Debug)]
struct Copied {
    key: Range<usize>,
    sequence: u64,
    modified: Timestamp,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Inline { bytes: Range<usize>, timed: bool },
    Record { size: u64, record: Pointer },
}

/// Where a row is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In this cell of the leaf.
    Cell(usize),
    /// Among the copies.
    Copy(usize),
}

/// A key that has a value, with what the index holds for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) entry: LeafEntry<'a>,
}

/// The rows of one leaf and what memory has among them. What is in the leaf stays there; where memory
/// hides ranges of it, and what memory has, is copied.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    leaf: Option<Node>,
    rows: Vec<Place>,
    copies: Vec<Copied>,
    /// Keys and values of the copies.
    bytes: Vec<u8>,
    /// Of the last cell that was lent.
    key: Vec<u8>,
    /// Where the next chunk begins; `None` if nothing follows.
    pub(crate) next: Option<Vec<u8>>,
}

impl Chunk {
    /// Empty, with the first chunk to come from `from` on.
    pub(crate) fn before(from: &[u8]) -> Self {
        Self { next: Some(from.to_vec()), ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn row(&mut self, index: usize) -> Option<Row<'_>> {
        let key = match *self.rows.get(index)? {
            Place::Cell(cell) => {
                self.key.clear();
                self.leaf.as_ref()?.put_key(cell, &mut self.key);
                &self.key
            }
            Place::Copy(copy) => self.bytes.get(self.copies.get(copy)?.key.clone())?,
        };
        Some(Row { key, entry: self.entry(index)? })
    }

    /// What a row has besides its key.
    pub(crate) fn entry(&self, index: usize) -> Option<LeafEntry<'_>> {
        let copy = match *self.rows.get(index)? {
            Place::Cell(cell) => return self.leaf.as_ref()?.entry(cell).ok(),
            Place::Copy(copy) => copy,
        };
        let Copied { sequence, modified, value, .. } = self.copies.get(copy)?;
        let value = match value {
            Value::Inline { bytes, timed } => {
                LeafValue::Inline { bytes: self.bytes.get(bytes.clone())?, timed: *timed }
            }
            Value::Record { size, record } => LeafValue::Record { size: *size, record: *record },
        };
        Some(LeafEntry { sequence: *sequence, modified: *modified, value })
    }

    /// The first row whose key is not below `key`.
    pub(crate) fn position(&mut self, key: &[u8]) -> usize {
        let (mut from, mut to) = (0, self.rows.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            if self.row(middle).is_some_and(|row| row.key < key) {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        from
    }

    fn clear(&mut self) {
        self.leaf = None;
        self.rows.clear();
        self.copies.clear();
        self.bytes.clear();
        self.next = None;
    }

    fn put(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    fn push(&mut self, key: &[u8], entry: &LeafEntry<'_>) {
        let key = self.put(key);
        let value = match entry.value {
            LeafValue::Inline { bytes, timed } => Value::Inline { bytes: self.put(bytes), timed },
            LeafValue::Record { size, record } => Value::Record { size, record },
        };
        let LeafEntry { sequence, modified, .. } = *entry;
        self.rows.push(Place::Copy(self.copies.len()));
        self.copies.push(Copied { key, sequence, modified, value });
    }

    /// Takes the rows of both, the newer ones first, where memory hides no ranges. Tells where it has
    /// stopped before the end.
    fn merge<'a>(
        &mut self,
        (leaf, cells): (Option<&Node>, Range<usize>),
        mut states: States<'a, impl Iterator<Item = KeyPoint<'a>>>,
    ) -> Option<Vec<u8>> {
        let Range { start: mut cell, end } = cells;
        let mut taken = 0;
        while let Some((key, entry)) = states.next() {
            let key = key.as_bytes();
            let (at, next) = match leaf.map_or(Err(cell), |leaf| leaf.search(key)) {
                Ok(at) => (at, at.saturating_add(1)),
                Err(at) => (at, at),
            };
            self.rows.extend((cell..at).map(Place::Cell));
            cell = cell.max(at);
            if taken == STATES_MAX {
                return Some(key.to_vec());
            }
            taken += 1;
            cell = cell.max(next);
            if let Some(entry) = entry {
                self.push(key, &entry.as_leaf());
            }
        }
        self.rows.extend((cell..end).map(Place::Cell));
        None
    }
}

impl Index {
    /// Fills `chunk` with the next rows from `from` on and below `to`: at least one, or none up to
    /// where the next chunk begins.
    pub(crate) fn fill(
        &mut self,
        chunk: &mut Chunk,
        from: &[u8],
        to: &[u8],
        pins: &Pins,
    ) -> Result<(), Stop> {
        chunk.clear();
        let (memory, mut tree) = self.split(pins);
        let part = Stretch::find(memory, &mut tree, (from, to))?;
        let upper = part.end.as_deref().unwrap_or(to);
        if memory.hides_any(from, upper) {
            chunk.next = part.visible(memory, (from, to), |key, entry| {
                chunk.push(key, entry);
                true
            })?;
            return Ok(());
        }
        let cells = part.leaf.as_ref().map_or(0..0, |(leaf, cell)| match part.end {
            Some(_) => *cell..leaf.len(),
            None => *cell..leaf.search(to).unwrap_or_else(|behind| behind),
        });
        chunk.leaf = part.leaf.as_ref().map(|(leaf, _)| leaf.clone());
        let leaf = part.leaf.as_ref().map(|(leaf, _)| leaf);
        let next = chunk.merge((leaf, cells), states(memory, from, upper));
        chunk.next = next.or(part.end);
        Ok(())
    }
}

/// Shows `each` the rows from `from` on and below `to` in key order, as far as one leaf goes or until
/// it wants no more, and tells where those begin that follow, if any can.
pub(super) fn visible(
    memory: Memory<'_>,
    tree: &mut Cursor<'_>,
    range: (&[u8], &[u8]),
    each: impl FnMut(&[u8], &LeafEntry<'_>) -> bool,
) -> Result<Option<Vec<u8>>, Stop> {
    Stretch::find(memory, tree, range)?.visible(memory, range, each)
}

/// What one leaf has of a range.
struct Stretch {
    /// From this cell on.
    leaf: Option<(Node, usize)>,
    /// Where what follows is in the next leaf, if that is within the range.
    end: Option<Vec<u8>>,
}

impl Stretch {
    fn find(
        memory: Memory<'_>,
        tree: &mut Cursor<'_>,
        (from, to): (&[u8], &[u8]),
    ) -> Result<Self, Stop> {
        let mut seen = from;
        while let Some((_, end)) = memory.cut_of(seen) {
            seen = end;
        }
        if seen >= to {
            return Ok(Self { leaf: None, end: None });
        }
        tree.seek(seen)?;
        let end = tree.leaf_end().filter(|end| **end < *to);
        // In a tree out of order a walk would run in circles.
        if end.as_deref().is_some_and(|end| end <= from) {
            return Err(tree.out_of_order());
        }
        Ok(Self { leaf: tree.leaf().cloned(), end })
    }

    /// As the function of that name.
    fn visible(
        self,
        memory: Memory<'_>,
        (from, to): (&[u8], &[u8]),
        each: impl FnMut(&[u8], &LeafEntry<'_>) -> bool,
    ) -> Result<Option<Vec<u8>>, Stop> {
        let leaf = self.leaf.as_ref();
        let cell = leaf.map_or(0, |(_, cell)| *cell);
        let mut cells = Cells { leaf: leaf.map(|(leaf, _)| leaf), cell, key: Vec::new() };
        cells.settle(memory, to);
        let states = states(memory, from, self.end.as_deref().unwrap_or(to));
        Ok(merge(states, cells, memory, to, each)?.or(self.end))
    }
}

/// Shows `each` the rows of both, in key order; where both have the key, of the states. Tells where it
/// has stopped before the end.
fn merge<'a>(
    mut states: States<'a, impl Iterator<Item = KeyPoint<'a>>>,
    mut cells: Cells<'_>,
    memory: Memory<'_>,
    to: &[u8],
    mut each: impl FnMut(&[u8], &LeafEntry<'_>) -> bool,
) -> Result<Option<Vec<u8>>, Stop> {
    let mut taken = 0;
    loop {
        let order = match (states.peek(), cells.leaf) {
            (None, None) => return Ok(None),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((key, _)), Some(_)) => key.as_bytes().cmp(&cells.key),
        };
        let mut more = true;
        if order != Ordering::Greater {
            let Some((key, entry)) = states.next() else { return Ok(None) };
            if taken >= STATES_MAX {
                return Ok(Some(key.as_bytes().to_vec()));
            }
            taken += 1;
            more = entry.is_none_or(|entry| each(key.as_bytes(), &entry.as_leaf()));
        }
        if order != Ordering::Less {
            if order == Ordering::Greater
                && let Some(entry) = cells.entry()?
            {
                more = each(&cells.key, &entry);
            }
            cells.cell += 1;
            cells.settle(memory, to);
        }
        if !more {
            return Ok(None);
        }
    }
}

/// The visible cells of a leaf.
struct Cells<'a> {
    /// `None` when there is none left.
    leaf: Option<&'a Node>,
    cell: usize,
    /// The key of the cell.
    key: Vec<u8>,
}

impl<'a> Cells<'a> {
    /// Goes on to the next cell that is visible, unless this one is.
    fn settle(&mut self, memory: Memory<'_>, to: &[u8]) {
        while let Some(leaf) = self.leaf {
            self.key.clear();
            leaf.put_key(self.cell.min(leaf.len()), &mut self.key);
            if self.cell >= leaf.len() || *self.key >= *to {
                self.leaf = None;
            } else if memory.cut_of(&self.key).is_some() {
                self.cell += 1;
            } else {
                return;
            }
        }
    }

    fn entry(&self) -> Result<Option<LeafEntry<'a>>, Stop> {
        let Some(leaf) = self.leaf else { return Ok(None) };
        let damaged = |fault| Stop::Corrupt(Corruption { part: Part::Node, at: leaf.at(), fault });
        leaf.entry(self.cell).map(Some).map_err(damaged)
    }
}

type KeyPoint<'a> = (&'a IndexKey, &'a Point);

/// The newest states of keys, from both deltas, in key order.
struct States<'a, I: Iterator<Item = KeyPoint<'a>>> {
    memory: Memory<'a>,
    newer: Peekable<I>,
    older: Peekable<I>,
}

/// The states from `from` on and below `to`.
fn states<'a>(
    memory: Memory<'a>,
    from: &'a [u8],
    to: &'a [u8],
) -> States<'a, impl Iterator<Item = KeyPoint<'a>>> {
    let points = |delta: Option<&'a Delta>| {
        delta.into_iter().flat_map(move |delta| delta.points(from, Some(to))).peekable()
    };
    States { memory, newer: points(Some(memory.delta)), older: points(memory.frozen) }
}

impl<'a, I: Iterator<Item = KeyPoint<'a>>> States<'a, I> {
    fn peek(&mut self) -> Option<State<'a>> {
        let (newer, older) = (self.newer.peek().copied(), self.older.peek().copied());
        self.memory.newest(newer, older, |older, newer| older < newer)
    }

    fn next(&mut self) -> Option<State<'a>> {
        let (key, entry) = self.peek()?;
        self.newer.next_if(|(newer, _)| *newer == key);
        self.older.next_if(|(older, _)| *older == key);
        Some((key, entry))
    }
}
