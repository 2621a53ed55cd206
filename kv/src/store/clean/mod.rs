//! The cleaner: what is still needed of a segment that is mostly dead is moved, so that the segment can
//! be used again.
//!
//! When a segment's count of live bytes has come to nothing, `release` frees it. Victims are those of
//! which least is live. Some bytes may stay: what a removal hides counts until it is merged, and what
//! is damaged is left where it is. Such a segment is not looked at again before the tail has moved.
//!
//! Invariant: a batch is given up before anything is written if it takes as much room as it frees.

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

/// One of so many segments is free beyond what is kept, if cleaning can do it.
const AHEAD: u32 = 16;

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
        if behind < log.superblock().layout.segment_blocks {
            *log.cleaning_mut(self.kind) = Some(Place { block: behind, ..place });
            return;
        }
        self.passed.push(place.segment);
        if found >= log.segments.live_in(place.segment) {
            self.freed += 1;
        } else {
            self.hopeless.push(place.segment);
        }
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
    /// Moves what is needed out of segments with at most `most` live bytes, about a step's worth of
    /// it, and leaves `keep` segments, the named ones included. Tells how many bytes that frees; 0 if
    /// there is nothing to gain.
    pub(super) fn clean_batch(&self, log: &mut Log, most: u64, keep: u32) -> Result<u64, Error> {
        let [records, nodes] = [Kind::Records, Kind::Nodes].map(|kind| log.least_live(kind));
        let kinds = if nodes < records {
            [Kind::Nodes, Kind::Records]
        } else {
            [Kind::Records, Kind::Nodes]
        };
        for kind in kinds {
            let freed = match kind {
                Kind::Records => self.clean_records(log, most, keep)?,
                Kind::Nodes => self.clean_nodes(log, most, keep)?,
            };
            if freed > 0 {
                return Ok(freed);
            }
        }
        Ok(0)
    }

    /// Cleans while there is room, so that nobody has to wait for it when there is none: as much as
    /// is written.
    pub(super) fn clean_ahead(&self, log: &mut Log, keep: u32) -> Result<(), Error> {
        let ahead = self.layout.segment_count / AHEAD;
        if log.spare(keep.saturating_add(ahead)) > 0 {
            log.debt = 0;
            return Ok(());
        }
        log.release(&self.disk);
        if log.debt >= self.layout.segment_len() {
            let freed =
                self.clean_batch(log, self.most_live(), keep)?.max(self.layout.segment_len());
            log.debt = log.debt.saturating_sub(freed);
        }
        Ok(())
    }

    /// Live bytes of a segment that is worth cleaning, at most.
    pub(super) fn most_live(&self) -> u64 {
        self.layout.segment_len() / 16 * 15
    }

    /// Bytes of a batch.
    pub(super) fn batch_bytes(&self) -> u64 {
        self.step_bytes().max(self.step_bytes_min()) as u64
    }

    fn victims(&self, log: &mut Log, kind: Kind, most: u64) -> Victims {
        let resumed = *log.cleaning_mut(kind);
        let limit = SEGMENTS_A_BATCH * self.batch_bytes() / self.layout.segment_len();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
        Victims { kind, most, resumed, passed: Vec::new(), freed: 0, hopeless: Vec::new(), limit }
    }

    /// Bytes that are freed by moving `len` bytes out of the victims.
    fn gain(&self, log: &mut Log, victims: &Victims, len: u64) -> u64 {
        let begun = u64::from(log.cleaning_mut(victims.kind).is_some());
        let segments = u64::from(victims.freed).max(begun);
        segments.saturating_mul(self.layout.segment_len()).saturating_sub(self.layout.whole(len))
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
