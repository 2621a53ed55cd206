//! Keys as a store takes them.

use crate::support::{exists, get, key, list, refused, removes, set};
use nerite::{Error, InvalidKey, Key, Kind, KvWrite};
use nerite_tests::TestClock;

pub(crate) fn empty_names_in_a_path_are_ignored(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "//a///b/", "x");
    for path in ["a/b", "/a/b", "a//b//"] {
        assert_eq!(get(kv, path), b"x");
    }
    assert_eq!(list(kv, "///"), ["/a/"]);
    assert_eq!(list(kv, "a/"), ["/a/b"]);
}

pub(crate) fn names_are_bytes_not_text(kv: &dyn KvWrite, _: &TestClock) {
    let longest = [b'x'; 255];
    let mut names: Vec<&[u8]> =
        vec![b"\0", b"\xff\xfe", b"\n", b".", b"..", b"\\", b" ", b"littlefs", &longest];
    names.push("🔋".as_bytes());
    names.push("\u{e9}".as_bytes());
    let dictionary = Key::ROOT.join("..").unwrap().join([0xc0]).unwrap();
    for (number, name) in names.iter().enumerate() {
        let number = [u8::try_from(number).unwrap()];
        kv.set(&dictionary.join(name).unwrap(), &number).unwrap();
        if *name != b".." {
            kv.set(&Key::ROOT.join(name).unwrap(), &number).unwrap();
        }
    }
    for (number, name) in names.iter().enumerate() {
        let number = [u8::try_from(number).unwrap()];
        assert_eq!(kv.get(&dictionary.join(name).unwrap()).unwrap(), number);
    }
    names.sort_unstable();
    for dictionary in [&dictionary, &Key::ROOT] {
        let listed = kv.list(dictionary).unwrap();
        let listed: Vec<_> = listed.iter().map(|entry| entry.key.basename().unwrap()).collect();
        assert_eq!(listed, names);
    }
}

pub(crate) fn a_key_of_the_longest_length_holds_a_value(kv: &dyn KvWrite, _: &TestClock) {
    let names: Vec<_> = (b'a'..=b'e').map(|byte| vec![byte; 204]).collect();
    let longest = key(names.join(&b'/'));
    assert_eq!(longest.as_bytes().len(), Key::LEN_MAX);
    let mut bytes = longest.as_bytes().to_vec();
    *bytes.last_mut().unwrap() = b'f';
    let neighbour = key(&bytes);
    kv.set(&longest, b"long").unwrap();
    kv.set(&neighbour, b"next").unwrap();
    assert_eq!(kv.get(&longest).unwrap(), b"long");
    assert_eq!(kv.exists(&longest.parent().unwrap()).unwrap(), Some(Kind::Dictionary));
    assert_eq!(kv.list(&longest.parent().unwrap()).unwrap().len(), 2);
    kv.remove(&longest).unwrap();
    assert_eq!(kv.exists(&longest).unwrap(), None);
    assert_eq!(kv.get(&neighbour).unwrap(), b"next");
}

pub(crate) fn a_name_that_starts_another_is_not_above_it(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "ab", "value");
    set(kv, "abc/x", "below another");
    set(kv, "ab-c", "beside");
    assert_eq!(exists(kv, "a"), None);
    assert_eq!(exists(kv, "ab"), Some(Kind::Value));
    assert_eq!(exists(kv, "abc"), Some(Kind::Dictionary));
    refused(kv, &Error::NotFound(key("a")), || kv.list(&key("a")));
    removes(kv, "ab");
    removes(kv, "a");
}

pub(crate) fn no_key_is_both_a_value_and_a_dictionary(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "value");
    set(kv, "d/x", "value");
    let below = [key("v/x"), key("v/x/y")];
    for below in &below {
        let expected = Error::DictionaryExpected(key("v"));
        refused(kv, &expected, || kv.set(below, b"new"));
        refused(kv, &expected, || kv.set_partial(below, 0, b"new"));
        refused(kv, &expected, || kv.allocate(below, 3, None));
        refused(kv, &expected, || kv.rename(&key("d/x"), below));
        refused(kv, &expected, || kv.rename(&key("d"), below));
    }
    let expected = Error::ValueExpected(key("d"));
    refused(kv, &expected, || kv.set(&key("d"), b"new"));
    refused(kv, &expected, || kv.set_partial(&key("d"), 0, b"new"));
    refused(kv, &expected, || kv.allocate(&key("d"), 3, None));
}

#[test]
fn names_and_keys_that_are_too_long_can_not_be_made() {
    assert_eq!(Key::new([b'x'; 256]), Err(InvalidKey::NameTooLong { len: 256 }));
    let full = key([[b'x'; 204]; 5].join(&b'/'));
    assert_eq!(full.join("x"), Err(InvalidKey::KeyTooLong { len: 1026 }));
    assert_eq!(Key::ROOT.join(""), Err(InvalidKey::EmptyName));
    assert_eq!(Key::ROOT.join("a/b"), Err(InvalidKey::SlashInName));
}
