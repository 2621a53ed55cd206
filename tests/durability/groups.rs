//! Commits of several frames: all of it or nothing.

use super::{
    BLOCK, changed_blocks, fail_next_flush, flip_bit, held, image, key, new_disk, open, value_of,
};
use nerite::{Error, KvRead, KvWrite};
use nerite_tests::{Contents, Fate, Random, SimDisk, contents};

/// A store with three large values below `/d`, the image of it, and the disk on which they were
/// renamed to `/e` but not flushed.
fn renamed_unflushed() -> (Contents, Contents, SimDisk) {
    let disk = new_disk();
    let store = open(&disk, 2);
    for name in 0..3 {
        store.set(&key(&format!("d/{name}")), &[name; 12_000]).unwrap();
    }
    let before = contents(&store);
    let renamed = before
        .iter()
        .map(|(old, value)| (key(&old.to_string().replacen("/d/", "/e/", 1)), value.clone()));
    let after = renamed.collect();
    fail_next_flush(&disk);
    store.rename(&key("d"), &key("e")).unwrap_err();
    (before, after, disk)
}

#[test]
fn a_group_of_several_frames_is_there_whole_or_not_at_all_whatever_survives() {
    let (before, after, disk) = renamed_unflushed();
    let sectors = disk.pending();
    let mut random = Random::new(11);
    let mut whole = 0;
    for round in 0..400 {
        let image = match round {
            0 => disk.crash(|_| Fate::New),
            1 => disk.crash(|_| Fate::Old),
            _ if round < 2 + 2 * sectors => {
                let (one, keep) = ((round - 2) / 2, round % 2 == 0);
                disk.crash(|sector| if (sector == one) == keep { Fate::New } else { Fate::Old })
            }
            _ => disk.crash(|_| match random.below(3) {
                0 => Fate::New,
                1 => Fate::Old,
                _ => Fate::Garbage(round as u64),
            }),
        };
        let found = held(image).unwrap();
        assert!(found == before || found == after, "round {round}");
        whole += usize::from(found == after);
    }
    assert!(whole > 0, "the whole group was seen too");
}

/// A group whose last frames are missing, and a mount that goes on behind it: its frames must not
/// complete what was never acknowledged.
#[test]
fn an_unfinished_group_is_discarded_by_the_next_commit() {
    let (before, _, disk) = renamed_unflushed();
    let all = disk.crash(|_| Fate::New);
    let none = disk.crash(|_| Fate::Old);
    let written = changed_blocks(&none, &all);
    // Cut behind each of its blocks in turn.
    for count in 0..written.len() {
        let mut cut = none.clone();
        for &block in &written[..count] {
            let range = block * BLOCK as usize..(block + 1) * BLOCK as usize;
            cut[range.clone()].copy_from_slice(&all[range]);
        }
        let disk = SimDisk::from_bytes(BLOCK, cut);
        let store = open(&disk, 3);
        assert_eq!(contents(&store), before, "{count} blocks");
        store.set(&key("next"), b"x").unwrap();
        store.set(&key("after"), b"x").unwrap();
        let store = open(&disk, 4);
        let mut found = contents(&store);
        assert!(found.remove(&key("next")).is_some() && found.remove(&key("after")).is_some());
        assert_eq!(found, before, "{count} blocks, a later mount");
    }
}

#[test]
fn a_group_that_can_not_fit_changes_nothing() {
    let disk = new_disk();
    let store = open(&disk, 2);
    // More than half of the device: the copies do not fit behind the originals.
    for number in 0..350 {
        store.set(&key(&format!("d/{number}")), &[1; 4000]).unwrap();
    }
    let before = contents(&store);
    let refused = store.rename(&key("d"), &key("e"));
    assert!(matches!(refused, Err(Error::NoSpace { needed, free }) if needed > free));
    assert_eq!(contents(&store), before);
    assert_eq!(store.list(&key("d")).unwrap().len(), 350);
    store.set(&key("still"), b"works").unwrap();
}

#[test]
fn a_group_larger_than_can_be_unflushed_is_too_large() {
    let disk = SimDisk::new(4096, 24 << 8);
    nerite::Store::create(&disk, nerite::CreateOptions::new(1)).unwrap();
    let store = open(&disk, 2);
    for number in 0..560 {
        store.set(&key(&format!("d/{number}")), &vec![1; 16_000]).unwrap();
    }
    let before = image(&disk);
    let refused = store.rename(&key("d"), &key("e"));
    assert!(matches!(refused, Err(Error::TooLarge { size, limit }) if size > limit), "{refused:?}");
    assert_eq!(image(&disk), before);
    assert_eq!(value_of(&store, "d/7"), Some(vec![1; 16_000]));
}

/// A group of 6 MiB over 24 segments: the first frame behind it that can testify is far away, and is
/// found by following what the group's frames name.
#[test]
fn damage_to_the_first_frame_of_a_large_group_is_corrupt_not_cut() {
    let disk = SimDisk::new(4096, 64 << 8);
    nerite::Store::create(&disk, nerite::CreateOptions::new(1)).unwrap();
    let store = open(&disk, 2);
    for number in 0..96 {
        store.set(&key(&format!("d/{number}")), &vec![1; 64_000]).unwrap();
    }
    let before = image(&disk);
    store.rename(&key("d"), &key("e")).unwrap();
    let group = changed_blocks(&before, &image(&disk));
    store.set(&key("behind"), b"x").unwrap();
    drop(store);
    let mut damaged = image(&disk);
    flip_bit(&mut damaged, group[0], 50);
    assert!(matches!(held(damaged), Err(Error::Corrupt(_))));
}

#[test]
fn a_dictionary_is_renamed_whole_with_one_flush() {
    let disk = nerite_tests::CountingDevice::new(new_disk());
    let store = open(&disk, 2);
    for number in 0..300 {
        store.set(&key(&format!("d/{number}")), &[1; 100]).unwrap();
    }
    disk.take();
    store.rename(&key("d"), &key("e/f")).unwrap();
    assert_eq!(disk.take().flushes, 1);
    assert_eq!(store.list(&key("e/f")).unwrap().len(), 300);
    drop(store);
    assert_eq!(open(&disk, 3).list(&key("e/f")).unwrap().len(), 300);
}
