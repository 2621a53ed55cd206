//! An image reads the same by `docs/format.md` alone: a decoder that knows nothing but the document, and
//! shares no code with the store, comes to what the store says.

#![forbid(unsafe_code)]

mod bytes;
mod chain;
mod contents;
mod record;
mod superblock;
mod tree;

use contents::Contents;
use nerite::{CreateOptions, Key, KvWrite, LumpId, MemoryDevice, OpenOptions, Store};
use nerite_tests::{Random, TestClock};

const SHAPES: [(u64, u32); 5] =
    [(64, 512), (128, 2048), (256, 512), (1 << 10, 4096), (4 << 10, 1024)];

fn key(random: &mut Random) -> Key {
    let path = match random.below(8) {
        0 => format!("/large/{}", random.below(3)),
        1 => format!("/d/{}/x-{}", random.below(3), random.below(30)),
        _ => format!("/d/{:03}", random.below(200)),
    };
    path.parse().unwrap()
}

/// One call, whatever comes of it.
fn step(store: &Store<&MemoryDevice>, random: &mut Random, kib: u64) {
    let key = key(random);
    let len = match random.below(20) {
        0 => random.below(usize::try_from(kib).unwrap() * 150),
        1..=5 => random.below(1500),
        _ => random.below(130),
    };
    let lump = LumpId(u128::from(random.next()) << random.below(64));
    let _ = match random.below(24) {
        0 => store.remove(&"/d/1".parse().unwrap()),
        1 => store.rename(&key, &self::key(random)),
        2 => store.allocate(&key, len as u64, Some(nerite::Timestamp(random.next()))),
        3 => store.set_partial(&key, random.below(1000) as u64, &random.bytes(len.min(3000))),
        4..=6 => store.remove(&key),
        7 => store.lumps().put(lump, &random.bytes(len)).map(drop),
        8 => store.lumps().delete_range(lump..=LumpId(u128::MAX)).map(drop),
        9 if random.one_in(10) => store.clean().map(drop),
        _ => store.set(&key, &random.bytes(len)),
    };
}

fn compare(store: &Store<&MemoryDevice>, device: &MemoryDevice, context: &str) {
    let bytes = device.to_bytes();
    let decoded = Contents::read(&bytes).unwrap_or_else(|wrong| panic!("{context}: {wrong}"));
    let told = nerite_tests::contents(store);
    let told: contents::Paths = told
        .into_iter()
        .map(|(key, (value, modified))| (key.to_string(), (modified.0, value)))
        .collect();
    assert!(told == decoded.paths().unwrap(), "{context}: the document tells other values");
    assert_eq!(decoded.count(&[1, 2]), store.count().unwrap().keys, "{context}");
    let info = store.info();
    assert_eq!(decoded.superblock().uuid, *info.uuid.as_bytes());
}

#[test]
fn a_decoder_of_the_document_comes_to_what_the_store_says() {
    let mut trees = 0;
    for ((kib, block), seed) in SHAPES.into_iter().cycle().zip(1..=30) {
        let random = &mut Random::new(seed);
        let blocks = u32::try_from(kib * 1024 / u64::from(block)).unwrap();
        let device = MemoryDevice::new(block, blocks);
        Store::create(&device, CreateOptions::new(seed).block_size(block)).unwrap();
        for mount in 0..4 {
            let options = OpenOptions::new(seed * 10 + mount);
            let options = options.delta_entries(5 + random.below(100)).node_entries(9);
            let store = Store::open(&device, TestClock::new(1000 * seed), options).unwrap();
            for call in 0..random.below(400) {
                step(&store, random, kib);
                if call % 40 == 0 {
                    compare(&store, &device, &format!("seed {seed}, mount {mount}, {call}"));
                }
            }
            if random.one_in(2) {
                store.close().unwrap();
            }
        }
        let bytes = device.to_bytes();
        trees += usize::from(Contents::read(&bytes).unwrap().superblock().root.is_some());
    }
    assert!(trees > 20, "only {trees} stores had a tree");
}

/// Where all is in the tree, the table counts what the tree has.
#[test]
fn the_table_counts_what_the_tree_has() {
    for seed in 1..=10 {
        let random = &mut Random::new(seed);
        let device = MemoryDevice::new(512, 1024);
        Store::create(&device, CreateOptions::new(seed).block_size(512)).unwrap();
        let options = OpenOptions::new(seed).delta_entries(50);
        let store = Store::open(&device, TestClock::new(0), options).unwrap();
        (0..600).for_each(|_| step(&store, random, 512));
        store.clean().unwrap();
        store.close().unwrap();
        let bytes = device.to_bytes();
        let decoded = Contents::read(&bytes).unwrap();
        let table = decoded.table().unwrap().expect("there is a tree");
        assert_eq!(table.keys, decoded.count(&[1, 2]), "seed {seed}");
        assert_eq!(table.extents, decoded.count(&[3]), "seed {seed}");
        assert!(table.counted > 0 && table.rows.iter().any(|&(used, live)| used == 2 && live > 0));
    }
}
