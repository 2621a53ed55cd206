//! Nodes and tables: reading them, and finding room for new ones in segments of their own.
//!
//! Invariants:
//! - A node is written only to blocks that nothing durable names: behind the last one of the open
//!   segment of the index, or in a segment that was free.
//! - What a checkpoint writes leaves the reserve, like any commit.

use super::append::Log;
use super::disk::Disk;
use super::plan;
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::layout::Layout;
use crate::format::node::{Node, Pack};
use crate::format::place::Place;
use crate::format::pointer::Pointer;
use crate::format::superblock::Superblock;
use crate::format::table::Table;
use alloc::vec;
use alloc::vec::Vec;

/// Reads the node that `pointer` leads to and proves it.
pub(crate) fn read_node<D: BlockDevice>(
    disk: &Disk<D>,
    layout: &Layout,
    birth: u64,
    pointer: Pointer,
    level: u8,
) -> Result<Node, Error> {
    let damaged = |fault| Corruption { part: Part::Node, at: pointer.at, fault };
    if !pointer.fits_blocks(layout, layout.node_len_max()) {
        return Err(damaged(Fault::Field("pointer")).into());
    }
    let mut bytes = vec![0; pointer.len as usize];
    disk.read(pointer.at, &mut bytes)?;
    Ok(Node::open(bytes, pointer, birth, level).map_err(damaged)?)
}

/// Reads the table of the state in force, if it has one.
pub(crate) fn read_table<D: BlockDevice>(
    disk: &Disk<D>,
    superblock: &Superblock,
) -> Result<Option<Table>, Error> {
    let Some(pointer) = superblock.table else { return Ok(None) };
    let mut bytes = vec![0; pointer.len as usize];
    disk.read(pointer.at, &mut bytes)?;
    let table = Table::decode(&bytes, pointer, superblock.birth, &superblock.layout);
    let damaged = |fault| Corruption { part: Part::Table, at: pointer.at, fault };
    Ok(Some(table.map_err(damaged)?))
}

/// New nodes that are not on the device yet.
#[derive(Debug)]
pub(crate) struct NewNodes {
    layout: Layout,
    birth: u64,
    /// Where the next one goes.
    pub(super) open: Option<Place>,
    /// Segments that may still be taken, the next one last.
    free: Vec<u32>,
    /// Segments that were taken.
    pub(super) taken: Vec<u32>,
    /// Bytes that lie together, and where.
    pub(super) runs: Vec<(u64, Vec<u8>)>,
    /// What there is, with the levels.
    nodes: Vec<(Pointer, u8)>,
    len: usize,
}

impl NewNodes {
    /// None yet. They leave the reserve, and `spoken_for` segments besides.
    pub(crate) fn new(log: &Log, spoken_for: u32) -> Self {
        let superblock = log.superblock();
        let spare = plan::spare_segments(&log.segments, &log.point).unwrap_or(0);
        let spare = spare.saturating_sub(spoken_for) as usize;
        // The chain takes the lowest: so it finds what lies beyond its end.
        let mut free: Vec<_> = log.segments.free_segments().rev().take(spare).collect();
        free.reverse();
        Self {
            layout: superblock.layout,
            birth: superblock.birth,
            open: superblock.index_open,
            free,
            taken: Vec::new(),
            runs: Vec::new(),
            nodes: Vec::new(),
            len: 0,
        }
    }

    /// Bytes of all new nodes.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Makes a node of the first `count` cells of `pack`.
    ///
    /// # Errors
    /// `NoSpace`.
    pub(crate) fn add(
        &mut self,
        pack: &mut Pack,
        count: usize,
        level: u8,
    ) -> Result<Pointer, Error> {
        let at = self.place(pack.node_len(count))?;
        let (bytes, check) = pack.take_node(count, level, (self.birth, at), self.layout.block_len);
        let pointer = self.push(at, &bytes, check);
        self.nodes.push((pointer, level));
        Ok(pointer)
    }

    /// The nodes, to be kept in memory.
    pub(super) fn into_nodes(self) -> Vec<(Pointer, Node)> {
        let Self { runs, nodes, birth, .. } = self;
        let bytes = |pointer: Pointer| {
            let (at, run) = runs
                .iter()
                .find(|(at, run)| (*at..*at + run.len() as u64).contains(&pointer.at))?;
            let start = usize::try_from(pointer.at.checked_sub(*at)?).ok()?;
            Some(run.get(start..)?.get(..pointer.len as usize)?.to_vec())
        };
        let node = |(pointer, level)| {
            Some((pointer, Node::open(bytes(pointer)?, pointer, birth, level).ok()?))
        };
        nodes.into_iter().filter_map(node).collect()
    }

    /// Finds room for `len` bytes, which must be pushed next.
    pub(super) fn place(&mut self, len: usize) -> Result<u64, Error> {
        let blocks = self.layout.blocks(len as u64);
        let room = |place: &Place| self.layout.segment_blocks.saturating_sub(place.block);
        let here = self.open.filter(|place| u64::from(room(place)) >= blocks);
        let place = match (here, self.free.pop()) {
            (Some(place), next) => {
                self.free.extend(next);
                place
            }
            (None, Some(segment)) => {
                self.taken.push(segment);
                Place { segment, block: 0 }
            }
            (None, None) => return Err(Error::NoSpace { needed: len as u64, free: 0 }),
        };
        let block = place.block.saturating_add(u32::try_from(blocks).unwrap_or(u32::MAX));
        self.open = Some(Place { block, ..place });
        Ok(self.layout.at(place.segment, place.block))
    }

    /// `bytes` will lie at `at`.
    pub(super) fn push(&mut self, at: u64, bytes: &[u8], check: u32) -> Pointer {
        self.len += bytes.len();
        let in_block_0 = self.open.is_some_and(|open| self.layout.at(open.segment, 0) == at);
        match self.runs.last_mut() {
            Some((start, run)) if *start + run.len() as u64 == at && !in_block_0 => {
                run.extend_from_slice(bytes);
            }
            _ => self.runs.push((at, bytes.to_vec())),
        }
        Pointer { at, len: u32::try_from(bytes.len()).unwrap_or(u32::MAX), check }
    }
}
