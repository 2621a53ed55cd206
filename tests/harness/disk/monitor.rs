//! Watches that nothing acknowledged is written over.
//!
//! Invariant watched: a sector that a call wrote before it returned `Ok` holds acknowledged data,
//! and so does one that recovery has adopted though its call never returned. Nobody writes to it
//! again until it is released. A discard releases: whether that was right, the data tells. (So only
//! disks that discard can be watched once segments are used again.) Slots of the superblock are
//! exempt: they are the one thing that is written in place.

use super::sector::SECTOR;

/// Which sectors hold acknowledged data.
#[derive(Clone, Debug)]
pub struct Monitor {
    /// Bytes at the start of the disk that are exempt.
    exempt: usize,
    acknowledged: Vec<bool>,
    /// Sectors written since the last verdict on them.
    touched: Vec<usize>,
    /// Sectors that were ever released.
    released: Vec<usize>,
}

impl Monitor {
    /// Watches a disk of `len` bytes on which nothing is acknowledged yet. Its first `exempt` bytes
    /// may always be written.
    #[must_use]
    pub fn new(len: usize, exempt: usize) -> Self {
        Self {
            exempt,
            acknowledged: vec![false; len / SECTOR],
            touched: Vec::new(),
            released: Vec::new(),
        }
    }

    /// What was written since the last verdict has been acknowledged.
    pub(super) fn acknowledge(&mut self) {
        for sector in self.touched.drain(..) {
            self.acknowledged[sector] = true;
        }
    }

    /// The sectors at these offsets were found to hold what is acknowledged from now on.
    pub(super) fn adopt(&mut self, offsets: &[usize]) {
        for offset in offsets {
            self.acknowledged[offset / SECTOR] = true;
        }
    }

    /// Nothing is needed of the sector at `offset` any more: so says who discards it.
    pub(super) fn release(&mut self, offset: usize) {
        let sector = offset / SECTOR;
        self.acknowledged[sector] = false;
        self.touched.retain(|&touched| touched != sector);
        self.released.push(sector);
    }

    /// What `later` has released since is not watched here any more: if power fails meanwhile, it may
    /// have been by then.
    pub(crate) fn release_as(&mut self, later: &Self) {
        let since = later.released.get(self.released.len()..).unwrap_or_default();
        for &sector in since {
            self.acknowledged[sector] = false;
        }
    }

    /// What was written since the last verdict may be written over: its call has failed.
    pub(super) fn disclaim(&mut self) {
        self.touched.clear();
    }

    /// Tells what is wrong with a write to the sector at `offset`, if anything is.
    pub(super) fn write(&mut self, offset: usize) -> Result<(), String> {
        let sector = offset / SECTOR;
        if offset < self.exempt {
            return Ok(());
        }
        if self.acknowledged[sector] {
            return Err(format!("a write to byte {offset}, where acknowledged data lies"));
        }
        self.touched.push(sector);
        Ok(())
    }
}
