//! Lumps: what each call promises, and random calls in step with a map, beside paths.

use nerite::{
    Batch, CreateOptions, Error, Key, KvRead, KvWrite, LumpId, LumpStore, MemoryDevice,
    OpenOptions, Store, Timestamp,
};
use nerite_tests::{Fate, Random, SimDisk};
use std::collections::BTreeMap;
use std::ops::Bound;

type Device = MemoryDevice;

fn new_store() -> Store<Device> {
    let device = MemoryDevice::new(512, 8192);
    Store::create(&device, CreateOptions::new(1)).unwrap();
    Store::open(device, || Timestamp(7), OpenOptions::new(2)).unwrap()
}

fn key(path: &str) -> Key {
    path.parse().unwrap()
}

#[test]
fn put_tells_what_is_new_and_delete_what_was_there() {
    let store = new_store();
    let lumps = store.lumps();
    assert!(lumps.put(LumpId(0), b"first").unwrap());
    assert!(!lumps.put(LumpId(0), &[1; 3000]).unwrap());
    assert_eq!(lumps.get(LumpId(0)).unwrap(), Some(vec![1; 3000]));
    let head = lumps.head(LumpId(0)).unwrap().unwrap();
    assert_eq!((head.size, head.last_modified), (3000, Timestamp(7)));
    assert!(!lumps.put_modified(LumpId(0), b"old", Timestamp(3)).unwrap());
    let head = lumps.head(LumpId(0)).unwrap().unwrap();
    assert_eq!((head.size, head.last_modified), (3, Timestamp(3)));
    assert!(lumps.delete(LumpId(0)).unwrap());
    assert!(!lumps.delete(LumpId(0)).unwrap());
    assert_eq!(lumps.get(LumpId(0)).unwrap(), None);
    assert_eq!(lumps.head(LumpId(0)).unwrap(), None);
}

#[test]
fn ranges_are_numeric_and_can_have_the_last_number() {
    let store = new_store();
    let lumps = store.lumps();
    let ids = [0, 9, 10, 255, 256, 1 << 100, u128::MAX - 1, u128::MAX].map(LumpId);
    for id in ids.iter().rev() {
        lumps.put(*id, &[3; 200]).unwrap();
    }
    assert_eq!(lumps.list().unwrap(), ids);
    assert_eq!(lumps.list_range(LumpId(9)..LumpId(256), 9).unwrap(), ids[1..4]);
    assert_eq!(lumps.list_range(LumpId(9)..=LumpId(256), 2).unwrap(), ids[1..3]);
    assert_eq!(
        lumps.list_range((Bound::Excluded(LumpId(256)), Bound::Unbounded), 9).unwrap(),
        ids[5..]
    );
    assert_eq!(lumps.list_range(LumpId(5)..LumpId(5), 9).unwrap(), []);
    let backwards = (Bound::Included(LumpId(9)), Bound::Excluded(LumpId(2)));
    assert_eq!(lumps.list_range(backwards, 9).unwrap(), []);
    assert!(!lumps.delete_range(backwards).unwrap());
    assert!(!lumps.delete_range(LumpId(11)..LumpId(255)).unwrap());
    // 26 bytes before the key, 17 of the key.
    assert_eq!(lumps.usage_range(LumpId(10)..).unwrap(), 6 * (26 + 17 + 200));
    let frames = store.stat().next_frame;
    assert!(lumps.delete_range(LumpId(10)..=LumpId(u128::MAX)).unwrap());
    assert_eq!(store.stat().next_frame, frames + 1, "one record");
    assert_eq!(lumps.list().unwrap(), ids[..2]);
    assert!(lumps.delete_range(..).unwrap());
    assert_eq!(lumps.list().unwrap(), []);
}

#[test]
fn lumps_and_paths_do_not_see_each_other() {
    let store = new_store();
    store.set(&key("/a"), b"path").unwrap();
    store.lumps().put(LumpId(1), b"lump").unwrap();
    assert_eq!(store.list(&Key::ROOT).unwrap().len(), 1);
    assert_eq!(store.size(&Key::ROOT).unwrap(), 4);
    let mut scan = store.scan(..);
    assert_eq!(scan.next().unwrap().map(|row| row.key.clone()), Some(key("/a")));
    assert!(scan.next().unwrap().is_none());
    let mut batch = Batch::new();
    batch.remove(&Key::ROOT);
    store.write(&batch).unwrap();
    assert_eq!(store.lumps().get(LumpId(1)).unwrap().as_deref(), Some(&b"lump"[..]));
    store.set(&key("/b"), b"path").unwrap();
    assert!(store.lumps().delete_range(..).unwrap());
    assert_eq!(store.get(&key("/b")).unwrap(), b"path");
}

#[test]
fn what_is_embedded_is_bounded() {
    let store = new_store();
    let most = LumpStore::<Device>::EMBED_LEN_MAX;
    let refused = store.lumps().embed(LumpId(1), &vec![0; most + 1]);
    assert!(matches!(refused, Err(Error::TooLarge { size: 65_536, limit: 65_535 })));
    assert!(store.lumps().embed(LumpId(1), b"small").unwrap());
    assert_eq!(store.lumps().get(LumpId(1)).unwrap().as_deref(), Some(&b"small"[..]));
}

#[test]
fn an_id_is_32_digits_and_comes_back() {
    let id = LumpId(0x2a);
    assert_eq!(id.to_string(), "0000000000000000000000000000002a");
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!("2A".parse(), Ok(id));
    for text in ["", "g", "0x2a", "100000000000000000000000000000000"] {
        assert!(text.parse::<LumpId>().is_err(), "{text}");
    }
}

/// Random calls on lumps and paths, with deltas and nodes of a few keys, the power lost now and then:
/// what was acknowledged is there, whole, and counted right.
#[test]
fn lumps_follow_a_map_through_checkpoints_and_losses_of_power() {
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let mut disk = SimDisk::new(512, 1024);
        Store::create(&disk, CreateOptions::new(seed)).unwrap();
        let mut map = BTreeMap::new();
        for mount in 0..8 {
            let options = OpenOptions::new(mount).delta_entries(4).node_entries(4).step_nodes(2);
            let store = Store::open(&disk, || Timestamp(1), options).unwrap();
            let lumps = store.lumps();
            for _ in 0..60 {
                let id = LumpId(random.below(40) as u128 * (u128::MAX / 39));
                let other = LumpId(random.below(40) as u128 * (u128::MAX / 39));
                match random.below(10) {
                    0..6 => {
                        let len = random.below(700);
                        let data = random.bytes(len);
                        assert_eq!(lumps.put(id, &data).unwrap(), !map.contains_key(&id));
                        map.insert(id, data);
                    }
                    6 => assert_eq!(lumps.delete(id).unwrap(), map.remove(&id).is_some()),
                    7 => {
                        let range = id.min(other)..=id.max(other);
                        let count = map.len();
                        map.retain(|id, _| !range.contains(id));
                        assert_eq!(lumps.delete_range(range).unwrap(), map.len() < count);
                    }
                    8 => store.set(&key(&format!("/{}", random.below(9))), &[1; 90]).unwrap(),
                    _ => store.remove(&key(&format!("/{}", random.below(9)))).unwrap(),
                }
            }
            let ids: Vec<_> = map.keys().copied().collect();
            assert_eq!(lumps.list().unwrap(), ids, "seed {seed}");
            for (id, data) in &map {
                assert_eq!(lumps.get(*id).unwrap().as_ref(), Some(data), "seed {seed}");
            }
            assert_eq!(store.verify().unwrap(), [], "seed {seed}");
            drop(store);
            disk = SimDisk::from_bytes(512, disk.crash(|_| Fate::Old));
        }
    }
}
