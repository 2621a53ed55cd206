//! The writer's side of the log: commits become frames.
//!
//! Invariants:
//! - A frame is written only to blocks that nothing acknowledged lies in: behind the end of the
//!   chain, or in a segment that was free.
//! - A commit is acknowledged after one write and one flush; `durable` moves only then.
//! - After a failed write or flush what is on the disk is unknown: every later commit is refused.
//! - If a crash has left anything of a frame that would fit where the chain ends, the states in
//!   both slots of the superblock disown it before anything is written there: what comes next must
//!   be of this mount's epoch. Otherwise a second crash could mix the two: where both hold the same
//!   bytes, the old frame would be whole again, though it was found absent in between.
//! - If it is whole, as one that has lost what it places is, the next group goes over every place where
//!   it can lie: later states do not say any more which of two is the one.

use super::change::{Change, Pending};
use super::disk::Disk;
use super::extents::Extents;
use super::frames::Remains;
use super::open::Open;
use super::outside::Outside;
use super::plan::{self, PlannedFrame};
use super::replay::demanded_epoch;
use super::reserve::{self, Purpose};
use super::segments::{Kind, Segments};
use super::superblocks::{Found, Newest};
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::UNFLUSHED_MAX;
use crate::format::frame::{FrameHeader, HEADER_LEN};
use crate::format::place::Place;
use crate::format::point::ChainPoint;
use crate::format::pointer::Pointer;
use crate::format::record::{Moved, Operation, Record};
use crate::format::superblock::Superblock;
use crate::planted::{Bug, planted};
use alloc::vec;
use alloc::vec::Vec;

/// The end of the chain, and what writing needs to know.
#[derive(Debug)]
pub(crate) struct Log {
    pub(super) newest: Newest,
    pub(super) point: ChainPoint,
    pub(crate) segments: Segments,
    /// The state in the other slot.
    pub(super) older: Older,
    /// The highest frame known durable.
    pub(super) durable: u64,
    /// The highest frame that something durable says to be so.
    pub(super) attested: u64,
    /// Where nodes and survivors go on.
    pub(super) open: Open,
    /// All room that could be made has been made, and nothing has become dead since.
    pub(crate) exhausted: bool,
    /// Bytes that have been written since the cleaner had something to do, and that it has not freed
    /// yet.
    pub(crate) debt: u64,
    /// The next blocks of segments that are being cleaned: of records, of nodes.
    pub(super) cleaning: (Option<Place>, Option<Place>),
    /// What the first frame of this mount must know; it is `None` from then on.
    mount: Option<Mount>,
    /// Flips that come before anything else is written.
    pub(super) flips_due: u8,
    /// A write or flush has failed, or is under way.
    pub(super) poisoned: bool,
}

/// Of the older of the two states of the superblock, what must be kept because of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Older {
    pub(super) checkpoint: u64,
    /// The generation of the segment in which its tail starts.
    pub(super) tail: u64,
}

impl Older {
    pub(super) const fn of(superblock: &Superblock) -> Self {
        Self { checkpoint: superblock.checkpoint, tail: superblock.tail_start.generation }
    }
}

#[derive(Clone, Copy, Debug)]
struct Mount {
    /// The epoch that the frame starts.
    epoch: u64,
    /// Where it may go there is something that a crash has left of another one.
    remains: Remains,
    /// This mount has disowned it.
    disowned: bool,
}

impl Log {
    /// A log that goes on at `point` with frames of `epoch`. All frames before it are durable;
    /// `remains` tells whether a crash has left something of others where the next one may go. If
    /// the other slot has no state, there is nothing older to keep.
    pub(crate) fn new(
        found: &Found,
        point: ChainPoint,
        (segments, open): (Segments, Open),
        epoch: u64,
        remains: Remains,
    ) -> Self {
        let newest = found.newest;
        Self {
            newest,
            older: Older::of(found.older.as_ref().unwrap_or(&newest.superblock)),
            point,
            segments,
            durable: point.number.saturating_sub(1),
            attested: newest.superblock.must_reach,
            mount: Some(Mount { epoch, remains, disowned: false }),
            open,
            exhausted: false,
            debt: 0,
            cleaning: (None, None),
            flips_due: found.flips_due,
            poisoned: false,
        }
    }

    /// The highest frame known durable.
    pub(crate) const fn durable(&self) -> u64 {
        self.durable
    }

    pub(crate) const fn newest(&self) -> &Newest {
        &self.newest
    }

    pub(crate) const fn superblock(&self) -> &Superblock {
        &self.newest.superblock
    }

    pub(crate) const fn point(&self) -> &ChainPoint {
        &self.point
    }

    /// Bytes that can still become live, if `growth` bytes of entries are on their way into the tree.
    pub(crate) fn free_bytes(&self, growth: u64) -> u64 {
        reserve::free_bytes(self.superblock(), &self.segments, growth)
    }

    /// Bytes of the segments up to the ends of the chain and of the index.
    pub(crate) fn used_bytes(&self) -> u64 {
        let layout = &self.superblock().layout;
        let used = u64::from(self.segments.used()).saturating_mul(layout.segment_len());
        let open = [self.point.open, self.open.nodes, self.open.survivors];
        let rest = open.into_iter().map(|place| layout.rest(place)).fold(0, u64::saturating_add);
        used.saturating_sub(rest)
    }

    /// Whether this mount has committed anything.
    pub(crate) const fn has_mounted(&self) -> bool {
        self.mount.is_none()
    }

    /// Bytes that a step writes besides leaves, about.
    pub(crate) fn path_len(&self) -> u64 {
        reserve::path_len(self.superblock())
    }

    /// Segments that may be taken if `keep` are to be left, the named ones included.
    pub(crate) fn spare(&self, keep: u32) -> u32 {
        plan::spare(&self.segments, &self.point, keep).unwrap_or(0).min(self.segments.free())
    }

    /// Segments that a commit must leave, the named ones included. `growth` bytes of entries are on
    /// their way into the tree.
    pub(crate) fn kept(&self, purpose: Purpose, growth: u64) -> u32 {
        reserve::kept(self.superblock(), purpose, growth)
    }

    /// Whether anything can be committed.
    ///
    /// # Errors
    /// `Poisoned`.
    pub(crate) const fn check(&self) -> Result<(), Error> {
        if self.poisoned { Err(Error::Poisoned) } else { Ok(()) }
    }

    /// Whether what the operations make live can be live at once with what is.
    ///
    /// # Errors
    /// `NoSpace`.
    pub(crate) fn fits(&self, operations: &[Pending<'_>], growth: u64) -> Result<(), Error> {
        let needed = operations.iter().map(Pending::live_len).fold(0, u64::saturating_add);
        let free = self.free_bytes(growth);
        if needed > free { Err(Error::NoSpace { needed, free }) } else { Ok(()) }
    }

    /// Refuses a value that the store could not hold if it were empty, before anything is made of it.
    ///
    /// # Errors
    /// `TooLarge`.
    pub(crate) fn check_value_len(&self, size: u64) -> Result<(), Error> {
        let limit = self.superblock().layout.value_len_max();
        if size > limit { Err(Error::TooLarge { size, limit }) } else { Ok(()) }
    }

    /// Whether there is room for the operations; how many segments they open.
    ///
    /// # Errors
    /// `TooLarge` and `NoSpace`.
    pub(crate) fn admit(&self, operations: &[Pending<'_>], keep: u32) -> Result<u32, Error> {
        let (plan, extents) = self.lay_out(operations, keep)?;
        let opened = plan.iter().filter(|planned| planned.place.block == 0).count();
        Ok(u32::try_from(opened).unwrap_or(u32::MAX).saturating_add(extents.opened()))
    }

    /// Room outside the chain that begins at `open` and leaves `keep` segments, those that the chain
    /// names included.
    pub(super) fn outside(&self, open: Option<Place>, keep: u32) -> Outside {
        Outside::new(self.superblock().layout, &self.segments, open, self.spare(keep))
    }

    /// Where the frames and the extents of the operations will lie.
    fn lay_out(
        &self,
        operations: &[Pending<'_>],
        keep: u32,
    ) -> Result<(Vec<PlannedFrame>, Extents), Error> {
        let layout = self.superblock().layout;
        let extents = {
            let outside = self.outside(self.open.survivors, keep);
            Extents::plan(outside, self.superblock().birth, operations)?
        };
        // The chain takes the lowest free segments, and extents have the highest.
        let keep = keep.saturating_add(extents.opened());
        let from = (&self.point, self.is_over_whole() && !planted(Bug::WholeRemainsKept));
        let plan = plan::plan(&layout, &self.segments, from, operations, keep)?;
        let size = plan.iter().map(|planned| planned.len).fold(extents.len(), u64::saturating_add);
        if size > UNFLUSHED_MAX {
            return Err(Error::TooLarge { size, limit: UNFLUSHED_MAX });
        }
        Ok((plan, extents))
    }

    /// Commits the operations as one group: when it returns `Ok` they are durable, all of them.
    /// The caller applies the changes that come back, with the bytes that the log has grown by.
    ///
    /// # Errors
    /// `TooLarge` and `NoSpace` before anything is written; `Device`, and then the log is poisoned.
    pub(crate) fn append<D: BlockDevice>(
        &mut self,
        disk: &Disk<D>,
        time: Timestamp,
        operations: &[Pending<'_>],
        keep: u32,
    ) -> Result<(Vec<Change>, u64), Error> {
        self.check()?;
        let layout = self.superblock().layout;
        let (plan, extents) = self.lay_out(operations, keep)?;
        self.disown_remains(disk)?;
        let changes = Vec::with_capacity(operations.len());
        let mut group = Encoder { log: self, time, point: self.point, changes, extents };
        let mut frames = Vec::with_capacity(plan.len());
        for (index, planned) in plan.iter().enumerate() {
            let ends = (index == 0, index.saturating_add(1) == plan.len());
            let taken = operations.get(planned.operations.clone()).unwrap_or_default();
            let frame = group.encode(planned, taken, ends).ok_or(COUNTERS_USED_UP)?;
            frames.push((layout.at(planned.place.segment, planned.place.block), frame));
        }
        let Encoder { point, changes, extents: Extents { outside, .. }, .. } = group;
        // Whatever ends the next calls early, a panic of the device too, leaves the log poisoned.
        self.poisoned = !planted(Bug::NotPoisoned);
        if planted(Bug::TailRewrite) {
            self.rewrite_tail(disk)?;
        }
        let bytes = outside.runs.iter().chain(&frames).map(|(at, bytes)| (*at, &bytes[..]));
        disk.write_many(bytes)?;
        disk.flush()?;
        self.poisoned = false;
        self.settle(&plan, point);
        if !outside.runs.is_empty() {
            let len = outside.runs.iter().map(|(_, run)| run.len() as u64).sum();
            self.debt = self.debt.saturating_add(len);
            outside.taken.iter().for_each(|&segment| self.segments.take(segment, Kind::Records));
            self.open.survivors = outside.open;
        }
        Ok((changes, plan.iter().map(|planned| planned.len).sum()))
    }

    /// Makes what is left of other frames unfit, if there is any, and whatever such a mount before has
    /// left when it came no further than this.
    fn disown_remains<D: BlockDevice>(&mut self, disk: &Disk<D>) -> Result<(), Error> {
        let superblock = *self.superblock();
        let Some(Mount { epoch, remains, disowned: false }) = self.mount else { return Ok(()) };
        let remains = remains != Remains::None && !planted(Bug::RemainsKept);
        if !remains && demanded_epoch(&superblock, &self.point).is_none() {
            return Ok(());
        }
        self.flip(disk, Superblock { epoch, ..superblock })?;
        // Either slot may be lost: the other one must not take the remains for a frame.
        self.repeat(disk)?;
        self.mount.iter_mut().for_each(|mount| mount.disowned = true);
        Ok(())
    }

    /// Whether a frame that is whole may lie where the next one can go.
    const fn is_over_whole(&self) -> bool {
        matches!(self.mount, Some(Mount { remains: Remains::Whole, .. }))
    }

    /// Disowns a whole frame before anything is written: what it has lost could be completed by that.
    pub(super) fn disown_whole<D: BlockDevice>(&mut self, disk: &Disk<D>) -> Result<(), Error> {
        if self.is_over_whole() { self.disown_remains(disk) } else { Ok(()) }
    }

    /// Writes the last block of the chain once more: a bug, for tests only.
    fn rewrite_tail<D: BlockDevice>(&self, disk: &Disk<D>) -> Result<(), Error> {
        let layout = &self.superblock().layout;
        let Some(Place { segment, block }) = self.point.open else { return Ok(()) };
        let at = layout.at(segment, block.saturating_sub(1));
        let mut last = vec![0; layout.block_len as usize];
        disk.read(at, &mut last)?;
        disk.write_many([(at, &last[..])])
    }

    /// Takes note that the planned frames are durable.
    fn settle(&mut self, plan: &[PlannedFrame], point: ChainPoint) {
        for (index, planned) in plan.iter().enumerate().filter(|(_, frame)| frame.place.block == 0)
        {
            // A number at its end is refused before it is written.
            let number = self.point.number.saturating_add(index as u64);
            let opened = self.segments.open(planned.place.segment, number, planned.next_segments);
            debug_assert_eq!(opened, Ok(()), "planned from free segments");
        }
        // The frames say so of those before them.
        self.attested = self.durable;
        self.durable = point.number.saturating_sub(1);
        self.segments.flushed();
        self.point = point;
        self.mount = None;
    }
}

/// Neither a sequence nor a number is used twice, so there is no going on.
pub(super) const COUNTERS_USED_UP: Error = Error::Unsupported("a store whose counters are used up");

/// The frames of one group while they are made.
struct Encoder<'a> {
    log: &'a Log,
    time: Timestamp,
    point: ChainPoint,
    changes: Vec<Change>,
    extents: Extents,
}

impl Encoder<'_> {
    /// The bytes of the next frame. `None` if a counter is used up.
    fn encode(
        &mut self,
        planned: &PlannedFrame,
        operations: &[Pending<'_>],
        (first, last): (bool, bool),
    ) -> Option<Vec<u8>> {
        let layout = self.log.superblock().layout;
        let at = layout.at(planned.place.segment, planned.place.block);
        let mut frame = Vec::with_capacity(usize::try_from(planned.len).ok()?);
        frame.resize(HEADER_LEN, 0);
        let mut sequence = self.point.sequence;
        for pending in operations {
            let Pending { mut operation, modified, replaced } = *pending;
            if let Operation::Extent { key, bytes } = operation {
                let record = Record { sequence, modified, replaced: None, operation };
                let (record, size) = (self.extents.add(&record)?, u32::try_from(bytes.len()).ok()?);
                operation = Operation::Place { key, placed: Moved { sequence, size, record } };
            }
            let record = Record { sequence, modified, replaced, operation };
            let start = frame.len();
            let check = record.encode(&mut frame);
            let len = u32::try_from(frame.len().checked_sub(start)?).ok()?;
            let pointer = Pointer { at: at.checked_add(start as u64)?, len, check };
            let inline_max = self.log.superblock().inline_max;
            self.changes.push(Change::new(&record, pointer, self.time, inline_max)?);
            sequence = sequence.checked_add(1)?;
        }
        let records_len = u32::try_from(frame.len().checked_sub(HEADER_LEN)?).ok()?;
        let record_count = u32::try_from(operations.len()).ok()?;
        let header = self.header(planned, (first, last), records_len, record_count);
        let check = header.seal(&mut frame, layout.block_len);
        self.point.advance(&header, check, header.blocks(&layout))?;
        Some(frame)
    }

    fn header(
        &self,
        planned: &PlannedFrame,
        (first, last): (bool, bool),
        records_len: u32,
        record_count: u32,
    ) -> FrameHeader {
        let (log, point) = (self.log, &self.point);
        let superblock = log.superblock();
        let new_epoch = log.mount.as_ref().filter(|_| first).map(|mount| mount.epoch);
        let opens = planned.place.block == 0;
        FrameHeader {
            first,
            last,
            mount: new_epoch.is_some(),
            uuid: superblock.uuid,
            birth: superblock.birth,
            epoch: new_epoch.unwrap_or(point.epoch),
            previous_epoch: if new_epoch.is_some() { point.epoch } else { 0 },
            number: point.number,
            group: log.point.number,
            generation: if opens { point.number } else { point.generation },
            place: planned.place,
            next_segments: planned.next_segments,
            previous_check: point.previous_check,
            durable: log.durable,
            checkpoint: superblock.checkpoint,
            sequence: point.sequence,
            time: self.time,
            records_len,
            record_count,
        }
    }
}
