//! Replay: the chain from the tail start to its end.
//!
//! Invariants:
//! - Replay only reads. What it does to the index is what the writer did, by the same `apply`.
//! - It ends at the first frame that does not chain, or in which a record's check does not fit. An end
//!   before `must_reach` is corruption; whether there is evidence beyond it that the missing frame was
//!   durable, `beyond` tells.
//! - A group is applied whole, at its last frame, or not at all; what it places outside the chain
//!   belongs to it (`proof.rs`).
//! - A device error is an error, never an end.

use super::change::Change;
use super::disk::Disk;
use super::frames::Frames;
use super::proof::{Event, Held, Replayed};
use super::superblocks::{Newest, check_newest};
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::UNFLUSHED_MAX;
use crate::format::frame::{FrameHeader, HEADER_LEN};
use crate::format::layout::Layout;
use crate::format::place::Place;
use crate::format::point::ChainPoint;
use crate::format::pointer::Pointer;
use crate::format::record::Record;
use crate::format::superblock::Superblock;
use crate::planted::{Bug, planted};
use alloc::vec::Vec;

/// Follows the chain, tells `visit` what it comes to, and returns the chain's end. What `visit` finds
/// wrong is damage.
pub(crate) fn replay<D: BlockDevice>(
    disk: &Disk<D>,
    newest: &Newest,
    visit: impl FnMut(Event) -> Result<(), Fault>,
) -> Result<ChainPoint, Error> {
    let superblock = &newest.superblock;
    let layout = &superblock.layout;
    let mut point = superblock.tail_start;
    let mut frames = Frames::new(disk, superblock);
    let mut group = Group::default();
    let mut held = Held::new(visit, superblock.must_reach);
    held.push((0, point.at(layout)), Event::Start(point), point);
    held.attest(0)?;
    let mut begun = point;
    while let Some((header, check, changes)) = next(&mut frames, superblock, &point)? {
        let damaged = |fault| at_point_of(layout, &header, fault);
        let name = (header.number, layout.at(header.place.segment, header.place.block));
        check_newest(newest, header.checkpoint)?;
        held.attest(header.durable)?;
        if header.first {
            begun = point;
        }
        if header.place.block == 0 {
            let Place { segment, .. } = header.place;
            let (number, next) = (header.number, header.next_segments);
            held.push(name, Event::Opens { segment, number, next }, begun);
        }
        group.add(&header, header.len(layout), changes).map_err(damaged)?;
        let advanced = point.advance(&header, check, header.blocks(layout));
        advanced.ok_or_else(|| damaged(Fault::Field("number")))?;
        if header.last {
            let changes = core::mem::take(&mut group.changes);
            let group = Replayed { changes, len: group.len, end: point };
            held.push(name, Event::Group(group), begun);
        }
        if header.number == superblock.frozen {
            held.push(name, Event::Frozen(point), point);
        }
    }
    let point = held.end(disk, layout, point)?;
    if point.number <= superblock.must_reach && !planted(Bug::MustReachIgnored) {
        return Err(at_point(layout, &point, Fault::Missing { frame: point.number }).into());
    }
    Ok(point)
}

/// The frame that chains, with its check and changes.
fn next<D: BlockDevice>(
    frames: &mut Frames<'_, D>,
    superblock: &Superblock,
    point: &ChainPoint,
) -> Result<Option<(FrameHeader, u32, Vec<Change>)>, Error> {
    let layout = &superblock.layout;
    for place in point.places(layout) {
        let demanded = demanded_epoch(superblock, point);
        let fits = |header: &FrameHeader| {
            point.accepts(header) && demanded.is_none_or(|epoch| header.epoch == epoch)
        };
        let header = frames.header(place)?.filter(fits);
        let Some(header) = header else { continue };
        if let Some((records, check)) = frames.records(&header)? {
            let at = layout.at(place.segment, place.block).saturating_add(HEADER_LEN as u64);
            match changes(&header, records, at, superblock.inline_max) {
                Ok(changes) => return Ok(Some((header, check, changes))),
                // The frame's check does not see data that is followed by what is its check: where
                // two tries of a commit differ alike at the ends of neighbouring records, a crash can
                // mix a frame that fits.
                Err(Corruption { part: Part::Record, fault: Fault::Check, .. }) => {}
                Err(damaged) => return Err(damaged.into()),
            }
        }
    }
    Ok(None)
}

/// The epoch that the frame at `point` must have, if a mount has found that place without a whole
/// frame and has said so in the superblock. Otherwise a state's epoch is that of the frame before.
pub(super) fn demanded_epoch(superblock: &Superblock, point: &ChainPoint) -> Option<u64> {
    let is_there = point.number == superblock.must_reach.saturating_add(1);
    (is_there && point.epoch != superblock.epoch).then_some(superblock.epoch)
}

/// The changes in the records of a valid frame, which start at `at`.
fn changes(
    header: &FrameHeader,
    mut records: &[u8],
    at: u64,
    inline_max: u16,
) -> Result<Vec<Change>, Corruption> {
    let (end, mut changes) = (at.saturating_add(records.len() as u64), Vec::new());
    let mut sequence = header.sequence;
    while !records.is_empty() {
        let at = end.saturating_sub(records.len() as u64);
        let damaged = |fault| Corruption { part: Part::Record, at, fault };
        let (record, len, check) = Record::decode(records).map_err(damaged)?;
        if record.sequence != sequence {
            return Err(damaged(Fault::Field("sequence")));
        }
        let len_field = u32::try_from(len).map_err(|_| damaged(Fault::Field("record length")))?;
        let pointer = Pointer { at, len: len_field, check };
        let change = Change::new(&record, pointer, header.time, inline_max);
        changes.push(change.ok_or_else(|| damaged(Fault::Field("record kind")))?);
        sequence = sequence.checked_add(1).ok_or_else(|| damaged(Fault::Field("sequence")))?;
        records = records.get(len..).unwrap_or_default();
    }
    if changes.len() != header.record_count as usize {
        let fault = Fault::Field("record count");
        return Err(Corruption {
            part: Part::Frame,
            at: at.saturating_sub(HEADER_LEN as u64),
            fault,
        });
    }
    Ok(changes)
}

/// The group that is being read.
#[derive(Default)]
struct Group {
    number: u64,
    len: u64,
    open: bool,
    changes: Vec<Change>,
}

impl Group {
    fn add(&mut self, header: &FrameHeader, len: u64, changes: Vec<Change>) -> Result<(), Fault> {
        if header.first && planted(Bug::FirstKeepsUnfinished) {
            (self.number, self.open) = (header.number, true);
        } else if header.first {
            // What is left of an unfinished group was never acknowledged.
            *self = Self { number: header.number, open: true, ..Self::default() };
        }
        let belongs = self.open && header.group == self.number && (header.first || !header.mount);
        self.len = self.len.saturating_add(len);
        if !belongs || self.len > UNFLUSHED_MAX {
            return Err(Fault::Field("group"));
        }
        self.changes.extend(changes);
        self.open = !header.last;
        Ok(())
    }
}

fn at_point(layout: &Layout, point: &ChainPoint, fault: Fault) -> Corruption {
    Corruption { part: Part::Frame, at: point.at(layout), fault }
}

fn at_point_of(layout: &Layout, header: &FrameHeader, fault: Fault) -> Corruption {
    let at = layout.at(header.place.segment, header.place.block);
    Corruption { part: Part::Frame, at, fault }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::record::Operation;

    fn header(number: u64, group: u64, (first, last): (bool, bool)) -> FrameHeader {
        FrameHeader { first, last, number, group, ..FrameHeader::example() }
    }

    fn add(group: &mut Group, header: &FrameHeader) -> Result<(), Fault> {
        group.add(header, 4096, Vec::new())
    }

    #[test]
    fn a_group_is_its_frames_from_first_to_last() {
        let mut group = Group::default();
        assert_eq!(add(&mut group, &header(5, 5, (true, false))), Ok(()));
        assert_eq!(add(&mut group, &header(6, 5, (false, false))), Ok(()));
        assert_eq!(add(&mut group, &header(7, 5, (false, true))), Ok(()));
        let refused = Err(Fault::Field("group"));
        assert_eq!(add(&mut group, &header(8, 5, (false, true))), refused, "it was closed");
        assert_eq!(add(&mut group, &header(9, 8, (true, true))), refused, "of another number");
        let mut group = Group::default();
        assert_eq!(add(&mut group, &header(5, 5, (false, true))), refused, "never opened");
        assert_eq!(add(&mut group, &header(6, 6, (true, false))), Ok(()));
        let mount = FrameHeader { mount: true, ..header(7, 6, (false, true)) };
        assert_eq!(add(&mut group, &mount), refused, "a mount begins a group");
    }

    #[test]
    fn only_behind_the_last_durable_frame_of_another_epoch_an_epoch_is_demanded() {
        let superblock = Superblock { must_reach: 9, epoch: 5, ..Superblock::example() };
        let point = |number, epoch| ChainPoint { number, ..ChainPoint::first(epoch) };
        assert_eq!(demanded_epoch(&superblock, &point(10, 4)), Some(5));
        assert_eq!(
            demanded_epoch(&superblock, &point(10, 5)),
            None,
            "the state of a frame's mount"
        );
        assert_eq!(demanded_epoch(&superblock, &point(11, 4)), None, "the mount has written");
        assert_eq!(demanded_epoch(&superblock, &point(9, 4)), None);
    }

    #[test]
    fn a_group_is_no_longer_than_what_can_be_unflushed() {
        let mut group = Group::default();
        assert_eq!(group.add(&header(5, 5, (true, false)), UNFLUSHED_MAX, Vec::new()), Ok(()));
        let refused = Err(Fault::Field("group"));
        assert_eq!(group.add(&header(6, 5, (false, false)), 512, Vec::new()), refused);
    }

    #[test]
    fn records_count_up_from_the_header_and_are_as_many_as_it_says() {
        let mut records = Vec::new();
        for sequence in [14, 15] {
            let operation = Operation::Remove { key: b"\x01a" };
            Record { sequence, modified: None, replaced: None, operation }.encode(&mut records);
        }
        let example = FrameHeader::example();
        let read = |header: FrameHeader| changes(&header, &records, 1000, 0);
        let found = read(FrameHeader { sequence: 14, record_count: 2, ..example }).unwrap();
        assert_eq!((found[1].record.at, found[1].sequence), (1000 + records.len() as u64 / 2, 15));
        let fault = |header| read(header).unwrap_err().fault;
        let count = FrameHeader { sequence: 14, record_count: 3, ..example };
        assert_eq!(fault(count), Fault::Field("record count"));
        let sequence = FrameHeader { sequence: 13, record_count: 2, ..example };
        assert_eq!(fault(sequence), Fault::Field("sequence"));
    }
}
