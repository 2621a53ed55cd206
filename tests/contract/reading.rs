//! `exists`, `get`, `get_partial`.

use crate::support::{exists, get, key, pattern, refused, removes, set};
use nerite::{Error, Key, Kind, KvRead, KvWrite};
use nerite_tests::TestClock;

pub(crate) fn exists_tells_values_from_dictionaries_and_nothing(kv: &dyn KvWrite, _: &TestClock) {
    assert_eq!(exists(kv, "/"), Some(Kind::Dictionary));
    assert_eq!(exists(kv, "/nope"), None);
    set(kv, "d/sub/v", "");
    for (path, expected) in [
        ("/", Some(Kind::Dictionary)),
        ("/d", Some(Kind::Dictionary)),
        ("/d/sub", Some(Kind::Dictionary)),
        ("/d/sub/v", Some(Kind::Value)),
        ("/d/sub/v/x", None),
        ("/d/nope", None),
        ("/nope/x", None),
        ("/d/su", None),
        ("/d/sub/vv", None),
    ] {
        assert_eq!(exists(kv, path), expected, "{path}");
    }
}

pub(crate) fn a_dictionary_ends_with_its_last_value(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/sub/a", "1");
    set(kv, "d/sub/b", "2");
    removes(kv, "d/sub/a");
    assert_eq!(exists(kv, "d/sub"), Some(Kind::Dictionary));
    removes(kv, "d/sub/b");
    assert_eq!(exists(kv, "d/sub"), None);
    assert_eq!(exists(kv, "d"), None);
    assert_eq!(exists(kv, "/"), Some(Kind::Dictionary));
    set(kv, "d", "a value now");
    assert_eq!(exists(kv, "d"), Some(Kind::Value));
}

/// Sizes at which a length field, a block or a header could go wrong.
pub(crate) fn get_gives_back_values_of_every_size(kv: &dyn KvWrite, _: &TestClock) {
    let near_blocks = [512, 1024, 2048, 4096, 8192].into_iter().flat_map(|n| n - 3..=n + 3);
    let near_a_header = (384..=512).step_by(4).chain((3968..=4096).step_by(4));
    let mut sizes: Vec<usize> = (0..4).chain([127, 128, 255, 256]).collect();
    sizes.extend(near_blocks.chain(near_a_header));
    for &size in &sizes {
        set(kv, &format!("sizes/{size}"), pattern(size));
    }
    for &size in &sizes {
        assert!(get(kv, &format!("sizes/{size}")) == pattern(size), "{size} bytes");
    }
}

pub(crate) fn get_gives_back_a_large_value(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "before", "1");
    set(kv, "large", pattern(100_000));
    set(kv, "after", "2");
    assert!(get(kv, "large") == pattern(100_000));
    assert_eq!((get(kv, "before"), get(kv, "after")), (b"1".to_vec(), b"2".to_vec()));
}

pub(crate) fn get_of_a_dictionary_expects_a_value(kv: &dyn KvWrite, _: &TestClock) {
    refused(kv, &Error::ValueExpected(Key::ROOT), || kv.get(&Key::ROOT));
    set(kv, "d/sub/v", "x");
    for path in ["/", "/d", "/d/sub"] {
        refused(kv, &Error::ValueExpected(key(path)), || kv.get(&key(path)));
    }
}

pub(crate) fn get_of_nothing_is_not_found(kv: &dyn KvWrite, _: &TestClock) {
    refused(kv, &Error::NotFound(key("littlefs")), || kv.get(&key("littlefs")));
    set(kv, "d/v", "x");
    for path in ["/nope", "/nope/x", "/d/nope", "/d/v/x", "/d/v/x/y", "/d/vv"] {
        refused(kv, &Error::NotFound(key(path)), || kv.get(&key(path)));
    }
}

fn part(kv: &dyn KvRead, path: &str, offset: u64, len: usize) -> Vec<u8> {
    let mut buf = vec![0xaa; len];
    let got = kv.get_partial(&key(path), offset, &mut buf).expect("a part of a value");
    buf.truncate(got);
    buf
}

pub(crate) fn get_partial_reads_a_part(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "value");
    assert_eq!(part(kv, "v", 1, 2), b"al");
    assert_eq!(part(kv, "v", 0, 5), b"value");
    assert_eq!(part(kv, "v", 4, 1), b"e");
    assert_eq!(part(kv, "v", 2, 0), b"");
}

pub(crate) fn get_partial_across_the_end_is_short(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/v", "value");
    assert_eq!(part(kv, "d/v", 0, 100), b"value");
    assert_eq!(part(kv, "d/v", 3, 3), b"ue");
    set(kv, "large", pattern(20_000));
    assert!(part(kv, "large", 19_872, 257) == pattern(20_000)[19_872..]);
}

pub(crate) fn get_partial_past_the_end_is_empty(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "value");
    set(kv, "empty", "");
    set(kv, "large", pattern(20_000));
    for (path, len) in [("v", 5), ("empty", 0), ("large", 20_000)] {
        for offset in [len, len + 1, len + 4096, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(part(kv, path, offset, 10), b"", "{path} from {offset}");
        }
    }
}

pub(crate) fn get_partial_reads_across_blocks(kv: &dyn KvWrite, _: &TestClock) {
    let value: Vec<u8> = (0..20_000u32).map(|at| (at % 128).to_le_bytes()[0]).collect();
    set(kv, "v", &value);
    assert_eq!(part(kv, "v", 511, 3), [0x7f, 0, 1]);
    for (offset, len) in [(0, 128), (4094, 4), (500, 9000), (8191, 2), (19_999, 1)] {
        let at = usize::try_from(offset).unwrap();
        assert!(part(kv, "v", offset, len) == value[at..at + len], "{len} from {offset}");
    }
}

pub(crate) fn get_partial_refuses_as_get_does(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/v", "x");
    let mut buf = [0; 4];
    for path in ["/", "/d"] {
        let expected = Error::ValueExpected(key(path));
        refused(kv, &expected, || kv.get_partial(&key(path), 0, &mut buf));
    }
    for path in ["/nope", "/d/v/x"] {
        refused(kv, &Error::NotFound(key(path)), || kv.get_partial(&key(path), 9, &mut buf));
    }
}
