//! What replay has read and nothing durable testifies to yet.
//!
//! Such a group may place extents that a crash has taken, though its frames are whole: they were
//! written together. It counts only if all of them are there; otherwise the chain has ended before it,
//! as before a torn frame. Of a group that is known durable what it places is not read: if that is
//! damaged, whoever needs it finds out.
//!
//! Invariant: what replay has come to is told in order, and of a group only when it counts.

use super::change::{Change, What};
use super::disk::Disk;
use super::fetch::fetch;
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::layout::Layout;
use crate::format::place::NextSegments;
use crate::format::point::ChainPoint;
use crate::planted::{Bug, planted};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// What replay comes to.
#[derive(Debug)]
pub(crate) enum Event {
    /// The chain starts, in a segment whose first frame has this number if it is not empty.
    Start(ChainPoint),
    /// A frame opens a segment.
    Opens { segment: u32, number: u64, next: NextSegments },
    /// A group is whole.
    Group(Replayed),
    /// The delta was frozen here. What is left of an unfinished group may come right before.
    Frozen(ChainPoint),
}

/// A group that is whole.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) changes: Vec<Change>,
    /// Bytes of its frames.
    pub(crate) len: u64,
    /// Where the chain goes on behind it.
    pub(crate) end: ChainPoint,
}

/// One thing that replay has come to.
struct Item {
    /// The frame by which.
    frame: u64,
    /// Where that lies.
    at: u64,
    event: Event,
    /// Where the chain ends if this does not count.
    before: ChainPoint,
}

/// Things that replay has come to, the first one first.
pub(super) struct Held<V> {
    visit: V,
    items: VecDeque<Item>,
    /// The highest frame that is known to have been durable.
    durable: u64,
}

impl<V: FnMut(Event) -> Result<(), Fault>> Held<V> {
    pub(super) const fn new(visit: V, durable: u64) -> Self {
        Self { visit, items: VecDeque::new(), durable }
    }

    /// Something says that frames up to this one were durable.
    pub(super) fn attest(&mut self, durable: u64) -> Result<(), Corruption> {
        self.durable = self.durable.max(durable);
        while let Some(item) = self.items.pop_front_if(|item| item.frame <= self.durable) {
            self.tell(item)?;
        }
        Ok(())
    }

    /// Replay has come to this.
    pub(super) fn push(&mut self, (frame, at): (u64, u64), event: Event, before: ChainPoint) {
        self.items.push_back(Item { frame, at, event, before });
    }

    /// The chain has no more frames. Tells where it ends.
    pub(super) fn end<D: BlockDevice>(
        mut self,
        disk: &Disk<D>,
        layout: &Layout,
        point: ChainPoint,
    ) -> Result<ChainPoint, Error> {
        self.attest(0)?;
        while let Some(group) =
            self.items.iter().position(|item| matches!(item.event, Event::Group(_)))
        {
            if let Some(Item { event: Event::Group(replayed), before, .. }) = self.items.get(group)
                && !is_whole(disk, layout, &replayed.changes)?
            {
                let before = *before;
                // What is left of an unfinished group in front of it.
                while let Some(item) = self.items.pop_front_if(|item| item.frame < before.number) {
                    self.tell(item)?;
                }
                return Ok(before);
            }
            for item in self.items.drain(..=group).collect::<VecDeque<_>>() {
                self.tell(item)?;
            }
        }
        for item in core::mem::take(&mut self.items) {
            self.tell(item)?;
        }
        Ok(point)
    }

    fn tell(&mut self, Item { at, event, .. }: Item) -> Result<(), Corruption> {
        let damaged = |fault| Corruption { part: Part::Frame, at, fault };
        (self.visit)(event).map_err(damaged)
    }
}

/// Whether all is there that the changes place.
fn is_whole<D: BlockDevice>(
    disk: &Disk<D>,
    layout: &Layout,
    changes: &[Change],
) -> Result<bool, Error> {
    for change in changes {
        let What::Place { key, placed } = &change.what else { continue };
        if planted(Bug::ExtentUnproven) {
            continue;
        }
        match fetch(disk, layout, placed.record, key.as_bytes(), placed.sequence) {
            Ok(fetched) if fetched.value.len() == placed.size as usize => {}
            Ok(_) | Err(Error::Corrupt(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
