//! What is on the platters, and what is on its way there.

use super::fate::Fate;
use super::sector::{Sector, sector_mut};

/// A sector that was written: its offset on the disk, and its new bytes.
pub type Written = (usize, Sector);

/// One thing that happened to a medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// These sectors were written, at once.
    Write(Vec<Written>),
    /// What was written before is durable now.
    Flush,
    /// What was written since the last flush will never be durable.
    Lost,
}

/// The bytes that no crash can take, and the sectors written since the last flush.
#[derive(Clone, Debug)]
pub struct Medium {
    /// What a crash can't take.
    pub durable: Vec<u8>,
    /// In the order in which they were written; one written twice is here twice.
    pub pending: Vec<Written>,
}

impl Medium {
    /// A medium that holds these bytes, all durable.
    #[must_use]
    pub const fn new(durable: Vec<u8>) -> Self {
        Self { durable, pending: Vec::new() }
    }

    /// Lets the event happen.
    pub fn happen(&mut self, event: &Event) {
        match event {
            Event::Write(sectors) => self.pending.extend_from_slice(sectors),
            Event::Flush => self.settle(),
            Event::Lost => self.pending.clear(),
        }
    }

    fn settle(&mut self) {
        for (offset, new) in self.pending.drain(..) {
            *sector_mut(&mut self.durable, offset) = new;
        }
    }

    /// What is there after a crash. `fate` is asked for each pending sector by its number.
    #[must_use]
    pub fn crash(&self, mut fate: impl FnMut(usize) -> Fate) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (number, (offset, new)) in self.pending.iter().enumerate() {
            fate(number).strike(sector_mut(&mut bytes, *offset), new);
        }
        bytes
    }

    /// What reads see where nothing stands in a cache but what is pending.
    pub(super) fn visible(&self) -> Vec<u8> {
        self.crash(|_| Fate::New)
    }
}
