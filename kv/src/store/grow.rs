//! A store on a device that has become longer.

use super::Store;
use crate::device::BlockDevice;
use crate::error::Error;

impl<D: BlockDevice> Store<D> {
    /// Takes as much of the device as the store can: for when the device was made longer before the
    /// store was opened. Tells how many bytes the store has now. Segments stay as long as they are, so
    /// it can become about 16 times as long as it was made from 8 MiB on, and at least 7 times below;
    /// but what is below 256 KiB stays below. If power fails meanwhile, it has grown or not. How much
    /// of the log is replayed at open, at most, is as before until the store is opened again.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Poisoned`], [`Error::Stolen`]; [`Error::NoSpace`] if the table of
    /// segments does not fit; [`Error::Corrupt`]; [`Error::Device`].
    pub fn grow(&mut self) -> Result<u64, Error> {
        let mut log = self.writer()?;
        let layout = self.layout.grown(self.disk.geometry().size());
        if layout.segment_count == self.layout.segment_count {
            return Ok(self.layout.len());
        }
        let merged_to = self.index.lock().merged_to();
        let grown = log.grow(&self.disk, layout, merged_to);
        // It can have grown and failed.
        let layout = log.superblock().layout;
        drop(log);
        self.layout = layout;
        grown.map(|()| layout.len())
    }
}
