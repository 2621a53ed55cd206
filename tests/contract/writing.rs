//! `set`.

use crate::support::{exists, get, key, list, pattern, refused, same, set};
use nerite::{Error, Key, Kind, KvWrite};
use nerite_tests::{TestClock, contents};

pub(crate) fn set_replaces_the_value(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/v", "first");
    set(kv, "d/v", "and another");
    assert_eq!(get(kv, "d/v"), b"and another");
    set(kv, "d/v", "");
    assert_eq!(get(kv, "d/v"), b"");
    assert_eq!(list(kv, "d"), ["/d/v"]);
}

pub(crate) fn set_makes_the_dictionaries_above(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "a/b/c/d", "x");
    for path in ["a", "a/b", "a/b/c"] {
        assert_eq!(exists(kv, path), Some(Kind::Dictionary));
    }
}

pub(crate) fn set_over_a_dictionary_expects_a_value(kv: &dyn KvWrite, _: &TestClock) {
    refused(kv, &Error::ValueExpected(Key::ROOT), || kv.set(&Key::ROOT, b"new"));
    set(kv, "d/sub/v", "x");
    for path in ["/", "/d", "/d/sub"] {
        refused(kv, &Error::ValueExpected(key(path)), || kv.set(&key(path), b"new"));
    }
}

pub(crate) fn set_below_a_value_expects_a_dictionary(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "x");
    set(kv, "d/sub/v", "x");
    for (path, value) in [("v/x", "v"), ("v/x/y/z", "v"), ("d/sub/v/x", "d/sub/v")] {
        refused(kv, &Error::DictionaryExpected(key(value)), || kv.set(&key(path), b"new"));
    }
}

pub(crate) fn set_of_one_key_leaves_the_others(kv: &dyn KvWrite, _: &TestClock) {
    for number in 0..50 {
        set(kv, &format!("d{}/f{number}", number % 3), format!("value {number}"));
    }
    for number in (0..50).step_by(7) {
        let path = format!("d{}/f{number}", number % 3);
        let mut expected = contents(kv);
        let before = expected.remove(&key(&path)).unwrap();
        set(kv, &path, pattern(number));
        let mut found = contents(kv);
        let after = found.remove(&key(&path)).unwrap();
        assert_eq!(after.0, pattern(number));
        assert!(after.1 > before.1, "a new time");
        same(&expected, &found);
    }
}

pub(crate) fn one_key_can_be_set_many_times(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "beside", "x");
    for round in 0..300 {
        set(kv, "k", format!("value {round}"));
        assert_eq!(get(kv, "k"), format!("value {round}").as_bytes());
    }
    assert_eq!(list(kv, "/"), ["/beside", "/k"]);
    assert_eq!(get(kv, "beside"), b"x");
}

/// The sequences that broke an earlier store for unikernels.
pub(crate) fn values_shrink_and_grow(kv: &dyn KvWrite, _: &TestClock) {
    let steps = [
        ("d0/f0", 67),
        ("d0/f1", 127),
        ("d0/f1", 1),
        ("d0/f2", 0x400),
        ("d0/f0", 0x300),
        ("d0/f3", 0x7f),
        ("d0/f0", 0x3e),
        ("d0/f1", 5),
        ("d0/f3", 0x7f),
        ("d0/f2", 9000),
        ("d0/f2", 10),
    ];
    for (path, size) in steps {
        set(kv, path, pattern(size));
        assert!(get(kv, path) == pattern(size), "{path} of {size} bytes");
    }
    let sizes = [("d0/f0", 0x3e), ("d0/f1", 5), ("d0/f2", 10), ("d0/f3", 0x7f)];
    for (path, size) in sizes {
        assert!(get(kv, path) == pattern(size), "{path} at the end");
    }
}
