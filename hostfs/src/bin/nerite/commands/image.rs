//! Commands on the image: `create`, `resize`, `info` and `gc`.

use crate::cli;
use crate::failure::Failure;
use crate::open::{Opened, open_store, seed};
use crate::out::Out;
use crate::size::Bytes;
use nerite::{BlockDevice, CreateOptions, Error, Flush, Store};
use nerite_hostfs::FileDevice;
use std::fs;
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
        return Err(Failure::usage(message));
    }
    create_store(path, &device, options)
}

fn create_store(path: &Path, device: &FileDevice, options: CreateOptions) -> Result<(), Failure> {
    let usage = |message: &str| Failure::usage(format!("{}: {message}", path.display()));
    Store::create(device, options).map_err(|error| match error {
        Error::NotBlank => usage("holds data already; --force overwrites it"),
        // Here it is the arguments that are not supported; elsewhere, the image.
        Error::Unsupported(_) => usage(&error.to_string()),
        error => Failure::store(path)(error),
    })
}

/// Makes an image longer, and then its store. A crash in between leaves the store as it was, on a
/// longer image, which is sound; to do it again goes on from there.
pub(crate) fn resize(args: &cli::Resize) -> Result<(), Failure> {
    let path = &args.image.image;
    let mut device = FileDevice::open(path).map_err(Failure::open(path))?;
    // First of all there must be a store. Opening writes nothing.
    open_store(path, &device, false)?;
    let actual = device.geometry().size();
    if let Some(size) = args.size {
        if size < actual {
            let message = format!(
                "{}: has {} already, and never becomes smaller",
                path.display(),
                Bytes(actual)
            );
            return Err(Failure::usage(message));
        }
        device.extend(size).map_err(Failure::open(path))?;
    }
    let mut store = open_store(path, device, false)?;
    let size = store.grow().map_err(Failure::store(path))?;
    let segment_len = store.info().segment_size;
    let device_len = store.close().map_err(Failure::store(path))?.geometry().size();
    let mut out = Out::stdout();
    out.line(format_args!("size:    {}", Bytes(size)))?;
    let unused = device_len.saturating_sub(size);
    // Less than a segment is always left over.
    if unused >= segment_len {
        out.line(format_args!("unused:  {}: it can't grow further", Bytes(unused)))?;
    }
    out.flush()
}

/// Frees all that can be freed, and tells how much that is.
pub(crate) fn gc(at: &Opened<'_>, out: &mut Out) -> Result<(), Failure> {
    let freed = at.store.clean().map_err(|error| at.failed(error))?;
    let stat = at.store.stat();
    out.line(format_args!("freed:  {}", Bytes(freed)))?;
    out.line(format_args!("free:   {}", Bytes(stat.free_bytes)))
}

/// Shows what the store is.
pub(crate) fn info(at: &Opened<'_>, out: &mut Out) -> Result<(), Failure> {
    let info = at.store.info();
    let size = info.block_count.saturating_mul(u64::from(info.block_size));
    let flush = match info.flush {
        Flush::Supported => "supported",
        Flush::WriteThrough => "not needed",
        Flush::Unavailable => "unavailable",
    };
    out.line(format_args!("version:     {}", info.version))?;
    out.line(format_args!("uuid:        {}", info.uuid))?;
    out.line(format_args!("size:        {}", Bytes(size)))?;
    out.line(format_args!("block size:  {}", Bytes(info.block_size.into())))?;
    out.line(format_args!("segments:    {} of {}", info.segment_count, Bytes(info.segment_size)))?;
    out.line(format_args!("value limit: {}", Bytes(info.value_len_max)))?;
    out.line(format_args!("checkpoint:  {}", info.checkpoint))?;
    out.line(format_args!("epoch:       {:016x}", info.epoch))?;
    out.line(format_args!("flush:       {flush}"))
}
