//! Scans: every value of a range, in key order, whatever is in memory and whatever in the tree.

use super::key;
use nerite::{CreateOptions, Key, KvWrite, OpenOptions, Store};
use nerite_tests::{Contents, Random, SimDisk, TestClock, contents};
use std::ops::Bound;

fn store(disk: &SimDisk) -> Store<&SimDisk> {
    let options = OpenOptions::new(2).delta_entries(20).node_entries(5).step_nodes(3);
    Store::open(disk, TestClock::new(1), options).unwrap()
}

fn disk() -> SimDisk {
    let disk = SimDisk::new(512, 16 << 11);
    Store::create(&disk, CreateOptions::new(1).block_size(512)).unwrap();
    disk
}

/// Sets and removes at random, with values in leaves and in records.
fn churn(store: &Store<&SimDisk>, seed: u64, times: usize) {
    let mut random = Random::new(seed);
    for _ in 0..times {
        let path = format!("{}/{}", random.below(7), random.below(30));
        let value = {
            let len = random.below(300);
            random.bytes(len)
        };
        match random.below(12) {
            0 => store.remove(&key(&path[..1])).unwrap(),
            1..4 => store.remove(&key(&path)).unwrap(),
            _ => store.set(&key(&path), &value).unwrap(),
        }
    }
}

fn scanned(store: &Store<&SimDisk>, range: (Bound<Key>, Bound<Key>)) -> Contents {
    let (mut rows, mut last) = (Contents::new(), None);
    let mut scan = store.scan(range);
    while let Some(row) = scan.next().unwrap() {
        assert!(last.as_ref().is_none_or(|last| last < row.key), "in key order, each once");
        last = Some(row.key.clone());
        rows.insert(row.key.clone(), (row.value.to_vec(), row.last_modified));
    }
    assert!(scan.next().unwrap().is_none(), "an end stays one");
    rows
}

#[test]
fn a_scan_is_what_the_store_holds_in_any_range() {
    let disk = disk();
    let store = store(&disk);
    for round in 0..20 {
        churn(&store, round, 60);
        let held = contents(&store);
        let mut random = Random::new(round);
        for _ in 0..20 {
            let mut bound = || {
                let (dictionary, name) = (random.below(8), random.below(31));
                let at = key(
                    &[format!("{dictionary}"), format!("{dictionary}/{name}")][random.below(2)]
                );
                [Bound::Included(at.clone()), Bound::Excluded(at), Bound::Unbounded]
                    [random.below(3)]
                .clone()
            };
            let range = (bound(), bound());
            let within = |key: &Key| std::ops::RangeBounds::contains(&range, key);
            let expected = held.iter().filter(|(key, _)| within(key));
            let expected: Contents = expected.map(|(k, v)| (k.clone(), v.clone())).collect();
            assert_eq!(scanned(&store, range.clone()), expected, "{range:?}");
        }
    }
}

/// What is there from the beginning to the end of a scan comes up once, though everything around it
/// changes and checkpoints go on between two rows.
#[test]
fn what_stays_comes_up_once_while_the_rest_changes() {
    let disk = disk();
    let store = store(&disk);
    for number in 0..60 {
        store.set(&key(&format!("{}/stays{number:02}", number % 7)), &[number; 150]).unwrap();
    }
    let mut random = Random::new(1);
    let (mut found, mut scan) = (0, store.scan(..));
    while let Some(row) = scan.next().unwrap() {
        let stays = row.key.to_string().contains("stays");
        assert!(!stays || row.value.len() == 150);
        found += usize::from(stays);
        for _ in 0..5 {
            let path = format!("{}/{}", random.below(7), random.below(30));
            match random.below(3) {
                0 => store.remove(&key(&path)).unwrap(),
                _ => store.set(&key(&path), b"moves").unwrap(),
            }
        }
    }
    assert_eq!(found, 60);
    assert!(store.info().checkpoint > 20, "checkpoints went on");
}
