//! The cleaner: what is still needed of a segment that is mostly dead is moved, so that the segment can
//! be used again.
//!
//! When a segment's count of live bytes has come to nothing, `release` frees it. Victims are those of
//! which least is live. Some bytes may stay: what a removal hides counts until it is merged, and what
//! is damaged is left where it is. Such a segment is not looked at again before the tail has moved.
//!
//! Invariant: a batch is given up before anything is written if it takes as much room as it frees. What
//! it frees is what was looked through, and of a segment that is not at its end no more than that; what
//! it takes counts all nodes above those that are moved. So cleaning ends.

mod nodes;
mod records;

use super::Store;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::place::Place;
use crate::log::{Kind, Log};
use alloc::vec::Vec;

/// Bytes of segments that are looked through for each byte of a batch: mostly dead ones have little to
/// move.
const SEGMENTS_A_BATCH: u64 = 8;

/// Segments that are being cleaned.
struct Victims {
    kind: Kind,
    /// The most that may be live in one.
    most: u64,
    /// The next block of one that was begun before.
    resumed: Option<Place>,
    /// Those that have been looked through.
    passed: Vec<u32>,
    /// Those of them in which everything was found that counts as live.
    freed: u32,
    /// Bytes that were looked through, but for those of the others.
    emptied: u64,
    /// The same of the segment that is being looked through.
    emptied_here: u64,
    /// The others.
    hopeless: Vec<u32>,
    /// How many may be looked through.
    limit: usize,
}

impl Victims {
    /// The next block to look at.
    fn next(&self, log: &mut Log) -> Option<Place> {
        let resumed = log.cleaning_mut(self.kind).take();
        let segment = || log.victim(self.kind, self.most, &self.passed);
        let more = self.passed.len() < self.limit;
        resumed.or_else(|| more.then(segment)?.map(|segment| Place { segment, block: 0 }))
    }

    /// All of `place` has been looked at; what is next begins with block `behind`. `found` bytes of the
    /// segment are needed.
    fn pass(&mut self, log: &mut Log, place: Place, behind: u32, found: u64) {
        let layout = log.superblock().layout;
        let blocks = u64::from(behind.saturating_sub(place.block));
        self.emptied_here += blocks.saturating_mul(layout.block_len.into());
        if behind < layout.segment_blocks {
            *log.cleaning_mut(self.kind) = Some(Place { block: behind, ..place });
            return;
        }
        self.passed.push(place.segment);
        if found >= log.segments.live_in(place.segment) {
            self.freed += 1;
            self.emptied = self.emptied();
        } else {
            self.hopeless.push(place.segment);
        }
        self.emptied_here = 0;
    }

    /// Bytes that are free when what was found has moved.
    const fn emptied(&self) -> u64 {
        self.emptied.saturating_add(self.emptied_here)
    }

    /// If all is `done` that could be, what is left in the victims stays for now; if not, nothing has
    /// come of looking.
    fn end(self, log: &mut Log, done: bool) {
        if done {
            self.hopeless.into_iter().for_each(|segment| log.segments.give_up(segment));
        } else {
            *log.cleaning_mut(self.kind) = self.resumed;
        }
    }
}

impl<D: BlockDevice> Store<D> {
    /// Moves what is needed out of the segments of which least is live, about a step's worth of it, and
    /// leaves `keep` segments, the named ones included. Tells how many bytes that frees; 0 if
    /// there is nothing to gain.
    pub(super) fn clean_batch(&self, log: &mut Log, keep: u32) -> Result<u64, Error> {
        let [records, nodes] = [Kind::Records, Kind::Nodes].map(|kind| log.least_live(kind));
        let kinds = if nodes < records {
            [Kind::Nodes, Kind::Records]
        } else {
            [Kind::Records, Kind::Nodes]
        };
        for kind in kinds {
            let freed = match kind {
                Kind::Records => self.clean_records(log, keep)?,
                Kind::Nodes => self.clean_nodes(log, keep)?,
            };
            if freed > 0 {
                return Ok(freed);
            }
        }
        Ok(0)
    }

    /// Live bytes of a segment that is worth cleaning, at most.
    fn most_live(&self) -> u64 {
        self.layout.segment_len() / 16 * 15
    }

    /// Bytes of a batch.
    pub(super) fn batch_bytes(&self) -> u64 {
        self.step_bytes().max(self.step_bytes_min()) as u64
    }

    fn victims(&self, log: &mut Log, kind: Kind) -> Victims {
        let most = self.most_live();
        let resumed = *log.cleaning_mut(kind);
        let limit = SEGMENTS_A_BATCH * self.batch_bytes() / self.layout.segment_len();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
        let (passed, hopeless) = (Vec::new(), Vec::new());
        Victims {
            kind,
            most,
            resumed,
            passed,
            freed: 0,
            emptied: 0,
            emptied_here: 0,
            hopeless,
            limit,
        }
    }
}

/// Does the largest batch that there is room for, of `room` bytes at most and `least` at least.
/// Tells how many bytes that frees.
fn largest_batch(
    mut room: u64,
    least: u64,
    mut batch: impl FnMut(u64) -> Result<u64, Error>,
) -> Result<u64, Error> {
    while room >= least {
        match batch(room) {
            Err(Error::NoSpace { .. }) => room /= 2,
            told => return told,
        }
    }
    Ok(0)
}
