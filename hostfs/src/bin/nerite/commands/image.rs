//! `create` and `info`.

use crate::cli;
use crate::failure::{Code, Failure};
use crate::open::{open_to_read, seed};
use crate::size::Bytes;
use nerite::{BlockDevice, CreateOptions, Error, Flush, Store};
use nerite_hostfs::FileDevice;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// The size of a new image if none is given, in bytes.
const NEW_IMAGE_SIZE: u64 = 64 << 20;

/// Makes an empty store in a new image, or in one that is there.
pub(crate) fn create(args: &cli::Create) -> Result<(), Failure> {
    let path = &args.image;
    let mut options = CreateOptions::new(seed()?).force(args.force);
    if let Some(uuid) = args.uuid {
        options = options.uuid(uuid);
    }
    if let Some(block_size) = args.block_size {
        options = options.block_size(block_size);
    }
    // What a link leads to counts, also if it leads nowhere: nothing is made at its other end.
    if fs::symlink_metadata(path).is_ok() {
        create_in_place(path, args.size, options)
    } else {
        create_new(path, args.size.unwrap_or(NEW_IMAGE_SIZE), options)
    }
}

fn create_new(path: &Path, size: u64, options: CreateOptions) -> Result<(), Failure> {
    let device = FileDevice::create(path, size).map_err(Failure::open(path))?;
    let created = create_store(path, &device, options);
    if created.is_err() {
        // Made above and still locked, so nobody has put anything in it. The error that led here
        // tells more than a failure to remove it.
        let _ = fs::remove_file(path);
    }
    created
}

fn create_in_place(path: &Path, size: Option<u64>, options: CreateOptions) -> Result<(), Failure> {
    let device = FileDevice::open(path).map_err(Failure::open(path))?;
    // An image is never cut nor grown: either could lose, or hide, what somebody wanted.
    let actual = device.geometry().size();
    if size.is_some_and(|size| size != actual) {
        let message = format!(
            "{}: has {actual} bytes already; leave out --size to take them all, or remove it first",
            path.display()
        );
        return Err(Failure::new(Code::Usage, message));
    }
    create_store(path, &device, options)
}

fn create_store(path: &Path, device: &FileDevice, options: CreateOptions) -> Result<(), Failure> {
    let usage = |message: &str| Failure::new(Code::Usage, format!("{}: {message}", path.display()));
    Store::create(device, options).map_err(|error| match error {
        Error::NotBlank => usage("holds data already; --force overwrites it"),
        // Here it is the arguments that are not supported; elsewhere, the image.
        Error::Unsupported(_) => usage(&error.to_string()),
        error => Failure::store(path)(error),
    })
}

/// Shows what the store is.
pub(crate) fn info(args: &cli::Image) -> Result<(), Failure> {
    let store = open_to_read(&args.image)?;
    print_info(&store, io::stdout().lock()).map_err(|error| Failure::output(&error))
}

fn print_info(store: &Store<FileDevice>, mut out: impl Write) -> io::Result<()> {
    let info = store.info();
    let size = info.block_count.saturating_mul(u64::from(info.block_size));
    let flush = match info.flush {
        Flush::Supported => "supported",
        Flush::WriteThrough => "not needed",
        Flush::Unavailable => "unavailable",
    };
    writeln!(out, "version:     {}", info.version)?;
    writeln!(out, "uuid:        {}", info.uuid)?;
    writeln!(out, "size:        {}", Bytes(size))?;
    writeln!(out, "block size:  {}", Bytes(info.block_size.into()))?;
    writeln!(out, "segments:    {} of {}", info.segment_count, Bytes(info.segment_size))?;
    writeln!(out, "value limit: {}", Bytes(info.value_len_max))?;
    writeln!(out, "checkpoint:  {}", info.checkpoint)?;
    writeln!(out, "epoch:       {:016x}", info.epoch)?;
    writeln!(out, "flush:       {flush}")?;
    out.flush()
}
