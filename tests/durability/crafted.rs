//! Images in which something can't be though every check fits.

use super::{SUPERBLOCK_PAGES, key, value_of};
use nerite::{Corruption, CreateOptions, Error, KvRead, KvWrite, MemoryDevice, OpenOptions};
use nerite::{Fault, Part, Store};
use nerite_tests::TestClock;

const BLOCK: usize = 4096;
/// Where the fields of `docs/format.md` lie: of the superblock, of a node.
const CHECKPOINT: usize = 100;
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
        let mut end = 32 + 3 * 2;
        for (cell, key) in [&b""[..], b"\x01m", b"\x01n"].into_iter().enumerate() {
            put(node, 32 + 2 * cell, &u16::try_from(end).unwrap().to_le_bytes());
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
