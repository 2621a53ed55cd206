//! What tools get from an image, sound or damaged: its log, and what can still be read.

#![forbid(unsafe_code)]

mod log;
mod salvage;

use nerite::{CreateOptions, Key, KvWrite, MemoryDevice, OpenOptions, Store};
use nerite_tests::TestClock;

const BLOCK: u32 = 4096;

fn key(path: &str) -> Key {
    path.parse().unwrap()
}

fn device(image: Vec<u8>) -> MemoryDevice {
    MemoryDevice::from_bytes(512, image)
}

/// An empty store of so many blocks.
fn new_device(blocks: u32) -> MemoryDevice {
    let device = MemoryDevice::new(BLOCK, blocks);
    Store::create(&device, CreateOptions::new(1)).unwrap();
    device
}

fn open(device: &MemoryDevice, seed: u64) -> Store<&MemoryDevice> {
    // Checkpoints and rounds often, and small nodes.
    let options = OpenOptions::new(seed).delta_entries(64).step_nodes(8).node_entries(16);
    Store::open(device, TestClock::new(seed), options).unwrap()
}

/// A store that has lived: values of all lengths, set, overwritten and removed, checkpoints, a cleaner
/// at work, and a tail; not closed.
fn lived(seed: u64) -> MemoryDevice {
    let device = new_device(1024);
    let mut random = nerite_tests::Random::new(seed);
    for mount in 0..3 {
        let store = open(&device, seed * 10 + mount);
        for _ in 0..700 {
            let path = key(&format!("{}/{}", random.below(9), random.below(60)));
            match random.below(8) {
                0 => store.remove(&path).unwrap(),
                1 => store.set(&path, &random.bytes(3000)).unwrap(),
                2..5 => store.set(&path, &random.bytes(300)).unwrap(),
                _ => store.set(&path, &random.bytes(20)).unwrap(),
            }
        }
        store.remove(&key(&format!("{mount}"))).unwrap();
    }
    device
}
