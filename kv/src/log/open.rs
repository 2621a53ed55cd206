//! Where what lies outside the chain goes on.

use crate::format::layout::Layout;
use crate::format::place::Place;
use crate::format::pointer::Pointer;
use crate::format::superblock::Superblock;

/// Where what lies outside the chain goes on: nodes and tables, which are soon written anew, and
/// survivors, which are not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(super) nodes: Option<Place>,
    pub(super) survivors: Option<Place>,
}

impl Open {
    /// As of a state of the superblock.
    pub(crate) const fn of(superblock: &Superblock) -> Self {
        Self { nodes: superblock.index_open, survivors: None }
    }

    /// A survivor lies there, as a change says that replay has come to: others go on behind it.
    pub(crate) fn pass(&mut self, layout: &Layout, record: Pointer) {
        let Some(segment) = layout.segment_of(record.at) else { return };
        let end = record.at.saturating_add(u64::from(record.len));
        let blocks = layout.blocks(end.saturating_sub(layout.at(segment, 0)));
        let block = u32::try_from(blocks).unwrap_or(u32::MAX);
        let before = self.survivors.filter(|before| before.segment == segment);
        let block = before.map_or(block, |before| block.max(before.block));
        self.survivors = Some(Place { segment, block });
    }
}
