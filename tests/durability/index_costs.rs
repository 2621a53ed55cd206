//! What the index costs, counted: the gates of `make bench-io`.

use super::key;
use nerite::{BlockDevice, CreateOptions, KvRead, KvWrite, MemoryDevice, OpenOptions, Store};
use nerite_tests::{CountingDevice, Counts, Random, TestClock};

const KEYS: usize = 20_000;
const BLOCK: u32 = 4096;

type Device = CountingDevice<MemoryDevice>;

fn name(number: usize) -> String {
    format!("data/{:03}/{number:06}", number / 100)
}

fn open(device: &Device, options: OpenOptions) -> Store<&Device> {
    Store::open(device, TestClock::new(0), options).unwrap()
}

/// Small deltas, so that a store of some thousand keys is like a large one.
fn options(seed: u64) -> OpenOptions {
    OpenOptions::new(seed).delta_entries(1000).step_nodes(32)
}

/// A store of many keys with 100 bytes each, and the counts of each `set`.
fn filled() -> (Device, Vec<Counts>) {
    let device = CountingDevice::new(MemoryDevice::new(BLOCK, 80_000));
    Store::create(&device, CreateOptions::new(1)).unwrap();
    let store = open(&device, options(2));
    let mut order: Vec<usize> = (0..KEYS).collect();
    let mut random = Random::new(1);
    (1..KEYS).rev().for_each(|last| order.swap(last, random.below(last + 1)));
    device.take();
    let counts = order.into_iter().map(|number| {
        store.set(&key(&name(number)), &[1; 100]).unwrap();
        device.take()
    });
    let counts = counts.collect();
    store.close().unwrap();
    (device, counts)
}

#[test]
fn most_sets_are_one_write_and_one_flush_and_none_does_more_than_one_step() {
    let (_, counts) = filled();
    let one = Counts { writes: 1, blocks_written: 1, flushes: 1, ..Counts::default() };
    let plain = counts.iter().filter(|counts| **counts == one).count();
    assert!(plain * 100 > counts.len() * 90, "{plain} of {}", counts.len());
    let most = |of: fn(&Counts) -> u64| counts.iter().map(of).max().unwrap();
    // A step: 32 leaves and a path, read once; as many written, the table, the superblock's copies;
    // one flush each for the nodes and for the superblock. And the commit itself.
    let (reads, writes) = (most(|counts| counts.reads), most(|counts| counts.writes));
    let (blocks, flushes) = (most(|counts| counts.blocks_written), most(|counts| counts.flushes));
    println!("most of a set: {reads} reads, {writes} writes of {blocks} blocks, {flushes} flushes");
    assert!(reads <= 32 + 8 + 4 && writes <= 8 && blocks <= 2 * 32 + 16 && flushes <= 3);
}

#[test]
fn bytes_of_a_checkpoint_for_each_change() {
    let (_, counts) = filled();
    let written: u64 = counts[KEYS / 2..].iter().map(|counts| counts.blocks_written - 1).sum();
    let bytes = written * u64::from(BLOCK) / (KEYS as u64 / 2);
    println!("checkpoints at a delta of 1,000 among {KEYS} keys: {bytes} bytes a change");
    assert!(bytes < 4096, "less than a leaf a change: {bytes}");
}

#[test]
fn opening_reads_the_superblock_the_table_and_the_tail_and_nothing_of_the_tree() {
    let (device, _) = filled();
    let store = open(&device, options(3));
    let read = device.take().blocks_read * u64::from(BLOCK);
    // Two deltas of 1,000 keys in blocks of their own, and what lies beyond the end of the chain.
    let tail = 2 * 1100 * u64::from(BLOCK);
    let beyond = (1 << 20) + 4 * store.info().segment_size + (128 << 10);
    println!("opening reads {read} bytes");
    assert!(read <= (64 << 10) + tail + beyond, "{read} bytes");
}

#[test]
fn a_get_reads_one_leaf_when_the_branches_are_in_memory_and_nothing_when_it_is_warm() {
    let (device, _) = filled();
    let store = open(&device, options(3).cache_bytes(64 << 20));
    for number in (0..KEYS).step_by(7) {
        store.get(&key(&name(number))).unwrap();
    }
    let cold = device.take();
    let height = cold.reads;
    assert!(height <= KEYS as u64, "{height}");
    for number in (0..KEYS).step_by(7) {
        store.get(&key(&name(number))).unwrap();
    }
    assert_eq!(device.take().reads, 0, "warm");
    let store = open(&device, options(3).cache_bytes(256 << 10));
    (0..KEYS).step_by(97).for_each(|number| drop(store.get(&key(&name(number))).unwrap()));
    device.take();
    let mut gets = 0;
    for number in (0..KEYS).step_by(131) {
        store.get(&key(&name(number))).unwrap();
        gets += 1;
    }
    let reads = device.take().reads;
    println!("{gets} gets with the branches in memory: {reads} reads");
    assert!(reads <= gets + gets / 10, "{reads} reads for {gets} gets");
    store.exists(&key(&name(5))).unwrap();
    device.take();
    store.get(&key(&format!("{}x", name(5)))).unwrap_err();
    assert!(device.take().reads <= 1, "a missing key");
}

#[test]
fn a_list_reads_the_leaves_that_hold_it_and_a_path_and_skips_dictionaries_by_a_seek() {
    let (device, _) = filled();
    let store = open(&device, options(3));
    device.take();
    assert_eq!(store.list(&key("data/077")).unwrap().len(), 100);
    let reads = device.take().reads;
    println!("a list of 100 keys: {reads} reads");
    // 100 entries of 130 bytes, in leaves that are half full at least, and what leads there.
    assert!(reads <= 2 * 100 * 130 / 4096 + 2 + 4, "{reads}");
    let store = open(&device, options(4));
    device.take();
    assert_eq!(store.list(&key("data")).unwrap().len(), KEYS / 100);
    let reads = device.take().reads;
    println!("a list of {} dictionaries of 100 keys: {reads} reads", KEYS / 100);
    assert!(reads <= 2 * (KEYS as u64 / 100) + 10, "a leaf or two for each: {reads}");
}

#[test]
fn a_removal_of_a_large_dictionary_is_one_write_and_later_sets_pay_for_it_step_by_step() {
    let (device, _) = filled();
    let store = open(&device, options(3));
    store.set(&key("other"), b"x").unwrap();
    device.take();
    store.remove(&key("data")).unwrap();
    let counts = device.take();
    assert_eq!((counts.writes, counts.flushes), (1, 1));
    assert_eq!(store.exists(&key("data")).unwrap(), None);
    assert!(store.stat().keys > 1 && store.stat().removals_unfinished > 0, "not counted off yet");
    let mut sets = 0;
    while store.stat().removals_unfinished > 0 {
        store.set(&key(&format!("new/{sets}")), b"x").unwrap();
        sets += 1;
        let counts = device.take();
        assert!(counts.reads <= 32 + 12 && counts.flushes <= 3, "{counts:?}");
        assert!(sets < 4000, "it ends");
    }
    assert_eq!(store.stat().keys, 1 + sets);
    assert_eq!(store.verify().unwrap(), []);
    assert!(device.geometry().block_count > 0);
}
