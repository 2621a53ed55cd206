//! Everything that a store holds, for comparisons.

use nerite::{Error, Key, Kind, KvRead, Timestamp};
use std::collections::BTreeMap;
use std::fmt;

/// Every value and its time.
pub type Contents = BTreeMap<Key, (Vec<u8>, Timestamp)>;

/// Every value of `kv` and its time, found the way a user would: from the root down by `list`.
///
/// It panics where [`try_contents`] tells why not.
pub fn contents<K: KvRead + ?Sized>(kv: &K) -> Contents {
    try_contents(kv).unwrap_or_else(|untold| panic!("{untold}"))
}

/// Why a store does not tell what it holds.
#[derive(Debug)]
pub enum Untold {
    /// This call, of this key, has failed.
    Call(&'static str, Key, Error),
    /// Its answers do not fit each other.
    Contradiction(String),
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call, key, error) => write!(f, "{call} {key}: {error}"),
            Self::Contradiction(what) => f.write_str(what),
        }
    }
}

/// Every value of `kv` and its time, found the way a user would: from the root down by `list`.
///
/// # Errors
/// [`Untold`] when a call fails, and when a dictionary has an entry twice or out of order, or one
/// that `exists` does not confirm.
pub fn try_contents<K: KvRead + ?Sized>(kv: &K) -> Result<Contents, Untold> {
    let mut found = Contents::new();
    let mut dictionaries = vec![Key::ROOT];
    while let Some(dictionary) = dictionaries.pop() {
        let entries = told(kv.list(&dictionary), "list", &dictionary)?;
        if !entries.is_sorted_by(|one, next| one.key < next.key) {
            let what = format!("{dictionary} lists an entry twice or out of order: {entries:?}");
            return Err(Untold::Contradiction(what));
        }
        for entry in entries {
            let exists = told(kv.exists(&entry.key), "exists", &entry.key)?;
            if exists != Some(entry.kind) {
                let what = format!("{} is listed as {:?}, is {exists:?}", entry.key, entry.kind);
                return Err(Untold::Contradiction(what));
            }
            match entry.kind {
                Kind::Dictionary => dictionaries.push(entry.key),
                Kind::Value => {
                    let value = told(kv.get(&entry.key), "get", &entry.key)?;
                    let time = told(kv.last_modified(&entry.key), "last_modified", &entry.key)?;
                    found.insert(entry.key, (value, time));
                }
            }
        }
    }
    Ok(found)
}

/// How `found` differs from `expected`: which keys, and in what. Empty if it does not.
#[must_use]
pub fn differences(expected: &Contents, found: &Contents) -> Vec<String> {
    let mut keys: Vec<_> = expected.keys().chain(found.keys()).collect();
    keys.sort();
    keys.dedup();
    let differences =
        keys.into_iter().filter_map(|key| match (expected.get(key), found.get(key)) {
            (Some(_), None) => Some(format!("{key} is missing")),
            (None, Some(_)) => Some(format!("{key} is too many")),
            (Some((value, _)), Some((found, _))) if value != found => {
                let same = value.iter().zip(found).take_while(|(one, other)| one == other).count();
                let (len, found) = (value.len(), found.len());
                Some(format!("{key} has {found} bytes, not {len}; from byte {same} on they differ"))
            }
            (Some((_, time)), Some((_, found))) if time != found => {
                Some(format!("{key} was modified at {}, not {}", found.0, time.0))
            }
            _ => None,
        });
    differences.collect()
}

fn told<T>(answer: Result<T, Error>, call: &'static str, key: &Key) -> Result<T, Untold> {
    answer.map_err(|error| Untold::Call(call, key.clone(), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Model, TestClock};
    use nerite::KvWrite;

    #[test]
    fn every_value_is_found_with_its_time() {
        let clock = TestClock::new(1);
        let model = Model::new(clock.clone());
        assert!(contents(&model).is_empty());
        let mut expected = Contents::new();
        for path in ["a/b/c", "a/b-c", "a!", "b"] {
            let key = Key::new(path).unwrap();
            expected.insert(key.clone(), (path.into(), clock.peek()));
            model.set(&key, path.as_bytes()).unwrap();
        }
        assert_eq!(contents(&model), expected);
    }

    #[test]
    fn every_difference_is_told_by_its_key() {
        let row =
            |path, value: &[u8], time| (Key::new(path).unwrap(), (value.into(), Timestamp(time)));
        let expected = Contents::from([row("a", b"xyz", 1), row("b", b"x", 1), row("d", b"x", 1)]);
        let found = Contents::from([row("a", b"xy", 1), row("c", b"x", 1), row("d", b"x", 2)]);
        let told = [
            "/a has 2 bytes, not 3; from byte 2 on they differ",
            "/b is missing",
            "/c is too many",
            "/d was modified at 2, not 1",
        ];
        assert_eq!(differences(&expected, &found), told);
        assert!(differences(&found, &found).is_empty());
    }
}
