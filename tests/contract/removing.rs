//! `remove`.

use crate::support::{exists, get, key, list, removes, set, unchanged};
use nerite::{Error, Kind, KvWrite};
use nerite_tests::{TestClock, contents};

pub(crate) fn remove_of_a_value(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "x");
    set(kv, "d/v", "y");
    removes(kv, "v");
    assert_eq!(exists(kv, "v"), None);
    assert!(matches!(kv.get(&key("v")), Err(Error::NotFound(at)) if at == key("v")));
    assert_eq!(list(kv, "/"), ["/d/"]);
    removes(kv, "d/v");
    assert!(list(kv, "/").is_empty());
}

pub(crate) fn remove_of_a_dictionary_takes_everything_below(kv: &dyn KvWrite, _: &TestClock) {
    for path in ["d/v", "d/sub/v", "d/sub/sub/w", "d/sub!", "d-", "c/v"] {
        set(kv, path, path);
    }
    removes(kv, "d/sub");
    assert_eq!(list(kv, "d"), ["/d/sub!", "/d/v"]);
    removes(kv, "d");
    assert_eq!(exists(kv, "d"), None);
    assert_eq!(list(kv, "/"), ["/c/", "/d-"]);
}

pub(crate) fn remove_of_the_root_empties_the_store(kv: &dyn KvWrite, _: &TestClock) {
    removes(kv, "/");
    for path in ["v", "d/v", "d/sub/v", "\u{ff}"] {
        set(kv, path, "x");
    }
    removes(kv, "/");
    assert!(contents(kv).is_empty());
    assert_eq!(exists(kv, "/"), Some(Kind::Dictionary));
    set(kv, "v", "and it goes on");
    assert_eq!(list(kv, "/"), ["/v"]);
}

pub(crate) fn remove_of_nothing_is_ok(kv: &dyn KvWrite, _: &TestClock) {
    set(kv, "v", "x");
    set(kv, "d/v", "x");
    for path in ["nope", "nope/x", "d/nope", "v/x", "d/v/x/y"] {
        unchanged(kv, || kv.remove(&key(path)).unwrap());
    }
    removes(kv, "v");
    removes(kv, "v");
}

pub(crate) fn remove_goes_by_names_not_by_text(kv: &dyn KvWrite, _: &TestClock) {
    for path in ["a/x", "a/y/z", "ab", "a!", "a-/x", "a.x", "a0", "a\u{ff}"] {
        set(kv, path, "x");
    }
    removes(kv, "a");
    assert_eq!(contents(kv).len(), 6);
    removes(kv, "a-");
    assert_eq!(list(kv, "/"), ["/a!", "/a.x", "/a0", "/ab", "/a\u{ff}"]);
}

pub(crate) fn removing_one_key_loses_no_other(kv: &dyn KvWrite, _: &TestClock) {
    let path = |number: usize| format!("/d{}/f{number}", number % 2);
    let count = 60;
    for number in 0..count {
        set(kv, &path(number), "forty bytes or so, as in the old bug report");
    }
    // First one in the middle, then from both ends.
    for number in [30, 0, 59, 1, 58, 2, 57] {
        removes(kv, &path(number));
    }
    assert_eq!(contents(kv).len(), count - 7);
}

pub(crate) fn what_was_removed_can_be_set_again(kv: &dyn KvWrite, _: &TestClock) {
    for round in 0..5 {
        set(kv, "d/v", format!("round {round}"));
        set(kv, "d/sub/w", "x");
        assert_eq!(get(kv, "d/v"), format!("round {round}").as_bytes());
        removes(kv, "d");
    }
    // The other way round, too.
    set(kv, "d", "a value");
    removes(kv, "d");
    set(kv, "d/v", "in a dictionary");
    assert_eq!(list(kv, "/"), ["/d/"]);
}
