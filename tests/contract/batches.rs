//! Batches: what they come to, what they refuse, and what they cost.

use crate::support::key;
use nerite::{
    Batch, BlockDevice, CreateOptions, Error, Key, Kind, KvRead, KvWrite, MemoryDevice,
    OpenOptions, Store, Timestamp,
};
use nerite_tests::{CountingDevice, Counts};

fn store() -> Store<MemoryDevice> {
    store_on(MemoryDevice::new(512, 8192), OpenOptions::new(2))
}

fn store_on<D: BlockDevice>(device: D, options: OpenOptions) -> Store<D> {
    Store::create(&device, CreateOptions::new(1)).unwrap();
    Store::open(device, || Timestamp(7), options).unwrap()
}

#[test]
fn operations_count_in_their_order() {
    let store = store();
    store.set(&key("/d/old"), b"1").unwrap();
    store.set(&key("/v"), b"2").unwrap();
    let mut batch = Batch::new();
    batch.set(&key("/d/new"), b"3");
    batch.remove(&key("/d"));
    batch.set(&key("/d"), b"4");
    batch.remove(&key("/v"));
    batch.set(&key("/v/below"), b"5");
    batch.set(&key("/twice"), b"6");
    batch.set(&key("/twice"), b"7");
    batch.set(&key("/gone"), b"8");
    batch.remove(&key("/gone"));
    store.write(&batch).unwrap();
    assert_eq!(store.get(&key("/d")).unwrap(), b"4");
    assert_eq!(store.get(&key("/v/below")).unwrap(), b"5");
    assert_eq!(store.get(&key("/twice")).unwrap(), b"7");
    assert_eq!(store.exists(&key("/gone")).unwrap(), None);
    assert_eq!((store.stat().keys, store.verify().unwrap()), (3, vec![]));
}

#[test]
fn after_a_refusal_nothing_of_the_batch_is_there() {
    let store = store();
    store.set(&key("/d/x"), b"1").unwrap();
    let refused = |operations: &[(&str, Option<&[u8]>)]| {
        let mut batch = Batch::new();
        batch.set(&key("/first"), b"2");
        for (path, value) in operations {
            match value {
                Some(value) => batch.set(&key(path), value),
                None => batch.remove(&key(path)),
            }
        }
        let error = store.write(&batch).unwrap_err();
        assert_eq!(store.exists(&key("/first")).unwrap(), None);
        assert_eq!(store.exists(&key("/d")).unwrap(), Some(Kind::Dictionary));
        error
    };
    let expected = |error, path| matches!(error, Error::ValueExpected(at) if at == key(path));
    assert!(expected(refused(&[("/d", Some(b"3"))]), "/d"));
    assert!(expected(refused(&[("/e/x", Some(b"3")), ("/e", Some(b"4"))]), "/e"));
    let below = |error, path| matches!(error, Error::DictionaryExpected(at) if at == key(path));
    assert!(below(refused(&[("/d/x/y", Some(b"3"))]), "/d/x"));
    assert!(below(refused(&[("/n", Some(b"3")), ("/n/y/z", Some(b"4"))]), "/n"));
    let long = vec![0; 64 << 20];
    assert!(matches!(refused(&[("/long", Some(&long))]), Error::TooLarge { .. }));
}

#[test]
fn a_batch_is_one_commit_with_one_time_and_an_empty_one_none() {
    let device = CountingDevice::new(MemoryDevice::new(512, 64 << 11));
    let store = store_on(&device, OpenOptions::new(2));
    device.take();
    store.write(&Batch::new()).unwrap();
    let mut batch = Batch::new();
    batch.remove(&key("/nothing"));
    batch.set(&key("/gone"), b"x");
    batch.remove(&key("/gone"));
    store.write(&batch).unwrap();
    assert_eq!(device.take(), Counts::default());
    let mut batch = Batch::new();
    (0..1000).for_each(|number| batch.set(&key(format!("/sensor/{number:08}")), &[1; 100]));
    store.write(&batch).unwrap();
    let counts = device.take();
    assert_eq!(counts.flushes, 1);
    let user_bytes = 1000 * (15 + 100);
    assert!(counts.blocks_written * 512 <= user_bytes * 5 / 4, "{counts:?}");
    let time = |path| store.last_modified(&key(path)).unwrap();
    assert_eq!(time("/sensor/00000000"), time("/sensor/00000999"));
}

#[test]
fn a_batch_changes_no_more_keys_than_a_delta_holds() {
    let store = store_on(MemoryDevice::new(512, 8192), OpenOptions::new(2).delta_entries(100));
    let batch = |count| {
        let mut batch = Batch::new();
        (0..count).for_each(|number| batch.set(&key(format!("/k/{number}")), b"x"));
        // What comes to nothing does not count.
        (0..count).for_each(|_| batch.set(&key("/k/0"), b"y"));
        batch
    };
    store.write(&batch(100)).unwrap();
    let told = store.write(&batch(101));
    assert!(matches!(told, Err(Error::TooLarge { size: 101, limit: 100 })), "{told:?}");
}

/// Many small values in place of a large one take other room than it left.
#[test]
fn whatever_a_batch_exchanges_a_full_store_can_be_emptied_key_by_key() {
    for (block, kib, value, small, count) in
        [(512, 256, 2000, 20, 30), (512, 512, 8000, 60, 60), (4096, 1024, 3500, 100, 22)]
    {
        let device = MemoryDevice::new(512, kib * 2);
        Store::create(&device, CreateOptions::new(1).block_size(block)).unwrap();
        let store = Store::open(device, || Timestamp(7), OpenOptions::new(2)).unwrap();
        let large = |number: usize| key(format!("/large/{number:06}"));
        let mut keys = Vec::new();
        while store.set(&large(keys.len()), &vec![7; value]).is_ok() {
            keys.push(large(keys.len()));
        }
        for number in 0..keys.len() {
            let mut batch = Batch::new();
            batch.remove(&large(number));
            let new: Vec<_> = (0..count)
                .map(|i| key(format!("/small/{:04}/{number}", i * 7919 % 1000)))
                .collect();
            for key in &new {
                batch.set(key, &vec![1; small]);
            }
            match store.write(&batch) {
                Ok(()) => keys.extend(new),
                Err(Error::NoSpace { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        for key in &keys {
            store.remove(key).unwrap_or_else(|error| panic!("{kib} KiB, {key}: {error}"));
        }
        assert_eq!((store.stat().keys, store.verify().unwrap()), (0, vec![]));
    }
}

/// The smaller one, which comes first in key order, hid the larger one from what came behind it.
#[test]
fn a_dictionary_that_is_removed_within_a_removed_one_changes_nothing() {
    let store = store();
    for path in ["/a/x", "/b/x", "/c"] {
        store.set(&key(path), b"1").unwrap();
    }
    let mut batch = Batch::new();
    batch.remove(&Key::ROOT);
    batch.set(&key("/a/y"), b"2");
    batch.remove(&key("/a"));
    batch.set(&key("/c/below"), b"3");
    store.write(&batch).unwrap();
    assert_eq!((store.stat().keys, store.verify().unwrap()), (1, vec![]));
}

#[test]
fn removed_dictionaries_count_too() {
    let store = store_on(MemoryDevice::new(512, 8192), OpenOptions::new(2).delta_entries(100));
    let name = |number: usize| key(format!("/{number}"));
    for number in 0..101 {
        store.set(&name(number).join("x").unwrap(), b"x").unwrap();
    }
    let removals = |count| {
        let mut batch = Batch::new();
        (0..count).for_each(|number| batch.remove(&name(number)));
        store.write(&batch)
    };
    let told = removals(101);
    assert!(matches!(told, Err(Error::TooLarge { size: 101, limit: 100 })), "{told:?}");
    removals(100).unwrap();
    assert_eq!(store.list(&Key::ROOT).unwrap().len(), 1);
}

/// Values that come from elsewhere keep their times, through a checkpoint and another mount too.
#[test]
fn what_is_set_with_a_time_has_that_time_and_all_else_that_of_the_commit() {
    let device = MemoryDevice::new(512, 8192);
    let store = store_on(&device, OpenOptions::new(2));
    let mut batch = Batch::new();
    for (path, len) in [("/short", 10), ("/long", 3000)] {
        batch.set_modified(&key(path), &vec![1; len], Timestamp(99));
    }
    batch.set(&key("/now"), b"v");
    batch.set_modified(&key("/twice"), b"v", Timestamp(99));
    batch.set(&key("/twice"), b"w");
    store.write(&batch).unwrap();
    let times = |store: &Store<&MemoryDevice>| {
        ["/short", "/long", "/now", "/twice"].map(|path| store.last_modified(&key(path)).unwrap().0)
    };
    assert_eq!(times(&store), [99, 99, 7, 7]);
    store.clean().unwrap();
    assert_eq!(store.verify().unwrap(), []);
    drop(store);
    let again = Store::open(&device, || Timestamp(8), OpenOptions::new(3)).unwrap();
    assert_eq!(times(&again), [99, 99, 7, 7]);
}

#[test]
fn a_range_of_keys_goes_in_one_commit_and_nothing_else_does() {
    let device = CountingDevice::new(MemoryDevice::new(512, 8192));
    let store = store_on(&device, OpenOptions::new(2));
    for path in ["/a", "/b", "/b/", "/c/1", "/c/2", "/d"] {
        let _ = store.set(&key(path), b"v");
    }
    store.lumps().put(nerite::LumpId(0), b"v").unwrap();
    device.take();
    assert!(store.remove_range(key("/b")..key("/c/2")).unwrap());
    let Counts { flushes, .. } = device.take();
    assert_eq!(flushes, 1);
    assert!(!store.remove_range(key("/b")..key("/c/2")).unwrap(), "there is nothing left");
    assert!(!store.remove_range(key("/d")..key("/a")).unwrap(), "reversed");
    assert_eq!(device.take().flushes, 0);
    let left = |path: &str| store.exists(&key(path)).unwrap();
    assert_eq!(["/a", "/c/2", "/d"].map(left), [Some(Kind::Value); 3]);
    assert_eq!(["/b", "/c/1"].map(left), [None; 2]);
    assert!(store.remove_range(..).unwrap());
    assert_eq!((left("/a"), store.lumps().list().unwrap().len()), (None, 1), "lumps stay");
    assert_eq!(store.verify().unwrap(), []);
}
