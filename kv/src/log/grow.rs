//! A store that takes more of its device.
//!
//! Invariant: both slots tell of the segments that were added before a frame or a node is written to
//! one. A state that does not know them could not replay what lies there. (The table of the first of
//! the two may lie there: whoever finds that state knows them.)

use super::append::Log;
use super::disk::Disk;
use super::flip::{Progress, Step};
use super::nodes::NewNodes;
use super::reserve::NAMED;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::layout::Layout;
use crate::format::superblock::Superblock;
use alloc::vec::Vec;

impl Log {
    /// Goes on with `layout`, which has more segments. A round has come as far as `merged_to`.
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint). It may have happened, or half of it: the superblock in
    /// force tells, and the next commit does the rest.
    pub(crate) fn grow<D: BlockDevice>(
        &mut self,
        disk: &Disk<D>,
        layout: Layout,
        merged_to: Vec<u8>,
    ) -> Result<(), Error> {
        self.check()?;
        self.complete_slots(disk)?;
        let before = self.segments.clone();
        self.segments.grow(layout);
        let grown = self.tell(disk, layout, merged_to);
        if self.superblock().layout != layout {
            self.segments = before;
        }
        grown?;
        // Before that is done nothing else is written.
        self.flips_due = self.flips_due.max(1);
        self.complete_slots(disk)
    }

    /// Writes a state with this layout, and the table that belongs to it if there is one.
    fn tell<D: BlockDevice>(
        &mut self,
        disk: &Disk<D>,
        layout: Layout,
        merged_to: Vec<u8>,
    ) -> Result<(), Error> {
        let superblock = *self.superblock();
        if superblock.table.is_none() {
            return self.flip(disk, Superblock { layout, epoch: self.state_epoch(), ..superblock });
        }
        let new = NewNodes::new(self, NAMED);
        let (progress, forgotten) = (Progress::Same(merged_to), Vec::new());
        let step = Step { tree: superblock.tree, new, old: &[], forgotten, progress };
        self.checkpoint(disk, step).map(|_| ())
    }
}
