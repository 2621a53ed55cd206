//! Damage to superblocks and values.

use super::{
    BLOCK, SUPERBLOCK_PAGES, changed_blocks, flip_bit, held, image, key, new_disk, open, try_open,
    value_of, written_by_sets,
};
use nerite::{CreateOptions, Error, Fault, KvRead, KvWrite, Part, Store};
use nerite_tests::{SimDisk, contents};

/// An image whose newest state is in slot `A` (pages 0 and 2), behind three closes.
fn closed_thrice() -> Vec<u8> {
    let disk = new_disk();
    for mount in 0..3 {
        let store = open(&disk, 10 + mount);
        store.set(&key(&format!("{mount}")), b"x").unwrap();
        store.close().unwrap();
    }
    image(&disk)
}

#[test]
fn any_single_copy_of_the_superblock_can_be_lost() {
    let sound = closed_thrice();
    for page in 0..SUPERBLOCK_PAGES {
        for damage in [0x00, 0xFF] {
            let mut damaged = sound.clone();
            damaged[page * BLOCK as usize..][..BLOCK as usize].fill(damage);
            assert_eq!(held(damaged).unwrap().len(), 3, "page {page}");
        }
    }
}

/// Either slot holds a whole state. If both were written over since by states that are lost, what is
/// left must not pass for them.
#[test]
fn with_both_copies_of_a_slot_lost_the_other_will_do_but_not_one_that_is_older_than_both() {
    let disk = SimDisk::from_bytes(BLOCK, closed_thrice());
    let before = image(&disk);
    let store = open(&disk, 20);
    let found = store.info().checkpoint;
    store.set(&key("later"), b"x").unwrap();
    store.close().unwrap();
    let store = open(&disk, 21);
    store.set(&key("later still"), b"x").unwrap();
    store.close().unwrap();
    let store = open(&disk, 22);
    store.set(&key("last"), b"x").unwrap();
    let sound = image(&disk);
    for slot in 0..2 {
        let mut damaged = sound.clone();
        for page in [slot, slot + 2] {
            flip_bit(&mut damaged, page, 100);
        }
        assert_eq!(held(damaged).unwrap().len(), 6, "slot {slot}");
    }
    let mut older = sound;
    let pages = SUPERBLOCK_PAGES * BLOCK as usize;
    older[..pages].copy_from_slice(&before[..pages]);
    let Err(Error::Corrupt(corruption)) = held(older) else { panic!("an older state passes") };
    assert_eq!(corruption.part, Part::Superblock);
    assert_eq!(corruption.fault, Fault::Older { found, named: found + 2 });
}

#[test]
fn a_torn_flip_is_no_damage() {
    let disk = SimDisk::from_bytes(BLOCK, closed_thrice());
    let store = open(&disk, 20);
    store.set(&key("later"), b"x").unwrap();
    let before = image(&disk);
    store.close().unwrap();
    let after = image(&disk);
    for page in changed_blocks(&before, &after) {
        let mut torn = before.clone();
        torn[page * BLOCK as usize..][..100]
            .copy_from_slice(&after[page * BLOCK as usize..][..100]);
        assert_eq!(held(torn).unwrap().len(), 4, "page {page}");
    }
    let mut torn = before;
    for page in [1, 3] {
        torn[page * BLOCK as usize..][..512].fill(0xEE);
    }
    assert_eq!(held(torn).unwrap().len(), 4);
}

#[test]
fn all_superblocks_lost_is_corrupt_and_something_else_is_no_store() {
    let mut damaged = closed_thrice();
    (0..SUPERBLOCK_PAGES).for_each(|page| flip_bit(&mut damaged, page, 50));
    assert!(matches!(held(damaged.clone()), Err(Error::Corrupt(c)) if c.part == Part::Superblock));
    (0..SUPERBLOCK_PAGES).for_each(|page| flip_bit(&mut damaged, page, 0));
    assert!(matches!(held(damaged), Err(Error::NotFormatted)));
}

#[test]
fn the_first_superblock_page_can_be_lost_whatever_the_block_size() {
    for block_size in [512, 4096, 8192, 65536] {
        let disk = SimDisk::new(512, (4 << 20) / 512);
        Store::create(&disk, CreateOptions::new(1).block_size(block_size)).unwrap();
        open(&disk, 2).set(&key("a"), b"x").unwrap();
        let mut damaged = image(&disk);
        damaged[..4096].fill(0xFF);
        let store = open(SimDisk::from_bytes(512, damaged), 3);
        assert_eq!(value_of(&store, "a"), Some(b"x".to_vec()), "blocks of {block_size}");
    }
}

/// What `close` seals, replay must reach: even the last flush group is then missed.
#[test]
fn damage_to_any_frame_of_a_closed_store_is_corrupt() {
    let (disk, blocks) = written_by_sets(5);
    let store = open(&disk, 3);
    store.set(&key("last"), b"x").unwrap();
    store.close().unwrap();
    let last = blocks[4] + 1;
    for block in blocks.into_iter().chain([last]) {
        let mut damaged = image(&disk);
        flip_bit(&mut damaged, block, 130);
        let corrupt = held(damaged);
        assert!(matches!(corrupt, Err(Error::Corrupt(c)) if c.part == Part::Frame), "{block}");
    }
}

#[test]
fn a_value_damaged_under_an_open_store_is_corrupt_never_wrong_and_leaves_others_alone() {
    let disk = new_disk();
    let store = open(&disk, 3);
    let mut blocks = Vec::new();
    for number in 0..3 {
        let before = image(&disk);
        store.set(&key(&format!("k{number}")), &[number; 1000]).unwrap();
        blocks.extend(changed_blocks(&before, &image(&disk)));
    }
    let mut damaged = image(&disk);
    // The same disk, but the record of /k1 has rotted since it was opened.
    let at = blocks[1] * BLOCK as usize;
    damaged[at + 200] ^= 4;
    nerite::BlockDevice::write(
        &disk,
        &[nerite::WriteRequest {
            block: blocks[1] as u64,
            bufs: &[&damaged[at..at + BLOCK as usize]],
        }],
    )
    .unwrap();
    let Err(Error::Corrupt(corruption)) = store.get(&key("k1")) else { panic!("not noticed") };
    assert_eq!(corruption.part, Part::Record);
    assert!((at as u64..(at + BLOCK as usize) as u64).contains(&corruption.at));
    assert_eq!(value_of(&store, "k0"), Some(vec![0; 1000]));
    assert_eq!(value_of(&store, "k2"), Some(vec![2; 1000]));
    assert!(store.digest(&key("/")).is_err());
}

#[test]
fn a_device_that_has_shrunk_is_told_and_one_that_has_grown_is_fine() {
    let (disk, _) = written_by_sets(3);
    let sound = image(&disk);
    let shrunk = SimDisk::from_bytes(BLOCK, sound[..sound.len() - BLOCK as usize].to_vec());
    let expected = sound.len() as u64;
    match try_open(shrunk, 2) {
        Err(Error::DeviceChanged { expected: told, actual }) => {
            assert_eq!((told, actual), (expected, expected - u64::from(BLOCK)));
        }
        other => panic!("{other:?}"),
    }
    let mut grown = sound;
    grown.resize(grown.len() * 2, 0);
    assert_eq!(contents(&open(SimDisk::from_bytes(BLOCK, grown), 2)).len(), 3);
}

/// Crafted counters at their end: an error, no panic, and what is there can be read.
#[test]
fn counters_at_their_end_are_an_error() {
    let empty = image(&new_disk());
    for left in 0..4 {
        for (at, name) in [(124 + 24, "number"), (124 + 44, "sequence")] {
            let mut crafted = empty.clone();
            for page in 0..SUPERBLOCK_PAGES {
                let bytes = &mut crafted[page * BLOCK as usize..][..512];
                bytes[at..at + 8].copy_from_slice(&(u64::MAX - left).to_le_bytes());
                let check = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&bytes[12..]);
                bytes[8..12].copy_from_slice(&check.to_le_bytes());
            }
            let disk = SimDisk::from_bytes(BLOCK, crafted);
            let store = open(&disk, 2);
            let mut written = 0;
            let refused = loop {
                match store.set(&key(&format!("{written}")), b"x") {
                    Ok(()) => written += 1,
                    Err(error) => break error,
                }
            };
            assert!(matches!(refused, Error::Unsupported(_)), "{name} {left}: {refused:?}");
            assert!(written <= 4);
            store.rename(&key("0"), &key("1/2")).unwrap_err();
            drop(store);
            assert_eq!(contents(&open(&disk, 3)).len(), written, "{name} {left}");
        }
    }
}
