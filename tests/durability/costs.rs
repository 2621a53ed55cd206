//! What calls cost, counted.

use super::{key, new_disk, open};
use nerite::{KvRead, KvWrite, OpenOptions, Store};
use nerite_tests::{CountingDevice, Counts, TestClock};

#[test]
fn a_durable_set_of_100_bytes_is_one_write_of_one_block_and_one_flush() {
    let device = CountingDevice::new(new_disk());
    let store = open(&device, 2);
    device.take();
    let one = Counts { writes: 1, blocks_written: 1, flushes: 1, ..Counts::default() };
    // The first commit of a mount carries the mount frame: it costs no more than the others.
    for number in 0..200 {
        store.set(&key(&format!("sensor/{}", number % 7)), &[1; 100]).unwrap();
        assert_eq!(device.take(), one, "set {number}");
    }
}

#[test]
fn reads_cost_the_blocks_of_the_record_and_nothing_for_a_small_value_that_is_new() {
    let device = CountingDevice::new(new_disk());
    let store = open(&device, 2);
    store.set(&key("a"), &[1; 1000]).unwrap();
    store.set(&key("small"), &[1; 100]).unwrap();
    device.take();
    store.get(&key("a")).unwrap();
    assert_eq!(device.take(), Counts { reads: 1, blocks_read: 1, ..Counts::default() });
    store.get(&key("small")).unwrap();
    store.exists(&key("a")).unwrap();
    store.get(&key("missing")).unwrap_err();
    store.list(&key("/")).unwrap();
    assert_eq!(device.take(), Counts::default());
}

#[test]
fn opening_writes_nothing_and_flushes_once() {
    let disk = new_disk();
    open(&disk, 2).set(&key("a"), b"x").unwrap();
    let device = CountingDevice::new(disk);
    drop(open(&device, 3));
    let counts = device.take();
    assert_eq!((counts.writes, counts.flushes), (0, 1));
    let options = OpenOptions::new(3).read_only(true);
    drop(Store::open(&device, TestClock::new(1), options).unwrap());
    let counts = device.take();
    assert_eq!((counts.writes, counts.flushes), (0, 0));
    // A mount that only reads leaves the store as it was when it is closed too.
    open(&device, 4).close().unwrap();
    assert_eq!(device.take().writes, 0);
}

#[test]
fn closing_writes_both_copies_of_one_slot_and_flushes() {
    let device = CountingDevice::new(new_disk());
    let store = open(&device, 2);
    store.set(&key("a"), b"x").unwrap();
    device.take();
    store.close().unwrap();
    let counts = device.take();
    assert_eq!((counts.writes, counts.blocks_written, counts.flushes), (2, 2, 1));
}
