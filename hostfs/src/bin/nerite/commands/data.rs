//! Commands on one key: `set`, `get`, `exists`, `size`, `digest`, `rm`, `rm-range`, `touch` and `allocate`.

use crate::cli::verbs as cli;
use crate::failure::{Code, Failure};
use crate::open::Opened;
use crate::out::Out;
use crate::size::Bytes;
use nerite::{Error, Info, Key, Kind, KvRead, KvWrite};
use std::ffi::OsStr;
use std::fmt::{Display, Write as _};
use std::fs::File;
use std::io::{self, Read};
use std::ops::Bound;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Gives a key a value.
pub(crate) fn set(at: &Opened<'_>, key: &Key, value: &[u8]) -> Result<(), Failure> {
    at.store.set(key, value).map_err(|error| at.failed(error))
}

/// Finds the value to be set: what a file holds, or the argument, or standard input if that is `-`.
/// `info` is that of the store.
pub(crate) fn value(
    image: &Path,
    file: Option<&Path>,
    value: Option<&OsStr>,
    info: &dyn Fn() -> Result<Info, Failure>,
) -> Result<Vec<u8>, Failure> {
    let limit = || Ok(info()?.value_len_max);
    match (file, value) {
        (Some(path), _) => {
            let name = path.display();
            let file = File::open(path).map_err(Failure::input(&name))?;
            read_value(image, limit()?, file, name)
        }
        (None, Some(value)) if value == "-" => {
            read_value(image, limit()?, io::stdin(), "standard input")
        }
        (None, value) => Ok(value.unwrap_or_default().as_bytes().to_vec()),
    }
}

/// Reads a value to its end, and refuses one that the store could take under no key.
fn read_value(
    image: &Path,
    limit: u64,
    source: impl Read,
    name: impl Display,
) -> Result<Vec<u8>, Failure> {
    let mut value = Vec::new();
    // One byte more than that, so that memory is bounded whatever the source is.
    let read = source.take(limit.saturating_add(1)).read_to_end(&mut value);
    read.map_err(Failure::input(&name))?;
    if value.len() as u64 > limit {
        let image = image.display();
        let message = format!("{image}: too large: {name} has more than {}", Bytes(limit));
        return Err(Failure::new(Code::Full, message));
    }
    Ok(value)
}

/// Prints the bytes of a value, or some of them.
pub(crate) fn get(at: &Opened<'_>, args: &cli::Get, out: &mut Out) -> Result<(), Failure> {
    let failed = |error| at.failed(error);
    let value = if args.offset == 0 && args.length.is_none() {
        at.store.get(&args.at.key).map_err(failed)?
    } else {
        // Also of a dictionary, which then is no value.
        let size = at.store.size(&args.at.key).map_err(failed)?;
        let len = size.saturating_sub(args.offset).min(args.length.unwrap_or(u64::MAX));
        // No more than the value has, which fits in memory.
        let mut part = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        let read = at.store.get_partial(&args.at.key, args.offset, &mut part).map_err(failed)?;
        part.truncate(read);
        part
    };
    // A file is made only when there is something to put into it.
    let mut file = args.output.as_ref().map(|path| Out::file(path, at.image)).transpose()?;
    let to = file.as_mut().unwrap_or(out);
    if args.hex {
        hex(to, args.offset, &value)?;
    } else {
        to.bytes(&value)?;
    }
    file.map_or(Ok(()), |mut file| file.flush())
}

/// Bytes on a line of hexadecimal.
const LINE_LEN: usize = 16;

/// Prints bytes in hexadecimal, as those from `offset` on.
pub(crate) fn hex(out: &mut Out, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
    for (index, line) in (0..).zip(bytes.chunks(LINE_LEN)) {
        let mut text = format!("{:08x} ", offset.saturating_add(index * LINE_LEN as u64));
        for (column, byte) in line.iter().enumerate() {
            let gap = if column == LINE_LEN / 2 { " " } else { "" };
            // Writing to a string can't fail.
            let _ = write!(text, "{gap} {byte:02x}");
        }
        let shown: String = line
            .iter()
            .map(
                |&byte| {
                    if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '.' }
                },
            )
            .collect();
        out.line(format_args!("{text:<58}  |{shown}|"))?;
    }
    Ok(())
}

/// Tells what a key is.
pub(crate) fn exists(at: &Opened<'_>, key: &Key, out: &mut Out) -> Result<(), Failure> {
    match at.store.exists(key).map_err(|error| at.failed(error))? {
        Some(Kind::Value) => out.line("value"),
        Some(Kind::Dictionary) => out.line("dictionary"),
        None => out.line("nothing").and(Err(Failure::no())),
    }
}

/// Prints how many bytes a value has, or all those in a dictionary.
pub(crate) fn size(at: &Opened<'_>, key: &Key, out: &mut Out) -> Result<(), Failure> {
    out.line(at.store.size(key).map_err(|error| at.failed(error))?)
}

/// Prints the SHA-256 of a value, or of all that is in a dictionary.
pub(crate) fn digest(at: &Opened<'_>, key: &Key, out: &mut Out) -> Result<(), Failure> {
    out.line(at.store.digest(key).map_err(|error| at.failed(error))?)
}

/// Removes a value, or a dictionary with everything below it.
pub(crate) fn rm(at: &Opened<'_>, args: &cli::Rm) -> Result<(), Failure> {
    let key = &args.at.key;
    // The store takes a key that is not there as removed. Whoever types it has mistyped it.
    let found = at.store.exists(key).map_err(|error| at.failed(error))?.is_some();
    if !found && !args.force {
        return Err(at.failed(Error::NotFound(key.clone())));
    }
    at.store.remove(key).map_err(|error| at.failed(error))
}

/// Removes the values of a range of keys; tells whether there were any.
pub(crate) fn rm_range(at: &Opened<'_>, args: &cli::RmRange, out: &mut Out) -> Result<(), Failure> {
    let range: (Bound<&Key>, Bound<&Key>) =
        (Bound::Included(&args.from), Bound::Excluded(&args.to));
    let removed = at.store.remove_range(range).map_err(|error| at.failed(error))?;
    out.line(if removed { "deleted" } else { "nothing" })
}

/// Makes an empty value, or writes the one that is there again, which gives it the time of now.
pub(crate) fn touch(at: &Opened<'_>, key: &Key) -> Result<(), Failure> {
    let value = match at.store.get(key) {
        Err(Error::NotFound(_)) => Vec::new(),
        told => told.map_err(|error| at.failed(error))?,
    };
    set(at, key, &value)
}

/// Makes a value of zeros.
pub(crate) fn allocate(at: &Opened<'_>, args: &cli::Allocate) -> Result<(), Failure> {
    at.store.allocate(&args.at.key, args.size, args.time).map_err(|error| at.failed(error))
}
