//! Writes and flushes that fail.

use super::{contents, held, image, key, new_disk, open, try_open, value_of};
use nerite::{
    BlockDevice, DeviceError, Error, Geometry, KvRead, KvWrite, ReadRequest, WriteRequest,
};
use nerite_tests::disk::{Call, Pending, Repeat};
use nerite_tests::{Fate, Fault, SimDisk};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

const CALLS: [Call; 2] = [Call::Write, Call::Flush];
const PENDING: [Pending; 2] = [Pending::Kept, Pending::Dropped];

fn fail_next(disk: &SimDisk, call: Call, pending: Pending) {
    disk.inject(Fault { call, after: 0, repeat: Repeat::Once, pending });
}

#[test]
fn after_a_failed_write_or_flush_nothing_is_written_until_it_is_reopened_and_reads_go_on() {
    for call in CALLS {
        for pending in PENDING {
            let disk = new_disk();
            let store = open(&disk, 2);
            store.set(&key("a"), b"old").unwrap();
            fail_next(&disk, call, pending);
            assert!(matches!(store.set(&key("a"), b"new"), Err(Error::Device(_))));
            // The device works again; a retry must not be taken for a success.
            let before = image(&disk);
            assert!(matches!(store.set(&key("b"), b"x"), Err(Error::Poisoned)));
            assert!(matches!(store.remove(&key("a")), Err(Error::Poisoned)));
            assert!(matches!(store.rename(&key("a"), &key("c")), Err(Error::Poisoned)));
            assert_eq!(store.get(&key("a")).unwrap(), b"old", "what failed is not shown");
            assert!(matches!(store.close(), Err(Error::Poisoned)));
            assert_eq!(image(&disk), before);
            let store = open(&disk, 3);
            let value = value_of(&store, "a").unwrap();
            assert!(value == b"old" || value == b"new");
            store.set(&key("b"), b"goes on").unwrap();
        }
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
    fail_next(&disk, Call::Flush, Pending::Kept);
    store.set(&key("in the cache"), b"x").unwrap_err();
    drop(store);
    let sectors = disk.pending();
    assert!(sectors > 0);
    let store = open(&disk, 3);
    assert_eq!(value_of(&store, "in the cache"), Some(b"x".to_vec()));
    fail_next(&disk, Call::Flush, Pending::Kept);
    store.set(&key("later"), b"x").unwrap_err();
    // What the first mount left in the cache is lost, what the second wrote is not, as far as they
    // still are in the cache.
    let image = disk.crash(|sector| if sector < sectors { Fate::Old } else { Fate::New });
    let found = held(image).expect("a loss of what was never flushed is no damage");
    assert!(found.contains_key(&key("acknowledged")));
    assert!(found.contains_key(&key("in the cache")), "a reader has seen it");
}

/// The same with a failed flush that dropped what was pending, as Linux does: a reader in the same
/// boot may still see it in the cache. (That the file device drops its cache is its own test.)
#[test]
fn a_dropped_write_is_not_there_after_reopening() {
    let disk = new_disk();
    let store = open(&disk, 2);
    store.set(&key("a"), b"old").unwrap();
    fail_next(&disk, Call::Flush, Pending::Dropped);
    store.set(&key("a"), b"new").unwrap_err();
    let store = open(&disk, 3);
    assert_eq!(value_of(&store, "a"), Some(b"old".to_vec()));
    store.set(&key("a"), b"newer").unwrap();
    assert_eq!(held(disk.crash(|_| Fate::Old)).unwrap()[&key("a")].0, b"newer");
}

#[test]
fn a_flush_that_fails_while_opening_is_an_error_and_nothing_is_lost() {
    let disk = new_disk();
    open(&disk, 2).set(&key("a"), b"x").unwrap();
    fail_next(&disk, Call::Flush, Pending::Kept);
    assert!(matches!(try_open(&disk, 3), Err(Error::Device(_))));
    assert_eq!(contents(&open(&disk, 4)).len(), 1);
}

#[test]
fn a_failed_seal_loses_nothing() {
    for call in CALLS {
        for pending in PENDING {
            let disk = new_disk();
            let store = open(&disk, 2);
            store.set(&key("a"), b"x").unwrap();
            fail_next(&disk, call, pending);
            assert!(matches!(store.close(), Err(Error::Device(_))));
            for fate in [Fate::Old, Fate::New, Fate::Zeros, Fate::Garbage(5)] {
                assert_eq!(held(disk.crash(|_| fate)).unwrap().len(), 1);
            }
        }
    }
}

/// A disk that panics in its next flush.
struct Panics(SimDisk, AtomicBool);

impl BlockDevice for Panics {
    fn geometry(&self) -> Geometry {
        self.0.geometry()
    }
    fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError> {
        self.0.read(requests)
    }
    fn write(&self, requests: &[WriteRequest<'_>]) -> Result<(), DeviceError> {
        self.0.write(requests)
    }
    fn flush(&self) -> Result<(), DeviceError> {
        assert!(!self.1.swap(false, Ordering::SeqCst), "asked to");
        self.0.flush()
    }
}

#[test]
fn a_device_that_panics_while_it_flushes_poisons_too() {
    let device = Panics(new_disk(), AtomicBool::new(false));
    let store = open(&device, 2);
    store.set(&key("a"), b"x").unwrap();
    device.1.store(true, Ordering::SeqCst);
    let set = AssertUnwindSafe(|| store.set(&key("b"), b"x"));
    catch_unwind(set).unwrap_err();
    assert!(matches!(store.set(&key("c"), b"x"), Err(Error::Poisoned)));
    assert_eq!(store.get(&key("a")).unwrap(), b"x");
}
