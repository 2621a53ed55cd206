//! Room: what fits, what is refused, and what a full store can still do.

use super::{contents, key, open, value_of};
use nerite::{Batch, CreateOptions, Error, KvWrite, Store};
use nerite_tests::{CountingDevice, Random, SimDisk};

fn disk(block_size: u32, bytes: u32) -> SimDisk {
    let disk = SimDisk::new(512, bytes / 512);
    Store::create(&disk, CreateOptions::new(1).block_size(block_size)).unwrap();
    disk
}

#[test]
fn a_full_store_refuses_honestly_keeps_everything_and_still_removes() {
    let cases =
        [(512, 64 << 10, 4), (4096, 64 << 10, 1), (512, 1 << 20, 600), (4096, 1 << 20, 600)];
    for (block_size, bytes, least) in cases {
        let disk = disk(block_size, bytes);
        let store = open(&disk, 2);
        let mut count = 0;
        let refused = loop {
            match store.set(&key(&format!("fill/{count}")), &[7; 700]) {
                Ok(()) => count += 1,
                Err(error) => break error,
            }
        };
        let Error::NoSpace { needed, free } = refused else { panic!("{refused}") };
        assert!(needed > free, "{needed} {free}");
        assert!(count >= least, "{count} values on {bytes} bytes of blocks of {block_size}");
        assert_eq!(contents(&store).len(), count);
        drop(store);
        let store = open(&disk, 3);
        assert_eq!(contents(&store).len(), count, "reopened");
        store.remove(&key("fill/0")).unwrap();
        store.remove(&key("fill")).unwrap();
        assert!(contents(&store).is_empty());
        drop(store);
        assert!(contents(&open(&disk, 4)).is_empty());
    }
}

#[test]
fn a_value_that_no_store_of_this_size_can_hold_is_too_large_and_others_are_a_matter_of_room() {
    for (block_size, bytes) in [(512, 64 << 10), (4096, 4 << 20), (65536, 4 << 20)] {
        let disk = disk(block_size, bytes);
        let store = open(&disk, 2);
        let limit = store.info().value_len_max;
        assert!(limit <= u64::from(bytes) && limit > u64::from(bytes / 2));
        store.set(&key("a"), &[1; 3000]).unwrap();
        let value = vec![2; usize::try_from(limit).unwrap() + 1];
        let refused = store.set(&key("a"), &value);
        assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
        let refused = store.allocate(&key("z"), u64::MAX, None);
        assert!(matches!(refused, Err(Error::TooLarge { size: u64::MAX, .. })), "{refused:?}");
        let refused = store.set_partial(&key("a"), 10, &value);
        assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
        let refused = store.set(&key("a"), &value[1..]);
        let Err(Error::NoSpace { needed, free }) = refused else { panic!("{refused:?}") };
        assert!(needed > free, "{needed} {free}");
        assert_eq!(value_of(&store, "a"), Some(vec![1; 3000]));
        assert_eq!(store.verify().unwrap(), []);
    }
}

/// What `stat` counts as live is the sum of the records that keys name: it never drifts.
#[test]
fn live_bytes_follow_every_kind_of_change() {
    let disk = disk(512, 1 << 20);
    let store = open(&disk, 2);
    assert_eq!(store.stat().live_bytes, 0);
    store.set(&key("a/x"), &[1; 100]).unwrap();
    let one = store.stat().live_bytes;
    store.set(&key("a/x"), &[2; 100]).unwrap();
    assert_eq!(store.stat().live_bytes, one);
    store.set(&key("a/y"), &[3; 100]).unwrap();
    assert_eq!(store.stat().live_bytes, 2 * one);
    store.rename(&key("a/y"), &key("a/z")).unwrap();
    let with_time = store.stat().live_bytes;
    assert_eq!(with_time, 2 * one + 8, "a moved record carries its own time");
    store.rename(&key("a"), &key("b")).unwrap();
    store.set_partial(&key("b/x"), 50, &[9; 150]).unwrap();
    store.rename(&key("b/z"), &key("b/x")).unwrap();
    store.remove(&key("b/x")).unwrap();
    store.set(&key("c"), b"kept").unwrap();
    let before = store.stat();
    assert_eq!(before.keys, 1);
    drop(store);
    let store = open(&disk, 3);
    assert_eq!(store.stat().live_bytes, before.live_bytes, "replay counts as the writer did");
    store.remove(&key("/")).unwrap();
    assert_eq!((store.stat().keys, store.stat().live_bytes), (0, 0));
}

/// A device whose log was full long ago goes on, and what is read at open does not grow.
#[test]
fn one_key_can_be_overwritten_for_ever() {
    for (block_size, bytes, len) in [
        (512, 64 << 10, 100),
        (4096, 64 << 10, 100),
        (512, 64 << 10, 700),
        (4096, 64 << 10, 700),
        (512, 1 << 20, 700),
        (4096, 1 << 20, 100),
    ] {
        let disk = disk(block_size, bytes);
        let store = open(&disk, 2);
        for round in 0..5_000u32 {
            let value = round.to_le_bytes().repeat(len / 4);
            store.set(&key("k"), &value).unwrap_or_else(|error| {
                panic!("{error} in round {round} on {bytes} bytes of blocks of {block_size}")
            });
        }
        assert_eq!(store.verify().unwrap(), []);
        drop(store);
        let expected = 4_999u32.to_le_bytes().repeat(len / 4);
        assert_eq!(value_of(&open(&disk, 3), "k"), Some(expected));
    }
}

/// What is emptied can be filled again, as far as the first time, over and over.
#[test]
fn a_store_that_was_emptied_takes_as_much_as_before() {
    for (block_size, bytes) in [(512, 64 << 10), (4096, 1 << 20)] {
        let disk = disk(block_size, bytes);
        let store = open(&disk, 2);
        let mut first = 0;
        for cycle in 0..100 {
            let mut count = 0;
            while store.set(&key(&format!("fill/{count}")), &[cycle; 300]).is_ok() {
                count += 1;
            }
            first = if cycle == 0 { count } else { first };
            assert!(
                count * 100 >= first * 95,
                "{count} in cycle {cycle}, {first} in the first one"
            );
            if cycle % 2 == 0 {
                store.remove(&key("fill")).unwrap();
            } else {
                (0..count).for_each(|n| store.remove(&key(&format!("fill/{n}"))).unwrap());
            }
        }
        assert_eq!(store.verify().unwrap(), []);
    }
}

/// Values of 100 bytes, half of them removed and the others replaced three times, cleaned on demand.
#[test]
fn what_is_cleaned_on_demand_takes_little_more_than_its_bytes() {
    const COUNT: u64 = 20_000;
    let device = CountingDevice::new(disk(512, 32 << 20));
    let store = open(&device, 2);
    let name = |number: u64| key(&format!("sensor/{number:08}"));
    for first in (0..COUNT).step_by(500) {
        let mut batch = Batch::new();
        (first..first + 500).for_each(|number| batch.set(&name(number), &[1; 100]));
        store.write(&batch).unwrap();
    }
    let mut random = Random::new(3);
    for _ in 0..COUNT / 500 * 3 {
        let mut batch = Batch::new();
        for _ in 0..500 {
            let number = random.below(20_000) as u64;
            if number.is_multiple_of(2) {
                batch.remove(&name(number));
            } else {
                batch.set(&name(number), &[2; 100]);
            }
        }
        store.write(&batch).unwrap();
    }
    let before = (contents(&store), store.stat());
    let freed = store.clean().unwrap();
    let stat = store.stat();
    assert!(contents(&store) == before.0);
    assert_eq!(store.verify().unwrap(), []);
    assert_eq!(stat.keys, before.1.keys);
    assert!(freed >= before.1.used_bytes / 2, "{freed} of {} bytes", before.1.used_bytes);
    let user_bytes = stat.keys * (15 + 100);
    assert!(stat.used_bytes * 100 <= user_bytes * 135, "{} for {user_bytes}", stat.used_bytes);
    // What is clean is left alone.
    device.take();
    assert_eq!(store.clean().unwrap(), 0);
    assert_eq!(device.take().writes, 0);
}
