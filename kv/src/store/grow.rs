//! A store on a device that has become longer.

use super::Store;
use crate::device::BlockDevice;
use crate::error::Error;

impl<D: BlockDevice> Store<D> {
    /// Takes as much of the device as the store can: for when the device was made longer before the
    /// store was opened. Tells how many bytes the store has now. Segments stay as long as they are, so
    /// it can become about 16 times as long as it was made (below 4 MiB less, and below 256 KiB
    /// it stays below). If power fails meanwhile, it has grown or not.
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
        let merged_to = self.index.lock().frozen().map(|frozen| frozen.merged_to.clone());
        log.grow(&self.disk, layout, merged_to.unwrap_or_default())?;
        drop(log);
        self.layout = layout;
        Ok(layout.len())
    }
}
