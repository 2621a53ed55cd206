//! The two slots of the superblock and their copies.
//!
//! Invariants:
//! - The newest state is never overwritten: a new one goes to the other slot, all copies at once,
//!   and is flushed before anything relies on it.
//! - Both slots hold a whole state: nothing that either names is written over. So one good copy of
//!   either slot is enough: from the older state, replay comes to the same.
//! - A mount writes nothing else before both slots are whole, all copies of each alike (`slots.rs`).

use super::disk::Disk;
use crate::device::{BlockDevice, DeviceError};
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::PAGE_LEN;
use crate::format::layout::BLOCK_LEN_MAX;
use crate::format::superblock::{LEN, Superblock, Unreadable};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// A blank device has zeros in its first and in its last bytes: every common file system, partition
/// table and volume manager leaves a mark in one of them.
const BLANK_HEAD: u64 = 1 << 20;
const BLANK_TAIL: u64 = 128 << 10;
const BLANK_CHUNK: u64 = 64 << 10;

/// The state in force, and the slot that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    pub(crate) superblock: Superblock,
    pub(crate) slot: u8,
}

/// What the superblock pages hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) newest: Newest,
    /// What the other slot holds, if it has a good copy.
    pub(crate) older: Option<Superblock>,
    /// Flips until both slots are whole again, all copies of each alike.
    pub(super) flips_due: u8,
}

impl Found {
    /// The checkpoint by which, at the latest, that was dead which the newest state says to be.
    pub(crate) fn dead_since(&self) -> u64 {
        let Superblock { checkpoint, table, tail_start, .. } = self.newest.superblock;
        // A state that was written twice is as old as the first time.
        let same = |older: &Superblock| (older.table, older.tail_start) == (table, tail_start);
        self.older.filter(same).map_or(checkpoint, |older| older.checkpoint)
    }
}

/// What was seen while looking for the newest state.
#[derive(Default)]
struct Seen {
    /// The newest state of each slot.
    slots: [Option<Superblock>; 2],
    /// Every good copy, with its slot and copy.
    copies: Vec<(u8, u8, Superblock)>,
    damaged: Option<Corruption>,
    unreadable: Option<DeviceError>,
    newer_version: bool,
}

impl Seen {
    fn found(self) -> Result<Found, Error> {
        if self.newer_version {
            return Err(Error::Unsupported("a store of a newer format version"));
        }
        let newest = self.newest();
        let flips_due = newest.as_ref().map_or(0, |newest| self.flips_due(newest));
        match (newest, self.unreadable, self.damaged) {
            (Some(newest), ..) => {
                let older = if newest.slot == 0 { self.slots[1] } else { self.slots[0] };
                // What an earlier store has left says nothing.
                let older = older.filter(|older| older.birth == newest.superblock.birth);
                Ok(Found { newest, older, flips_due })
            }
            (None, Some(error), _) => Err(error.into()),
            (None, None, Some(corruption)) => Err(corruption.into()),
            (None, None, None) => Err(Error::NotFormatted),
        }
    }

    /// A flip completes the slot that is not in force; one more, the other.
    fn flips_due(&self, newest: &Newest) -> u8 {
        if !self.is_whole(newest.slot, newest) {
            return 2;
        }
        u8::from(!self.is_whole(1 - newest.slot, newest))
    }

    /// Whether all copies of a slot hold the same state.
    fn is_whole(&self, slot: u8, newest: &Newest) -> bool {
        let layout = newest.superblock.layout;
        let state = self.slots.get(usize::from(slot)).copied().flatten();
        // A state from before the store grew does not know all its segments.
        let state = state.filter(|state| state.layout == layout);
        state.is_some_and(|state| {
            let copies = 0..layout.copies();
            copies.into_iter().all(|copy| self.copies.contains(&(slot, copy, state)))
        })
    }

    fn newest(&self) -> Option<Newest> {
        let state = |slot: u8, superblock: Option<Superblock>| {
            superblock.map(|superblock| Newest { superblock, slot })
        };
        let [a, b] = [state(0, self.slots[0]), state(1, self.slots[1])];
        a.into_iter().chain(b).max_by_key(|newest| newest.superblock.checkpoint)
    }
}

/// Finds the state in force.
pub(crate) fn read<D: BlockDevice>(disk: &Disk<D>) -> Result<Found, Error> {
    let mut seen = Seen::default();
    // The distance of the pages depends on the block size, which the first copy tells. If it is
    // lost, all distances are tried.
    look(disk, &mut seen, 0, 0, 0)?;
    let pages: Vec<u64> = match seen.newest() {
        Some(first) => vec![first.superblock.layout.page_len()],
        None => (PAGE_LEN.ilog2()..=BLOCK_LEN_MAX.ilog2()).map(|log| 1 << log).collect(),
    };
    for page in pages {
        for (number, slot, copy) in [(1, 1, 0), (2, 0, 1), (3, 1, 1)] {
            look(disk, &mut seen, page * number, slot, copy)?;
        }
    }
    seen.found()
}

/// Looks at one place where a copy may be.
fn look<D: BlockDevice>(
    disk: &Disk<D>,
    seen: &mut Seen,
    at: u64,
    slot: u8,
    copy: u8,
) -> Result<(), Error> {
    let geometry = disk.geometry();
    let block_len = u64::from(geometry.block_size);
    let mut buf = vec![0; LEN.max(geometry.block_size as usize)];
    if !at.is_multiple_of(block_len) || at.saturating_add(buf.len() as u64) > geometry.size() {
        return Ok(());
    }
    // Once more: what is read the next time would look like the state of another writer.
    match disk.read(at, &mut buf).or_else(|_| disk.read(at, &mut buf)) {
        // It is lost as much as a damaged one, and other copies may not be.
        Err(Error::Device(error)) => {
            seen.unreadable = Some(error);
            return Ok(());
        }
        told => told?,
    }
    match Superblock::decode(&buf, slot, copy) {
        Ok(superblock) => {
            let layout = &superblock.layout;
            let at_home = layout.superblock_at(slot, copy) == at && copy < layout.copies();
            let newest = |seen: &Superblock| seen.checkpoint >= superblock.checkpoint;
            seen.copies.extend(at_home.then_some((slot, copy, superblock)));
            if let Some(seen) = seen.slots.get_mut(usize::from(slot)).filter(|_| at_home)
                && !seen.as_ref().is_some_and(newest)
            {
                *seen = Some(superblock);
            }
        }
        Err(Unreadable::Version) => seen.newer_version = true,
        Err(Unreadable::Fault(fault)) => {
            if Superblock::starts(&buf) && seen.damaged.is_none() {
                seen.damaged = Some(Corruption { part: Part::Superblock, at, fault });
            }
        }
    }
    Ok(())
}

/// The copies of the newest state that are lost. (A slot that is not in force can be torn.)
pub(crate) fn damaged_copies<D: BlockDevice>(
    disk: &Disk<D>,
    newest: &Newest,
) -> Result<Vec<Corruption>, Error> {
    let layout = newest.superblock.layout;
    let mut damaged = Vec::new();
    for copy in 0..layout.copies() {
        let at = layout.superblock_at(newest.slot, copy);
        let mut buf = vec![0; LEN.max(disk.geometry().block_size as usize)];
        disk.read(at, &mut buf)?;
        let fault = match Superblock::decode(&buf, newest.slot, copy) {
            Ok(found) if found == newest.superblock => continue,
            Err(Unreadable::Fault(fault)) => fault,
            Ok(_) | Err(Unreadable::Version) => Fault::Field("checkpoint"),
        };
        damaged.push(Corruption { part: Part::Superblock, at, fault });
    }
    Ok(damaged)
}

impl Newest {
    /// Writes these copies, which the caller flushes.
    pub(super) fn write<D: BlockDevice>(
        &self,
        disk: &Disk<D>,
        copies: Range<u8>,
    ) -> Result<(), Error> {
        let Self { superblock, slot } = self;
        // Only what is needed: the rest of the page may be the log of an older store.
        let len = LEN.max(disk.geometry().block_size as usize);
        let pages = copies.map(|copy| {
            let mut page = superblock.encode(*slot, copy);
            page.resize(len, 0);
            (superblock.layout.superblock_at(*slot, copy), page)
        });
        let pages: Vec<_> = pages.collect();
        disk.write_many(pages.iter().map(|(at, page)| (*at, &page[..])))
    }
}

/// Puts the first states of a new store into both slots.
///
/// What stood there before stays in force until the new store is durable. So a crash leaves the old
/// store or the new one, nothing between: the new states count on from the old ones, and the first
/// of them goes to the slot that is not in force. If the old store is of a time when the device was
/// so small that slots had one copy, the second copies lie in its log: the first ones go first. If
/// the pages of the old store are elsewhere, they and its log may lie where the new pages go: then
/// the one page goes first that both have, the one at byte 0. (With one copy for each slot and
/// other pages, a torn write there can leave neither.)
pub(crate) fn initialize<D: BlockDevice>(
    disk: &Disk<D>,
    superblock: &Superblock,
) -> Result<(), Error> {
    let copies = superblock.layout.copies();
    let (checkpoint, steps) = match read(disk).map(|found| found.newest) {
        Ok(old) if old.superblock.layout.page_len() != superblock.layout.page_len() => {
            (old.superblock.checkpoint, vec![(1, 0, 0..1), (1, 0, 1..copies), (2, 1, 0..copies)])
        }
        Ok(Newest { superblock: old, slot }) if old.layout.copies() != copies => {
            let other = 1 - slot;
            (old.checkpoint, vec![(1, other, 0..1), (1, other, 1..copies), (2, slot, 0..copies)])
        }
        Ok(Newest { superblock: old, slot }) => {
            (old.checkpoint, vec![(1, 1 - slot, 0..copies), (2, slot, 0..copies)])
        }
        Err(Error::Device(error)) => return Err(error.into()),
        Err(_) => (0, vec![(1, 0, 0..copies), (2, 1, 0..copies)]),
    };
    for (step, slot, copies) in steps {
        // Behind the last number there is none; only a crafted store has got there.
        let checkpoint = checkpoint.checked_add(step).unwrap_or(step);
        Newest { superblock: Superblock { checkpoint, ..*superblock }, slot }
            .write(disk, copies)?;
        disk.flush()?;
    }
    Ok(())
}

/// Whether nothing is on the device yet.
pub(crate) fn is_blank<D: BlockDevice>(disk: &Disk<D>) -> Result<bool, Error> {
    let size = disk.geometry().size();
    let chunk = BLANK_CHUNK.max(u64::from(disk.geometry().block_size));
    let tail = size.saturating_sub(BLANK_TAIL) / chunk * chunk;
    Ok(is_zero(disk, 0, BLANK_HEAD.min(size), chunk)? && is_zero(disk, tail, size, chunk)?)
}

fn is_zero<D: BlockDevice>(disk: &Disk<D>, from: u64, to: u64, chunk: u64) -> Result<bool, Error> {
    let mut at = from;
    let mut buf = vec![0; usize::try_from(chunk).unwrap_or(0)];
    while at < to {
        let len = usize::try_from(chunk.min(to - at)).unwrap_or(0);
        let target = buf.get_mut(..len).unwrap_or_default();
        disk.read(at, target)?;
        if target.iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        at += chunk;
    }
    Ok(true)
}

/// The damage that shows when a frame names a checkpoint which makes this one older than those that
/// the slots held: both are lost, and what is there now must not pass for either.
pub(super) fn check_newest(newest: &Newest, named: u64) -> Result<(), Corruption> {
    let found = newest.superblock.checkpoint;
    if named <= found.saturating_add(1) {
        return Ok(());
    }
    let at = newest.superblock.layout.superblock_at(1 - newest.slot, 0);
    Err(Corruption { part: Part::Superblock, at, fault: Fault::Older { found, named } })
}
