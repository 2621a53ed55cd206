//! Cleaning segments of records: those that hold the value of some key are copied as they are, in key
//! order, and made durable; then a commit of moves names the new places.
//!
//! Invariant: a move keeps key, value, sequence and time. It is made of an entry that holds while
//! nobody else can write, so that nothing that was removed or replaced comes back.

use super::super::Store;
use super::{Victims, largest_batch};
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::index_key::{self, IndexKey, Keyspace};
use crate::format::pointer::Pointer;
use crate::format::record::{Moved, Operation};
use crate::format::survivors;
use crate::index::{Entry, Stored};
use crate::log::{Content, Contents, Kept, Kind, Log, NAMED, Pending, Purpose, kept_records};
use crate::planted::{Bug, planted};
use alloc::vec::Vec;

/// The smallest batch.
const BYTES_MIN: u64 = 512;

/// A batch frees one of so many bytes that it writes, or it is not worth its moves: long records can't
/// fill segments, however often they are moved.
const PAYS: u64 = 16;

/// A record that is still needed.
struct Survivor {
    key: IndexKey,
    entry: Entry,
    /// Where it lies.
    record: Pointer,
    bytes: Vec<u8>,
}

/// What was found.
#[derive(Default)]
struct Batch {
    survivors: Vec<Survivor>,
    /// Bytes of their records.
    len: u64,
}

impl<D: BlockDevice> Store<D> {
    /// As `clean_batch`.
    pub(super) fn clean_records(&self, log: &mut Log, keep: u32) -> Result<u64, Error> {
        // The moves may take what is left: then it is less.
        largest_batch(self.survivors_room(log, keep), BYTES_MIN, |room| {
            self.clean_some_records(log, (room, keep))
        })
    }

    fn clean_some_records(&self, log: &mut Log, (room, keep): (u64, u32)) -> Result<u64, Error> {
        let mut victims = self.victims(log, Kind::Records);
        let mut batch = self.gather(log, &mut victims, room)?;
        batch.survivors.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        let lens: Vec<_> =
            batch.survivors.iter().map(|survivor| survivor.bytes.len() as u64).collect();
        let taken = log.survivors_len(&lens);
        let gain = victims.emptied().saturating_sub(taken);
        let gain = if gain > taken / PAYS { gain } else { 0 };
        let moved = if batch.survivors.is_empty() || gain == 0 {
            Ok(0)
        } else {
            self.move_records(log, &batch.survivors, (victims.freed, keep)).map(|()| gain)
        };
        // Where nothing was found there is nothing to move.
        victims.end(log, batch.survivors.is_empty() || matches!(moved, Ok(gain) if gain > 0));
        moved
    }

    /// Bytes of records for which there is room, a batch's worth at most.
    fn survivors_room(&self, log: &Log, keep: u32) -> u64 {
        // One more for the moves.
        let spare = log.spare(keep.saturating_add(1));
        let header = survivors::HEADER_LEN as u64;
        let rest =
            u64::from(spare).saturating_mul(self.layout.segment_len().saturating_sub(header));
        log.survivors_rest().saturating_add(rest).min(self.batch_bytes())
    }

    /// Looks for what is still needed, until there is no room for more.
    fn gather(&self, log: &mut Log, victims: &mut Victims, room: u64) -> Result<Batch, Error> {
        let superblock = *log.superblock();
        let mut contents = Contents::new(&self.disk, &superblock);
        let (mut batch, mut before) = (Batch::default(), 0);
        while batch.len < room
            && let Some(place) = victims.next(log)
        {
            let (content, mut behind) = contents.at(place)?;
            if let Content::Records { at, bytes } = content {
                for kept in kept_records(at, bytes, superblock.inline_max) {
                    if !self.gather_record(&mut batch, &kept, room)? {
                        // The rest of them is for the next batch.
                        behind = place.block;
                        break;
                    }
                }
            }
            victims.pass(log, place, behind, batch.len - before);
            if behind == place.block {
                break;
            }
            before = if behind < superblock.layout.segment_blocks { before } else { batch.len };
        }
        Ok(batch)
    }

    /// Takes the record if it is needed; `false` if it is, and there is no room for it.
    fn gather_record(&self, batch: &mut Batch, kept: &Kept<'_>, room: u64) -> Result<bool, Error> {
        let entry = self.look(|index, pins| index.entry(kept.key, pins))?;
        let needed = |entry: &Entry| {
            entry.value == Stored::Record(kept.pointer) && entry.sequence == kept.sequence
        };
        let entry = entry.or_else(|| planted(Bug::MoveResurrects).then(|| as_it_was(kept)));
        let Some(entry) = entry.filter(needed) else { return Ok(true) };
        let len = batch.len.saturating_add(kept.bytes.len() as u64);
        if len > room && !batch.survivors.is_empty() {
            return Ok(false);
        }
        batch.len = len;
        let (key, bytes) = (moved_key(kept.key), kept.bytes.to_vec());
        batch.survivors.push(Survivor { key, entry, record: kept.pointer, bytes });
        Ok(true)
    }

    /// Moves records out of segments, of which `freed` are then free. If it takes no more, it may take
    /// what is kept for a step, but for `least` segments.
    fn move_records(
        &self,
        log: &mut Log,
        survivors: &[Survivor],
        (freed, least): (u32, u32),
    ) -> Result<(), Error> {
        let (records, mut moves): (Vec<_>, Vec<_>) =
            survivors.iter().map(|survivor| (&survivor.bytes[..], self.move_of(survivor))).unzip();
        let all = log.spare(NAMED).saturating_add(NAMED);
        let keep = log.kept(Purpose::Move, 0).min(all.saturating_sub(freed));
        let keep = keep.max(least);
        let opened = log.admit(&moves, keep)?;
        let places = log.write_survivors(&self.disk, &records, opened.saturating_add(keep))?;
        for (pending, at) in moves.iter_mut().zip(places) {
            if let Operation::Move { moved, .. } = &mut pending.operation {
                moved.record.at = at;
            }
        }
        let (changes, len) = log.append(&self.disk, Timestamp::default(), &moves, keep)?;
        self.apply(log, changes, len);
        Ok(())
    }

    /// The move of a record to where it is.
    fn move_of<'a>(&self, Survivor { key, entry, record, .. }: &'a Survivor) -> Pending<'a> {
        let size = u32::try_from(entry.size).unwrap_or(u32::MAX);
        let moved = Moved { sequence: entry.sequence, size, record: *record };
        Pending {
            operation: Operation::Move { key: key.as_bytes(), moved },
            modified: Some(if planted(Bug::MoveChangesTime) {
                Timestamp::default()
            } else {
                entry.modified
            }),
            replaced: Some(entry.replaced(&self.layout, key.as_bytes())),
        }
    }
}

/// The key by which a record is moved: its own.
fn moved_key(key: &[u8]) -> IndexKey {
    match index_key::object_of(key) {
        Some((object, offset))
            if Keyspace::of(key) == Keyspace::Extent && planted(Bug::ExtentMisplaced) =>
        {
            IndexKey::extent(object, offset ^ 1)
        }
        _ => IndexKey::from_checked(key),
    }
}

/// The entry that a record once had: a bug, for tests only.
fn as_it_was(kept: &Kept<'_>) -> Entry {
    let (modified, size) = (Timestamp::default(), kept.bytes.len() as u64);
    Entry { sequence: kept.sequence, modified, size, value: Stored::Record(kept.pointer) }
}
