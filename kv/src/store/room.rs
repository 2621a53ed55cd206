//! Room for a commit that does not fit: what nothing needs any more is found and freed.
//!
//! Invariants:
//! - Looking for room ends. Work is done in passes, each of a bounded number of batches; a pass that
//!   leaves no more free segments than there were is the last one, until something becomes dead.
//! - While some segments are free beyond what is kept, a call of one operation does one unit of work at
//!   most: a step, a batch of cleaning or a flip. Only when none is left does a call go on until its
//!   commit fits.

use super::Store;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::record::Operation;
use crate::index::Frozen;
use crate::log::{Kind, Log, NAMED, Pending, Purpose, STEP_BYTES_MIN, kept_by_steps};
use alloc::vec::Vec;

/// Batches of a pass for each segment: one may be left and come to again.
const BATCHES_A_SEGMENT: u32 = 16;

/// Bytes that an extent takes in a leaf, about.
const EXTENT_ENTRY_LEN: u64 = 64;

/// So many segments are free beyond what is kept, if work that is paid for can do it; where segments
/// are few, one of so many.
const AHEAD: u32 = 8;
const AHEAD_PART: u32 = 32;

/// A batch of cleaning ahead costs this part of a segment at least, however little it frees.
const PAID_AT_LEAST: u64 = 4;

/// A flip alone is worth so many segments.
const FLIP_FOR: usize = 4;

/// Looking for room.
struct Pass {
    /// Free segments when it began.
    free: u32,
    /// Batches that were cleaned.
    batches: u32,
    /// Frames from here on are not merged: whoever writes meanwhile must not keep it going.
    end: u64,
}

impl Pass {
    fn merges(&self, log: &Log) -> bool {
        log.superblock().tail_start.number < self.end
    }
}

/// Bytes of entries that extents add to the index. What few other operations add does not matter.
fn growth_of(operations: &[Pending<'_>]) -> u64 {
    let adds = |pending: &&Pending<'_>| {
        matches!(pending.operation, Operation::Extent { .. }) && pending.replaced.is_none()
    };
    let count = operations.iter().filter(adds).count();
    (count as u64).saturating_mul(EXTENT_ENTRY_LEN)
}

impl<D: BlockDevice> Store<D> {
    /// Brings all changes into the tree and frees all the segments that can be freed, now and not when
    /// there is no room: for before a backup, or when nobody waits. The lock is let go between the units
    /// of this work. Tells how many bytes more are free.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Poisoned`], [`Error::Stolen`], [`Error::Corrupt`],
    /// [`Error::Device`].
    pub fn clean(&self) -> Result<u64, Error> {
        let before = {
            let mut log = self.writer()?;
            log.complete_slots(&self.disk)?;
            log.exhausted = false;
            self.remove_abandoned(&mut log)?;
            log.segments.free()
        };
        let mut end = self.merge_all()?;
        if self.hides() {
            // The extents of long values in dictionaries that were removed.
            end = self.merge_all()?;
        }
        let mut pass = Pass { free: before, batches: 0, end };
        loop {
            let mut log = self.writer()?;
            if !self.make_room(&mut log, &mut pass)? {
                break;
            }
        }
        // The cleaner has committed moves.
        self.merge_all()?;
        let mut log = self.writer()?;
        // What that has made dead is not freed yet.
        log.exhausted = false;
        let freed = log.segments.free().saturating_sub(before);
        Ok(u64::from(freed).saturating_mul(self.layout.segment_len()))
    }

    /// Brings what has been committed so far into the tree. Tells which frame will be the next one.
    fn merge_all(&self) -> Result<u64, Error> {
        let end = self.writer()?.point().number;
        loop {
            let mut log = self.writer()?;
            if log.superblock().tail_start.number >= end
                || !self.merge_some(&mut log, kept_by_steps(&self.layout))?
            {
                return Ok(end);
            }
        }
    }

    /// Sees to it that there is room for the operations. Tells how many segments they open, and how
    /// many they must leave.
    ///
    /// # Errors
    /// `TooLarge`; `NoSpace` if no room can be made; and what making room fails with.
    pub(super) fn admit(
        &self,
        log: &mut Log,
        operations: &[Pending<'_>],
        purpose: Purpose,
    ) -> Result<(u32, u32), Error> {
        let mut pass = Pass { free: log.segments.free(), batches: 0, end: u64::MAX };
        let mut leave_for = purpose;
        loop {
            let growth = self.index.lock().growth().saturating_add(growth_of(operations));
            let keep = log.kept(leave_for, growth);
            if purpose == Purpose::Grow
                && let Err(full) = log.fits(operations, growth)
            {
                // What a removal hides counts as live until it is merged.
                if self.hides() && self.merge_some(log, kept_by_steps(&self.layout))? {
                    continue;
                }
                return Err(full);
            }
            match log.admit(operations, keep) {
                Err(Error::NoSpace { .. }) if self.make_room(log, &mut pass)? => {}
                // There is nothing to clean, so nothing need be left for that.
                Err(Error::NoSpace { .. }) if leave_for == Purpose::Change => {
                    leave_for = Purpose::Move;
                }
                told => return told.map(|opened| (opened, keep)),
            }
        }
    }

    /// One unit of the work that frees segments; `false` if there is none left.
    fn make_room(&self, log: &mut Log, pass: &mut Pass) -> Result<bool, Error> {
        if log.exhausted {
            return Ok(false);
        }
        if log.release(&self.disk) > 0 {
            log.settle_discards(&self.disk)?;
            return Ok(true);
        }
        let waiting = log.waiting();
        if waiting >= FLIP_FOR {
            return self.flip_and_release(log);
        }
        if log.waits_to_clean() {
            log.repeat(&self.disk)?;
            return Ok(true);
        }
        let keep = kept_by_steps(&self.layout);
        let merges = self.hides() || self.has_long_tail();
        // What is moved must find room first, or a round takes it all before it frees any.
        let kept = log.kept(Purpose::Move, 0);
        if (merges && pass.merges(log) && self.merge_some(log, kept)?)
            || self.clean_in_pass(log, pass)?
            || (pass.merges(log) && self.merge_some(log, keep)?)
        {
            return Ok(true);
        }
        if waiting > 0 {
            return self.flip_and_release(log);
        }
        let free = log.segments.free();
        log.exhausted = free <= pass.free;
        *pass = Pass { free, batches: 0, end: pass.end };
        Ok(!log.exhausted)
    }

    /// Frees what waits for both slots to hold the state in force.
    fn flip_and_release(&self, log: &mut Log) -> Result<bool, Error> {
        log.repeat(&self.disk)?;
        log.release(&self.disk);
        log.settle_discards(&self.disk)?;
        Ok(true)
    }

    /// Makes room while there is some, so that nobody has to wait for it when there is none: as much
    /// as is written. A call does one unit of the work, the steps that it has taken included, and two
    /// more for each segment that it fills.
    pub(super) fn work_ahead(
        &self,
        log: &mut Log,
        operations: &[Pending<'_>],
        (done, keep): (u64, u32),
    ) -> Result<(), Error> {
        let segment = self.layout.segment_len();
        let ahead = (self.layout.segment_count / AHEAD_PART).min(AHEAD);
        let len = operations.iter().map(Pending::live_len).fold(0, u64::saturating_add);
        log.debt = log.debt.min(segment.saturating_mul(ahead.into()));
        for _ in done..=len.saturating_mul(2).checked_div(segment).unwrap_or(0) {
            log.release(&self.disk);
            if log.spare(keep.saturating_add(ahead)) > 0 {
                log.debt = 0;
                return Ok(());
            }
            // A round that has begun must be done anyway.
            if self.has_begun() && self.merge_some(log, keep)? {
                continue;
            }
            if log.debt < segment {
                return Ok(());
            }
            if log.waits_to_flip() {
                log.repeat(&self.disk)?;
            } else if !(self.round_pays(log) && self.merge_some(log, keep)?) {
                // What frees little is not done over and over.
                let freed = self.clean_batch(log, keep)?.max(segment / PAID_AT_LEAST);
                log.debt = log.debt.saturating_sub(freed);
            }
        }
        Ok(())
    }

    fn has_begun(&self) -> bool {
        self.index.lock().frozen().is_some()
    }

    /// Whether the tail, which only a round frees, has more dead bytes for what that writes than the
    /// segment that is best cleaned.
    fn round_pays(&self, log: &Log) -> bool {
        let leaves = {
            let index = self.index.lock();
            let frozen = index.frozen().map_or(0, |frozen| frozen.delta.count());
            let changed = frozen.max(index.delta().count()) as u64;
            let nodes = log.segments.totals().index;
            changed.saturating_mul(self.layout.node_len_max().into()).min(nodes)
        };
        let live = log.least_live(Kind::Records).min(log.least_live(Kind::Nodes));
        let dead = self.layout.segment_len().saturating_sub(live);
        let (live_in_tail, dead_in_tail) = log.tail_shares();
        leaves.saturating_add(live_in_tail).saturating_mul(dead) < live.saturating_mul(dead_in_tail)
    }

    /// Whether there are removals that are not merged.
    fn hides(&self) -> bool {
        self.index.lock().cut_count() > 0
    }

    /// Whether the tail is as long as it may be: moves make it longer.
    fn has_long_tail(&self) -> bool {
        self.index.lock().tail_len() >= self.limits.tail_bytes
    }

    fn clean_in_pass(&self, log: &mut Log, pass: &mut Pass) -> Result<bool, Error> {
        if pass.batches >= self.layout.segment_count.saturating_mul(BATCHES_A_SEGMENT) {
            return Ok(false);
        }
        pass.batches += 1;
        Ok(self.clean_batch(log, NAMED)? > 0)
    }

    /// Takes a step of a checkpoint, whoever pays for it, as large as there is room for.
    fn merge_some(&self, log: &mut Log, keep: u32) -> Result<bool, Error> {
        let frozen = {
            let mut index = self.index.lock();
            if index.frozen().is_none() && index.delta().count() > 0 {
                index.freeze(*log.point(), Vec::new());
            }
            index.frozen().cloned()
        };
        let Some(frozen) = frozen else { return Ok(false) };
        let bytes = usize::try_from(self.batch_bytes()).unwrap_or(usize::MAX);
        let sizes = (bytes, STEP_BYTES_MIN);
        match self.step_that_fits(log, &frozen, sizes, keep) {
            Err(Error::NoSpace { .. }) => Ok(false),
            told => told.map(|_| true),
        }
    }

    /// A step of so many bytes, or half as many and so on until there is room, down to about the second
    /// number. As [`step`](Self::step) otherwise.
    pub(super) fn step_that_fits(
        &self,
        log: &mut Log,
        frozen: &Frozen,
        (mut bytes, least): (usize, usize),
        keep: u32,
    ) -> Result<usize, Error> {
        loop {
            match self.step(log, frozen, bytes, keep) {
                Err(Error::NoSpace { .. }) if bytes > least => bytes /= 2,
                told => return told,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::memory::MemoryDevice;
    use crate::store::batch::Batch;
    use crate::store::{CreateOptions, OpenOptions};
    use crate::traits::KvWrite;
    use alloc::format;

    /// With a commit of another writer between two units of it.
    #[test]
    fn cleaning_on_demand_ends_though_somebody_goes_on_writing() {
        let device = MemoryDevice::new(512, 16 << 11);
        Store::create(&device, CreateOptions::new(1)).unwrap();
        let store = Store::open(device, || Timestamp(1), OpenOptions::new(2)).unwrap();
        let mut batch = Batch::new();
        for number in 0..5000 {
            batch.set(&format!("/k/{number:06}").parse().unwrap(), &[1; 100]);
        }
        store.write(&batch).unwrap();
        let end = store.merge_all().unwrap();
        let mut pass = Pass { free: store.log.lock().segments.free(), batches: 0, end };
        let mut units = 0;
        while store.make_room(&mut store.writer().unwrap(), &mut pass).unwrap() {
            units += 1;
            assert!(units < 1000, "it goes on for ever");
            store.set(&"/k/000007".parse().unwrap(), &[2; 100]).unwrap();
        }
    }
}
