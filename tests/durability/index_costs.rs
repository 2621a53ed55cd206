//! What the index costs, counted: the gates of `make bench-io`.

use super::key;
use nerite::{BlockDevice, CreateOptions, KvRead, KvWrite, MemoryDevice, OpenOptions, Store};
use nerite_tests::{CountingDevice, Counts, Random, TestClock};
use std::sync::LazyLock;

const KEYS: usize = 20_000;
const BLOCK: u32 = 4096;

/// Keys of the large store. (A million take half a minute to write here, and read the same.)
const KEYS_LARGE: usize = 200_000;

type Device = CountingDevice<MemoryDevice>;

fn name(number: usize) -> String {
    format!("data/{:03}/{number:06}", number / 100)
}

fn open<D: BlockDevice>(device: &D, options: OpenOptions) -> Store<&D> {
    Store::open(device, TestClock::new(0), options).unwrap()
}

/// The numbers up to `count`, in any order.
fn shuffled(count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut random = Random::new(1);
    (1..count).rev().for_each(|last| order.swap(last, random.below(last + 1)));
    order
}

/// A store of many keys in dictionaries of 1,000, with 100 bytes each. Its tail is a few frames.
fn large() -> CountingDevice<&'static MemoryDevice> {
    static IMAGE: LazyLock<MemoryDevice> = LazyLock::new(|| {
        let device = MemoryDevice::new(BLOCK, 100 << 10);
        Store::create(&device, CreateOptions::new(1)).unwrap();
        let store = open(&device, OpenOptions::new(2).for_host());
        for number in shuffled(KEYS_LARGE) {
            store.set(&key(&name_large(number)), &[1; 100]).unwrap();
        }
        store.close().unwrap();
        let store = open(&device, OpenOptions::new(3).delta_entries(TAIL / 4));
        for number in 0..10 * TAIL {
            store.set(&key(&name_large(number * 31)), &[2; 100]).unwrap();
        }
        store.close().unwrap();
        device
    });
    CountingDevice::new(&IMAGE)
}

/// Frames in the tail of the large store, at most.
const TAIL: usize = 64;

fn name_large(number: usize) -> String {
    format!("data/{:03}/{number:06}", number / 1000)
}

fn open_to_read<D: BlockDevice>(device: &CountingDevice<D>) -> Store<&CountingDevice<D>> {
    open(device, OpenOptions::new(4).read_only(true))
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
    device.take();
    let counts = shuffled(KEYS).into_iter().map(|number| {
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

/// What lies beyond the end of the chain is looked at too: what is left of the open segment, the two
/// that are named, and 1 MiB of free ones. It is the evidence that nothing durable is missing, and with
/// segments of 1 MiB it is most of what an open reads.
#[test]
fn opening_reads_the_superblock_the_table_and_the_tail_and_nothing_of_the_tree() {
    let device = large();
    let store = open_to_read(&device);
    let read = device.take().blocks_read * u64::from(BLOCK);
    let (tail, beyond) =
        (TAIL as u64 * u64::from(BLOCK), 3 * store.info().segment_size + (1 << 20));
    println!("opening a store of {KEYS_LARGE} keys reads {} KiB", read >> 10);
    assert_eq!(store.info().segment_size, 1 << 20, "as that of a million keys has");
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
fn a_get_among_many_reads_one_leaf() {
    let device = large();
    let store = open_to_read(&device);
    // Each leaf has some 20 keys, and each branch some 100 leaves.
    let gets = |seed: u64| {
        let mut random = Random::new(seed);
        for _ in 0..2000 {
            store.get(&key(&name_large(random.below(KEYS_LARGE)))).unwrap();
        }
        device.take().reads
    };
    gets(1);
    let reads = gets(2);
    println!("2000 gets among {KEYS_LARGE} keys with the branches in memory: {reads} reads");
    assert!(reads <= 2000, "{reads}");
}

#[test]
fn a_list_of_1000_among_many_reads_the_leaves_that_hold_them_and_one_path() {
    let device = large();
    for dictionary in [0, 77, 199] {
        let store = open_to_read(&device);
        device.take();
        let dictionary_key = key(&format!("data/{dictionary:03}"));
        assert_eq!(store.list(&dictionary_key).unwrap().len(), 1000);
        let listed = device.take().reads;
        // The same leaves, and the same path, by looking at each key.
        let store = open_to_read(&device);
        device.take();
        for number in dictionary * 1000..(dictionary + 1) * 1000 {
            store.get(&key(&name_large(number))).unwrap();
        }
        let got = device.take().reads;
        println!("a list of 1000 keys among {KEYS_LARGE}: {listed} reads; one by one {got}");
        assert!(listed <= got + 1, "one more to see the end: {listed}, {got}");
    }
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
