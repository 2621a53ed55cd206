//! `mv` and `cp`.

use crate::cli::verbs as cli;
use crate::failure::{Code, Failure};
use crate::open::Opened;
use nerite::{Batch, Error, Key, Kind, KvRead, KvWrite};

/// Moves a value or a dictionary.
pub(crate) fn mv(at: &Opened<'_>, args: &cli::TwoKeys) -> Result<(), Failure> {
    at.store.rename(&args.source, &args.dest).map_err(|error| at.failed(error))
}

/// Copies a value or a dictionary, to where `mv` would move it.
pub(crate) fn cp(at: &Opened<'_>, args: &cli::Cp) -> Result<(), Failure> {
    let failed = |error| at.failed(error);
    let cli::TwoKeys { source, dest, .. } = &args.keys;
    let refused =
        |why: &str| Failure::new(Code::Usage, format!("{}: {source} {why}", at.image.display()));
    let kind = at.store.exists(source).map_err(failed)?;
    let kind = kind.ok_or_else(|| at.failed(Error::NotFound(source.clone())))?;
    let target = match (at.store.exists(dest).map_err(failed)?, source.basename()) {
        (Some(Kind::Dictionary), Some(name)) => {
            dest.join(name).map_err(|error| at.failed(Error::InvalidKey(error)))?
        }
        _ => dest.clone(),
    };
    if target == *source {
        return Err(refused("can't be copied onto itself"));
    }
    if kind == Kind::Value {
        let value = at.store.get(source).map_err(failed)?;
        return at.store.set(&target, &value).map_err(failed);
    }
    if !args.recursive {
        return Err(refused("is a dictionary; -R copies it"));
    }
    if target.starts_with(source) {
        return Err(refused("can't be copied below itself"));
    }
    match at.store.exists(&target).map_err(failed)? {
        Some(Kind::Dictionary) => return Err(at.failed(Error::AlreadyPresent(target))),
        Some(Kind::Value) => return Err(at.failed(Error::ValueExpected(source.clone()))),
        None => {}
    }
    at.store.write(&copies(at, source, &target)?).map_err(failed)
}

/// What makes a copy of a dictionary.
fn copies(at: &Opened<'_>, source: &Key, target: &Key) -> Result<Batch, Failure> {
    let failed = |error| at.failed(error);
    let (mut batch, mut len) = (Batch::new(), 0u64);
    let mut scan = at.store.scan(source.clone()..);
    while let Some(row) = scan.next().map_err(failed)? {
        if !row.key.starts_with(source) {
            break;
        }
        len = len.saturating_add((row.key.as_bytes().len() + row.value.len()) as u64);
        if len > Batch::LEN_MAX {
            let size = at.store.size(source).map_err(failed)?;
            return Err(at.failed(Error::TooLarge { size, limit: Batch::LEN_MAX }));
        }
        let mut names = row.key.names().skip(source.names().count());
        let copy = names.try_fold(target.clone(), |key, name| key.join(name));
        batch.set(&copy.map_err(|error| at.failed(Error::InvalidKey(error)))?, row.value);
    }
    Ok(batch)
}
