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
    pub(super) fn clean_nodes(&self, log: &mut Log, keep: u32) -> Result<u64, Error> {
        let segment = self.layout.segment_len();
        let room = u64::from(log.spare(keep)).saturating_mul(segment).min(self.batch_bytes());
        let room = room.saturating_sub(log.path_len());
        largest_batch(room, u64::from(self.layout.node_len_max()), |room| {
            self.clean_some_nodes(log, (room, keep))
        })
    }

    fn clean_some_nodes(&self, log: &mut Log, (room, keep): (u64, u32)) -> Result<u64, Error> {
        let superblock = *log.superblock();
        let mut contents = Contents::new(&self.disk, &superblock);
        let mut victims = self.victims(log, Kind::Nodes);
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
        keys.sort_unstable();
        // All nodes above those that are moved are written again: that must pay.
        let emptied = victims.emptied();
        let least = (self.layout.segment_len() / 2).min(emptied / 8);
        let most = emptied.saturating_sub(least);
        let moved = if keys.is_empty() || len.saturating_add(log.path_len()) > most {
            Ok(0)
        } else {
            let written = self.move_nodes(log, &keys, (most, keep));
            written.map(|written| written.map_or(0, |written| emptied.saturating_sub(written)))
        };
        victims.end(log, matches!(moved, Ok(gain) if gain > 0));
        moved
    }
}
