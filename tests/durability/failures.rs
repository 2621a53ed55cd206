//! Writes and flushes that fail.

use super::{contents, fail_next_flush, held, image, key, new_disk, open, try_open, value_of};
use nerite::{Error, KvRead, KvWrite};
use nerite_tests::{Fate, Fault, SimDisk, Strike, Unflushed};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A write that fails before, while or after it lands, and a flush that fails in any way.
const STRIKES: [Strike; 6] = [
    Strike::WriteFails { landed: 0 },
    Strike::WriteFails { landed: 3 },
    Strike::WriteFails { landed: usize::MAX },
    Strike::FlushFails(Unflushed::Kept),
    Strike::FlushFails(Unflushed::Dropped),
    Strike::FlushFails(Unflushed::Cached),
];

fn strike_next(disk: &SimDisk, strike: Strike) {
    disk.inject(Fault::next(strike));
}

#[test]
fn after_a_failed_write_or_flush_nothing_is_written_until_it_is_reopened_and_reads_go_on() {
    for strike in STRIKES {
        let disk = new_disk();
        let store = open(&disk, 2);
        store.set(&key("a"), b"old").unwrap();
        strike_next(&disk, strike);
        assert!(matches!(store.set(&key("a"), b"new"), Err(Error::Device(_))));
        // The device works again; a retry must not be taken for a success.
        let before = image(&disk);
        assert!(matches!(store.set(&key("b"), b"x"), Err(Error::Poisoned)));
        assert!(matches!(store.remove(&key("a")), Err(Error::Poisoned)));
        assert!(matches!(store.rename(&key("a"), &key("c")), Err(Error::Poisoned)));
        assert_eq!(store.get(&key("a")).unwrap(), b"old", "what failed is not shown");
        assert!(matches!(store.close(), Err(Error::Poisoned)));
        assert_eq!(image(&disk), before);
        disk.drop_cache();
        let store = open(&disk, 3);
        let value = value_of(&store, "a").unwrap();
        assert!(value == b"old" || value == b"new");
        store.set(&key("b"), b"goes on").unwrap();
    }
}

/// kill -9 of a writer: its last frame is in the cache, not on the disk. The next mount reads it
/// there and builds on it. If the power fails then, losing that frame, the store must not be
/// damaged by the new mount's word that it was durable.
#[test]
fn what_was_only_read_from_a_cache_is_made_durable_before_anything_relies_on_it() {
    let disk = new_disk();
    let store = open(&disk, 2);
    store.set(&key("acknowledged"), b"x").unwrap();
    fail_next_flush(&disk);
    store.set(&key("in the cache"), b"x").unwrap_err();
    drop(store);
    let sectors = disk.pending();
    assert!(sectors > 0);
    let store = open(&disk, 3);
    assert_eq!(value_of(&store, "in the cache"), Some(b"x".to_vec()));
    fail_next_flush(&disk);
    store.set(&key("later"), b"x").unwrap_err();
    // What the first mount left in the cache is lost, what the second wrote is not, as far as they
    // still are in the cache.
    let image = disk.crash(|sector| if sector < sectors { Fate::Old } else { Fate::New });
    let found = held(image).expect("a loss of what was never flushed is no damage");
    assert!(found.contains_key(&key("acknowledged")));
    assert!(found.contains_key(&key("in the cache")), "a reader has seen it");
}

/// The same with a failed flush that dropped what was pending. Linux goes on showing it, so the file
/// device drops its cache when it is opened.
#[test]
fn a_dropped_write_is_not_there_after_reopening() {
    for unflushed in [Unflushed::Dropped, Unflushed::Cached] {
        let disk = new_disk();
        let store = open(&disk, 2);
        store.set(&key("a"), b"old").unwrap();
        strike_next(&disk, Strike::FlushFails(unflushed));
        store.set(&key("a"), b"new").unwrap_err();
        disk.drop_cache();
        let store = open(&disk, 3);
        assert_eq!(value_of(&store, "a"), Some(b"old".to_vec()));
        store.set(&key("a"), b"newer").unwrap();
        assert_eq!(held(disk.crash(|_| Fate::Old)).unwrap()[&key("a")].0, b"newer");
    }
}

#[test]
fn a_flush_that_fails_while_opening_is_an_error_and_nothing_is_lost() {
    let disk = new_disk();
    open(&disk, 2).set(&key("a"), b"x").unwrap();
    fail_next_flush(&disk);
    assert!(matches!(try_open(&disk, 3), Err(Error::Device(_))));
    assert_eq!(contents(&open(&disk, 4)).len(), 1);
}

#[test]
fn a_failed_seal_loses_nothing() {
    for strike in STRIKES {
        let disk = new_disk();
        let store = open(&disk, 2);
        store.set(&key("a"), b"x").unwrap();
        strike_next(&disk, strike);
        assert!(matches!(store.close(), Err(Error::Device(_))));
        for fate in [Fate::Old, Fate::New, Fate::Zeros, Fate::Garbage(5)] {
            assert_eq!(held(disk.crash(|_| fate)).unwrap().len(), 1);
        }
    }
}

#[test]
fn a_device_that_panics_while_it_flushes_poisons_too() {
    let disk = new_disk();
    let store = open(&disk, 2);
    store.set(&key("a"), b"x").unwrap();
    strike_next(&disk, Strike::FlushPanics);
    let set = AssertUnwindSafe(|| store.set(&key("b"), b"x"));
    catch_unwind(set).unwrap_err();
    assert!(matches!(store.set(&key("c"), b"x"), Err(Error::Poisoned)));
    assert_eq!(store.get(&key("a")).unwrap(), b"x");
}
