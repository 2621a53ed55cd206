//! Flips: a new state of the superblock.

use super::append::{Failure, Log};
use super::disk::Disk;
use super::superblocks::{self, Newest};
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::superblock::Superblock;

impl Log {
    /// Writes into the superblock that the chain is durable up to here, if this mount has written
    /// anything: from then on damage to any of its frames shows.
    ///
    /// # Errors
    /// `Stolen` if the superblock is not the one that this mount knows: another writer was here.
    pub(crate) fn seal<D: BlockDevice>(&mut self, disk: &Disk<D>) -> Result<(), Error> {
        self.check()?;
        if self.mount.is_some() || self.newest.superblock.must_reach == self.durable {
            return Ok(());
        }
        if superblocks::read(disk)? != self.newest {
            self.failure = Some(Failure::Stolen);
            return Err(Error::Stolen);
        }
        let Newest { superblock, slot } = self.newest;
        let checkpoint = superblock.checkpoint.checked_add(1);
        let checkpoint =
            checkpoint.ok_or(Error::Unsupported("a store whose counters are used up"))?;
        let (epoch, must_reach) = (self.point.epoch, self.durable);
        let superblock = Superblock { checkpoint, epoch, must_reach, ..superblock };
        let slot = 1 - slot;
        if let Err(error) = superblocks::write(disk, &superblock, slot) {
            self.failure = Some(Failure::Poisoned);
            return Err(error);
        }
        self.newest = Newest { superblock, slot };
        Ok(())
    }
}
