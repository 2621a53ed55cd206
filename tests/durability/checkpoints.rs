//! Checkpoints: what crashes among their writes leave, what they cost, and what damage to them shows.

use super::{Fault, flip_bit, image, key};
use nerite::{Corruption, CreateOptions, Error, Key, KvRead, KvWrite, OpenOptions, Part, Store};
use nerite_tests::disk::{Repeat, Strike, Unflushed};
use nerite_tests::{Contents, Fate, Model, Random, SimDisk, TestClock, contents, differences};

/// Deltas of a few keys, nodes of a few keys, steps of a few nodes, and hardly any cache: what takes
/// a million keys otherwise happens within forty.
fn tiny(seed: u64) -> OpenOptions {
    OpenOptions::new(seed).delta_entries(4).node_entries(4).step_nodes(2).cache_bytes(8 << 10)
}

fn open_tiny<D: nerite::BlockDevice>(device: D, seed: u64) -> Store<D> {
    Store::open(device, TestClock::new(0), tiny(seed)).unwrap()
}

fn disk_of(block_size: u32, len: u32) -> SimDisk {
    let disk = SimDisk::new(512, len / 512);
    Store::create(&disk, CreateOptions::new(1).block_size(block_size)).unwrap();
    disk
}

/// One change of one of few keys, drawn at random.
fn change(random: &mut Random, kv: &dyn KvWrite) -> Result<(), Error> {
    const NAMES: [&str; 5] = ["a", "b", "c", "a-", "d"];
    let depth = 1 + random.below(3);
    let names: Vec<_> = (0..depth).map(|_| *random.pick(&NAMES)).collect();
    let key = key(&names.join("/"));
    let len = *random.pick(&[3, 100, 300]);
    let value = random.bytes(len);
    let dest = Key::new(random.pick(&NAMES)).unwrap();
    match random.below(12) {
        0 => kv.remove(&Key::ROOT.join(names[0]).unwrap()),
        1 => kv.remove(&key),
        2 => kv.rename(&key, &dest),
        _ => kv.set(&key, &value),
    }
}

/// What `verify` finds. A crash may have torn one copy of the superblock.
fn faults(store: &Store<&SimDisk>) -> Vec<Corruption> {
    let mut found = store.verify().unwrap();
    found.retain(|corruption| corruption.part != Part::Superblock);
    found
}

fn of(model: &Model) -> Contents {
    model.contents()
}

const CASES: u64 = 300;

/// A crash anywhere, in a checkpoint too, leaves what was acknowledged, and of the call that it hit
/// all or nothing; and again after a second one.
#[test]
fn a_crash_among_checkpoints_leaves_what_was_acknowledged() {
    let mut checkpoints = 0;
    'cases: for case in 0..CASES {
        let mut random = Random::new(case);
        let mut disk = disk_of(if case % 2 == 0 { 512 } else { 4096 }, 1 << 20);
        let model = Model::new(TestClock::new(0));
        for mount in 0..3 {
            let store = open_tiny(&disk, 2 + mount);
            let expected = of(&model);
            let found = contents(&store);
            assert_eq!(
                differences(&expected, &found),
                Vec::<String>::new(),
                "case {case}, mount {mount}"
            );
            let strikes = [Strike::WriteFails { landed: 0 }, Strike::FlushFails(Unflushed::Kept)];
            let strike = *random.pick(&strikes);
            let after = random.below(if mount == 0 { 120 } else { 30 }) as u64;
            disk.inject(Fault { after, repeat: Repeat::Forever, ..Fault::next(strike) });
            let after_call = loop {
                let seed = random.next();
                let before = of(&model);
                let told = change(&mut Random::new(seed), &store);
                if matches!(told, Err(Error::Device(_))) {
                    let _ = change(&mut Random::new(seed), &model);
                    break (before, of(&model));
                }
                if matches!(told, Err(Error::NoSpace { .. })) {
                    continue 'cases;
                }
                let expected = change(&mut Random::new(seed), &model);
                assert_eq!(told.is_ok(), expected.is_ok(), "case {case}: {told:?} {expected:?}");
            };
            checkpoints += store.info().checkpoint - 2;
            drop(store);
            let mut fates = Random::new(case ^ 0x5eed);
            let all = fates.below(4);
            let image = disk.crash(|_| match (all, fates.below(5)) {
                (0, _) | (2 | 3, 0..2) => Fate::New,
                (1, _) | (2, 2..5) | (3, 2) => Fate::Old,
                (_, 3) => Fate::Head(256),
                _ => Fate::Garbage(fates.next()),
            });
            disk = SimDisk::from_bytes(512, image);
            let store = open_tiny(&disk, 90 + mount);
            let found = contents(&store);
            assert_eq!(faults(&store), [], "case {case}, mount {mount}");
            drop(store);
            let (before, after) = &after_call;
            let whole = found == *after;
            assert!(
                whole || found == *before,
                "case {case}, mount {mount}: {:?} {:?}",
                differences(before, &found),
                differences(after, &found)
            );
            if !whole {
                rewind(&model, before);
            }
        }
    }
    assert!(checkpoints > 1000, "{checkpoints} flips");
}

/// Makes the oracle hold this again.
fn rewind(model: &Model, to: &Contents) {
    model.remove(&Key::ROOT).unwrap();
    for (key, (value, _)) in to {
        model.set(key, value).unwrap();
    }
}

/// A store of 4,096-byte blocks whose tree has a few levels, closed.
fn with_a_tree() -> (SimDisk, Contents) {
    let disk = disk_of(4096, 4 << 20);
    let store = open_tiny(&disk, 2);
    for number in 0..40 {
        store.set(&key(&format!("d/{number:02}")), &[number; 100]).unwrap();
    }
    let held = contents(&store);
    store.close().unwrap();
    (disk, held)
}

/// Blocks that start so, by their numbers.
fn blocks_with(image: &[u8], magic: &[u8]) -> Vec<usize> {
    let blocks = image.chunks(4096).enumerate();
    blocks.filter(|(_, block)| block.starts_with(magic)).map(|(number, _)| number).collect()
}

/// Old nodes lie about, too: damage to those is nothing. Damage to one of the tree is told by its
/// place, by the reads that need it and by `verify`; what is elsewhere is read all the same.
#[test]
fn a_damaged_node_is_corrupt_and_never_wrong() {
    let (disk, held) = with_a_tree();
    let sound = image(&disk);
    let (mut told, nodes) = (0, blocks_with(&sound, b"NrNo"));
    for &block in &nodes {
        for offset in [9, 40, 200, 4000] {
            let mut damaged = sound.clone();
            flip_bit(&mut damaged, block, offset);
            let damaged = SimDisk::from_bytes(4096, damaged);
            let store = open_tiny(&damaged, 3);
            let mut missed = false;
            for (key, (value, _)) in &held {
                match store.get(key) {
                    Ok(found) => assert_eq!(found, *value),
                    Err(Error::Corrupt(corruption)) => {
                        assert_eq!(corruption.part, Part::Node);
                        assert_eq!(corruption.at, block as u64 * 4096);
                        missed = true;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            let found = store.verify().unwrap();
            let at = |corruption: &Corruption| corruption.at == block as u64 * 4096;
            assert!(!missed || found.iter().any(at), "{found:?}");
            told += usize::from(missed);
        }
    }
    assert!(told >= 4 * 10, "{told} of {}", nodes.len());
}

/// A node of an earlier time in the place of one of the tree: whole, of this store, but not what is
/// pointed to.
#[test]
fn a_whole_node_in_the_wrong_place_is_corrupt() {
    let (disk, held) = with_a_tree();
    let sound = image(&disk);
    let nodes = blocks_with(&sound, b"NrNo");
    let mut told = 0;
    for pair in nodes.windows(2) {
        let mut misplaced = sound.clone();
        let (from, to) = (pair[0] * 4096, pair[1] * 4096);
        misplaced.copy_within(from..from + 4096, to);
        let misplaced = SimDisk::from_bytes(4096, misplaced);
        let store = open_tiny(&misplaced, 3);
        for (key, (value, _)) in &held {
            match store.get(key) {
                Ok(found) => assert_eq!(found, *value),
                Err(Error::Corrupt(corruption)) => {
                    assert_eq!((corruption.part, corruption.at), (Part::Node, to as u64));
                    told += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(told > 0);
}

#[test]
fn a_damaged_table_is_corrupt_when_the_store_is_opened() {
    let (disk, _) = with_a_tree();
    let sound = image(&disk);
    let refused = blocks_with(&sound, b"NrTb").into_iter().filter(|&block| {
        let mut damaged = sound.clone();
        flip_bit(&mut damaged, block, 60);
        match super::held(damaged) {
            Ok(_) => false,
            Err(Error::Corrupt(corruption)) => {
                assert_eq!(corruption.part, Part::Table);
                corruption.at == block as u64 * 4096
            }
            Err(error) => panic!("{error}"),
        }
    });
    assert_eq!(refused.count(), 1, "older tables are not needed");
}

/// Both copies of a slot lost, whichever it is: the state in the other one leads to the same, since
/// nothing that either names is written over.
#[test]
fn with_either_slot_lost_the_other_tree_and_its_tail_come_to_the_same() {
    let (disk, _) = with_a_tree();
    let store = open_tiny(&disk, 3);
    store.set(&key("later"), b"x").unwrap();
    let expected = contents(&store);
    drop(store);
    let sound = image(&disk);
    for slot in 0..2 {
        let mut damaged = sound.clone();
        for page in [slot, slot + 2] {
            flip_bit(&mut damaged, page, 100);
        }
        assert_eq!(super::held(damaged).unwrap(), expected, "slot {slot}");
    }
}

/// Set, removed with its dictionary, and set again, with a checkpoint between each and behind all:
/// what was set last is there, and nothing else comes back.
#[test]
fn a_removed_range_hides_what_is_older_and_nothing_newer() {
    for rounds in 0..3 {
        let disk = disk_of(512, 4 << 20);
        let mut seed = 2;
        let mut store = open_tiny(&disk, seed);
        let fill = |store: &Store<&SimDisk>, name: &str| {
            for number in 0..6 * rounds {
                store.set(&key(&format!("{name}/{number}")), b"fill").unwrap();
            }
        };
        store.set(&key("d/old"), b"old").unwrap();
        store.set(&key("d/again"), b"old").unwrap();
        fill(&store, "x");
        store.remove(&key("d")).unwrap();
        fill(&store, "y");
        store.set(&key("d/again"), b"new").unwrap();
        fill(&store, "z");
        for _ in 0..3 {
            assert_eq!(super::value_of(&store, "d/again"), Some(b"new".to_vec()));
            assert_eq!(super::value_of(&store, "d/old"), None);
            assert_eq!(store.verify().unwrap(), []);
            drop(store);
            seed += 1;
            store = open_tiny(&disk, seed);
            store.set(&key("other"), b"x").unwrap();
        }
    }
}

/// A second writer flips; the first one, which does not know, must not flip over it.
#[test]
fn a_writer_whose_superblock_was_replaced_is_fenced_at_its_next_step() {
    let disk = disk_of(4096, 4 << 20);
    let one = open_tiny(&disk, 2);
    one.set(&key("a"), b"x").unwrap();
    let two = open_tiny(&disk, 3);
    two.set(&key("b"), b"y").unwrap();
    two.close().unwrap();
    let refused = (0..40).find_map(|number| one.set(&key(&format!("{number}")), b"z").err());
    assert!(matches!(refused, Some(Error::Stolen)), "{refused:?}");
    assert!(matches!(one.set(&key("c"), b"z"), Err(Error::Poisoned)));
}
