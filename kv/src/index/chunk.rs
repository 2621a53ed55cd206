//! Rows in key order, lent out of leaves and out of copies of what memory has among them.

use super::cursor::{Cursor, Pins, Stop};
use super::delta::Delta;
use super::entry::Entry;
use super::sources::{Index, Memory};
use crate::format::index_key::IndexKey;
use crate::format::node::{LeafEntry, Node};
use alloc::vec::Vec;
use core::ops::Range;

/// Leaves of a chunk, if so many are in memory: a chunk reads one at most.
const LEAVES_MAX: usize = 16;

/// Keys that memory has and that are looked at together.
const STATES_MAX: usize = 256;

/// Rows that follow each other, all from one place.
#[derive(Clone, Debug)]
struct Run {
    /// The leaf that they are in; copies, if there is none.
    leaf: Option<usize>,
    rows: Range<usize>,
}

/// A key that has a value, with what the index holds for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    /// The key, in two parts.
    pub(crate) key: [&'a [u8]; 2],
    pub(crate) entry: LeafEntry<'a>,
}

impl Row<'_> {
    pub(crate) fn index_key(&self) -> IndexKey {
        IndexKey::from_checked(&self.key.concat())
    }
}

/// The rows of some leaves and of what memory has among them, and the one that it is at. What is in
/// the leaves stays there; what memory has is copied.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    leaves: Vec<Node>,
    copies: Vec<(IndexKey, Entry)>,
    runs: Vec<Run>,
    /// The run that has the row, and those that follow.
    run: usize,
    row: usize,
    /// Where the next chunk begins; `None` if nothing follows.
    pub(crate) next: Option<Vec<u8>>,
}

impl Chunk {
    /// Empty, with the first chunk to come from `from` on.
    pub(crate) fn before(from: &[u8]) -> Self {
        Self { next: Some(from.to_vec()), ..Self::default() }
    }

    /// Goes on to the next row, if there is one.
    #[inline]
    pub(crate) fn advance(&mut self) -> bool {
        while let Some(run) = self.runs.get_mut(self.run) {
            if let Some(row) = run.rows.next() {
                self.row = row;
                return true;
            }
            self.run += 1;
        }
        false
    }

    /// The row that it is at. (The entries of nodes are proven.)
    #[inline]
    pub(crate) fn row(&self) -> Option<Row<'_>> {
        let run = self.runs.get(self.run)?;
        if let Some(leaf) = run.leaf {
            let leaf = self.leaves.get(leaf)?;
            let (suffix, entry) = leaf.cell(self.row);
            return Some(Row { key: [leaf.prefix(), suffix], entry: entry.ok()? });
        }
        let (key, entry) = self.copies.get(self.row)?;
        Some(Row { key: [key.as_bytes(), &[]], entry: entry.as_leaf() })
    }

    /// Whether the value of the row is here.
    #[inline]
    pub(crate) fn is_inline(&self) -> bool {
        let Some(run) = self.runs.get(self.run) else { return true };
        match run.leaf.map(|leaf| self.leaves.get(leaf)) {
            Some(leaf) => leaf.is_none_or(|leaf| leaf.is_inline(self.row)),
            None => self.copies.get(self.row).is_none_or(|(_, entry)| entry.as_leaf().is_inline()),
        }
    }

    /// Leaves out the rows below `key` that follow.
    pub(crate) fn skip_to(&mut self, key: &[u8]) {
        let follow = self.runs.get(self.run..).unwrap_or_default();
        self.run += follow.partition_point(|run| self.position(run, key) >= run.rows.end);
        let start = self.runs.get(self.run).map(|run| self.position(run, key));
        match (self.runs.get_mut(self.run), start) {
            (Some(run), Some(start)) => run.rows.start = run.rows.start.max(start),
            _ => self.next = self.next.take().map(|next| next.max(key.to_vec())),
        }
    }

    /// The first row of where a run is whose key is not below `key`.
    fn position(&self, run: &Run, key: &[u8]) -> usize {
        match run.leaf.and_then(|leaf| self.leaves.get(leaf)) {
            Some(leaf) => leaf.search(key).unwrap_or_else(|behind| behind),
            None => self.copies.partition_point(|(copy, _)| copy.as_bytes() < key),
        }
    }

    fn clear(&mut self) {
        self.leaves.clear();
        self.copies.clear();
        self.runs.clear();
        (self.run, self.row, self.next) = (0, 0, None);
    }

    /// Fills it with the next rows from `from` on and below `to`: at least one, or none up to where
    /// the next chunk begins. It takes so many leaves at most, and so many copies.
    fn fill(
        &mut self,
        memory: Memory<'_>,
        tree: &mut Cursor<'_>,
        (from, to): (&[u8], &[u8]),
        (leaves, copies): (usize, usize),
    ) -> Result<(), Stop> {
        self.clear();
        let mut seen = from;
        while let Some((_, end)) = memory.cut_of(seen) {
            seen = end;
        }
        let (mut end, mut cell) = (None, 0);
        if seen < to {
            tree.seek(seen)?;
            cell = tree.leaf().map_or(0, |(_, cell)| *cell);
            end = self.take_leaves(tree, memory, to, leaves)?;
        }
        let upper = end.as_deref().unwrap_or(to);
        let mut merge = Merge { memory, cuts: memory.hides_any(from, upper), leaf: 0, cell };
        for (looked_at, (key, entry)) in memory.states(from, upper).enumerate() {
            if looked_at == STATES_MAX || self.copies.len() == copies {
                self.next = Some(key.as_bytes().to_vec());
                break;
            }
            merge.cells_below(self, Some(key.as_bytes()));
            if let Some(entry) = entry {
                let row = self.copies.len();
                self.copies.push((key.clone(), entry.clone()));
                push(&mut self.runs, None, row..row + 1);
            }
        }
        let full = self.next.take();
        // All of the leaves is below where they end.
        merge.cells_below(self, full.as_deref().or(end.is_none().then_some(to)));
        self.next = full.or(end);
        // In a tree out of order a walk would run in circles.
        if self.next.as_deref().is_some_and(|next| next <= from) {
            return Err(tree.out_of_order());
        }
        Ok(())
    }

    /// Takes the leaf where the cursor is, and those behind it that are in memory. Tells which key
    /// below `to` they end at, if any.
    fn take_leaves(
        &mut self,
        tree: &mut Cursor<'_>,
        memory: Memory<'_>,
        to: &[u8],
        most: usize,
    ) -> Result<Option<Vec<u8>>, Stop> {
        while let Some((leaf, _)) = tree.leaf() {
            self.leaves.push(leaf.clone());
            let Some(end) = tree.leaf_end().filter(|end| **end < *to) else { break };
            if self.leaves.len() >= most || memory.cut_of(&end).is_some() {
                return Ok(Some(end));
            }
            match tree.next_leaf() {
                Err(Stop::Wanted(..)) => return Ok(Some(end)),
                told => told?,
            }
        }
        Ok(None)
    }
}

/// Leaves on their way into the runs of their chunk.
struct Merge<'m> {
    memory: Memory<'m>,
    /// Whether memory hides anything in them by cuts.
    cuts: bool,
    /// Where the rest begins.
    leaf: usize,
    cell: usize,
}

impl Merge<'_> {
    /// Takes the cells whose keys are below `key`, or all that are left, and leaves out the one that
    /// has this key: there is something newer.
    fn cells_below(&mut self, chunk: &mut Chunk, key: Option<&[u8]>) {
        while let Some(leaf) = chunk.leaves.get(self.leaf) {
            let found = key.map_or(Err(leaf.len()), |key| leaf.search(key));
            let start = self.cell;
            let end = found.unwrap_or_else(|end| end).max(start);
            if self.cuts {
                let seen = |cell: &usize| self.memory.cut_of(&leaf.key(*cell)).is_none();
                for cell in (start..end).filter(seen) {
                    push(&mut chunk.runs, Some(self.leaf), cell..cell + 1);
                }
            } else {
                push(&mut chunk.runs, Some(self.leaf), start..end);
            }
            self.cell = if found == Ok(end) { end + 1 } else { end };
            if end < leaf.len() {
                return;
            }
            (self.leaf, self.cell) = (self.leaf + 1, 0);
        }
    }
}

fn push(runs: &mut Vec<Run>, leaf: Option<usize>, rows: Range<usize>) {
    match runs.last_mut() {
        Some(last) if last.leaf == leaf && last.rows.end == rows.start => last.rows.end = rows.end,
        _ if rows.is_empty() => {}
        _ => runs.push(Run { leaf, rows }),
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
        let (memory, mut tree) = self.split(pins);
        chunk.fill(memory, &mut tree, (from, to), (LEAVES_MAX, STATES_MAX))
    }

    /// The same of what the tree has, hidden or not.
    pub(crate) fn fill_from_tree(
        &mut self,
        chunk: &mut Chunk,
        from: &[u8],
        to: &[u8],
        pins: &Pins,
    ) -> Result<(), Stop> {
        let (_, mut tree) = self.split(pins);
        let nothing = Memory { delta: &Delta::default(), frozen: None };
        chunk.fill(nothing, &mut tree, (from, to), (LEAVES_MAX, STATES_MAX))
    }
}

/// Whether any key of a range has a value, as far as one leaf goes; if not, where the rest begins, if
/// there is any.
pub(super) fn any(
    memory: Memory<'_>,
    tree: &mut Cursor<'_>,
    range: (&[u8], &[u8]),
) -> Result<(bool, Option<Vec<u8>>), Stop> {
    let mut chunk = Chunk::default();
    chunk.fill(memory, tree, range, (1, 1))?;
    Ok((!chunk.runs.is_empty(), chunk.next))
}
