//! What a crash has left of a flip goes before anything else is written.
//!
//! A crash can tear a flip so that one end of a state is left, and tear that of the next mount the
//! other way round: where both hold the same bytes, the first state would be whole again, though
//! the mount between found it absent. That is no harm as long as that mount has written nothing
//! that the state does not know: then it is as if the first flip had reached the disk. So its first
//! flip comes before all else, and changes nothing. And one good copy of a slot is not left to be
//! the only one.
//!
//! In the same way a crash can tear what a frame places, and what is written there then can complete it.
//! So such a frame is disowned first.

use super::append::Log;
use super::disk::Disk;
use crate::device::BlockDevice;
use crate::error::Error;

impl Log {
    /// Disowns what a crash has left of a group whose frames are whole, and writes the state once more to
    /// each slot that has no state or not all of its copies: to the one that is not in force first.
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint), without `NoSpace`.
    pub(crate) fn complete_slots<D: BlockDevice>(&mut self, disk: &Disk<D>) -> Result<(), Error> {
        self.disown_whole(disk)?;
        while self.flips_due > 0 {
            self.repeat(disk)?;
            self.flips_due = self.flips_due.saturating_sub(1);
        }
        Ok(())
    }
}
