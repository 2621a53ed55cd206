//! What the commands do, and how they come by a store.

mod data;
mod image;
mod inspect;

use crate::cli::Command;
use crate::failure::{Code, Failure};
use nerite::{OpenOptions, Store};
use nerite_hostfs::{FileDevice, SystemClock, random_seed};
use std::path::Path;

/// Does what the command says.
///
/// # Errors
/// The one line to print, and the exit code.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(args) => image::create(&args),
        Command::Info(args) => image::info(&args),
        Command::Set(args) => data::set(&args),
        Command::Get(args) => data::get(&args),
        Command::Rm(args) => data::rm(&args),
        Command::Ls(args) => inspect::ls(&args),
        Command::Stat(args) => inspect::stat(&args),
    }
}

/// Opens beside other readers. Nothing is written, so there is nothing to close.
fn open_to_read(image: &Path) -> Result<Store<FileDevice>, Failure> {
    let device = FileDevice::open_read_only(image).map_err(Failure::open(image))?;
    open_store(image, device, true)
}

/// Opens alone, lets `change` do its work, and closes, which seals the log.
fn open_to_write(
    image: &Path,
    change: impl FnOnce(&Store<FileDevice>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let device = FileDevice::open(image).map_err(Failure::open(image))?;
    let store = open_store(image, device, false)?;
    let changed = change(&store);
    let closed = store.close().map_err(Failure::store(image));
    // If both failed, the first is the cause.
    changed.and(closed.map(drop))
}

fn open_store(
    image: &Path,
    device: FileDevice,
    read_only: bool,
) -> Result<Store<FileDevice>, Failure> {
    let options = OpenOptions::new(seed()?).read_only(read_only);
    Store::open(device, SystemClock, options).map_err(Failure::store(image))
}

fn seed() -> Result<u64, Failure> {
    random_seed().map_err(|error| Failure::new(Code::Io, format!("no random numbers: {error}")))
}
