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

/// Nodes in a batch, at least, if there is room for them.
const NODES_A_BATCH_MIN: u64 = 16;

/// One of so many segments is free beyond what is kept, if cleaning can do it.
const AHEAD: u32 = 16;

/// Segments that are being cleaned.
struct Victims {
    kind: Kind,
    /// The most that may be live in one.
    most: u64,
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
}

impl<D: BlockDevice> Store<D> {
    /// Moves what is needed out of segments with at most `most` live bytes, about a step's worth of
    /// it, and leaves `keep` segments, the named ones included. Tells how many bytes that frees; 0 if
    /// there is nothing to gain.
    pub(super) fn clean(&self, log: &mut Log, most: u64, keep: u32) -> Result<u64, Error> {
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
            let most = self.layout.segment_len() / 16 * 15;
            let freed = self.clean(log, most, keep)?.max(self.layout.segment_len());
            log.debt = log.debt.saturating_sub(freed);
        }
        Ok(())
    }

    /// Bytes of a batch: enough of them that the nodes above those that are moved do not weigh.
    pub(super) fn batch_bytes(&self) -> u64 {
        let few = u64::from(self.layout.node_len_max()).saturating_mul(NODES_A_BATCH_MIN);
        few.max(self.step_bytes() as u64)
    }

    fn victims(&self, kind: Kind, most: u64) -> Victims {
        let limit = SEGMENTS_A_BATCH * self.batch_bytes() / self.layout.segment_len();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
        Victims { kind, most, passed: Vec::new(), freed: 0, hopeless: Vec::new(), limit }
    }

    /// Bytes that are freed by moving `len` bytes out of the victims.
    fn gain(&self, log: &mut Log, victims: &Victims, len: u64) -> u64 {
        let begun = u64::from(log.cleaning_mut(victims.kind).is_some());
        let segments = u64::from(victims.freed).saturating_add(begun);
        segments.saturating_mul(self.layout.segment_len()).saturating_sub(self.layout.whole(len))
    }
}

const fn is_no_space<T>(told: &Result<T, Error>) -> bool {
    matches!(told, Err(Error::NoSpace { .. }))
}
