//! `set`, `get` and `rm`.

use crate::cli;
use crate::failure::{Code, Failure};
use crate::open::{open_to_read, open_to_write};
use crate::size::Bytes;
use nerite::{Error, Key, KvRead, KvWrite};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Gives a key a value.
pub(crate) fn set(args: &cli::Set) -> Result<(), Failure> {
    let image = &args.at.image.image;
    let value = match (&args.file, &args.value) {
        (Some(path), _) => {
            let name = path.display();
            let file = File::open(path).map_err(Failure::input(&name))?;
            read_value(image, file, name)?
        }
        (None, Some(value)) if value == "-" => read_value(image, io::stdin(), "standard input")?,
        (None, value) => value.clone().unwrap_or_default().as_bytes().to_vec(),
    };
    open_to_write(image, |store| store.set(&args.at.key, &value).map_err(Failure::store(image)))
}

/// Reads a value to its end, and refuses one that the store could take under no key.
///
/// The image is open for reading at first, to know that limit, and closed before the value's end is
/// waited for: it may come from a `get` of the same image.
fn read_value(image: &Path, source: impl Read, name: impl Display) -> Result<Vec<u8>, Failure> {
    // The store tells the limit under the longest key. The bytes that a shorter one saves can go to
    // the value; how many exactly, `set` knows.
    let limit = open_to_read(image)?.info().value_len_max.saturating_add(Key::LEN_MAX as u64);
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

/// Prints the bytes of a value.
pub(crate) fn get(args: &cli::OneKey) -> Result<(), Failure> {
    let image = &args.image.image;
    let value = open_to_read(image)?.get(&args.key).map_err(Failure::store(image))?;
    let mut out = io::stdout().lock();
    out.write_all(&value).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}

/// Removes a value, or a dictionary with everything below it.
pub(crate) fn rm(args: &cli::Rm) -> Result<(), Failure> {
    let image = &args.at.image.image;
    let key = &args.at.key;
    open_to_write(image, |store| {
        // The store takes a key that is not there as removed. Whoever types it has mistyped it.
        let found = store.exists(key).map_err(Failure::store(image))?.is_some();
        if !found && !args.force {
            return Err(Failure::store(image)(Error::NotFound(key.clone())));
        }
        store.remove(key).map_err(Failure::store(image))
    })
}
