//! What a crash leaves of a flip, and what the next mount makes of it.

use super::{contents, fail_next_flush, key};
use nerite::{BlockDevice, CreateOptions, Error, KvWrite, OpenOptions, Part, Store};
use nerite_tests::disk::{Event, Repeat};
use nerite_tests::{Fate, Fault, SimDisk, Strike, TestClock, Unflushed};
use std::collections::BTreeMap;

const SECTOR: u32 = 512;
const PAGE: usize = 4096;
/// Sectors of devices on which each slot has one copy, and two.
const DEVICES: [u32; 2] = [192 * 2, 512 * 2];

fn disk_of(sectors: u32) -> SimDisk {
    let disk = SimDisk::new(SECTOR, sectors);
    Store::create(&disk, CreateOptions::new(1).block_size(SECTOR)).unwrap();
    disk
}

fn open<D: BlockDevice>(device: D, seed: u64) -> Store<D> {
    let options = OpenOptions::new(seed).delta_entries(3).node_entries(3).step_nodes(1);
    Store::open(device, TestClock::new(1), options.cache_bytes(16 << 10)).unwrap()
}

/// The newest number that was set and acknowledged for each key.
type Acknowledged = BTreeMap<usize, usize>;

/// Sets keys until a flush fails, behind `flushes` others. Tells what was acknowledged, and the
/// page that was written, if it was a flip.
fn write_until_a_flip_fails(
    disk: &SimDisk,
    (seed, flushes): (u64, u64),
    from: usize,
) -> Option<(Acknowledged, usize)> {
    let store = open(disk, seed);
    let strike = Strike::FlushFails(Unflushed::Kept);
    disk.inject(Fault { strike, after: flushes, repeat: Repeat::Forever });
    disk.record();
    let mut acknowledged = Acknowledged::new();
    for n in from..from + 60 {
        match store.set(&key(&format!("{}", n % 40)), n.to_string().as_bytes()) {
            Ok(()) => acknowledged.insert(n % 40, n),
            Err(Error::Device(_)) => break,
            Err(error) => panic!("{error}"),
        };
    }
    let trace = disk.take_trace();
    let last = trace.iter().rev().find_map(|event| match event {
        Event::Write(sectors) => sectors.iter().map(|(at, ..)| *at).min(),
        _ => None,
    });
    let page = last? / PAGE;
    (page < 2).then_some((acknowledged, page))
}

/// A flip that a crash tore left one end of a state; where the next mount's flip, which holds the same
/// bytes at the other end, was torn too, the first one was whole again, and what it names was gone.
#[test]
fn a_torn_flip_is_not_completed_by_that_of_another_mount() {
    let mut tried = 0;
    for (sectors, flushes) in DEVICES.into_iter().flat_map(|n| (3..80).map(move |i| (n, i))) {
        let disk = disk_of(sectors);
        let Some((first, slot)) = write_until_a_flip_fails(&disk, (2, flushes), 0) else {
            continue;
        };
        let torn = |torn| move |sector| if sector == 0 { torn } else { Fate::Old };
        for at in [209, 217, 221, 222, 223, 224, 225] {
            let image = disk.crash(torn(Fate::Head(at)));
            for flushes in 0..12 {
                let disk = SimDisk::from_bytes(SECTOR, image.clone());
                let told = write_until_a_flip_fails(&disk, (3, flushes), 40);
                let Some((second, _)) = told.filter(|told| told.1 == slot) else { continue };
                let image = disk.crash(torn(Fate::Tail(at)));
                assert_holds(image, first.iter().chain(&second));
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

/// All is sound but for the superblock, of which a crash may have torn a copy, and no value is older
/// than what was acknowledged.
fn assert_holds<'a>(image: Vec<u8>, acknowledged: impl Iterator<Item = (&'a usize, &'a usize)>) {
    let store = open(SimDisk::from_bytes(SECTOR, image), 4);
    let mut faults = store.verify().unwrap();
    faults.retain(|fault| fault.part != Part::Superblock);
    assert_eq!(faults, []);
    let found = contents(&store);
    for (number, least) in acknowledged {
        let value = found.get(&key(&number.to_string())).map(|(value, _)| value);
        let value: usize = String::from_utf8(value.unwrap().clone()).unwrap().parse().unwrap();
        assert!(value >= *least, "{number}: {value}, {least} was acknowledged");
    }
}

/// What a crash has left of a flip is gone with the first commit, so that the loss of any one sector
/// of the superblock is no loss from then on.
#[test]
fn the_first_commit_completes_both_slots() {
    let fates = [Fate::New, Fate::Old, Fate::Head(100), Fate::Tail(100)];
    for (one, two) in fates.iter().flat_map(|one| fates.map(|two| (*one, two))) {
        let disk = disk_of(DEVICES[1]);
        let store = open(&disk, 2);
        store.set(&key("a"), b"1").unwrap();
        fail_next_flush(&disk);
        store.close().unwrap_err();
        let image = disk.crash(|sector| if sector == 0 { one } else { two });
        let disk = SimDisk::from_bytes(SECTOR, image);
        let store = open(&disk, 3);
        store.set(&key("b"), b"2").unwrap();
        assert_eq!(store.verify().unwrap(), [], "{one:?} {two:?}");
        drop(store);
        let image = disk.crash(|_| Fate::Old);
        for page in 0..4 {
            let disk = SimDisk::from_bytes(SECTOR, image.clone());
            disk.rot(page * PAGE, Fate::Ones);
            let store = open(&disk, 4);
            assert_eq!(contents(&store).len(), 2, "{one:?} {two:?} {page}");
            // And so it goes on.
            store.set(&key("c"), b"3").unwrap();
            assert_eq!(store.verify().unwrap(), [], "{one:?} {two:?} {page}");
        }
    }
}
