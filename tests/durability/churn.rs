//! What overwriting for ever costs, counted: the gates of `make bench-io` for space.

use super::key;
use nerite::{Batch, CreateOptions, KvWrite, MemoryDevice, OpenOptions, Store};
use nerite_tests::{CountingDevice, Counts, Random, TestClock};

const KEYS: usize = 20_000;
const VALUE: usize = 400;
/// Bytes of each key.
const NAME: usize = 24;

type Device = CountingDevice<MemoryDevice>;

/// What a device of some size writes for a byte of keys and values, in hundredths, and the most
/// requests and flushes of one call.
#[derive(Clone, Copy, Debug)]
struct Cost {
    hundredths: u64,
    most: u64,
}

fn open(device: &Device) -> Store<&Device> {
    Store::open(device, TestClock::new(0), OpenOptions::new(2).for_host()).unwrap()
}

fn created(block: u32, bytes: u64) -> Device {
    let blocks = u32::try_from(bytes / u64::from(block)).unwrap();
    let device = CountingDevice::new(MemoryDevice::new(block, blocks));
    Store::create(&device, CreateOptions::new(1).block_size(block)).unwrap();
    device
}

fn write(store: &Store<&Device>, numbers: &[usize], mark: u8) {
    let name = |number: usize| key(&format!("{:03}/{number:020}", number / 1000));
    let written = if let [number] = numbers {
        store.set(&name(*number), &[mark; VALUE])
    } else {
        let mut batch = Batch::new();
        for number in numbers {
            batch.set(&name(*number), &[mark; VALUE]);
        }
        store.write(&batch)
    };
    written.unwrap();
}

fn shuffled() -> Vec<usize> {
    let mut random = Random::new(1);
    let mut order: Vec<usize> = (0..KEYS).collect();
    for last in (1..KEYS).rev() {
        order.swap(last, random.below(last + 1));
    }
    order
}

/// Bytes of records and index when all keys have a value.
fn live() -> u64 {
    let device = created(4096, 64 << 20);
    let store = open(&device);
    for mark in 0..3 {
        for numbers in shuffled().chunks(500) {
            write(&store, numbers, mark);
        }
    }
    store.stat().live_bytes + store.stat().index_bytes
}

/// Fills a device of `percent` of what is live, overwrites all keys `times` times at random, so many at
/// once, and counts the second half.
fn churn(percent: u64, batch: usize, times: usize) -> Cost {
    let block = if batch == 1 { 512 } else { 4096 };
    let device = created(block, live() * percent / 100);
    let store = open(&device);
    for numbers in shuffled().chunks(batch) {
        write(&store, numbers, 0);
    }
    let mut random = Random::new(2);
    let (mut blocks, mut most, calls) = (0, 0, KEYS * times / batch);
    for call in 0..calls {
        let numbers: Vec<usize> = (0..batch).map(|_| random.below(KEYS)).collect();
        device.take();
        write(&store, &numbers, 1);
        let Counts { reads, writes, flushes, blocks_written, .. } = device.take();
        most = most.max(reads + writes + flushes);
        blocks += if call < calls / 2 { 0 } else { blocks_written };
    }
    assert_eq!(store.stat().keys, KEYS as u64);
    let user = ((calls - calls / 2) * batch * (NAME + VALUE)) as u64;
    let cost = Cost { hundredths: blocks * u64::from(block) * 100 / user, most };
    println!("churn on {percent} % of what is live, {batch} at once: {cost:?}");
    cost
}

#[test]
fn overwriting_in_batches_writes_little_more_than_it_is_given() {
    for (percent, hundredths, most) in [(200, 200, 90), (150, 360, 300)] {
        let cost = churn(percent, 200, 6);
        assert!(cost.hundredths <= hundredths && cost.most <= most, "{percent} %: {cost:?}");
    }
}

#[test]
fn single_sets_write_a_block_and_what_upkeep_takes() {
    for (percent, hundredths, most) in [(200, 470, 40), (150, 670, 60)] {
        let cost = churn(percent, 1, 4);
        assert!(cost.hundredths <= hundredths && cost.most <= most, "{percent} %: {cost:?}");
    }
}

/// Cleaning that frees less than it writes would go on for ever here, or find no room.
#[test]
fn a_quarter_more_than_what_is_live_is_enough_to_overwrite_for_ever() {
    for (batch, hundredths, most) in [(1, 1600, 700), (200, 950, 1300)] {
        let cost = churn(125, batch, 3);
        assert!(cost.hundredths <= hundredths && cost.most <= most, "{batch} at once: {cost:?}");
    }
}

#[test]
fn a_few_keys_can_be_overwritten_for_ever_and_opening_reads_no_more() {
    for (bytes, keys, times) in
        [(64 << 10, 1, 100_000), (1 << 20, 1, 100_000), (1 << 20, 10, 300_000)]
    {
        let device = created(512, bytes);
        let mut read = Vec::new();
        for part in 0..4u32 {
            device.take();
            let store = open(&device);
            read.push(device.take().blocks_read);
            for number in 0..times / 4 {
                let value = (part * times / 4 + number).to_le_bytes().repeat(50);
                store.set(&key(&format!("k{}", number % keys)), &value).unwrap();
            }
            assert_eq!(store.stat().keys, u64::from(keys));
        }
        println!("{keys} keys on {bytes} bytes, {times} sets: opening reads {read:?} blocks");
        // The tail is as long as it happens to be; it does not grow.
        assert!(read.iter().all(|blocks| blocks * 512 <= 2 * bytes + (128 << 10)), "{read:?}");
    }
}

#[test]
fn values_of_100_bytes_take_little_more_in_the_index() {
    let device = created(4096, 64 << 20);
    let options = OpenOptions::new(2).delta_entries(1000);
    let store = Store::open(&device, TestClock::new(0), options).unwrap();
    let set = |batch: &mut Batch, number: usize, mark| {
        batch.set(&key(&format!("{:03}/{number:020}", number / 1000)), &[mark; 100]);
    };
    for mark in 0..4 {
        for numbers in shuffled().chunks(500) {
            let mut batch = Batch::new();
            for number in numbers {
                set(&mut batch, *number, mark);
            }
            store.write(&batch).unwrap();
        }
    }
    let percent = store.stat().index_bytes * 100 / (KEYS * (NAME + 100)) as u64;
    println!("values of 100 bytes: the index has {percent} % of keys and values");
    assert!(percent <= 115);
}
