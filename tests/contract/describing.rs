//! `size`, `last_modified`, `digest`.

use crate::support::{key, pattern, refused, removes, set};
use nerite::{Digest, Error, Key, KvRead, KvWrite, Timestamp};
use nerite_tests::TestClock;
use sha2::{Digest as _, Sha256};

fn size(kv: &dyn KvRead, path: &str) -> u64 {
    kv.size(&key(path)).unwrap_or_else(|error| panic!("size {path}: {error}"))
}

fn time(kv: &dyn KvRead, path: &str) -> Timestamp {
    kv.last_modified(&key(path)).unwrap_or_else(|error| panic!("last_modified {path}: {error}"))
}

fn digest(kv: &dyn KvRead, path: &str) -> Digest {
    kv.digest(&key(path)).unwrap_or_else(|error| panic!("digest {path}: {error}"))
}

fn sha_256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

pub(crate) fn size_of_a_value_is_its_length(kv: &dyn KvWrite, _: &TestClock) {
    for len in [0, 1, 22, 1023, 20_000] {
        set(kv, "d/v", pattern(len));
        assert_eq!(size(kv, "d/v"), len as u64);
    }
    kv.allocate(&key("a"), 5000, None).unwrap();
    assert_eq!(size(kv, "a"), 5000);
}

pub(crate) fn size_of_a_dictionary_is_the_sum_below(kv: &dyn KvWrite, _: &TestClock) {
    assert_eq!(size(kv, "/"), 0);
    set(kv, "d/f", "hello");
    set(kv, "d/sub/g", "world");
    set(kv, "v", "value");
    set(kv, "d-", "beside");
    for (path, expected) in [("/", 21), ("/d", 10), ("/d/sub", 5), ("/d/f", 5), ("/d/sub/g", 5)] {
        assert_eq!(size(kv, path), expected, "{path}");
    }
}

pub(crate) fn size_follows_every_change(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/v", pattern(256));
    set(kv, "w", "1234");
    assert_eq!(size(kv, "/"), 260);
    set(kv, "d/v", pattern(10));
    assert_eq!((size(kv, "/"), size(kv, "d")), (14, 10));
    kv.set_partial(&key("d/v"), 8, b"12345").unwrap();
    assert_eq!((size(kv, "/"), size(kv, "d")), (17, 13));
    kv.rename(&key("w"), &key("d")).unwrap();
    assert_eq!((size(kv, "/"), size(kv, "d")), (17, 17));
    removes(kv, "d/v");
    assert_eq!((size(kv, "/"), size(kv, "d")), (4, 4));
    removes(kv, "d");
    assert_eq!(size(kv, "/"), 0);
}

pub(crate) fn size_of_nothing_is_not_found(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/v", "x");
    for path in ["/nope", "/d/nope", "/d/v/x"] {
        refused(kv, &Error::NotFound(key(path)), || kv.size(&key(path)));
    }
}

pub(crate) fn last_modified_is_when_the_value_was_written(kv: &dyn KvWrite, clock: &TestClock) {
    let written = |call: &dyn Fn()| {
        clock.advance(1_000_000);
        let before = clock.peek();
        call();
        let time = time(kv, "d/v");
        assert!(before <= time && time < clock.peek(), "{before:?} {time:?} {:?}", clock.peek());
    };
    written(&|| set(kv, "d/v", "1"));
    written(&|| set(kv, "d/v", "1"));
    written(&|| kv.set_partial(&key("d/v"), 0, b"2").unwrap());
    written(&|| kv.set_partial(&key("d/v"), 9, b"3").unwrap());
    removes(kv, "d");
    written(&|| kv.set_partial(&key("d/v"), 0, b"2").unwrap());
    removes(kv, "d");
    written(&|| kv.allocate(&key("d/v"), 4, None).unwrap());
    // Reading, and writing elsewhere, is not writing it.
    let before = time(kv, "d/v");
    kv.get(&key("d/v")).unwrap();
    set(kv, "d/w", "1");
    assert_eq!(time(kv, "d/v"), before);
}

pub(crate) fn last_modified_of_a_dictionary_is_the_newest_of_its_direct_values(
    kv: &dyn KvWrite,
    _: &TestClock,
) {
    assert_eq!(time(kv, "/"), Timestamp(0));
    set(kv, "d/sub/v", "x");
    assert_eq!(time(kv, "d"), Timestamp(0), "it has no values of its own");
    set(kv, "d/b", "x");
    set(kv, "d/a", "x");
    set(kv, "d/c/newer", "but deeper");
    set(kv, "d-", "newer, but beside");
    assert_eq!(time(kv, "d"), time(kv, "d/a"));
    assert_eq!(time(kv, "d/sub"), time(kv, "d/sub/v"));
    assert_eq!(time(kv, "/"), time(kv, "d-"));
    removes(kv, "d/a");
    assert_eq!(time(kv, "d"), time(kv, "d/b"));
    kv.allocate(&key("d/z"), 0, Some(Timestamp(u64::MAX))).unwrap();
    assert_eq!(time(kv, "d"), Timestamp(u64::MAX));
}

pub(crate) fn last_modified_of_nothing_is_not_found(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/v", "x");
    for path in ["/nope", "/d/nope", "/d/v/x"] {
        refused(kv, &Error::NotFound(key(path)), || kv.last_modified(&key(path)));
    }
}

pub(crate) fn times_that_run_backwards_are_kept_as_they_are(kv: &dyn KvWrite, clock: &TestClock) {
    set(kv, "v", "old value, new time");
    set(kv, "d/w", "x");
    clock.set(Timestamp(5));
    set(kv, "v", "new value, old time");
    assert!(time(kv, "v") < Timestamp(1_000_000));
    assert_eq!(kv.get(&key("v")).unwrap(), b"new value, old time");
    set(kv, "d/u", "x");
    assert_eq!(time(kv, "d"), time(kv, "d/w"), "the newest, not the last");
}

pub(crate) fn digest_of_a_value_is_its_sha_256(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "abc", "abc");
    set(kv, "d/empty", "");
    set(kv, "empty", "");
    set(kv, "large", pattern(20_000));
    let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(digest(kv, "abc").to_string(), known);
    let known = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(digest(kv, "empty").to_string(), known);
    assert_eq!(digest(kv, "d/empty"), digest(kv, "empty"));
    assert_eq!(digest(kv, "large"), sha_256(&pattern(20_000)));
}

pub(crate) fn digest_of_a_dictionary_is_over_names_kinds_and_digests(
    kv: &dyn KvWrite,
    _: &TestClock,
) {
    assert_eq!(digest(kv, "/"), sha_256(b""), "no entries");
    set(kv, "d/v", "value");
    set(kv, "d/s/w", "");
    set(kv, "d!", "beside");
    let entry = |name: &str, kind: u8, digest: Digest| {
        let len = u8::try_from(name.len()).unwrap();
        [&[len], name.as_bytes(), &[kind], &digest.0].concat()
    };
    let inner = sha_256(&entry("w", 0, sha_256(b"")));
    assert_eq!(digest(kv, "d/s"), inner);
    let outer = sha_256(&[entry("s", 1, inner), entry("v", 0, sha_256(b"value"))].concat());
    assert_eq!(digest(kv, "d"), outer);
    let root = sha_256(&[entry("d", 1, outer), entry("d!", 0, sha_256(b"beside"))].concat());
    assert_eq!(digest(kv, "/"), root);
}

pub(crate) fn digest_tells_boundaries_and_kinds_apart(kv: &dyn KvWrite, _: &TestClock) {
    let dictionaries: [&[(&str, &str)]; 8] = [
        &[("a", "xy")],
        &[("a", "x"), ("b", "y")],
        &[("ab", "xy")],
        &[("b", "xy")],
        &[("a/b", "xy")],
        &[("a", "")],
        &[("a/a", "xy")],
        &[("a", "x"), ("a!", "y")],
    ];
    let mut digests: Vec<_> = Vec::new();
    for (number, values) in dictionaries.iter().enumerate() {
        for (path, value) in *values {
            set(kv, &format!("{number}/{path}"), value);
        }
        digests.push(digest(kv, &number.to_string()));
    }
    for (number, digest) in digests.iter().enumerate() {
        assert!(!digests[..number].contains(digest), "the digest of {number} is another's");
    }
}

pub(crate) fn digest_follows_contents_and_nothing_else(kv: &dyn KvWrite, clock: &TestClock) {
    set(kv, "d/v", "1");
    set(kv, "d/sub/w", "2");
    set(kv, "x/y", "3");
    let digests = || (digest(kv, "/"), digest(kv, "d"), digest(kv, "d/sub"));
    let before = digests();
    set(kv, "d/v", "other");
    let after = digests();
    assert!(after.0 != before.0 && after.1 != before.1 && after.2 == before.2);
    // Restoring the contents restores the digest, though the time is another.
    clock.advance(1_000_000);
    set(kv, "d/v", "1");
    assert_eq!(digests(), before);
    set(kv, "x/y", "unrelated");
    assert_ne!(digest(kv, "/"), before.0);
    assert_eq!((digest(kv, "d"), digest(kv, "d/sub")), (before.1, before.2));
    // The digest of a dictionary does not tell where it is.
    kv.rename(&key("d"), &key("moved/here")).unwrap();
    assert_eq!(digest(kv, "moved/here"), before.1);
}

pub(crate) fn digest_of_nothing_is_not_found(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/v", "x");
    for path in [key("/nope"), key("/d/v/x")] {
        refused(kv, &Error::NotFound(path.clone()), || kv.digest(&path));
    }
    refused(kv, &Error::NotFound(key("d/nope")), || kv.digest(&Key::new("d/nope").unwrap()));
}
