//! `set_partial` and `allocate`.

use crate::support::{exists, get, key, list, pattern, refused, set, unchanged};
use nerite::{Error, Key, KvWrite, Timestamp};
use nerite_tests::TestClock;

fn set_partial(kv: &dyn KvWrite, path: &str, offset: u64, data: &[u8]) {
    let answer = kv.set_partial(&key(path), offset, data);
    answer.unwrap_or_else(|error| panic!("set_partial {path} from {offset}: {error}"));
}

pub(crate) fn set_partial_replaces_within_the_value(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "value");
    set_partial(kv, "v", 1, b"ZZ");
    assert_eq!(get(kv, "v"), b"vZZue");
    set(kv, "v", "here's some stuff");
    set_partial(kv, "v", 1, b"ow much   ");
    assert_eq!(get(kv, "v"), b"how much    stuff");
}

pub(crate) fn set_partial_across_the_end_extends_the_value(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "value");
    set_partial(kv, "v", 3, b"ABCD");
    assert_eq!(get(kv, "v"), b"valABCD");
    set_partial(kv, "v", 0, b"all of it, and more");
    assert_eq!(get(kv, "v"), b"all of it, and more");
}

pub(crate) fn set_partial_past_the_end_appends(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "a");
    for (offset, data) in [(1, b"b"), (3, b"c"), (u64::from(u32::MAX), b"d"), (u64::MAX, b"e")] {
        set_partial(kv, "v", offset, data);
    }
    assert_eq!(get(kv, "v"), b"abcde");
}

pub(crate) fn set_partial_of_nothing_makes_a_value(kv: &dyn KvWrite, _: &TestClock) {
    for (path, offset) in [("v", 0), ("d/v", 0), ("d/w", 100)] {
        set_partial(kv, path, offset, b"new");
        assert_eq!(get(kv, path), b"new");
    }
    set_partial(kv, "empty", 7, b"");
    assert_eq!(get(kv, "empty"), b"");
}

pub(crate) fn set_partial_of_no_bytes_keeps_the_value(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "value");
    for offset in [0, 2, 5, 6, u64::MAX] {
        set_partial(kv, "v", offset, b"");
        assert_eq!(get(kv, "v"), b"value");
    }
}

pub(crate) fn set_partial_changes_a_few_bytes_of_a_large_value(kv: &dyn KvWrite, _: &TestClock) {
    let mut value = pattern(20_000);
    set(kv, "v", &value);
    for offset in [0, 511, 4094, 8190, 19_998] {
        set_partial(kv, "v", offset as u64, b"AABB");
        value.resize(value.len().max(offset + 4), 0);
        value[offset..offset + 4].copy_from_slice(b"AABB");
        assert!(get(kv, "v") == value, "4 bytes at {offset}");
    }
    assert_eq!(value.len(), 20_002);
}

pub(crate) fn set_partial_refuses_as_set_does(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "x");
    set(kv, "d/v", "x");
    for path in ["/", "/d"] {
        let expected = Error::ValueExpected(key(path));
        refused(kv, &expected, || kv.set_partial(&key(path), 0, b"new"));
    }
    for (path, value) in [("v/x", "v"), ("d/v/x/y", "d/v")] {
        let expected = Error::DictionaryExpected(key(value));
        refused(kv, &expected, || kv.set_partial(&key(path), 0, b"new"));
    }
}

pub(crate) fn allocate_fills_with_zeros(kv: &dyn KvWrite, _: &TestClock) {
    for size in [0, 1, 10, 2048, 20_000] {
        let path = format!("d/{size}");
        kv.allocate(&key(&path), size, None).unwrap();
        let value = get(kv, &path);
        assert!(value.len() as u64 == size && value.iter().all(|&byte| byte == 0), "{size}");
    }
}

pub(crate) fn allocate_honours_the_time_it_is_given(kv: &dyn KvWrite, clock: &TestClock) {
    for time in [Timestamp(0), Timestamp(1), Timestamp(u64::MAX)] {
        let key = key(format!("t{}", time.0));
        kv.allocate(&key, 10, Some(time)).unwrap();
        assert_eq!(kv.last_modified(&key).unwrap(), time);
    }
    let before = clock.peek();
    kv.allocate(&key("now"), 10, None).unwrap();
    let time = kv.last_modified(&key("now")).unwrap();
    assert!(before <= time && time < clock.peek());
    // What is written later is written later.
    set(kv, "t0", "x");
    assert!(kv.last_modified(&key("t0")).unwrap() > before);
}

pub(crate) fn allocate_in_a_dictionary_stays_in_it(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/v", "x");
    kv.allocate(&key("d/new"), 3, None).unwrap();
    assert_eq!(exists(kv, "new"), None);
    assert_eq!(list(kv, "/"), ["/d/"]);
    assert_eq!(list(kv, "/d"), ["/d/new", "/d/v"]);
    kv.allocate(&key("e/f/new"), 0, None).unwrap();
    assert_eq!(list(kv, "/e/f"), ["/e/f/new"]);
}

pub(crate) fn allocate_of_a_value_is_already_present(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/v", "kept");
    let key = key("d/v");
    for time in [None, Some(Timestamp(1))] {
        refused(kv, &Error::AlreadyPresent(key.clone()), || kv.allocate(&key, 10, time));
    }
    kv.remove(&key).unwrap();
    kv.allocate(&key, 2, None).unwrap();
    refused(kv, &Error::AlreadyPresent(key.clone()), || kv.allocate(&key, 2, None));
}

pub(crate) fn allocate_refuses_as_set_does(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "x");
    set(kv, "d/v", "x");
    for path in [Key::ROOT, key("/d")] {
        refused(kv, &Error::ValueExpected(path.clone()), || kv.allocate(&path, 1, None));
    }
    for (path, value) in [("v/x", "v"), ("d/v/x/y", "d/v")] {
        let expected = Error::DictionaryExpected(key(value));
        refused(kv, &expected, || kv.allocate(&key(path), 1, None));
    }
}

/// As the sizes are given, without the memory for them being asked for.
pub(crate) fn a_value_too_large_is_refused_whole(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "value");
    unchanged(kv, || {
        for size in [1 << 30, 1 << 40, u64::MAX - 1, u64::MAX] {
            match kv.allocate(&key("d/huge"), size, None) {
                Err(Error::TooLarge { size: asked, limit }) => {
                    assert!(asked >= size && limit < asked, "{asked} bytes of {limit}");
                }
                Err(Error::NoSpace { needed, free }) => assert!(needed >= size && free < needed),
                other => panic!("{size} bytes: {other:?}"),
            }
        }
    });
    set(kv, "v", "and small ones go on");
}
