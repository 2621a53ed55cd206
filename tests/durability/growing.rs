//! Stores on devices that have become longer.

use super::key;
use nerite::{CreateOptions, Error, KvWrite, OpenOptions, Part, Store};
use nerite_tests::disk::Repeat;
use nerite_tests::{
    Contents, Fate, Fault, Random, SimDisk, Strike, TestClock, Unflushed, contents,
};

const SECTOR: u32 = 512;
const PAGE: usize = 4096;
const SMALL: u32 = 512 << 10;
const LARGE: u32 = 2 << 20;

fn open(disk: &SimDisk, seed: u64) -> Store<&SimDisk> {
    let options = OpenOptions::new(seed).delta_entries(40).step_nodes(4);
    Store::open(disk, TestClock::new(1), options).unwrap()
}

/// Sets values from number `from` on until there is no room; tells how many there are then.
fn fill(store: &Store<&SimDisk>, from: usize) -> usize {
    for number in from.. {
        match store.set(&key(&format!("fill/{number}")), &[7; 700]) {
            Ok(()) => {}
            Err(Error::NoSpace { .. }) => return number,
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!("a device is full in the end")
}

/// A store that was filled on a device of `len` bytes, and the image of that device made longer.
fn full(len: u32, longer: u32) -> (Contents, Vec<u8>, usize) {
    let disk = SimDisk::new(SECTOR, len / SECTOR);
    Store::create(&disk, CreateOptions::new(1)).unwrap();
    let store = open(&disk, 2);
    let count = fill(&store, 0);
    let held = contents(&store);
    store.close().unwrap();
    let mut image = disk.crash(|_| Fate::New);
    image.resize(longer as usize, 0);
    (held, image, count)
}

fn assert_sound(image: Vec<u8>, held: &Contents) {
    let disk = SimDisk::from_bytes(SECTOR, image);
    let mut store = open(&disk, 9);
    assert!(contents(&store) == *held);
    let mut faults = store.verify().unwrap();
    // A copy may be torn.
    faults.retain(|fault| fault.part != Part::Superblock);
    assert_eq!(faults, []);
    // And it goes on from there.
    assert_eq!(store.grow().unwrap(), u64::from(LARGE));
    store.set(&key("more"), &[1; 3000]).unwrap();
    assert_eq!(store.verify().unwrap(), []);
}

/// Without either of its slots the store holds the same.
fn assert_either_slot_will_do(disk: &SimDisk, held: &Contents, when: &str) {
    for slot in 0..2 {
        let disk = SimDisk::from_bytes(SECTOR, disk.crash(|_| Fate::Old));
        for copy in 0..2 {
            disk.rot((2 * copy + slot) * PAGE, Fate::Ones);
        }
        assert!(contents(&open(&disk, 5)) == *held, "{when}, slot {slot}");
    }
}

#[test]
fn a_full_store_takes_the_rest_of_a_longer_device() {
    for (len, least) in [(SMALL, 3), (64 << 10, 2)] {
        let longer = if len == SMALL { LARGE } else { 255 << 10 };
        let (mut held, image, count) = full(len, longer);
        let disk = SimDisk::from_bytes(SECTOR, image);
        let mut store = open(&disk, 3);
        assert!(matches!(store.set(&key("more"), &[1; 700]), Err(Error::NoSpace { .. })));
        assert_eq!(store.grow().unwrap(), u64::from(longer));
        assert_eq!(store.info().block_count, u64::from(longer / SECTOR));
        let filled = fill(&store, count);
        assert!(filled > least * count, "{filled} values after {count}");
        held.extend(contents(&store).split_off(&key("fill")));
        assert!(contents(&store) == held);
        assert_eq!(store.verify().unwrap(), []);
        drop(store);
        let store = open(&disk, 4);
        assert!(contents(&store) == held);
        store.remove(&key("fill")).unwrap();
        assert_eq!(store.verify().unwrap(), []);
    }
}

#[test]
fn where_there_is_nothing_to_take_nothing_is_written() {
    let disk = SimDisk::new(SECTOR, 1024);
    Store::create(&disk, CreateOptions::new(1)).unwrap();
    let mut store = open(&disk, 2);
    store.set(&key("a"), b"x").unwrap();
    disk.record();
    assert_eq!(store.grow().unwrap(), 512 << 10);
    assert_eq!(disk.take_trace(), []);
}

/// Also of a store that has no table yet.
#[test]
fn whatever_fails_while_it_grows_and_whatever_survives_it_holds_the_same() {
    let empty = {
        let disk = SimDisk::new(SECTOR, SMALL / SECTOR);
        Store::create(&disk, CreateOptions::new(1)).unwrap();
        open(&disk, 2).set(&key("a"), b"x").unwrap();
        let mut image = disk.crash(|_| Fate::New);
        image.resize(LARGE as usize, 0);
        (Contents::from([(key("a"), (b"x".to_vec(), TestClock::START))]), image)
    };
    let (held, image, _) = full(SMALL, LARGE);
    let mut random = Random::new(5);
    let mut failed = 0;
    for (held, image) in [empty, (held, image)] {
        for (after, flush) in (0..8).flat_map(|after| [(after, false), (after, true)]) {
            for round in 0..24 {
                let disk = SimDisk::from_bytes(SECTOR, image.clone());
                let mut store = open(&disk, 3);
                let strike = if flush {
                    Strike::FlushFails(Unflushed::Kept)
                } else {
                    Strike::WriteFails { landed: random.below(9) }
                };
                disk.inject(Fault { after, ..Fault::next(strike) });
                failed += usize::from(store.grow().is_err());
                drop(store);
                let image = disk.crash(|_| match (round, random.below(4)) {
                    (0, _) | (2.., 0 | 1) => Fate::New,
                    (1, _) | (2.., 2) => Fate::Old,
                    _ => Fate::Garbage(round),
                });
                assert_sound(image, &held);
            }
        }
    }
    assert!(failed > 100, "{failed} failed");
}

/// Either slot may be lost from the first commit on: both know all segments.
#[test]
fn what_lies_in_the_new_segments_is_found_from_either_slot() {
    let (_, image, count) = full(SMALL, LARGE);
    for half in [false, true] {
        let disk = SimDisk::from_bytes(SECTOR, image.clone());
        let mut store = open(&disk, 3);
        // The first flip reaches the disk, and the second does not: a commit makes up for it.
        if half {
            let strike = Strike::FlushFails(Unflushed::Dropped);
            disk.inject(Fault { after: 2, ..Fault::next(strike) });
        }
        assert_eq!(store.grow().is_err(), half);
        drop(store);
        let disk = SimDisk::from_bytes(SECTOR, disk.crash(|_| Fate::Old));
        // No checkpoint comes to its help.
        let options = OpenOptions::new(4).delta_entries(usize::MAX);
        let store = Store::open(&disk, TestClock::new(1), options).unwrap();
        assert_eq!(store.info().block_count, u64::from(LARGE / SECTOR));
        for number in count..count + 250 {
            store.set(&key(&format!("fill/{number}")), &[7; 700]).unwrap();
        }
        let held = contents(&store);
        drop(store);
        assert_either_slot_will_do(&disk, &held, &format!("half {half}"));
    }
}

/// Whatever of it was done, the store goes on in one mind, and either slot may be lost.
#[test]
fn reads_that_fail_while_it_grows_leave_nothing_half_done() {
    let (_, image, count) = full(SMALL, LARGE);
    let mut half = 0;
    for after in 0..16 {
        let disk = SimDisk::from_bytes(SECTOR, image.clone());
        let options = OpenOptions::new(3).delta_entries(usize::MAX);
        let mut store = Store::open(&disk, TestClock::new(1), options).unwrap();
        store.set(&key("fill/0"), &[8; 700]).unwrap();
        disk.inject(Fault { strike: Strike::ReadFails, after, repeat: Repeat::Forever });
        let grown = store.grow();
        disk.heal();
        let is_large = store.info().block_count == u64::from(LARGE / SECTOR);
        half += usize::from(grown.is_err() && is_large);
        if is_large {
            for number in count..count + 600 {
                store.set(&key(&format!("fill/{number}")), &[7; 700]).unwrap();
            }
        }
        let held = contents(&store);
        assert_eq!(store.verify().unwrap(), [], "{after} reads");
        drop(store);
        assert_either_slot_will_do(&disk, &held, &format!("{after} reads"));
    }
    assert!(half > 0, "it never failed between the two flips");
}
