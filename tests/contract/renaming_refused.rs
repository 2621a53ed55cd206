//! `rename` where it is refused: with which error, about which key.

use crate::support::{key, refused, set};
use nerite::{Error, InvalidKey, Key, KvWrite};
use nerite_tests::TestClock;

fn refuses(kv: &dyn KvWrite, source: &str, dest: &str, expected: &Error) {
    refused(kv, expected, || kv.rename(&key(source), &key(dest)));
}

pub(crate) fn rename_of_nothing_is_not_found(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "x");
    set(kv, "d/v", "x");
    for source in ["nope", "d/nope", "v/x", "nope/x"] {
        for dest in ["new", "v", "d", "/", source, "nope/x/y", "v/y"] {
            refuses(kv, source, dest, &Error::NotFound(key(source)));
        }
    }
}

pub(crate) fn rename_under_itself_is_refused(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/sub/v", "x");
    set(kv, "w", "x");
    for (source, dest) in [
        ("d", "d/new"),
        ("d", "d/d"),
        ("d", "d/a/b/c"),
        // A dictionary and a value that are there below it.
        ("d", "d/sub"),
        ("d", "d/sub/v"),
        ("/", "new"),
        ("/", "d"),
        ("/", "w"),
        // A value has nothing below it either.
        ("w", "w/x"),
    ] {
        let expected = Error::RenameSourcePrefix { source: key(source), dest: key(dest) };
        refuses(kv, source, dest, &expected);
    }
}

pub(crate) fn rename_of_a_dictionary_onto_a_value_expects_a_value(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/v", "x");
    set(kv, "v", "x");
    set(kv, "e/d", "a value of its name");
    refuses(kv, "d", "v", &Error::ValueExpected(key("d")));
    refuses(kv, "d", "e/d", &Error::ValueExpected(key("d")));
    // It would move inside `/e`, onto `/e/d`.
    refuses(kv, "d", "e", &Error::ValueExpected(key("d")));
}

pub(crate) fn rename_of_a_value_onto_an_inner_dictionary_expects_a_value(
    kv: &dyn KvWrite,
    _: &TestClock,
) {
    set(kv, "v", "x");
    set(kv, "d/v/w", "x");
    refuses(kv, "v", "d", &Error::ValueExpected(key("d/v")));
    // The value itself makes the dictionary that it would replace.
    set(kv, "e/e", "x");
    refuses(kv, "e/e", "/", &Error::ValueExpected(key("e")));
}

pub(crate) fn rename_of_a_dictionary_onto_an_inner_dictionary_is_already_present(
    kv: &dyn KvWrite,
    _: &TestClock,
) {
    set(kv, "d/v", "x");
    set(kv, "e/d/w", "x");
    refuses(kv, "d", "e", &Error::AlreadyPresent(key("e/d")));
    refuses(kv, "e/d", "/", &Error::AlreadyPresent(key("d")));
}

pub(crate) fn rename_below_a_value_expects_a_dictionary(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "x");
    set(kv, "d/v", "x");
    for (source, dest, value) in
        [("d/v", "v/x", "v"), ("d", "v/x/y", "v"), ("v", "d/v/x", "d/v"), ("v", "d/v/x/y", "d/v")]
    {
        refuses(kv, source, dest, &Error::DictionaryExpected(key(value)));
    }
}

pub(crate) fn rename_that_makes_a_key_too_long_is_refused_whole(kv: &dyn KvWrite, _: &TestClock) {
    let name = "x".repeat(255);
    let deep = key([name.as_str(); 3].join("/"));
    set(kv, "d/a", "short enough");
    kv.set(&key("d").join(&name).unwrap(), b"too long there").unwrap();
    kv.set(&deep.join("v").unwrap(), b"so that it is a dictionary").unwrap();
    // `deep` is 767 bytes: with `/d/` and the name it would be 1,025.
    let dest = deep.join("d").unwrap();
    let expected = Error::InvalidKey(InvalidKey::KeyTooLong { len: 1025 });
    refused(kv, &expected, || kv.rename(&key("d"), &dest));
    refused(kv, &expected, || kv.rename(&key("d"), &deep));
    // Moving inside takes the last name along: 1,024 bytes fit, 1,025 do not.
    let (fits, long) = (Key::new("y".repeat(250)).unwrap(), Key::new("y".repeat(251)).unwrap());
    let deep = deep.join("abcde").unwrap();
    kv.set(&deep.join("v").unwrap(), b"so that it is a dictionary").unwrap();
    kv.set(&fits, b"v").unwrap();
    kv.set(&long, b"v").unwrap();
    refused(kv, &expected, || kv.rename(&long, &deep));
    kv.rename(&fits, &deep).unwrap();
}
