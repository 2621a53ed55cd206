//! `rename` where it works. Each case is compared whole: what moved, with its times, and that
//! nothing else did.

use crate::support::{exists, get, key, list, pattern, renames, set, unchanged};
use nerite::{Key, Kind, KvWrite};
use nerite_tests::{TestClock, contents};

pub(crate) fn rename_moves_a_value(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "value");
    set(kv, "d/v", "other");
    renames(kv, "v", "w", "w");
    assert_eq!(exists(kv, "v"), None);
    assert_eq!(get(kv, "w"), b"value");
    renames(kv, "d/v", "d/u", "d/u");
    renames(kv, "d/u", "top", "top");
    assert_eq!(exists(kv, "d"), None, "its last value has left");
}

pub(crate) fn rename_onto_a_value_replaces_it(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "new");
    set(kv, "w", "replaced");
    set(kv, "d/v", "replaced");
    renames(kv, "v", "w", "w");
    renames(kv, "w", "d/v", "d/v");
    assert_eq!(get(kv, "d/v"), b"new");
}

pub(crate) fn rename_makes_the_dictionaries_above(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "value");
    renames(kv, "v", "a/b/c", "a/b/c");
    renames(kv, "a/b", "x/y/z", "x/y/z");
    assert_eq!(list(kv, "/x/y/z"), ["/x/y/z/c"]);
}

pub(crate) fn rename_into_a_dictionary_moves_inside_it(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "w", "value");
    set(kv, "d/sub/v", "x");
    renames(kv, "w", "d", "d/w");
    renames(kv, "d/w", "d/sub", "d/sub/w");
    assert_eq!(list(kv, "/d/sub"), ["/d/sub/v", "/d/sub/w"]);
}

pub(crate) fn rename_into_a_dictionary_replaces_the_value_of_that_name(
    kv: &dyn KvWrite,
    _: &TestClock,
) {
    set(kv, "w", "new");
    set(kv, "d/w", "replaced");
    set(kv, "d/v", "kept");
    renames(kv, "w", "d", "d/w");
    assert_eq!(get(kv, "d/w"), b"new");
}

pub(crate) fn rename_to_the_root_moves_up(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/sub/v", "value");
    set(kv, "d/w", "value");
    renames(kv, "d/sub/v", "/", "v");
    renames(kv, "d/w", "/", "w");
    set(kv, "d/sub/x", "again");
    renames(kv, "d/sub", "/", "sub");
    assert_eq!(list(kv, "/"), ["/sub/", "/v", "/w"]);
}

pub(crate) fn rename_of_a_dictionary_moves_all_of_it(kv: &dyn KvWrite, _: &TestClock) {
    for path in ["d/v", "d/sub/v", "d/sub/sub/v", "d/sub-", "d-/v", "d!", "e"] {
        set(kv, path, path);
    }
    renames(kv, "d", "new", "new");
    assert_eq!(exists(kv, "d"), None);
    assert_eq!(get(kv, "new/sub/sub/v"), b"d/sub/sub/v");
    renames(kv, "new/sub", "other/place", "other/place");
    assert_eq!(list(kv, "/other/place"), ["/other/place/sub/", "/other/place/v"]);
    renames(kv, "other", "new/place", "new/place");
}

pub(crate) fn rename_of_a_dictionary_into_a_dictionary(kv: &dyn KvWrite, _: &TestClock) {
    for path in ["d/v", "d/sub/v", "e/v", "e/sub/v"] {
        set(kv, path, path);
    }
    renames(kv, "d", "e", "e/d");
    renames(kv, "e/d", "e/sub", "e/sub/d");
    assert_eq!(list(kv, "/e"), ["/e/sub/", "/e/v"]);
}

pub(crate) fn rename_goes_by_names_not_by_text(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "ab/v", "value");
    set(kv, "ab!", "beside");
    set(kv, "a", "beside");
    // `/abc` starts with `/ab` as text only.
    renames(kv, "ab", "abc/x", "abc/x");
    renames(kv, "a", "aa/a", "aa/a");
    renames(kv, "abc", "ab", "ab");
}

pub(crate) fn rename_onto_itself_changes_nothing(kv: &dyn KvWrite, _: &TestClock) {
    unchanged(kv, || kv.rename(&Key::ROOT, &Key::ROOT).unwrap());
    set(kv, "k", "value");
    set(kv, "d/sub/v", "value");
    for (source, dest) in [("k", "k"), ("k", "//k/"), ("d", "d"), ("d/sub", "d/sub"), ("/", "/")] {
        unchanged(kv, || kv.rename(&key(source), &key(dest)).unwrap());
    }
    assert_eq!(exists(kv, "d"), Some(Kind::Dictionary));
}

pub(crate) fn rename_into_its_own_dictionary_changes_nothing(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "value");
    set(kv, "d/v", "value");
    set(kv, "d/sub/v", "value");
    for (source, dest) in [("v", "/"), ("d", "/"), ("d/v", "d"), ("d/sub", "d")] {
        unchanged(kv, || kv.rename(&key(source), &key(dest)).unwrap());
    }
}

pub(crate) fn rename_keeps_the_neighbours(kv: &dyn KvWrite, _: &TestClock) {
    for number in 0..30 {
        set(kv, &format!("f{number}"), "forty bytes or so, as in the old bug report");
    }
    renames(kv, "f1", "g1", "g1");
    renames(kv, "f29", "f0", "f0");
    assert_eq!(contents(kv).len(), 29);
}

pub(crate) fn rename_keeps_the_time(kv: &dyn KvWrite, clock: &TestClock) {
    set(kv, "d/v", "value");
    let time = kv.last_modified(&key("d/v")).unwrap();
    clock.advance(1_000_000);
    set(kv, "w", "newer");
    for (source, dest) in [("d/v", "d/u"), ("d", "e"), ("e/u", "w")] {
        kv.rename(&key(source), &key(dest)).unwrap();
    }
    assert_eq!(kv.last_modified(&key("w")).unwrap(), time);
}

pub(crate) fn rename_there_and_back(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/v", "1");
    set(kv, "d/sub/w", "2");
    set(kv, "u", "3");
    unchanged(kv, || {
        for (source, dest) in [("d", "e"), ("u", "t"), ("e", "d"), ("t", "u")] {
            kv.rename(&key(source), &key(dest)).unwrap();
        }
    });
}

pub(crate) fn rename_of_a_large_value(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "d/large", pattern(20_000));
    set(kv, "d/small", "x");
    renames(kv, "d/large", "l", "l");
    renames(kv, "l", "d", "d/l");
    renames(kv, "d", "e", "e");
    assert!(get(kv, "e/l") == pattern(20_000));
}
