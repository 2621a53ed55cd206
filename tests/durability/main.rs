//! What survives: crashes, failed flushes, damage, other mounts. Each test states one promise.

#![forbid(unsafe_code)]

mod astray;
mod chain;
mod checkpoints;
mod churn;
mod costs;
mod crafted;
mod creating;
mod damage;
mod failures;
mod flips;
mod groups;
mod growing;
mod index_costs;
mod large;
mod large_costs;
mod looks;
mod mounts;
mod objects;
mod races;
mod scans;
mod sizes;
mod space;
mod unreadable;
mod upkeep;

use nerite::{BlockDevice, CreateOptions, Error, Key, KvRead, KvWrite, OpenOptions, Store, Uuid};
use nerite_tests::{Contents, Fate, Fault, SimDisk, Strike, TestClock, Unflushed, contents};

/// Devices of 4 MiB: 255 segments of 4 blocks.
const BLOCK: u32 = 4096;
const BLOCKS: u32 = 1024;
const SUPERBLOCK_PAGES: usize = 4;

fn key(path: &str) -> Key {
    path.parse().unwrap()
}

fn new_disk() -> SimDisk {
    let disk = SimDisk::new(BLOCK, BLOCKS);
    let uuid = Uuid::from_bytes([7; 16]);
    Store::create(&disk, CreateOptions::new(1).uuid(uuid)).unwrap();
    disk
}

/// The same on a device of 512-byte blocks, on which a crash can tear a block of the store.
fn new_disk_of_sectors() -> SimDisk {
    let disk = SimDisk::new(512, BLOCKS * (BLOCK / 512));
    Store::create(&disk, CreateOptions::new(1).block_size(BLOCK)).unwrap();
    disk
}

/// The next flush fails once, and what was to be flushed stays in the cache.
fn fail_next_flush(disk: &SimDisk) {
    disk.inject(Fault::next(Strike::FlushFails(Unflushed::Kept)));
}

fn try_open<D: BlockDevice>(device: D, seed: u64) -> Result<Store<D>, Error> {
    Store::open(device, TestClock::new(1), OpenOptions::new(seed))
}

fn open<D: BlockDevice>(device: D, seed: u64) -> Store<D> {
    try_open(device, seed).unwrap()
}

/// What an image holds, opened as a new process would.
fn held(image: Vec<u8>) -> Result<Contents, Error> {
    let store = try_open(SimDisk::from_bytes(BLOCK, image), 99)?;
    Ok(contents(&store))
}

/// The image as it is now, had every write reached the disk.
fn image(disk: &SimDisk) -> Vec<u8> {
    disk.crash(|_| Fate::New)
}

/// The blocks in which two images differ.
fn changed_blocks(before: &[u8], after: &[u8]) -> Vec<usize> {
    let blocks = before.chunks(BLOCK as usize).zip(after.chunks(BLOCK as usize));
    blocks.enumerate().filter(|(_, (old, new))| old != new).map(|(number, _)| number).collect()
}

fn flip_bit(image: &mut [u8], block: usize, offset: usize) {
    image[block * BLOCK as usize + offset] ^= 1;
}

/// The numbers of the blocks that each of `count` sets of `/k0`, `/k1` ... wrote, and the disk.
fn written_by_sets(count: u8) -> (SimDisk, Vec<usize>) {
    let disk = new_disk();
    let store = open(&disk, 2);
    let mut blocks = Vec::new();
    for number in 0..count {
        let before = image(&disk);
        store.set(&key(&format!("k{number}")), &[number; 100]).unwrap();
        let changed = changed_blocks(&before, &image(&disk));
        assert_eq!(changed.len(), 1, "a small set is one block");
        blocks.extend(changed);
    }
    drop(store);
    (disk, blocks)
}

fn value_of<D: BlockDevice>(store: &Store<D>, path: &str) -> Option<Vec<u8>> {
    match store.get(&key(path)) {
        Ok(value) => Some(value),
        Err(Error::NotFound(_)) => None,
        Err(error) => panic!("{path}: {error}"),
    }
}
