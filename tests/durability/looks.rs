//! Looks at the index over keys that were removed one by one: what they cost, and what they tell.

use super::key;
use nerite::{CreateOptions, Key, Kind, KvRead, KvWrite, MemoryDevice, OpenOptions, Store};
use nerite_tests::{CountingDevice, TestClock};

const KEYS: u64 = 8000;
const BLOCK: u32 = 4096;
/// Leaves of so many keys of 100 bytes are half full at least, and so are the branches above.
const NODES_MAX: u64 = KEYS * 140 * 2 / 4096 * 21 / 20 + 4;

type Device = CountingDevice<MemoryDevice>;

fn open(device: &Device, options: OpenOptions) -> Store<&Device> {
    let options = options.delta_entries(1 << 20).delta_bytes(1 << 30).tail_bytes(1 << 30);
    Store::open(device, TestClock::new(1), options).unwrap()
}

/// Thousands of keys in a tree, those of a dictionary all removed singly: a delta hides them.
fn removed() -> Device {
    let device = CountingDevice::new(MemoryDevice::new(BLOCK, 64 << 10));
    Store::create(&device, CreateOptions::new(1)).unwrap();
    let filling = OpenOptions::new(1).delta_entries(1000);
    let store = Store::open(&device, TestClock::new(1), filling).unwrap();
    let set = |dictionary: &str, number| {
        store.set(&key(&format!("{dictionary}/{number:06}")), &[1; 100]).unwrap();
    };
    (0..KEYS).for_each(|number| set("d", number));
    (0..2000).for_each(|number| set("e", number));
    store.close().unwrap();
    let store = open(&device, OpenOptions::new(2));
    (0..KEYS).for_each(|number| store.remove(&key(&format!("d/{number:06}"))).unwrap());
    store.close().unwrap();
    device.take();
    device
}

#[test]
fn what_a_dictionary_was_is_found_gone_by_one_read_of_each_leaf() {
    let device = removed();
    let store = open(&device, OpenOptions::new(3));
    device.take();
    assert_eq!(store.exists(&key("d")).unwrap(), None);
    let reads = device.take().reads;
    println!("a dictionary of {KEYS} removed keys, cold: {reads} reads");
    assert!(reads <= NODES_MAX, "{reads}");
    assert_eq!(store.exists(&key("d")).unwrap(), None);
    assert_eq!(device.take().reads, 0, "warm");
    assert_eq!(store.exists(&key("e")).unwrap(), Some(Kind::Dictionary));
    assert_eq!(store.list(&Key::ROOT).unwrap().len(), 1);
}

/// Without a cache, a look keeps the way to one leaf, and reads it for the next one again.
#[test]
fn it_is_so_without_a_cache() {
    let device = removed();
    let store = open(&device, OpenOptions::new(3).cache_bytes(0));
    device.take();
    assert_eq!(store.exists(&key("d")).unwrap(), None);
    let reads = device.take().reads;
    println!("a dictionary of {KEYS} removed keys, without a cache: {reads} reads");
    assert!(reads <= 3 * NODES_MAX, "{reads}");
    store.set(&key("d/004000"), b"back").unwrap();
    assert_eq!(store.exists(&key("d")).unwrap(), Some(Kind::Dictionary));
    store.set(&key("f"), b"value").unwrap();
    assert_eq!(store.exists(&key("f/below")).unwrap(), None);
}

/// What was removed right before a key, one by one, is not gone through: only a value above the key
/// matters, and none of these is one.
#[test]
fn a_key_behind_removed_ones_is_looked_up_in_the_leaf_where_it_would_be() {
    let device = removed();
    let store = open(&device, OpenOptions::new(3));
    for path in ["d/999999", "d/999999/deep/down", "d/004000x/1"] {
        device.take();
        assert_eq!(store.exists(&key(path)).unwrap(), None);
        let reads = device.take().reads;
        println!("{path} behind removed keys: {reads} reads");
        // The leaf, that of each dictionary above, the one before each, and what leads there.
        assert!(reads <= 3 * 3 + 3, "{path}: {reads}");
    }
}
