//! How the commands come by a store.

use crate::failure::{Code, Failure};
use nerite::{BlockDevice, Error, OpenOptions, Store};
use nerite_hostfs::{FileDevice, SystemClock, random_seed};
use std::path::Path;

/// An open store, and the image that it is on.
#[derive(Clone, Copy)]
pub(crate) struct Opened<'a> {
    pub(crate) image: &'a Path,
    pub(crate) store: &'a Store<FileDevice>,
}

impl Opened<'_> {
    /// For `map_err`: the store failed.
    pub(crate) fn failed(&self, error: Error) -> Failure {
        Failure::store(self.image)(error)
    }
}

/// Opens beside other readers. Nothing is written, so there is nothing to close.
pub(crate) fn open_to_read(image: &Path) -> Result<Store<FileDevice>, Failure> {
    let device = FileDevice::open_read_only(image).map_err(Failure::open(image))?;
    open_store(image, device, true)
}

/// Opens alone, lets `change` do its work, and closes, which seals the log.
pub(crate) fn open_to_write(
    image: &Path,
    change: impl FnOnce(&Store<FileDevice>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let device = FileDevice::open(image).map_err(Failure::open(image))?;
    let store = open_store(image, device, false)?;
    let changed = change(&store);
    let closed = store.close().map_err(Failure::store(image));
    if closed.is_ok() {
        log::info!("{}: closed", image.display());
    }
    // If both failed, the first is the cause.
    changed.and(closed.map(drop))
}

/// Opens the store on a device, which may be lent.
pub(crate) fn open_store<D: BlockDevice>(
    image: &Path,
    device: D,
    read_only: bool,
) -> Result<Store<D>, Failure> {
    let options = OpenOptions::new(seed()?).for_host().read_only(read_only);
    let store = Store::open(device, SystemClock, options).map_err(Failure::store(image))?;
    log::info!(
        "{}: opened {}, store {}, checkpoint {}, next frame {}",
        image.display(),
        if read_only { "to read" } else { "to write" },
        store.info().uuid,
        store.info().checkpoint,
        store.stat().next_frame
    );
    Ok(store)
}

/// Random bits for a store that is made or opened.
pub(crate) fn seed() -> Result<u64, Failure> {
    random_seed().map_err(|error| Failure::new(Code::Io, format!("no random numbers: {error}")))
}
