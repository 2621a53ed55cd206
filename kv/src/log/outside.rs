//! Room outside the chain, for nodes, tables and survivors.
//!
//! Invariants:
//! - It lies behind the last bytes of an open segment, or in a segment that was free: nothing durable
//!   names it.
//! - It never reaches beyond its segment.

use super::segments::Segments;
use crate::error::Error;
use crate::format::FRAME_LEN_MAX;
use crate::format::layout::Layout;
use crate::format::place::Place;
use crate::format::survivors::HEADER_LEN;
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

    /// Finds room for the first of these records, as many as lie together behind one header: in the
    /// open segment, or where not even one fits there, in a new one, which holds any record. Tells
    /// where, how many they are, and their bytes.
    ///
    /// # Errors
    /// `NoSpace`.
    pub(super) fn place_run(&mut self, lens: &[u64]) -> Result<(u64, usize, usize), Error> {
        let here = fitting(lens, self.room());
        let count = if here > 0 { here } else { fitting(lens, self.layout.segment_len()).max(1) };
        let len = lens.iter().take(count).fold(0, |sum: u64, len| sum.saturating_add(*len));
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        Ok((self.place(len.saturating_add(HEADER_LEN))?, count, len))
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

/// How many records of these lengths fit `room` bytes behind a header. A run is no longer than a frame:
/// so what reads it has a bound.
fn fitting(lens: &[u64], room: u64) -> usize {
    let room = room.min(u64::from(FRAME_LEN_MAX));
    let mut len = HEADER_LEN as u64;
    let fits = |record: &&u64| {
        len = len.saturating_add(**record);
        len <= room
    };
    lens.iter().take_while(fits).count()
}

/// Bytes that records of these lengths take from `open` on, with the ends of segments that they can't
/// fill.
pub(super) fn packed_len(layout: &Layout, open: Option<Place>, mut lens: &[u64]) -> u64 {
    let (mut taken, mut room) = (0u64, layout.rest(open));
    while !lens.is_empty() {
        let mut count = fitting(lens, room);
        if count == 0 {
            taken = taken.saturating_add(room);
            room = layout.segment_len();
            count = fitting(lens, room).max(1);
        }
        let (run, behind) = lens.split_at_checked(count).unwrap_or((lens, &[]));
        let records = run.iter().fold(HEADER_LEN as u64, |sum, len| sum.saturating_add(*len));
        let whole = layout.whole(records);
        (taken, room, lens) = (taken.saturating_add(whole), room.saturating_sub(whole), behind);
    }
    taken
}
