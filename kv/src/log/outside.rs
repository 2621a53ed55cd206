//! Room outside the chain, for nodes, tables and survivors.
//!
//! Invariants:
//! - It lies behind the last bytes of an open segment, or in a segment that was free: nothing durable
//!   names it.
//! - It never reaches beyond its segment.

use super::segments::Segments;
use crate::error::Error;
use crate::format::layout::Layout;
use crate::format::place::Place;
use alloc::vec::Vec;

/// Bytes that are not on the device yet.
#[derive(Debug)]
pub(super) struct Outside {
    pub(super) layout: Layout,
    /// Where the next ones go.
    pub(super) open: Option<Place>,
    /// Segments that may still be taken, the next one last.
    pub(super) free: Vec<u32>,
    /// Segments that were taken.
    pub(super) taken: Vec<u32>,
    /// Bytes that lie together, and where.
    pub(super) runs: Vec<(u64, Vec<u8>)>,
}

impl Outside {
    /// None yet. They go on at `open`, and take `spare` segments at most.
    pub(super) fn new(
        layout: Layout,
        segments: &Segments,
        open: Option<Place>,
        spare: u32,
    ) -> Self {
        // The chain takes the lowest: so it finds what lies beyond its end.
        let mut free: Vec<_> = segments.free_segments().rev().take(spare as usize).collect();
        free.reverse();
        Self { layout, open, free, taken: Vec::new(), runs: Vec::new() }
    }

    /// Bytes that are left in the open segment.
    pub(super) fn room(&self) -> u64 {
        self.layout.rest(self.open)
    }

    /// Finds room for `len` bytes, which must be pushed next.
    ///
    /// # Errors
    /// `NoSpace`, also if no segment is so long.
    pub(super) fn place(&mut self, len: usize) -> Result<u64, Error> {
        let blocks = self.layout.blocks(len as u64);
        let here = self.open.filter(|_| self.room() >= len as u64);
        let place = if let Some(place) = here {
            place
        } else {
            let fits = len as u64 <= self.layout.segment_len();
            let no_space = Error::NoSpace { needed: len as u64, free: 0 };
            let segment = self.free.pop().filter(|_| fits).ok_or(no_space)?;
            self.taken.push(segment);
            Place { segment, block: 0 }
        };
        let block = place.block.saturating_add(u32::try_from(blocks).unwrap_or(u32::MAX));
        self.open = Some(Place { block, ..place });
        Ok(self.layout.at(place.segment, place.block))
    }

    /// These whole blocks will lie at `at`.
    pub(super) fn push(&mut self, at: u64, bytes: &[u8]) {
        let in_block_0 = self.open.is_some_and(|open| self.layout.at(open.segment, 0) == at);
        match self.runs.last_mut() {
            Some((start, run)) if *start + run.len() as u64 == at && !in_block_0 => {
                run.extend_from_slice(bytes);
            }
            _ => self.runs.push((at, bytes.to_vec())),
        }
    }
}
