//! Cleaning segments of nodes: nodes that the tree still has are written anew, by a step of a
//! checkpoint that merges nothing.

use super::super::Store;
use super::largest_batch;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::log::{Content, Contents, Kind, Log};
use alloc::vec::Vec;

impl<D: BlockDevice> Store<D> {
    /// As `clean_batch`.
    pub(super) fn clean_nodes(&self, log: &mut Log, most: u64, keep: u32) -> Result<u64, Error> {
        let segment = self.layout.segment_len();
        let room = u64::from(log.spare(keep)).saturating_mul(segment).min(self.batch_bytes());
        let room = room.saturating_sub(log.path_len());
        largest_batch(room, u64::from(self.layout.node_len_max()), |room| {
            self.clean_some_nodes(log, most, (room, keep))
        })
    }

    fn clean_some_nodes(
        &self,
        log: &mut Log,
        most: u64,
        (room, keep): (u64, u32),
    ) -> Result<u64, Error> {
        let superblock = *log.superblock();
        let mut contents = Contents::new(&self.disk, &superblock);
        let mut victims = self.victims(log, Kind::Nodes, most);
        let (mut keys, mut len, mut before) = (Vec::new(), 0u64, 0);
        while len < room
            && let Some(place) = victims.next(log)
        {
            let (content, behind) = contents.at(place)?;
            if let Content::Node { at, level, key } = content
                && self.look(|index, pins| index.has_node(&key, level, at, pins))?
            {
                keys.push(key);
                let blocks = u64::from(behind.saturating_sub(place.block));
                len += blocks * u64::from(superblock.layout.block_len);
            }
            victims.pass(log, place, behind, len - before);
            before = if behind < superblock.layout.segment_blocks { before } else { len };
        }
        keys.sort();
        // The table goes with every step.
        let gain = self.gain(log, &victims, len.saturating_add(log.path_len()));
        // The nodes above those that are moved are written again each time: that must pay.
        let moved = if keys.is_empty() || gain < self.layout.segment_len() / 2 {
            Ok(0)
        } else {
            self.move_nodes(log, &keys, keep).map(|()| gain)
        };
        victims.end(log, matches!(moved, Ok(gain) if gain > 0));
        moved
    }
}
