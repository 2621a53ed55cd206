//! Upkeep: checkpoints and cleaning go on in every kind of life, and no call does more than its share.

use super::{key, value_of};
use nerite::{BlockDevice, CreateOptions, KvRead, KvWrite, MemoryDevice, OpenOptions, Store};
use nerite_tests::{CountingDevice, SimDisk, TestClock, contents};

fn open<D: BlockDevice>(device: D, options: OpenOptions) -> Store<D> {
    Store::open(device, TestClock::new(0), options).unwrap()
}

/// However few commits a mount makes, rounds get done: what is read at open stays bounded.
#[test]
fn short_mounts_get_checkpoints_done() {
    for commits in [1, 2, 10] {
        let device = CountingDevice::new(MemoryDevice::new(4096, 4096));
        Store::create(&device, CreateOptions::new(1)).unwrap();
        let options = |seed| OpenOptions::new(seed).tail_bytes(128 << 10).step_nodes(4);
        let mut number = 0;
        let mut most = 0;
        for mount in 0..1200 / commits {
            device.take();
            let store = open(&device, options(2 + mount));
            most = most.max(device.take().blocks_read);
            for _ in 0..commits {
                number += 1;
                store.set(&key(&format!("{}/{}", number % 7, number)), &[1; 300]).unwrap();
            }
        }
        // The tail, as much while a round lasts, and what lies beyond: 1 MiB and some segments of 64
        // KiB. Without upkeep it is all that was ever written.
        let limit = 2 * 32 + 256 + 120;
        assert!(most < limit, "{commits} a mount: {most} blocks read at open");
        let store = open(&device, options(1));
        assert_eq!(store.verify().unwrap(), []);
        assert_eq!(contents(&store).len() as u64, number);
    }
}

/// A large commit pays for its own upkeep: the calls behind it do no more than ever.
#[test]
fn a_call_of_one_change_takes_one_step_at_most() {
    let device = CountingDevice::new(MemoryDevice::new(4096, 16 << 10));
    Store::create(&device, CreateOptions::new(1)).unwrap();
    let store = open(&device, OpenOptions::new(2).delta_entries(600).step_nodes(8));
    for number in 0..500 {
        store.set(&key(&format!("d/{:03}", number * 7 % 500)), &[1; 60]).unwrap();
    }
    store.rename(&key("d"), &key("e")).unwrap();
    device.take();
    for number in 0..2000 {
        store.set(&key(&format!("e/{:03}", number * 11 % 500)), &[2; 60]).unwrap();
        let counts = device.take();
        // Its own flush; nodes and superblock of a step.
        assert!(counts.flushes <= 3, "{} flushes in set {number}", counts.flushes);
    }
}

/// What a call replaces may be moved while room is made for it: it names the new place.
#[test]
fn what_is_replaced_is_named_after_room_was_made() {
    let disk = SimDisk::new(512, 512);
    Store::create(&disk, CreateOptions::new(1)).unwrap();
    let store = open(&disk, OpenOptions::new(2));
    let name = |number: u32| key(&format!("k{number:03}"));
    let mut count = 0u32;
    while store.set(&name(count), &[1; 600]).is_ok() {
        count += 1;
    }
    for round in 0..40u8 {
        for number in (0..count).filter(|number| (number + u32::from(round)) % 3 == 0) {
            store.set(&name(number), &[round; 600]).unwrap();
        }
        assert_eq!(store.verify().unwrap(), [], "round {round}");
    }
    assert_eq!(u32::try_from(store.list(&key("/")).unwrap().len()).unwrap(), count);
    assert!(value_of(&store, "k000").is_some());
}
