//! Nodes and tables: reading them, and making new ones.

use super::append::Log;
use super::disk::Disk;
use super::outside::Outside;
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::layout::Layout;
use crate::format::node::{self, Node, Pack};
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
    Ok(Node::open(&bytes, pointer, birth, level).map_err(damaged)?)
}

/// Reads a node that may be damaged: one with a single wrong bit is mended, and what is wrong with it is
/// told besides.
pub(crate) fn read_or_mend_node<D: BlockDevice>(
    disk: &Disk<D>,
    layout: &Layout,
    birth: u64,
    pointer: Pointer,
    level: u8,
) -> Result<(Node, Option<Corruption>), Error> {
    match read_node(disk, layout, birth, pointer, level) {
        Err(Error::Corrupt(corruption)) if pointer.fits_blocks(layout, layout.node_len_max()) => {
            let mut bytes = vec![0; pointer.len as usize];
            disk.read(pointer.at, &mut bytes)?;
            let mended = node::mend(&mut bytes, pointer.check);
            let opened = Node::open(&bytes, pointer, birth, level).ok().filter(|_| mended);
            opened.map(|node| (node, Some(corruption))).ok_or(Error::Corrupt(corruption))
        }
        told => told.map(|node| (node, None)),
    }
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
    birth: u64,
    pub(super) outside: Outside,
    /// What there is, with the levels.
    nodes: Vec<(Pointer, u8)>,
}

impl NewNodes {
    /// None yet. They leave `keep` segments, those that the chain names included.
    pub(crate) fn new(log: &Log, keep: u32) -> Self {
        let superblock = log.superblock();
        let outside = log.outside(log.open.nodes, keep);
        Self { birth: superblock.birth, outside, nodes: Vec::new() }
    }

    /// None yet. They may lie anywhere.
    #[cfg(test)]
    pub(crate) fn anywhere(layout: Layout, birth: u64) -> Self {
        let free = (0..layout.segment_count).collect();
        let outside = Outside { layout, open: None, free, taken: Vec::new(), runs: Vec::new() };
        Self { birth, outside, nodes: Vec::new() }
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
        let at = self.outside.place(pack.node_len(count))?;
        let block_len = self.outside.layout.block_len;
        let (bytes, check) = pack.take_node(count, level, (self.birth, at), block_len);
        let pointer = self.push(at, &bytes, check);
        self.nodes.push((pointer, level));
        Ok(pointer)
    }

    /// Bytes of the nodes.
    pub(crate) fn len(&self) -> u64 {
        self.outside.runs.iter().map(|(_, run)| run.len() as u64).sum()
    }

    /// The nodes, to be kept in memory.
    pub(crate) fn into_nodes(self) -> Vec<(Pointer, Node)> {
        let Self { outside, nodes, birth } = self;
        let bytes = |pointer: Pointer| {
            let mut runs = outside.runs.iter();
            let (at, run) =
                runs.find(|(at, run)| (*at..*at + run.len() as u64).contains(&pointer.at))?;
            let start = usize::try_from(pointer.at.checked_sub(*at)?).ok()?;
            run.get(start..)?.get(..pointer.len as usize)
        };
        let node = |(pointer, level)| {
            Some((pointer, Node::open(bytes(pointer)?, pointer, birth, level).ok()?))
        };
        nodes.into_iter().filter_map(node).collect()
    }

    /// `bytes` will lie at `at`.
    pub(super) fn push(&mut self, at: u64, bytes: &[u8], check: u32) -> Pointer {
        self.outside.push(at, bytes);
        Pointer { at, len: u32::try_from(bytes.len()).unwrap_or(u32::MAX), check }
    }
}
