//! What the clauses are written with.

use nerite::{Error, Key, Kind, KvRead, KvWrite};
use nerite_tests::{Contents, Random, contents, differences};
use std::fmt::Debug;

/// The key at `path`.
pub(crate) fn key(path: impl AsRef<[u8]>) -> Key {
    Key::new(path).expect("a valid key")
}

/// Bytes that differ from those of every other length.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    Random::new(len as u64).bytes(len)
}

#[track_caller]
pub(crate) fn set(kv: &dyn KvWrite, path: &str, value: impl AsRef<[u8]>) {
    kv.set(&key(path), value.as_ref()).unwrap_or_else(|error| panic!("set {path}: {error}"));
}

#[track_caller]
pub(crate) fn get(kv: &dyn KvRead, path: &str) -> Vec<u8> {
    kv.get(&key(path)).unwrap_or_else(|error| panic!("get {path}: {error}"))
}

#[track_caller]
pub(crate) fn exists(kv: &dyn KvRead, path: &str) -> Option<Kind> {
    kv.exists(&key(path)).unwrap_or_else(|error| panic!("exists {path}: {error}"))
}

/// The direct entries of a dictionary: their whole keys as text, in the order given; a `/` follows
/// those of dictionaries.
#[track_caller]
pub(crate) fn list(kv: &dyn KvRead, path: &str) -> Vec<String> {
    let entries = kv.list(&key(path)).unwrap_or_else(|error| panic!("list {path}: {error}"));
    let text = |entry: &nerite::Entry| match entry.kind {
        Kind::Value => entry.key.to_string(),
        Kind::Dictionary => format!("{}/", entry.key),
    };
    entries.iter().map(text).collect()
}

/// The call fails with this error, key included, and changes nothing.
#[track_caller]
pub(crate) fn refused<T: Debug>(
    kv: &dyn KvWrite,
    expected: &Error,
    call: impl FnOnce() -> Result<T, Error>,
) {
    unchanged(kv, || match call() {
        Err(error) => assert_eq!(format!("{error:?}"), format!("{expected:?}")),
        Ok(answer) => panic!("{expected:?} was expected, not Ok({answer:?})"),
    });
}

/// What the store holds is the same before and after.
#[track_caller]
pub(crate) fn unchanged(kv: &dyn KvWrite, call: impl FnOnce()) {
    let before = contents(kv);
    call();
    same(&before, &contents(kv));
}

/// `remove` takes the value at `path` or everything below, and nothing else.
#[track_caller]
pub(crate) fn removes(kv: &dyn KvWrite, path: &str) {
    let path = key(path);
    let mut expected = contents(kv);
    expected.retain(|key, _| !key.starts_with(&path));
    kv.remove(&path).unwrap_or_else(|error| panic!("remove {path}: {error}"));
    same(&expected, &contents(kv));
}

/// `rename` of `source` to `dest` takes what is at or below `source` to `target`, times included,
/// where it replaces a value, and nothing else.
#[track_caller]
pub(crate) fn renames(kv: &dyn KvWrite, source: &str, dest: &str, target: &str) {
    let mut expected = contents(kv);
    let moved: Contents = expected.extract_if(.., |at, _| at.starts_with(&key(source))).collect();
    assert!(!moved.is_empty(), "{source} is there to be renamed");
    let depth = key(source).names().count();
    for (at, value) in moved {
        let mut names = at.names().skip(depth);
        let to = names.try_fold(key(target), |to, name| to.join(name)).expect("a valid key");
        expected.insert(to, value);
    }
    let answer = kv.rename(&key(source), &key(dest));
    answer.unwrap_or_else(|error| panic!("rename {source} {dest}: {error}"));
    same(&expected, &contents(kv));
}

#[track_caller]
pub(crate) fn same(expected: &Contents, found: &Contents) {
    let differences = differences(expected, found);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
