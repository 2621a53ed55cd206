//! `list` and `list_page`.

use crate::support::{get, key, list, refused, set};
use nerite::{Entry, Error, Key, Kind, KvRead, KvWrite};
use nerite_tests::{TestClock, contents};

/// Names around `/`, the lowest byte of all in the order of keys.
fn set_names_around_the_slash(kv: &dyn KvWrite) {
    for path in ["a/x", "a/-", "a!", "a-/q", "a.", "a0", "a", "\u{1}"] {
        let path = if path == "a" { "a/y/z" } else { path };
        set(kv, path, path);
    }
}

pub(crate) fn list_of_an_empty_store_is_empty(kv: &dyn KvWrite, _: &TestClock) {
    assert!(list(kv, "/").is_empty());
    set(kv, "v", "x");
    kv.remove(&key("v")).unwrap();
    assert!(list(kv, "/").is_empty());
}

pub(crate) fn list_gives_whole_keys_with_their_kinds(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "set/deep/fs/filesystem", "x");
    set(kv, "set/deep/v", "x");
    let entry = |path, kind| Entry { key: key(path), kind };
    assert_eq!(kv.list(&Key::ROOT).unwrap(), [entry("/set", Kind::Dictionary)]);
    let deep = [entry("/set/deep/fs", Kind::Dictionary), entry("/set/deep/v", Kind::Value)];
    assert_eq!(kv.list(&key("set/deep")).unwrap(), deep);
}

pub(crate) fn list_gives_direct_entries_only(kv: &dyn KvWrite, _: &TestClock) {
    for path in ["d/a/1", "d/a/2", "d/a/b/3", "d/b", "d2/x", "c"] {
        set(kv, path, "x");
    }
    assert_eq!(list(kv, "/"), ["/c", "/d/", "/d2/"]);
    assert_eq!(list(kv, "/d"), ["/d/a/", "/d/b"]);
    assert_eq!(list(kv, "/d/a"), ["/d/a/1", "/d/a/2", "/d/a/b/"]);
}

pub(crate) fn list_is_in_key_order_where_slash_is_the_lowest_byte(kv: &dyn KvWrite, _: &TestClock) {
    set_names_around_the_slash(kv);
    assert_eq!(list(kv, "/"), [r"/\u{1}", "/a/", "/a!", "/a-/", "/a.", "/a0"]);
    assert_eq!(list(kv, "/a"), ["/a/-", "/a/x", "/a/y/"]);
    for name in ["10", "2", "Z", "_", "b", "\u{e9}"] {
        set(kv, &format!("by bytes/{name}"), "");
    }
    let names = ["10", "2", "Z", "_", "b", "\u{e9}"].map(|name| format!("/by bytes/{name}"));
    assert_eq!(list(kv, "/by bytes"), names);
}

pub(crate) fn list_of_a_value_expects_a_dictionary(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "x");
    set(kv, "d/v", "x");
    for path in ["/v", "/d/v"] {
        refused(kv, &Error::DictionaryExpected(key(path)), || kv.list(&key(path)));
    }
}

pub(crate) fn list_of_nothing_is_not_found(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/v", "x");
    for path in ["/nope", "/nope/x", "/d/nope", "/d/v/x"] {
        refused(kv, &Error::NotFound(key(path)), || kv.list(&key(path)));
    }
}

pub(crate) fn list_page_goes_on_after_any_name(kv: &dyn KvWrite, _: &TestClock) {
    set_names_around_the_slash(kv);
    let page = |after: &[u8], limit| names(kv, after, limit);
    assert_eq!(page(b"a", 2), ["/a!", "/a-"]);
    assert_eq!(page(b"a!", 1), ["/a-"]);
    assert_eq!(page(b"a0", 9), [""; 0]);
    // Names that are not there.
    assert_eq!(page(b"a#", 1), ["/a-"]);
    assert_eq!(page(b"A", 1), ["/a"]);
    assert_eq!(page(b"a-zzz", 2), ["/a.", "/a0"]);
    assert_eq!(page(&[0xff; 255], 9), [""; 0]);
}

/// Names compare as bytes, and so do bytes that are none: empty, with a `/`, too long.
pub(crate) fn list_page_goes_on_after_any_bytes(kv: &dyn KvWrite, _: &TestClock) {
    set_names_around_the_slash(kv);
    let page = |after: &[u8], limit| names(kv, after, limit);
    assert_eq!(page(b"", 1), [r"/\u{1}"]);
    assert_eq!(page(b"a/x", 2), ["/a0"]);
    assert_eq!(page(b"a/", 2), ["/a0"]);
    assert_eq!(page(b"/", 1), ["/a"]);
    assert_eq!(page(&[0xff; 300], 9), [""; 0]);
    assert_eq!(page(&[b'a'; 2000], 9), [""; 0]);
}

fn names(kv: &dyn KvRead, after: &[u8], limit: usize) -> Vec<String> {
    let entries = kv.list_page(&Key::ROOT, Some(after), limit).unwrap();
    entries.iter().map(|entry| entry.key.to_string()).collect()
}

pub(crate) fn list_page_joins_up_to_list_at_every_limit(kv: &dyn KvWrite, _: &TestClock) {
    set_names_around_the_slash(kv);
    for (dictionary, entries) in [(Key::ROOT, 6), (key("a"), 3), (key("a-"), 1)] {
        let whole = kv.list(&dictionary).unwrap();
        assert_eq!(whole.len(), entries);
        for limit in 1..=entries + 1 {
            assert_eq!(paged(kv, &dictionary, limit), whole, "{dictionary} by {limit}");
        }
        assert!(kv.list_page(&dictionary, None, 0).unwrap().is_empty());
    }
}

/// What a user does who lists in bounded memory.
fn paged(kv: &dyn KvRead, dictionary: &Key, limit: usize) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().and_then(|entry| entry.key.basename());
        let page = kv.list_page(dictionary, after, limit).unwrap();
        let is_last = page.len() < limit;
        assert!(page.len() <= limit);
        entries.extend(page);
        // Or it would never end.
        assert!(entries.is_sorted_by(|one, next| one.key < next.key), "an entry twice");
        if is_last {
            return entries;
        }
    }
}

pub(crate) fn list_page_refuses_as_list_does(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/v", "x");
    let expected = Error::DictionaryExpected(key("d/v"));
    refused(kv, &expected, || kv.list_page(&key("d/v"), None, 0));
    let expected = Error::NotFound(key("d/nope"));
    refused(kv, &expected, || kv.list_page(&key("d/nope"), Some(b"v"), 1));
}

pub(crate) fn a_dictionary_holds_more_than_1023_values(kv: &dyn KvWrite, _: &TestClock) {
    let count = 1100;
    let path = |number: usize| format!("/many/{number:04}");
    for number in 0..count {
        set(kv, &path(number), number.to_string());
    }
    // Overwriting an early one makes no second entry of it.
    set(kv, &path(1), "again");
    let all: Vec<_> = (0..count).map(path).collect();
    assert_eq!(list(kv, "/many"), all);
    assert_eq!(paged(kv, &key("many"), 100).len(), count);
    kv.remove(&key(path(500))).unwrap();
    let values = contents(kv);
    assert_eq!(values.len(), count - 1);
    assert_eq!(get(kv, &path(1)), b"again");
    for number in (2..count).filter(|&number| number != 500) {
        assert_eq!(values[&key(path(number))].0, number.to_string().as_bytes());
    }
}
