//! Making stores: on blank devices, over others, with power failing meanwhile.

use super::{BLOCK, BLOCKS, held, image, key, new_disk, open, try_open};
use nerite::{BlockDevice, CreateOptions, Error, KvWrite, Store, WriteRequest};
use nerite_tests::disk::Repeat;
use nerite_tests::{Fate, Fault, SimDisk, Strike, Unflushed, contents};

/// All flushes but the first `after` fail, and what was to be flushed stays in the cache.
fn flushes_fail_after(after: u64) -> Fault {
    let strike = Strike::FlushFails(Unflushed::Kept);
    Fault { strike, after, repeat: Repeat::Forever }
}

#[test]
fn only_a_blank_device_is_taken_unless_forced() {
    // Where file systems and partition tables leave their marks, from the first sector over btrfs at
    // 64 KiB to the copy of a GUID partition table at the end.
    for at in [0, 510, 1024, 4086, 65536 + 64, (BLOCK * BLOCKS) as usize - 512] {
        let mut bytes = vec![0; (BLOCK * BLOCKS) as usize];
        bytes[at] = 1;
        let disk = SimDisk::from_bytes(BLOCK, bytes);
        let before = image(&disk);
        let refused = Store::create(&disk, CreateOptions::new(1));
        assert!(matches!(refused, Err(Error::NotBlank)), "byte {at}: {refused:?}");
        assert_eq!(image(&disk), before);
        assert!(matches!(try_open(&disk, 1), Err(Error::NotFormatted)));
        Store::create(&disk, CreateOptions::new(1).force(true)).unwrap();
        open(&disk, 2);
    }
}

#[test]
fn a_blank_device_holds_no_store_and_a_small_one_takes_none() {
    assert!(matches!(try_open(SimDisk::new(BLOCK, BLOCKS), 1), Err(Error::NotFormatted)));
    let small = SimDisk::new(512, 127);
    let refused = Store::create(&small, CreateOptions::new(1));
    assert!(matches!(refused, Err(Error::TooSmall { size: 65024, minimum: 65536 })), "{refused:?}");
    let smallest = SimDisk::new(512, 128);
    Store::create(&smallest, CreateOptions::new(1)).unwrap();
    open(&smallest, 2).set(&key("a"), b"x").unwrap();
    assert_eq!(contents(&open(&smallest, 3)).len(), 1);
}

/// A store made over another: with power lost at either flush, whatever reached the disk, there is
/// the old store with all it held, or the new one, empty.
#[test]
fn power_lost_while_a_store_is_made_over_another_leaves_one_of_them() {
    let old = new_disk();
    let store = open(&old, 2);
    store.set(&key("kept"), b"x").unwrap();
    store.close().unwrap();
    // A frame that names the newest checkpoint: an older one does not pass for the old store.
    open(&old, 3).set(&key("kept"), b"x").unwrap();
    let before = image(&old);
    let (mut old_seen, mut new_seen) = (0, 0);
    for flushes in 0..2 {
        let disk = SimDisk::from_bytes(BLOCK, before.clone());
        disk.inject(flushes_fail_after(flushes));
        let made = Store::create(&disk, CreateOptions::new(9).force(true));
        assert!(matches!(made, Err(Error::Device(_))));
        // Two copies of one block each, of which the first sector says all.
        let sectors = disk.pending();
        let fates = [Fate::New, Fate::Old, Fate::Head(100), Fate::Garbage(3)];
        for (one, two) in fates.iter().flat_map(|one| fates.map(|two| (*one, two))) {
            let image = disk.crash(|sector| match sector {
                0 => one,
                _ if sector == sectors / 2 => two,
                _ => Fate::Garbage(4),
            });
            let found = held(image).unwrap();
            old_seen += usize::from(found.len() == 1);
            new_seen += usize::from(found.is_empty());
            assert!(found.len() <= 1);
        }
    }
    assert!(old_seen > 0 && new_seen > 0);
}

/// A device that has grown has two copies of each slot now, and the second ones lie in the log of the
/// old store.
#[test]
fn power_lost_while_a_store_is_made_over_one_on_a_grown_device_leaves_one_of_them() {
    let old = SimDisk::new(512, (128 << 10) / 512);
    Store::create(&old, CreateOptions::new(1).block_size(BLOCK)).unwrap();
    let store = open(&old, 2);
    (0..6).for_each(|n| store.set(&key(&format!("{n}")), &[1; 3000]).unwrap());
    store.close().unwrap();
    let mut grown = image(&old);
    grown.resize(512 << 10, 0);
    let (mut old_seen, mut new_seen) = (0, 0);
    for flushes in 0..3 {
        let disk = SimDisk::from_bytes(512, grown.clone());
        disk.inject(flushes_fail_after(flushes));
        let options = CreateOptions::new(9).block_size(BLOCK).force(true);
        assert!(matches!(Store::create(&disk, options), Err(Error::Device(_))));
        let sectors = disk.pending();
        let fates = [Fate::New, Fate::Old, Fate::Head(300), Fate::Garbage(3)];
        for (one, two) in fates.iter().flat_map(|one| fates.map(|two| (*one, two))) {
            let first = |sector| sectors < 2 || sector < sectors / 2;
            let image = disk.crash(|sector| if first(sector) { one } else { two });
            let found = contents(&open(SimDisk::from_bytes(512, image), 3)).len();
            old_seen += usize::from(found == 6);
            new_seen += usize::from(found == 0);
            assert!(found == 0 || found == 6, "{found} after {flushes} flushes: {one:?} {two:?}");
        }
    }
    assert!(old_seen > 0 && new_seen > 0);
}

/// Where the block sizes differ, the pages of the one lie in the log of the other.
#[test]
fn power_lost_while_a_store_of_other_blocks_is_made_leaves_one_of_them() {
    for (old_size, new_size) in [(4096, 65536), (65536, 4096), (512, 16384)] {
        for closed in [true, false] {
            let old = SimDisk::new(512, (4 << 20) / 512);
            Store::create(&old, CreateOptions::new(1).block_size(old_size)).unwrap();
            let store = open(&old, 2);
            (0..30).for_each(|n| store.set(&key(&format!("{n}")), &[1; 3000]).unwrap());
            if closed {
                store.close().unwrap();
            }
            let (mut old_seen, mut new_seen) = (0, 0);
            for flushes in 0..3 {
                let disk = SimDisk::from_bytes(512, image(&old));
                disk.inject(flushes_fail_after(flushes));
                let options = CreateOptions::new(9).block_size(new_size).force(true);
                assert!(matches!(Store::create(&disk, options), Err(Error::Device(_))));
                for fate in [Fate::New, Fate::Old, Fate::Head(100), Fate::Zeros] {
                    let image = SimDisk::from_bytes(512, disk.crash(|_| fate));
                    let found = contents(&open(image, 3)).len();
                    old_seen += usize::from(found == 30);
                    new_seen += usize::from(found == 0);
                    assert!(found == 0 || found == 30, "{found}");
                }
            }
            assert!(old_seen > 0 && new_seen > 0);
        }
    }
}

/// The old store's copies lie where the new one does not look, as long as its first page is sound.
#[test]
fn copies_of_an_older_store_of_other_blocks_never_come_into_force_again() {
    let disk = SimDisk::new(512, (4 << 20) / 512);
    Store::create(&disk, CreateOptions::new(1).block_size(65536)).unwrap();
    for mount in 0..5 {
        let store = open(&disk, mount);
        store.set(&key("old"), b"x").unwrap();
        store.close().unwrap();
    }
    Store::create(&disk, CreateOptions::new(2).block_size(4096).force(true)).unwrap();
    open(&disk, 9).set(&key("new"), b"x").unwrap();
    let mut damaged = image(&disk);
    damaged[..512].fill(0xEE);
    let found = contents(&open(SimDisk::from_bytes(512, damaged), 3));
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [key("new")]);
}

/// The same name, and on the disk the frames of the old store with all their durable marks: none
/// of them may pass for a loss, or for data, in the new one.
#[test]
fn a_store_made_again_under_the_same_name_knows_nothing_of_the_old_one() {
    let disk = new_disk();
    let store = open(&disk, 2);
    (0..20).for_each(|n| store.set(&key(&format!("{n}")), &[1; 2000]).unwrap());
    let uuid = store.info().uuid;
    store.close().unwrap();
    Store::create(&disk, CreateOptions::new(3).uuid(uuid).force(true)).unwrap();
    let store = open(&disk, 4);
    assert!(contents(&store).is_empty());
    assert_eq!((store.info().uuid, store.stat().cut), (uuid, None));
    store.set(&key("new"), b"x").unwrap();
    assert_eq!(contents(&open(&disk, 5)).len(), 1);
}

#[test]
fn two_stores_from_the_same_writes_are_equal_byte_for_byte() {
    let write = || {
        let disk = new_disk();
        let store = open(&disk, 2);
        store.set(&key("a"), &[1; 5000]).unwrap();
        store.rename(&key("a"), &key("b")).unwrap();
        store.close().unwrap();
        image(&disk)
    };
    assert_eq!(write(), write());
}

#[test]
fn every_block_size_works_on_every_device_that_allows_it() {
    for (device, block) in [(512, 512), (512, 4096), (512, 65536), (4096, 4096), (4096, 8192)] {
        let disk = SimDisk::new(device, (4 << 20) / device);
        Store::create(&disk, CreateOptions::new(1).block_size(block)).unwrap();
        let store = open(&disk, 2);
        store.set(&key("a"), &[3; 5000]).unwrap();
        store.close().unwrap();
        let store = open(&disk, 3);
        assert_eq!(store.info().block_size, block);
        assert_eq!(super::value_of(&store, "a"), Some(vec![3; 5000]), "{device} {block}");
    }
    for (device, block) in [(4096, 512), (512, 256), (512, 1000), (512, 1 << 17)] {
        let disk = SimDisk::new(device, (4 << 20) / device);
        let refused = Store::create(&disk, CreateOptions::new(1).block_size(block));
        assert!(matches!(refused, Err(Error::Unsupported(_))), "{device} {block}");
        let mut page = vec![0; device as usize];
        disk.write(&[WriteRequest { block: 0, bufs: &[&page] }]).unwrap();
        page.clear();
        assert!(matches!(try_open(&disk, 1), Err(Error::NotFormatted)));
    }
}
