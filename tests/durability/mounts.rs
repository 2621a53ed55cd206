//! Mounts: epochs, and more than one writer.

use super::{image, key, new_disk, open, value_of};
use nerite::{Error, Flush, KvRead, KvWrite, OpenOptions, Store};
use nerite_tests::{SimDisk, TestClock, contents};
use std::collections::BTreeSet;

#[test]
fn every_mount_that_writes_has_an_epoch_of_its_own_even_with_one_seed() {
    let disk = new_disk();
    let mut epochs = BTreeSet::from([open(&disk, 5).info().epoch]);
    for mount in 0..10 {
        let store = open(&disk, 5);
        store.set(&key("/boot/count"), b"1").unwrap();
        assert!(epochs.insert(store.info().epoch), "mount {mount}");
    }
}

#[test]
fn mounts_from_the_same_state_differ_by_their_seeds() {
    let disk = new_disk();
    let state = image(&disk);
    let epoch = |seed| {
        let disk = SimDisk::from_bytes(4096, state.clone());
        let store = open(&disk, seed);
        store.set(&key("a"), b"x").unwrap();
        store.info().epoch
    };
    assert_ne!(epoch(1), epoch(2));
    assert_eq!(epoch(1), epoch(1));
}

#[test]
fn a_second_writer_is_fenced_when_the_first_has_sealed() {
    let disk = new_disk();
    let (one, two) = (open(&disk, 2), open(&disk, 3));
    one.set(&key("a"), b"x").unwrap();
    one.close().unwrap();
    let sealed = image(&disk);
    // The second believes in a state that is no more.
    two.set(&key("b"), b"y").unwrap();
    assert!(matches!(two.close(), Err(Error::Stolen)));
    let superblocks = 4 * 4096;
    assert_eq!(image(&disk)[..superblocks], sealed[..superblocks]);
}

#[test]
fn a_read_only_mount_refuses_every_write() {
    let disk = new_disk();
    open(&disk, 2).set(&key("a/b"), b"x").unwrap();
    let before = image(&disk);
    let store = Store::open(&disk, TestClock::new(1), OpenOptions::new(3).read_only(true)).unwrap();
    assert!(matches!(store.set(&key("c"), b"x"), Err(Error::ReadOnly)));
    assert!(matches!(store.set_partial(&key("c"), 0, b"x"), Err(Error::ReadOnly)));
    assert!(matches!(store.allocate(&key("c"), 1, None), Err(Error::ReadOnly)));
    assert!(matches!(store.remove(&key("a")), Err(Error::ReadOnly)));
    assert!(matches!(store.rename(&key("a"), &key("c")), Err(Error::ReadOnly)));
    assert_eq!(store.get(&key("a/b")).unwrap(), b"x");
    store.close().unwrap();
    assert_eq!(image(&disk), before);
}

#[test]
fn a_device_without_a_working_flush_is_written_only_if_asked_for() {
    let disk = new_disk().with_geometry(|geometry| geometry.flush = Flush::Unavailable);
    let options = OpenOptions::new(2);
    let refused = Store::open(&disk, TestClock::new(1), options);
    assert!(matches!(refused, Err(Error::Unsupported(_))), "{refused:?}");
    Store::open(&disk, TestClock::new(1), options.read_only(true)).unwrap();
    let store = Store::open(&disk, TestClock::new(1), options.without_flush(true)).unwrap();
    store.set(&key("a"), b"x").unwrap();
    assert_eq!(store.info().flush, Flush::Unavailable);
}

#[test]
fn a_read_only_device_is_opened_only_for_reading() {
    let disk = new_disk();
    open(&disk, 2).set(&key("a"), b"x").unwrap();
    let disk = disk.with_geometry(|geometry| geometry.read_only = true);
    let refused = Store::open(&disk, TestClock::new(1), OpenOptions::new(2));
    assert!(matches!(refused, Err(Error::ReadOnly)), "{refused:?}");
    let options = OpenOptions::new(2).read_only(true);
    let store = Store::open(&disk, TestClock::new(1), options).unwrap();
    assert_eq!(value_of(&store, "a"), Some(b"x".to_vec()));
    let refused = Store::create(&disk, nerite::CreateOptions::new(1).force(true));
    assert!(matches!(refused, Err(Error::ReadOnly)), "{refused:?}");
}

/// 8 mounts in a row, each killed without a close: every acknowledged key stays.
#[test]
fn nothing_acknowledged_is_lost_by_dropping_stores() {
    let disk = new_disk();
    for mount in 0..8u64 {
        let store = open(&disk, mount);
        for number in 0..10 {
            store.set(&key(&format!("{mount}/{number}")), &[1; 50]).unwrap();
        }
    }
    assert_eq!(contents(&open(&disk, 9)).len(), 80);
}
