//! Flips: a new state of the superblock.

use super::append::{COUNTERS_USED_UP, Log};
use super::disk::Disk;
use super::superblocks::{self, Newest, check_newest};
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::superblock::Superblock;

impl Log {
    /// Writes into the superblock that the chain is durable up to here, if this mount has written
    /// anything: from then on damage to any of its frames shows.
    ///
    /// # Errors
    /// `Stolen` if the superblock is newer than this mount knows: another writer was here.
    /// `Corrupt` if it is older. `Device`, and then the log is poisoned.
    pub(crate) fn seal<D: BlockDevice>(&mut self, disk: &Disk<D>) -> Result<(), Error> {
        self.check()?;
        if self.mount.is_some() {
            return Ok(());
        }
        let Newest { superblock, slot } = self.newest;
        let found = superblocks::read(disk)?;
        check_newest(&found, superblock.checkpoint)?;
        if found != self.newest {
            return Err(Error::Stolen);
        }
        let checkpoint = superblock.checkpoint.checked_add(1).ok_or(COUNTERS_USED_UP)?;
        let (epoch, must_reach) = (self.point.epoch, self.durable);
        let superblock = Superblock { checkpoint, epoch, must_reach, ..superblock };
        self.poisoned = true;
        self.newest = Newest { superblock, slot: 1 - slot };
        self.newest.write(disk, 0..superblock.layout.copies())?;
        self.poisoned = false;
        Ok(())
    }
}
