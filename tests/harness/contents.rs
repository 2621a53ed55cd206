//! Everything that a store holds, for comparisons.

use nerite::{Key, Kind, KvRead, Timestamp};
use std::collections::BTreeMap;

/// Every value and its time.
pub type Contents = BTreeMap<Key, (Vec<u8>, Timestamp)>;

/// Every value of `kv` and its time, found the way a user would: from the root down by `list`.
///
/// It panics when a call fails, and when a dictionary has an entry twice or out of order, or one
/// that `exists` does not confirm.
pub fn contents<K: KvRead + ?Sized>(kv: &K) -> Contents {
    let mut found = Contents::new();
    let mut dictionaries = vec![Key::ROOT];
    while let Some(dictionary) = dictionaries.pop() {
        let entries = told(kv.list(&dictionary), "list", &dictionary);
        assert!(
            entries.is_sorted_by(|one, next| one.key < next.key),
            "{dictionary} lists an entry twice or out of order: {entries:?}"
        );
        for entry in entries {
            let exists = told(kv.exists(&entry.key), "exists", &entry.key);
            assert_eq!(exists, Some(entry.kind), "{} as listed", entry.key);
            match entry.kind {
                Kind::Dictionary => dictionaries.push(entry.key),
                Kind::Value => {
                    let value = told(kv.get(&entry.key), "get", &entry.key);
                    let time = told(kv.last_modified(&entry.key), "last_modified", &entry.key);
                    found.insert(entry.key, (value, time));
                }
            }
        }
    }
    found
}

fn told<T>(answer: Result<T, nerite::Error>, call: &str, key: &Key) -> T {
    answer.unwrap_or_else(|error| panic!("{call} {key}: {error}"))
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
}
