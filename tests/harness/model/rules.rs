//! The rules of the contract, as questions to a map of all values.

use crate::contents::Contents;
use nerite::{Digest, Entry, Error, Key, Kind};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

pub(super) fn kind(values: &Contents, key: &Key) -> Option<Kind> {
    if values.contains_key(key) {
        Some(Kind::Value)
    } else if key.is_root() || values.keys().any(|other| other.starts_with(key)) {
        Some(Kind::Dictionary)
    } else {
        None
    }
}

pub(super) fn known(values: &Contents, key: &Key) -> Result<Kind, Error> {
    kind(values, key).ok_or_else(|| Error::NotFound(key.clone()))
}

pub(super) fn value<'a>(values: &'a Contents, key: &Key) -> Result<&'a [u8], Error> {
    match known(values, key)? {
        Kind::Value => Ok(&values[key].0),
        Kind::Dictionary => Err(Error::ValueExpected(key.clone())),
    }
}

/// The direct entries of a dictionary, by name.
pub(super) fn entries(values: &Contents, dictionary: &Key) -> BTreeMap<Vec<u8>, Entry> {
    let depth = dictionary.names().count();
    let below = values.keys().filter(|key| key.starts_with(dictionary) && *key != dictionary);
    below
        .map(|key| {
            let name = key.names().nth(depth).expect("what is below has a name more").to_vec();
            let key = dictionary.join(&name).expect("a prefix of a key is one");
            let kind = kind(values, &key).expect("a value is at or below it");
            (name, Entry { key, kind })
        })
        .collect()
}

pub(super) fn digest(values: &Contents, key: &Key) -> Digest {
    let mut hash = Sha256::new();
    if let Some((value, _)) = values.get(key) {
        hash.update(value);
    } else {
        for (name, entry) in entries(values, key) {
            hash.update([u8::try_from(name.len()).expect("names are at most 255 bytes")]);
            hash.update(&name);
            hash.update([u8::from(entry.kind == Kind::Dictionary)]);
            hash.update(digest(values, &entry.key).0);
        }
    }
    Digest(hash.finalize().into())
}

/// Refuses a key at which no value can stand.
pub(super) fn writable(values: &Contents, key: &Key) -> Result<(), Error> {
    if kind(values, key) == Some(Kind::Dictionary) {
        return Err(Error::ValueExpected(key.clone()));
    }
    below_no_value(values, key)
}

fn below_no_value(values: &Contents, key: &Key) -> Result<(), Error> {
    let mut above = key.parent();
    while let Some(dictionary) = above {
        if values.contains_key(&dictionary) {
            return Err(Error::DictionaryExpected(dictionary));
        }
        above = dictionary.parent();
    }
    Ok(())
}

/// `size` as a length, if values of `limit` bytes are the longest.
pub(super) fn fits(size: u64, limit: u64) -> Result<usize, Error> {
    match usize::try_from(size) {
        Ok(len) if size <= limit => Ok(len),
        _ => Err(Error::TooLarge { size, limit }),
    }
}

/// Where `source` lands, if `rename` lets it.
pub(super) fn landing(values: &Contents, source: &Key, dest: &Key) -> Result<Key, Error> {
    let moved = known(values, source)?;
    if dest == source {
        return Ok(source.clone());
    }
    if dest.starts_with(source) {
        return Err(Error::RenameSourcePrefix { source: source.clone(), dest: dest.clone() });
    }
    let target = match kind(values, dest) {
        Some(Kind::Dictionary) => {
            dest.join(source.basename().expect("every key is below the root"))?
        }
        _ => dest.clone(),
    };
    if target == *source {
        return Ok(target);
    }
    match (moved, kind(values, &target)) {
        (Kind::Dictionary, Some(Kind::Value)) => Err(Error::ValueExpected(source.clone())),
        (Kind::Value, Some(Kind::Dictionary)) => Err(Error::ValueExpected(target)),
        (Kind::Dictionary, Some(Kind::Dictionary)) => Err(Error::AlreadyPresent(target)),
        (_, None) | (Kind::Value, Some(Kind::Value)) => {
            below_no_value(values, &target).map(|()| target)
        }
    }
}
