//! Images in which something can't be though every check fits.

use super::{SUPERBLOCK_PAGES, key, value_of};
use nerite::{Corruption, CreateOptions, Error, KvRead, KvWrite, MemoryDevice, OpenOptions};
use nerite::{Fault, Part, Store};
use nerite_tests::TestClock;

const BLOCK: usize = 4096;
/// Where the fields of `docs/format.md` lie: of the superblock, of a node.
const CHECKPOINT: usize = 100;
const INDEX_OPEN: usize = 184;
const TABLE: usize = 192;
const ROOT: usize = 209;
const ROOT_LEVEL: usize = 225;
const NODE_END: usize = 30;

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

fn check(bytes: &[u8]) -> [u8; 4] {
    crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(bytes).to_le_bytes()
}

/// The newest state.
fn superblock(image: &[u8]) -> &[u8] {
    let pages = image.chunks(BLOCK).take(SUPERBLOCK_PAGES);
    &pages.max_by_key(|page| u64_at(page, CHECKPOINT)).unwrap()[..512]
}

/// Changes all copies of the newest state.
fn change_superblock(image: &mut [u8], change: impl Fn(&mut [u8])) {
    let newest = u64_at(superblock(image), CHECKPOINT);
    for page in image.chunks_mut(BLOCK).take(SUPERBLOCK_PAGES) {
        let state = &mut page[..512];
        if u64_at(state, CHECKPOINT) == newest {
            change(state);
            let check = check(&state[12..]);
            put(state, 8, &check);
        }
    }
}

/// Changes the root.
fn change_root(image: &mut [u8], change: impl Fn(&mut [u8])) {
    let at = usize::try_from(u64_at(superblock(image), ROOT)).unwrap();
    let node = &mut image[at..at + BLOCK];
    change(node);
    let check = check(&node[8..]);
    put(node, 4, &check);
    change_superblock(image, |state| put(state, ROOT + 12, &check));
}

/// Six values in records, most of them in a leaf, which is the root.
fn with_a_leaf() -> Vec<u8> {
    let device = MemoryDevice::new(4096, 1024);
    Store::create(&device, CreateOptions::new(1)).unwrap();
    let store = open(&device, 2);
    (0..6).for_each(|n| store.set(&key(&format!("k{n}")), &[7; 1000]).unwrap());
    store.close().unwrap();
    let image = device.to_bytes();
    assert_eq!(superblock(&image)[ROOT_LEVEL], 0);
    image
}

fn open(device: &MemoryDevice, seed: u64) -> Store<&MemoryDevice> {
    let options = OpenOptions::new(seed).delta_entries(2).step_nodes(1);
    Store::open(device, TestClock::new(1), options).unwrap()
}

/// Where the leaf's last cell ends.
fn end(leaf: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([leaf[NODE_END], leaf[NODE_END + 1]]))
}

#[test]
fn a_length_of_a_record_that_none_can_have_is_corrupt_and_not_allocated() {
    for len in [0u32, 2 << 20, 0xFFFF_F000, u32::MAX] {
        let mut image = with_a_leaf();
        change_root(&mut image, |leaf| put(leaf, end(leaf) - 8, &len.to_le_bytes()));
        let device = MemoryDevice::from_bytes(4096, image);
        let store = open(&device, 3);
        let mut told = 0;
        for n in 0..6 {
            match store.get(&key(&format!("k{n}"))) {
                Ok(value) => assert_eq!(value, [7; 1000]),
                Err(Error::Corrupt(Corruption { part, fault, .. })) => {
                    assert_eq!((part, fault), (Part::Record, Fault::Field("pointer")));
                    told += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(told, 1, "{len}");
        let found = store.verify().unwrap();
        assert!(found.iter().any(|found| found.part == Part::Record), "{found:?}");
    }
}

/// A branch of three cells that all lead to the branch below, a dozen levels of them.
fn branches(image: &mut [u8], levels: u8) {
    let state = superblock(image);
    let birth = u64_at(state, 60).to_le_bytes();
    let mut below = state[ROOT..ROOT + 16].to_vec();
    for level in 1..=levels {
        let at = (900 - usize::from(level)) * BLOCK;
        let node = &mut image[at..at + BLOCK];
        node.fill(0);
        put(node, 0, b"NrNo");
        put(node, 8, &birth);
        put(node, 16, &(at as u64).to_le_bytes());
        node[24] = level;
        node[26] = 3;
        let mut end = 32 + 3 * 6;
        for (cell, key) in [&b""[..], b"\x01m", b"\x01n"].into_iter().enumerate() {
            put(node, 32 + 6 * cell, &u16::try_from(end).unwrap().to_le_bytes());
            // The head: the first bytes of the key, the first one the highest.
            key.iter().enumerate().for_each(|(index, &byte)| node[37 + 6 * cell - index] = byte);
            let cell = [&u16::try_from(key.len()).unwrap().to_le_bytes()[..], key, &below].concat();
            put(node, end, &cell);
            end += cell.len();
        }
        put(node, NODE_END, &u16::try_from(end).unwrap().to_le_bytes());
        let check = check(&node[8..]);
        put(node, 4, &check);
        put(&mut below, 0, &(at as u64).to_le_bytes());
        put(&mut below, 12, &check);
    }
    change_superblock(image, |state| {
        put(state, ROOT, &below);
        state[ROOT_LEVEL] = levels;
    });
}

/// Two ways lead to each node of the lower levels and more: 3⁶³ to the leaf.
#[test]
fn a_tree_whose_branches_share_what_is_below_is_told_in_no_more_time_than_a_tree_takes() {
    let mut image = with_a_leaf();
    branches(&mut image, 63);
    let device = MemoryDevice::from_bytes(4096, image);
    let store = open(&device, 3);
    let found = store.verify().unwrap();
    let fault = Fault::Field("order of keys");
    assert!(found.iter().any(|found| found.fault == fault), "{found:?}");
    assert!(found.len() <= 1000, "{}", found.len());
    let _ = (store.list(&nerite::Key::ROOT), value_of(&store, "k1"));
}

/// Changes the table of the newest state.
fn change_table(image: &mut [u8], change: impl Fn(&mut [u8])) {
    let at = usize::try_from(u64_at(superblock(image), TABLE)).unwrap();
    let table = &mut image[at..at + BLOCK];
    change(table);
    let check = check(&table[8..]);
    put(table, 4, &check);
    change_superblock(image, |state| put(state, TABLE + 12, &check));
}

/// The rows of the table: how many they are, and where they begin.
fn rows(table: &[u8]) -> impl Iterator<Item = usize> + use<> {
    let count = u32::from_le_bytes(table[56..60].try_into().unwrap());
    (0..count as usize).map(|row| 60 + 8 * row)
}

/// What `verify` finds, superblocks aside, in an image that `craft` has changed.
fn found(mut image: Vec<u8>, craft: impl Fn(&mut Vec<u8>)) -> Vec<Fault> {
    craft(&mut image);
    let device = MemoryDevice::from_bytes(4096, image);
    let store = open(&device, 3);
    store.verify().unwrap().into_iter().map(|found| found.fault).collect()
}

#[test]
fn verify_finds_what_the_index_says_wrongly() {
    let sound = with_a_leaf();
    assert_eq!(found(sound.clone(), |_| ()), []);
    let open = |image: &mut Vec<u8>| change_superblock(image, |state| state[INDEX_OPEN + 4] -= 1);
    let fault = Fault::Field("open segment of the index");
    assert!(found(sound.clone(), open).contains(&fault));
    let size = |image: &mut Vec<u8>| change_root(image, |leaf| leaf[end(leaf) - 24] ^= 1);
    assert!(found(sound.clone(), size).contains(&Fault::Field("length of a value")));
    // Of two leaves with the same bytes, the one whose record has a time of its own.
    let timed = |image: &mut Vec<u8>| change_root(image, |leaf| leaf[end(leaf) - 32] ^= 1);
    assert!(found(with_a_timed_leaf(), timed).contains(&Fault::Field("time")));
}

fn with_a_timed_leaf() -> Vec<u8> {
    let device = MemoryDevice::new(4096, 1024);
    Store::create(&device, CreateOptions::new(1)).unwrap();
    let store = open(&device, 2);
    for n in 0..6 {
        store.allocate(&key(&format!("k{n}")), 1000, Some(nerite::Timestamp(9))).unwrap();
    }
    store.close().unwrap();
    device.to_bytes()
}

/// A segment of the chain, before the tail start, of which the table says that it is free.
#[test]
fn verify_finds_values_in_segments_that_pass_for_free() {
    let device = MemoryDevice::new(4096, 1024);
    Store::create(&device, CreateOptions::new(1)).unwrap();
    let store = open(&device, 2);
    (0..20).for_each(|n| store.set(&key(&format!("k{n}")), &[7; 1000]).unwrap());
    store.close().unwrap();
    let craft = |image: &mut Vec<u8>| {
        change_table(image, |table| {
            let chain = rows(table).find(|row| table[row + 7] == 1).unwrap();
            table[chain + 7] = 0;
        });
    };
    assert!(found(device.to_bytes(), craft).contains(&Fault::Field("use")));
}

/// Counts that are too low: more becomes dead than was live. Nothing is lost by that, and it shows.
#[test]
fn verify_finds_counts_that_do_not_add_up() {
    let mut image = with_a_leaf();
    change_table(&mut image, |table| {
        let live = rows(table).find(|row| table[row + 7] < 2 && table[row + 1] > 1).unwrap();
        put(table, live, &[1, 0]);
    });
    let device = MemoryDevice::from_bytes(4096, image);
    let store = open(&device, 3);
    let is_told = |store: &Store<_>| {
        let found = store.verify().unwrap();
        let wrong = |found: &Corruption| {
            matches!(found.fault, Fault::Count { what: "live bytes of a segment", .. })
        };
        found.iter().any(wrong)
    };
    assert!(is_told(&store));
    (0..6).for_each(|n| store.remove(&key(&format!("k{n}"))).unwrap());
    assert!(is_told(&store));
    (0..6).for_each(|n| store.set(&key(&format!("k{n}")), &[8; 1000]).unwrap());
    (0..6).for_each(|n| assert_eq!(value_of(&store, &format!("k{n}")), Some(vec![8; 1000])));
}

/// The slot that is not in force must be a whole state too: its table.
#[test]
fn verify_finds_damage_to_what_only_the_older_state_names() {
    let device = MemoryDevice::new(4096, 1024);
    Store::create(&device, CreateOptions::new(1)).unwrap();
    let store = open(&device, 2);
    (0..9).for_each(|n| store.set(&key(&format!("k{n}")), &[7; 1000]).unwrap());
    drop(store);
    let mut image = device.to_bytes();
    let newest = superblock(&image).to_vec();
    let older = image.chunks(BLOCK).take(SUPERBLOCK_PAGES);
    let older = older.min_by_key(|page| u64_at(page, CHECKPOINT)).unwrap();
    let table = usize::try_from(u64_at(older, TABLE)).unwrap();
    assert!(table > 0 && table as u64 != u64_at(&newest, TABLE));
    image[table + 70] ^= 1;
    let told = found(image, |_| ());
    assert_eq!(told, [Fault::Check]);
}
