//! Disks of all sizes; disks that have grown, or shrunk without saying so.

use super::{BLOCK, SUPERBLOCK_PAGES, contents, key, new_disk, open, try_open};
use nerite::{CreateOptions, Error, KvRead, KvWrite, MemoryDevice, OpenOptions, Store};
use nerite_tests::disk::Beyond;
use nerite_tests::{Fate, SimDisk, TestClock};

const COUNT: usize = 70;
const SEGMENT: usize = 4 * BLOCK as usize;

fn value(number: usize) -> Vec<u8> {
    vec![u8::try_from(number).unwrap(); 4000]
}

/// An image with values in more than thirty segments, sealed: no end of the log passes for a crash.
fn sealed() -> Vec<u8> {
    let disk = new_disk();
    let store = open(&disk, 2);
    for number in 0..COUNT {
        store.set(&key(&format!("k{number}")), &value(number)).unwrap();
    }
    store.close().unwrap();
    disk.crash(|_| Fate::Old)
}

#[test]
fn what_a_disk_has_grown_by_is_not_used() {
    let mut image = sealed();
    let before = open(SimDisk::from_bytes(BLOCK, image.clone()), 3).stat();
    let len = image.len();
    image.resize(len + 5 * BLOCK as usize, 0xEE);
    let disk = SimDisk::from_bytes(BLOCK, image);
    let store = open(&disk, 3);
    assert_eq!(store.stat(), before);
    let mut more = 0;
    while store.set(&key(&format!("more{more}")), &value(7)).is_ok() {
        more += 1;
    }
    assert_eq!(contents(&store).len(), COUNT + more);
    assert!(disk.crash(|_| Fate::New)[len..].iter().all(|&byte| byte == 0xEE));
}

/// Whether what the store says of its values is true: they are there, or it says that they can't be
/// read.
fn is_true(answer: Result<Vec<u8>, Error>, number: usize) -> bool {
    match answer {
        Ok(found) => found == value(number),
        Err(error) => matches!(error, Error::Corrupt(_) | Error::Device(_)),
    }
}

#[test]
fn a_disk_that_has_shrunk_in_silence_gives_no_wrong_value_and_loses_none_in_silence() {
    let image = sealed();
    let log = SUPERBLOCK_PAGES * BLOCK as usize;
    let mut refused = 0;
    for beyond in [Beyond::Fails, Beyond::Zeros] {
        for end in (log..image.len()).step_by(SEGMENT / 2) {
            let disk = SimDisk::from_bytes(BLOCK, image.clone());
            disk.end_at(end, beyond);
            match try_open(&disk, 3) {
                Ok(store) => {
                    for number in 0..COUNT {
                        let answer = store.get(&key(&format!("k{number}")));
                        assert!(is_true(answer, number), "{beyond:?} {end}: k{number}");
                    }
                }
                Err(Error::Corrupt(_) | Error::Device(_)) => refused += 1,
                Err(error) => panic!("{beyond:?} {end}: {error}"),
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn what_can_not_be_written_because_the_disk_has_shrunk_was_not_acknowledged() {
    let image = sealed();
    let disk = SimDisk::from_bytes(BLOCK, image);
    let store = open(&disk, 3);
    let used = usize::try_from(store.stat().used_bytes).unwrap();
    disk.end_at(SUPERBLOCK_PAGES * BLOCK as usize + used + 3 * SEGMENT, Beyond::Fails);
    let mut more = 0;
    let refused = loop {
        match store.set(&key(&format!("more{more}")), &value(7)) {
            Ok(()) => more += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Device(_)) && more > 0, "{refused} after {more}");
    assert!(matches!(store.set(&key("k0"), b""), Err(Error::Poisoned)));
    drop(store);
    let store = open(SimDisk::from_bytes(BLOCK, disk.crash(|_| Fate::Old)), 4);
    assert_eq!(contents(&store).len(), COUNT + more);
}

/// Wherever the rules of the layout make one segment more or less, checkpoints keep to their segments.
#[test]
fn a_store_of_any_size_is_sound_after_a_checkpoint() {
    let mut tried = 0;
    for block_size in [512, 1024, 4096, 8192, 65536] {
        for blocks in (128..16384).step_by(509).chain([4071, 4079, 4087, 8191, 16383]) {
            let device = MemoryDevice::new(512, blocks);
            let options = CreateOptions::new(1).block_size(block_size);
            match Store::create(&device, options) {
                Err(Error::TooSmall { .. }) => continue,
                told => told.unwrap(),
            }
            let options = OpenOptions::new(2).delta_entries(3).step_nodes(1);
            let store = Store::open(&device, TestClock::new(1), options).unwrap();
            let set = |n| store.set(&key(&format!("k{n}")), &[7; 300]);
            let count = (0..8).take_while(|n| set(*n).is_ok()).count();
            tried += usize::from(store.info().checkpoint > 2);
            drop(store);
            let store = open(&device, 3);
            assert_eq!(contents(&store).len(), count, "{blocks} sectors in blocks of {block_size}");
            assert_eq!(store.verify().unwrap(), [], "{blocks} sectors in blocks of {block_size}");
        }
    }
    assert!(tried > 100, "{tried}");
}
