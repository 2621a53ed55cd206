//! Checkpoints: what crashes among their writes leave, what they cost, and what damage to them shows.

use super::{Fault, key};
use nerite::{Corruption, CreateOptions, Error, Key, KvWrite, OpenOptions, Part, Store};
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
