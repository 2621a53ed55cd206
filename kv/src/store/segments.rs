//! What each segment is used for, for those who want to see it.

use super::Store;
use crate::device::BlockDevice;
use crate::log::State;
use alloc::vec::Vec;

/// A segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Segment {
    /// Its number, from 0.
    pub number: u32,
    /// What it is used for.
    pub usage: Usage,
    /// Bytes in it that some key's value, or the index, needs. What the tail needs is not counted.
    pub live_bytes: u64,
}

/// What a segment is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Usage {
    /// Nothing.
    Free,
    /// The chain goes on here when the open segment is full.
    Next,
    /// The chain, from the tail's start on: replay reads it.
    Tail,
    /// The chain before that.
    Chain,
    /// Nodes of the index, and tables.
    Nodes,
    /// Copies of records.
    Survivors,
}

impl<D: BlockDevice> Store<D> {
    /// All segments by number, some 4,096 at most, and what is in them. It waits for a writer.
    #[must_use]
    pub fn segments(&self) -> Vec<Segment> {
        let log = self.log.lock();
        let tail = log.superblock().tail_start.generation;
        let states = (0..).zip(log.segments.states());
        let segment = |(number, (state, live_bytes))| {
            let usage = match state {
                State::Free | State::Discarded => Usage::Free,
                State::Named => Usage::Next,
                State::Chain(first) if first < tail || first == 0 => Usage::Chain,
                State::Chain(_) => Usage::Tail,
                State::Nodes => Usage::Nodes,
                State::Survivors => Usage::Survivors,
            };
            Segment { number, usage, live_bytes }
        };
        states.map(segment).collect()
    }
}
