//! What large values cost the device: how often and how much it is asked, on blocks of 4 KiB.

use super::{key, open};
use nerite::{CreateOptions, KvRead, KvWrite, MemoryDevice, Store};
use nerite_tests::{CountingDevice, Counts, Random};

const BLOCK: usize = 4096;
const MIB: u64 = 1 << 20;
const LEN: u64 = 100 * MIB;
/// What follows the bytes of a large value from a MiB on repeats them.
const PERIOD: usize = 1 << 20;

type Counted = CountingDevice<MemoryDevice>;

fn device(bytes: u64) -> Counted {
    let blocks = u32::try_from(bytes / BLOCK as u64).unwrap();
    let device = MemoryDevice::new(4096, blocks);
    Store::create(&device, CreateOptions::new(1)).unwrap();
    CountingDevice::new(device)
}

/// A store with a value of 100 MiB, all of which is in the tree.
fn with_large_value(device: &Counted) -> Store<&Counted> {
    let store = open(device, 2);
    let part = Random::new(1).bytes(PERIOD);
    let mut writer = store.write_to(&key("d/large"));
    (0..LEN / MIB).for_each(|_| writer.write(&part).unwrap());
    device.take();
    writer.commit().unwrap();
    let last = device.take();
    assert!(last.blocks_written <= MIB / BLOCK as u64 + 5, "it was written before: {last:?}");
    store.clean().unwrap();
    device.take();
    store
}

fn told(what: &str, counts: Counts) -> Counts {
    println!("{what}: {counts:?}");
    counts
}

#[test]
fn a_large_set_is_written_once_with_one_flush() {
    let device = device(256 * MIB);
    let store = open(&device, 2);
    store.set(&key("warm"), b"x").unwrap();
    // 64 KiB are 16 blocks: two more. Of 4 MiB, a fiftieth more.
    for (len, most) in [(64 << 10, 18), (65 << 10, 19), (1 << 20, 258 + 2), (4 << 20, 1044)] {
        let value = Random::new(1).bytes(len);
        device.take();
        store.set(&key(&format!("v{len}")), &value).unwrap();
        let counts = told(&format!("set of {len} bytes"), device.take());
        assert!(counts.blocks_written <= most, "{len}: {counts:?}");
        assert_eq!((counts.flushes, counts.reads), (1, 0), "{len}");
    }
}

#[test]
fn a_value_of_100_mib_is_renamed_and_changed_in_part_for_a_few_blocks() {
    let device = device(256 * MIB);
    let store = with_large_value(&device);
    let (large, renamed) = (key("d/large"), key("e/renamed"));

    store.rename(&large, &renamed).unwrap();
    let counts = told("rename", device.take());
    assert!(counts.blocks_written <= 3 && counts.flushes == 1, "{counts:?}");
    store.rename(&key("e"), &key("d")).unwrap();
    let counts = told("rename of its dictionary", device.take());
    assert!(counts.blocks_written <= 3 && counts.flushes == 1, "{counts:?}");
    let moved = key("d/renamed");

    // An extent is 64 KiB here, all told: 16 blocks.
    store.set_partial(&moved, 54_321_000, &[9; 100]).unwrap();
    let counts = told("100 bytes written", device.take());
    assert!(counts.blocks_written <= 16 + 2 && counts.flushes == 1, "{counts:?}");

    let mut buf = [0; 100];
    for (offset, extents) in [(54_320_950, 1), (7_000_000, 1), ((65_536 - 64) * 77 - 50, 2)] {
        device.take();
        assert_eq!(store.get_partial(&moved, offset, &mut buf).unwrap(), 100);
        let counts = told("100 bytes read", device.take());
        // They begin and end within blocks, and some nodes lead to each.
        assert!(counts.blocks_read <= extents * 17 + 4, "{offset}: {counts:?}");
    }
    let part = Random::new(1).bytes(PERIOD);
    let at = ((65_536 - 64) * 77 - 50) % PERIOD;
    assert_eq!(buf, part[at..at + 100]);
    assert_eq!(store.get_partial(&moved, 54_321_050, &mut buf).unwrap(), 100);
    assert_eq!(buf[..50], [9; 50]);
}

#[test]
fn to_allocate_costs_the_same_however_much_it_is() {
    let device = device(256 * MIB);
    let store = open(&device, 2);
    store.set(&key("warm"), b"x").unwrap();
    for size in [100_000, LEN, 200 * MIB] {
        device.take();
        store.allocate(&key(&format!("v{size}")), size, None).unwrap();
        let counts = told(&format!("allocate {size} bytes"), device.take());
        let one = Counts { writes: 1, blocks_written: 1, flushes: 1, ..Counts::default() };
        assert_eq!(counts, one);
        let mut buf = [1; 5];
        assert_eq!(store.get_partial(&key(&format!("v{size}")), size - 3, &mut buf).unwrap(), 3);
        assert_eq!((buf, device.take().reads), ([0, 0, 0, 1, 1], 0));
    }
}
