//! The chain: what counts as its next frame, and what its end means.

use super::{
    BLOCK, changed_blocks, fail_next_flush, flip_bit, held, image, key, new_disk,
    new_disk_of_sectors, open, try_open, value_of, written_by_sets,
};
use nerite::{CreateOptions, Error, KvWrite, Part, Store};
use nerite_tests::disk::Repeat;
use nerite_tests::{Fate, Fault, SimDisk, Strike, contents};

#[test]
fn a_torn_frame_is_cut_and_what_was_acknowledged_before_stays() {
    let disk = new_disk();
    let store = open(&disk, 2);
    store.set(&key("a"), b"old").unwrap();
    let before = image(&disk);
    store.set(&key("a"), &[5; 3000]).unwrap();
    let after = image(&disk);
    let [block] = changed_blocks(&before, &after)[..] else { panic!("one block") };
    let sectors = BLOCK as usize / 512;
    for survivors in 0..1u32 << sectors {
        let mut torn = before.clone();
        for sector in (0..sectors).filter(|sector| survivors >> sector & 1 == 1) {
            let at = block * BLOCK as usize + sector * 512;
            torn[at..at + 512].copy_from_slice(&after[at..at + 512]);
        }
        let whole = torn == after;
        let store = open(SimDisk::from_bytes(BLOCK, torn), 3);
        let expected = if whole { vec![5; 3000] } else { b"old".to_vec() };
        assert_eq!(value_of(&store, "a"), Some(expected), "survivors {survivors:08b}");
        store.set(&key("b"), b"goes on").unwrap();
    }
}

#[test]
fn a_damaged_frame_with_a_durable_one_behind_it_is_corrupt_not_cut() {
    let (disk, blocks) = written_by_sets(8);
    let (last, earlier) = blocks.split_last().unwrap();
    for &block in earlier {
        for offset in [0, 5, 20, 150, 4000] {
            let mut damaged = image(&disk);
            flip_bit(&mut damaged, block, offset);
            let Err(Error::Corrupt(corruption)) = held(damaged) else {
                panic!("block {block}, byte {offset}")
            };
            assert_eq!(corruption.part, Part::Frame);
            assert_eq!(corruption.at, block as u64 * u64::from(BLOCK));
            assert!(matches!(corruption.fault, nerite::Fault::Missing { .. }));
        }
    }
    let mut damaged = image(&disk);
    flip_bit(&mut damaged, *last, 20);
    assert_eq!(held(damaged).unwrap().len(), 7, "the last flush group can't be told from a crash");
}

/// Every frame is the only one of its mount, so no later frame shares the damaged one's epoch or
/// names it.
#[test]
fn a_damaged_mount_frame_is_corrupt_even_if_every_mount_wrote_one_frame() {
    let disk = new_disk();
    let mut blocks = Vec::new();
    for mount in 0..4 {
        let before = image(&disk);
        open(&disk, 10 + mount).set(&key(&format!("{mount}")), b"x").unwrap();
        blocks.extend(changed_blocks(&before, &image(&disk)));
    }
    for &block in &blocks[..3] {
        let mut damaged = image(&disk);
        flip_bit(&mut damaged, block, 40);
        assert!(matches!(held(damaged), Err(Error::Corrupt(_))), "block {block}");
    }
}

/// A value as large as a segment: the damaged frame is all that its segment holds, and the frames
/// that testify lie in segments that only it had named.
#[test]
fn damage_to_a_whole_segment_is_corrupt_not_cut() {
    let disk = new_disk();
    let store = open(&disk, 2);
    store.set(&key("before"), b"x").unwrap();
    let before = image(&disk);
    store.set(&key("large"), &[1; 15_000]).unwrap();
    let large = changed_blocks(&before, &image(&disk));
    store.set(&key("behind"), &[2; 15_000]).unwrap();
    store.set(&key("last"), &[3; 15_000]).unwrap();
    let mut damaged = image(&disk);
    for block in large {
        damaged[block * BLOCK as usize..][..BLOCK as usize].fill(0xA5);
    }
    assert!(matches!(held(damaged), Err(Error::Corrupt(_))));
}

#[test]
fn a_frame_that_is_whole_but_of_an_older_life_does_not_chain() {
    // The same writes by two mounts from the same state: frame 2 of the one must not follow
    // frame 1 of the other.
    let disk = new_disk();
    let empty = image(&disk);
    let write = |seed| {
        let disk = SimDisk::from_bytes(BLOCK, empty.clone());
        let store = open(&disk, seed);
        store.set(&key("first"), b"x").unwrap();
        let one = image(&disk);
        store.set(&key("second"), b"y").unwrap();
        (one, image(&disk))
    };
    let (_, longer) = write(2);
    let (mut mixed, _) = write(3);
    let (one, _) = write(2);
    for block in changed_blocks(&one, &longer) {
        let range = block * BLOCK as usize..(block + 1) * BLOCK as usize;
        mixed[range.clone()].copy_from_slice(&longer[range]);
    }
    // Frame 2 testifies that frame 1 was durable, and a frame 1 is there: nothing is missing, and
    // the ghost is not let in.
    let store = open(SimDisk::from_bytes(BLOCK, mixed), 4);
    assert_eq!(value_of(&store, "first"), Some(b"x".to_vec()));
    assert_eq!(value_of(&store, "second"), None);
}

#[test]
fn a_chain_rolls_over_segments_and_is_found_again() {
    let disk = new_disk();
    let mut expected = 0;
    for mount in 0..5 {
        let store = open(&disk, 10 + mount);
        for _ in 0..20 {
            let len = 1 + expected * 397 % 9000;
            store.set(&key(&format!("{expected}")), &vec![1; len]).unwrap();
            expected += 1;
        }
    }
    assert_eq!(held(image(&disk)).unwrap().len(), expected);
}

#[test]
fn a_log_of_other_segments_than_it_names_is_refused() {
    // Two segments of the log swapped: each frame says where it lies.
    let (disk, blocks) = written_by_sets(4);
    let mut swapped = image(&disk);
    let (left, right) = (blocks[1] * BLOCK as usize, blocks[2] * BLOCK as usize);
    let (head, tail) = swapped.split_at_mut(right);
    head[left..left + BLOCK as usize].swap_with_slice(&mut tail[..BLOCK as usize]);
    assert!(matches!(held(swapped), Err(Error::Corrupt(_))));
}

#[test]
fn a_cut_is_reported_and_does_not_keep_the_store_from_going_on() {
    let (disk, blocks) = written_by_sets(3);
    assert_eq!(open(&disk, 5).stat().cut, None);
    // A group of several frames of which the first did not survive.
    let store = open(&disk, 6);
    for name in 0..12 {
        store.set(&key(&format!("d/{name}")), &[7; 4000]).unwrap();
    }
    let before = image(&disk);
    store.rename(&key("d"), &key("e")).unwrap();
    let after = image(&disk);
    let written = changed_blocks(&before, &after);
    let is_frame = |block: &&usize| after[**block * BLOCK as usize..].starts_with(b"NrFr");
    let frames = written.iter().filter(is_frame).count() as u64;
    assert!(frames > 2, "{frames}");
    let mut torn = after;
    let first = written[0] * BLOCK as usize..(written[0] + 1) * BLOCK as usize;
    torn[first.clone()].copy_from_slice(&before[first]);
    let disk = SimDisk::from_bytes(BLOCK, torn);
    let store = open(&disk, 7);
    let cut = store.stat().cut.expect("frames lie beyond");
    assert_eq!(cut.at, written[0] as u64 * u64::from(BLOCK));
    assert_eq!(cut.frames_beyond, frames - 1);
    assert_eq!(value_of(&store, "d/0"), Some(vec![7; 4000]));
    assert_eq!(value_of(&store, "e/0"), None);
    store.set(&key("after"), b"x").unwrap();
    let store = open(&disk, 8);
    assert_eq!(value_of(&store, "after"), Some(b"x".to_vec()));
    assert_eq!(value_of(&store, "k0"), Some(vec![0; 100]));
    assert!(!blocks.is_empty());
}

/// Mount 1's frame tears: its header survives, its end does not. Mount 2 sees nothing of it, and
/// writes another frame to the same blocks. That one tears the other way round. Where both end in
/// the same bytes, mount 1's frame is whole now: what mount 2 saw absent must stay absent.
#[test]
fn a_torn_frame_is_not_completed_by_the_torn_frame_of_the_next_mount() {
    for (first, second) in [("a", "b"), ("a", "a/b"), ("same", "size")] {
        for len in [600, 3000] {
            let disk = new_disk_of_sectors();
            open(&disk, 2).set(&key("kept"), b"x").unwrap();
            let tear = |disk: &SimDisk, seed, path, header_survives: bool| {
                let store = open(disk, seed);
                assert_eq!(contents(&store).len(), 1, "nothing but what was acknowledged");
                fail_next_flush(disk);
                store.set(&key(path), &vec![7; len]).unwrap_err();
                // Each frame is a block of 8 sectors, and so is whatever is written before it.
                let survives = |sector: usize| sector.is_multiple_of(8) == header_survives;
                let torn =
                    disk.crash(|sector| if survives(sector) { Fate::New } else { Fate::Old });
                SimDisk::from_bytes(512, torn)
            };
            let disk = tear(&disk, 3, first, true);
            let disk = tear(&disk, 4, second, false);
            let held = contents(&open(&disk, 5));
            assert!(!held.contains_key(&key(first)), "{first} {second} {len}");
        }
    }
}

/// On small devices a segment is a block, so that the loss of a few neighbouring blocks is the loss
/// of as many segments.
#[test]
fn damage_to_several_small_segments_in_a_row_is_corrupt_not_cut() {
    let disk = SimDisk::new(BLOCK, 256);
    Store::create(&disk, CreateOptions::new(1)).unwrap();
    let store = open(&disk, 2);
    let mut blocks = Vec::new();
    for number in 0..20 {
        let before = image(&disk);
        store.set(&key(&format!("{number}")), &[1; 100]).unwrap();
        blocks.extend(changed_blocks(&before, &image(&disk)));
    }
    for lost in 1..=18 {
        let mut damaged = image(&disk);
        for block in &blocks[1..=lost] {
            damaged[block * BLOCK as usize..][..BLOCK as usize].fill(0);
        }
        assert!(matches!(held(damaged), Err(Error::Corrupt(_))), "{lost} blocks");
    }
}

#[test]
fn a_cut_that_was_closed_is_not_reported_again() {
    let (disk, _) = written_by_sets(2);
    let store = open(&disk, 3);
    for name in 0..2 {
        store.set(&key(&format!("d/{name}")), &[7; 12_000]).unwrap();
    }
    let before = image(&disk);
    fail_next_flush(&disk);
    store.rename(&key("d"), &key("e")).unwrap_err();
    drop(store);
    let after = disk.crash(|_| Fate::New);
    let first = changed_blocks(&before, &after)[0];
    let mut torn = after;
    flip_bit(&mut torn, first, 150);
    let disk = SimDisk::from_bytes(BLOCK, torn);
    assert!(open(&disk, 4).stat().cut.is_some());
    for mount in 5..9 {
        let store = open(&disk, mount);
        assert_eq!(store.stat().cut.is_some(), mount == 5, "mount {mount}");
        store.set(&key("goes on"), &[1; 10]).unwrap();
        store.close().unwrap();
    }
}

/// What must be read, be it once or for ever that it can't: superblocks have other copies, and what
/// lies beyond the end need not be read.
#[test]
fn a_read_that_fails_while_opening_is_an_error_never_an_end() {
    const COUNT: u8 = 80;
    let (disk, _) = written_by_sets(COUNT);
    let image = image(&disk);
    for (repeat, least) in [(Repeat::Forever, 6), (Repeat::Once, 0)] {
        let mut failures = 0;
        for after in 0..20 {
            let disk = SimDisk::from_bytes(BLOCK, image.clone());
            disk.inject(Fault { strike: Strike::ReadFails, after, repeat });
            match try_open(disk, 3) {
                Err(Error::Device(_)) => failures += 1,
                Ok(store) => assert_eq!(store.stat().keys, u64::from(COUNT), "read {after}"),
                Err(error) => panic!("read {after}: {error}"),
            }
        }
        assert!(failures >= least, "{failures} of {repeat:?}");
    }
}
