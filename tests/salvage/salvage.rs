//! Salvage of images in which something has rotted.

use super::{BLOCK, device, key, lived, new_device, open};
use nerite::{
    Error, KvWrite, LogItem, LogReader, Loss, Lost, LumpId, MemoryDevice, Name, OpenOptions, Part,
    Salvage, Salvaged, SalvagedValue, Store, Timestamp, Usage,
};
use nerite_tests::{Random, TestClock};
use std::collections::BTreeMap;

type Values = BTreeMap<Name, (Vec<u8>, Timestamp)>;

/// All that comes out of an image.
#[derive(Debug, Default)]
struct Saved {
    values: Values,
    doubted: Values,
    losses: Vec<Loss>,
}

impl Saved {
    /// Whether it is told that the value of this key, or some newer one, is lost.
    fn tells_of(&self, name: &Name) -> bool {
        self.losses.iter().any(|loss| match &loss.lost {
            Lost::Value(lost) | Lost::Doubted(lost) => lost == name,
            Lost::Keys(range) => range.contains(name),
            Lost::Unknown => true,
            _ => false,
        })
    }
}

fn saved(image: Vec<u8>) -> Saved {
    let mut salvage = Salvage::open(device(image)).unwrap();
    let mut saved = Saved::default();
    let mut last = None;
    while let Some(found) = salvage.next().unwrap() {
        match found {
            Salvaged::Value(SalvagedValue { name, bytes, last_modified, is_doubted, .. }) => {
                assert!(last.replace(name.clone()).is_none_or(|last| last < name), "order");
                let to = if is_doubted { &mut saved.doubted } else { &mut saved.values };
                to.insert(name, (bytes, last_modified));
            }
            Salvaged::Loss(loss) => saved.losses.push(loss),
            _ => {}
        }
    }
    saved
}

/// What a sound image holds.
fn held(image: Vec<u8>) -> Values {
    let store = Store::open(device(image), TestClock::new(1), OpenOptions::new(77)).unwrap();
    let mut values = Values::new();
    let mut scan = store.scan(..);
    while let Some(row) = scan.next().unwrap() {
        let value = (row.value.to_vec(), row.last_modified);
        values.insert(Name::Key(row.key.clone()), value);
    }
    for id in store.lumps().list().unwrap() {
        let time = store.lumps().head(id).unwrap().unwrap().last_modified;
        values.insert(Name::Lump(id), (store.lumps().get(id).unwrap().unwrap(), time));
    }
    values
}

/// An image that has lived, with lumps and a sealed log.
fn closed(seed: u64) -> Vec<u8> {
    let device = lived(seed);
    let store = open(&device, seed * 10 + 9);
    (0..20).for_each(|id| assert!(store.lumps().put(LumpId(id), &[7; 200]).unwrap()));
    (0..30u8).for_each(|n| store.set(&key(&format!("last/{n}")), &[n; 150]).unwrap());
    store.close().unwrap();
    device.to_bytes()
}

/// Whether `check` finds anything.
fn is_found(image: Vec<u8>) -> bool {
    match Store::open(device(image), TestClock::new(1), OpenOptions::new(78).read_only(true)) {
        Ok(store) => !store.verify().unwrap().is_empty(),
        Err(Error::Corrupt(_)) => true,
        Err(error) => panic!("{error}"),
    }
}

/// The nodes that lie in segments of the index, in force or not.
fn nodes(image: &[u8]) -> Vec<(usize, usize)> {
    let store = open_read_only(image);
    let device = device(image.to_vec());
    let reader = LogReader::open(&device).unwrap();
    let mut nodes = Vec::new();
    for segment in store.segments().iter().filter(|segment| segment.usage == Usage::Nodes) {
        let mut walk = reader.segment(segment.number);
        while let Some(item) = walk.next().unwrap() {
            if let LogItem::Node { at, len, .. } = item {
                nodes.push((usize::try_from(at).unwrap(), usize::try_from(len).unwrap()));
            }
        }
    }
    nodes
}

fn open_read_only(image: &[u8]) -> Store<MemoryDevice> {
    let options = OpenOptions::new(79).read_only(true);
    Store::open(device(image.to_vec()), TestClock::new(1), options).unwrap()
}

fn flip(image: &mut [u8], at: usize, bit: usize) {
    image[at + bit / 8] ^= 1 << (bit % 8);
}

#[test]
fn of_a_sound_store_everything_comes_back_and_nothing_is_lost() {
    for seed in 1..4 {
        let open_end = lived(seed).to_bytes();
        for image in [open_end, closed(seed)] {
            let saved = saved(image.clone());
            assert_eq!(saved.values, held(image));
            assert_eq!((saved.losses, saved.doubted), (Vec::new(), Values::new()));
        }
    }
    let empty = saved(new_device(64).to_bytes());
    assert!(empty.values.is_empty() && empty.losses.is_empty());
}

/// An image with values that lie in extents, some of them written in parts, moved and renamed, one in a
/// lump, one with a hole, and one that was never finished.
fn with_long_values(seed: u64) -> Vec<u8> {
    let device = lived(seed);
    let store = open(&device, seed * 10 + 9);
    // Not what the others are made of.
    let mut random = Random::new(seed + 1000);
    for n in 0..6 {
        store.set(&key(&format!("long/{n}")), &random.bytes(9000 + 5000 * n)).unwrap();
    }
    store.set_partial(&key("long/3"), 5000, &random.bytes(4000)).unwrap();
    store.rename(&key("long/4"), &key("longer/4")).unwrap();
    store.remove(&key("long/5")).unwrap();
    store.allocate(&key("long/hole"), 30_000, Some(Timestamp(5))).unwrap();
    store.set_partial(&key("long/hole"), 10_000, &random.bytes(3000)).unwrap();
    assert!(store.lumps().put(LumpId(7), &random.bytes(20_000)).unwrap());
    store.clean().unwrap();
    store.set(&key("long/0"), &random.bytes(12_000)).unwrap();
    let never = key("never");
    let mut writer = store.write_to(&never);
    writer.write(&random.bytes(60_000)).unwrap();
    device.to_bytes()
}

#[test]
fn long_values_come_back_whole_or_are_told_to_be_lost() {
    let (mut flips, mut lost) = (0, 0);
    for seed in 1..4 {
        let sound = with_long_values(seed);
        let expected = held(sound.clone());
        let all = saved(sound.clone());
        assert!(all.losses.is_empty(), "{:?}", all.losses);
        assert!(all.values == expected, "all comes back");
        let mut random = Random::new(seed);
        let long: Vec<_> = expected.iter().filter(|(_, (value, _))| value.len() > 8000).collect();
        assert!(long.len() >= 6, "{}", long.len());
        for (name, (value, _)) in long {
            // A piece that lies within one chunk, somewhere on the device.
            let piece = &value[10_200.min(value.len() - 1500)..][..16];
            let places = sound.windows(16).enumerate().filter(|(_, bytes)| *bytes == piece);
            for (at, _) in places {
                let mut damaged = sound.clone();
                flip(&mut damaged, at, random.below(16 * 8));
                let saved = saved(damaged);
                for (other, held) in &expected {
                    match saved.values.get(other) {
                        Some(found) => assert!(found == held, "{other}"),
                        None => assert!(other == name && saved.tells_of(name), "{other}"),
                    }
                }
                flips += 1;
                lost += usize::from(!saved.values.contains_key(name));
            }
        }
    }
    assert!(flips >= 18 && lost >= 12, "{flips} flips, {lost} values lost");
}

/// Live data is what some key's value lies in: bytes that are nowhere else on the device.
#[test]
fn a_flipped_bit_in_any_value_is_found_and_every_other_key_comes_back() {
    let mut flips = 0;
    for seed in 1..5 {
        let sound = closed(seed);
        let expected = held(sound.clone());
        let mut random = Random::new(seed);
        let places = places(&sound, &expected);
        assert!(places.len() > 100, "{}", places.len());
        for _ in 0..60 {
            let (name, at, len) = *random.pick(&places);
            let mut damaged = sound.clone();
            flip(&mut damaged, at, random.below(len * 8));
            assert!(is_found(damaged.clone()), "{name}");
            let saved = saved(damaged);
            for (other, value) in expected.iter().filter(|(other, _)| *other != name) {
                assert_eq!(saved.values.get(other), Some(value), "{other} with {name} damaged");
            }
            assert!(saved.values.keys().all(|known| expected.contains_key(known)));
            // The key itself comes back too, or is told to be lost, by its name.
            let is_back = saved.values.get(name) == expected.get(name);
            let tells = |loss: &Loss| match &loss.lost {
                Lost::Value(lost) | Lost::Doubted(lost) => lost == name,
                _ => false,
            };
            assert!(is_back != saved.losses.iter().any(tells), "{name}: {:?}", saved.losses);
            assert!(!saved.losses.is_empty());
            flips += 1;
        }
    }
    assert!(flips >= 100);
}

/// Where each value of some length lies, if that is one place only.
fn places<'a>(image: &[u8], values: &'a Values) -> Vec<(&'a Name, usize, usize)> {
    let mut found: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    let long = || values.iter().filter(|(_, (value, _))| value.len() >= 20);
    long().for_each(|(_, (value, _))| drop(found.insert(&value[..8], Vec::new())));
    for (at, window) in image.windows(8).enumerate() {
        found.entry(window).and_modify(|places| places.push(at));
    }
    let place = |(name, (value, _)): (&'a Name, &'a (Vec<u8>, Timestamp))| {
        let places = found[&value[..8]].iter().filter(|at| image[**at..].starts_with(value));
        let places: Vec<_> = places.collect();
        if let [at] = places[..] { Some((name, *at, value.len())) } else { None }
    };
    long().filter_map(place).collect()
}

#[test]
fn a_flipped_bit_in_the_index_loses_nothing() {
    let mut damage_found = 0;
    for seed in 1..4 {
        let sound = closed(seed);
        let (expected, nodes) = (held(sound.clone()), nodes(&sound));
        let mut random = Random::new(seed);
        for _ in 0..40 {
            let (at, len) = *random.pick(&nodes);
            let mut damaged = sound.clone();
            flip(&mut damaged, at, random.below(len * 8));
            damage_found += usize::from(is_found(damaged.clone()));
            let saved = saved(damaged);
            assert_eq!(saved.values, expected);
            assert!(saved.doubted.is_empty());
            assert!(saved.losses.iter().all(|loss| loss.lost == Lost::Nothing));
        }
    }
    // Others hit nodes that are not in force any more.
    assert!(damage_found >= 20, "{damage_found}");
}

#[test]
fn of_a_node_that_is_gone_what_lies_elsewhere_comes_back_in_doubt() {
    let (mut holes, mut back) = (0, 0);
    for seed in 1..4 {
        let sound = closed(seed);
        let (expected, nodes) = (held(sound.clone()), nodes(&sound));
        let mut random = Random::new(seed);
        for _ in 0..25 {
            let (at, len) = *random.pick(&nodes);
            let mut damaged = sound.clone();
            damaged[at..at + len].fill(0xEE);
            let saved = saved(damaged);
            for (name, value) in &expected {
                let is_back = saved.values.get(name) == Some(value);
                assert!(is_back || saved.tells_of(name), "{name}");
                // What is in a record can be found without the index.
                let is_known = saved.doubted.get(name).is_some_and(|(found, _)| *found == value.0);
                assert!(is_back || is_known || value.0.len() <= 128, "{name}: {}", value.0.len());
                back += usize::from(is_known);
            }
            // What is not in doubt is right.
            assert!(saved.values.iter().all(|(name, value)| expected.get(name) == Some(value)));
            let is_hole = |loss: &Loss| matches!(loss.lost, Lost::Keys(_));
            holes += usize::from(saved.losses.iter().any(is_hole));
        }
    }
    assert!(holes >= 15 && back > 100, "{holes} holes, {back} values");
}

/// Between two steps of a checkpoint the slots name two trees, and both are whole.
#[test]
fn where_the_newest_tree_is_gone_the_older_state_has_everything() {
    let mut bridged = 0;
    for seed in 1..6 {
        let sound = lived(seed).to_bytes();
        let (expected, nodes) = (held(sound.clone()), nodes(&sound));
        for (at, len) in nodes {
            let mut damaged = sound.clone();
            damaged[at..at + len].fill(0);
            let saved = saved(damaged);
            assert!(saved.values.iter().all(|(name, value)| expected.get(name) == Some(value)));
            let is_bridge =
                |loss: &Loss| loss.lost == Lost::Nothing && loss.corruption.part == Part::Node;
            if saved.losses.iter().any(is_bridge) {
                assert_eq!(saved.values, expected);
                bridged += 1;
            }
        }
    }
    assert!(bridged >= 3, "{bridged}");
}

#[test]
fn superblocks_can_be_lost_as_long_as_one_is_left() {
    let sound = closed(2);
    let expected = held(sound.clone());
    for lost in 0..15u8 {
        let mut damaged = sound.clone();
        let pages = (0..4).filter(|page| lost & 1 << page != 0);
        pages.for_each(|page| damaged[page * BLOCK as usize + 20] ^= 1);
        let saved = saved(damaged);
        assert_eq!(saved.values, expected, "{lost:04b}");
        assert!(saved.losses.iter().all(|loss| loss.lost == Lost::Nothing));
    }
    let mut damaged = sound.clone();
    (0..4).for_each(|page| damaged[page * BLOCK as usize + 20] ^= 1);
    let refused = Salvage::open(device(damaged)).map(drop);
    assert!(matches!(refused, Err(Error::Corrupt(c)) if c.part == Part::Superblock));
    let refused = Salvage::open(device(vec![0; 1 << 20])).map(drop);
    assert!(matches!(refused, Err(Error::NotFormatted)));
}

#[test]
fn what_a_lost_frame_says_that_can_be_read_counts_and_what_it_replaced_is_in_doubt() {
    let device = new_device(1024);
    let store = open(&device, 2);
    store.set(&key("a"), &[1; 200]).unwrap();
    store.set(&key("b"), &[2; 200]).unwrap();
    store.close().unwrap();
    let before = device.to_bytes();
    let store = open(&device, 3);
    store.set(&key("a"), &[3; 200]).unwrap();
    store.close().unwrap();
    let sound = device.to_bytes();
    let frame = (0..sound.len())
        .step_by(4096)
        .skip(4)
        .find(|at| before[*at..at + 4096] != sound[*at..at + 4096]);
    let frame = frame.unwrap();
    // The header: the record behind it is whole.
    let mut damaged = sound.clone();
    damaged[frame + 50] ^= 1;
    let found = saved(damaged);
    let bytes = |values: Values| values.into_iter().map(|(name, value)| (name, value.0));
    assert!(bytes(found.values.clone()).eq(bytes(held(sound.clone()))));
    assert_eq!(found.values[&Name::Key(key("a"))].1, Timestamp(0), "it stood there");
    assert_eq!(found.losses.len(), 1);
    // The record: the value that it replaced is what is left of the key.
    let mut damaged = sound;
    damaged[frame + 140 + 100] ^= 1;
    let found = saved(damaged);
    let name = Name::Key(key("a"));
    assert_eq!(found.doubted.get(&name).map(|value| &value.0[..]), Some(&[1; 200][..]));
    assert_eq!(found.values.len(), 1);
    assert!(found.losses.iter().any(|loss| loss.lost == Lost::Doubted(name.clone())));
}

/// A rename of 60 values, in a group of many frames, and where these begin.
fn renamed(sealed: bool) -> (Vec<u8>, Vec<usize>) {
    let device = new_device(8192);
    let store = open(&device, 2);
    (0..60).for_each(|n| store.set(&key(&format!("d/{n:02}")), &vec![n; 30_000]).unwrap());
    store.rename(&key("d"), &key("e")).unwrap();
    if sealed {
        store.close().unwrap();
    }
    let image = device.to_bytes();
    let reader = LogReader::open(&device).unwrap();
    let (mut walk, mut frames) = (reader.tail(), Vec::new());
    while let Some(item) = walk.next().unwrap() {
        if let LogItem::Frame(frame) = item
            && frame.number > 60
        {
            frames.push(usize::try_from(frame.at).unwrap());
        }
    }
    (image, frames)
}

#[test]
fn a_group_that_a_crash_tore_does_not_count() {
    let (mut torn, frames) = renamed(false);
    torn[frames[frames.len() - 1] + 5000] ^= 1;
    let saved = saved(torn.clone());
    assert_eq!(saved.values, held(torn));
    assert_eq!((saved.values.len(), saved.losses), (60, Vec::new()));
    assert!(saved.values.contains_key(&Name::Key(key("d/00"))));
}

#[test]
fn of_a_group_that_was_durable_each_record_counts_that_is_whole() {
    let (sound, frames) = renamed(true);
    let expected = held(sound.clone());
    assert!(frames.len() > 12 && expected.contains_key(&Name::Key(key("e/00"))));
    // The first frame has the removal of what was there before.
    for frame in [frames[1], frames[10], frames[frames.len() - 1]] {
        let mut damaged = sound.clone();
        damaged[frame + 5000] ^= 1;
        let saved = saved(damaged);
        assert_eq!(saved.values.len(), 59);
        assert!(saved.values.iter().all(|(name, value)| expected[name] == *value));
        let lost: Vec<_> =
            expected.keys().filter(|name| !saved.values.contains_key(name)).collect();
        assert!(saved.losses.iter().any(|loss| loss.lost == Lost::Doubted(lost[0].clone())));
    }
}

#[test]
fn a_group_whose_last_header_is_lost_counts_if_it_was_durable() {
    let (sound, frames) = renamed(true);
    let mut damaged = sound.clone();
    damaged[frames[frames.len() - 1] + 50] ^= 1;
    let saved = saved(damaged);
    assert_eq!(saved.values, held(sound));
    assert_eq!(saved.losses.len(), 1);
}

#[test]
fn without_an_index_a_commit_that_was_never_durable_does_not_come_back() {
    let device = lived(3);
    let before = device.to_bytes();
    open(&device, 39).set(&key("never"), &[5; 3000]).unwrap();
    let mut torn = device.to_bytes();
    let frame = (4..1024).map(|block| block * 4096).rfind(|at| {
        torn[*at..].starts_with(b"NrFr") && torn[*at..at + 4096] != before[*at..at + 4096]
    });
    torn[frame.unwrap() + 4000] ^= 1;
    for (at, len) in nodes(&torn) {
        torn[at..at + len].fill(0);
    }
    let saved = saved(torn);
    assert!(!saved.doubted.is_empty());
    let never = Name::Key(key("never"));
    assert!(!saved.values.contains_key(&never) && !saved.doubted.contains_key(&never));
}

/// Whatever lies on the device, salvage comes to its end, and what it vouches for is right.
#[test]
fn whatever_is_damaged_no_wrong_value_passes_for_a_right_one() {
    for seed in 1..40 {
        let sound = closed(seed % 4 + 1);
        let expected = held(sound.clone());
        let mut random = Random::new(seed);
        let mut damaged = sound;
        for _ in 0..=random.below(60) {
            let (at, len) = (16384 + random.below(damaged.len() - 20000), random.below(3000));
            let from = 16384 + random.below(damaged.len() - 20000);
            match random.below(3) {
                0 => damaged[at] ^= 1 << random.below(8),
                1 => damaged[at..at + len].fill(0),
                _ => damaged.copy_within(from..from + len, at),
            }
        }
        let saved = saved(damaged);
        let is_unknown = |loss: &Loss| loss.lost == Lost::Unknown;
        for (name, value) in &saved.values {
            let is_right = expected.get(name) == Some(value);
            assert!(is_right || saved.losses.iter().any(is_unknown), "{name}");
        }
        for name in expected.keys() {
            let is_back = saved.values.contains_key(name);
            assert!(is_back || saved.tells_of(name), "seed {seed}: {name} is gone without a word");
        }
    }
}
