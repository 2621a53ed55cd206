//! Values that are longer than a record: written once, read in parts, moved, removed, whole or not at
//! all.

use super::{contents, key, open, value_of};
use nerite::{
    BlockDevice, CreateOptions, Error, KvRead, KvWrite, LumpId, OpenOptions, Store, Timestamp,
};
use nerite_tests::{CountingDevice, Fate, Random, SimDisk, TestClock};

/// Sectors in a block of 4 KiB.
const SECTORS: u64 = 8;

fn disk(bytes: u64, block_size: u32) -> SimDisk {
    let disk = SimDisk::new(512, u32::try_from(bytes / 512).unwrap());
    Store::create(&disk, CreateOptions::new(1).block_size(block_size)).unwrap();
    disk
}

fn bytes(seed: u64, len: usize) -> Vec<u8> {
    Random::new(seed).bytes(len)
}

fn reopened(disk: &SimDisk, seed: u64) -> Store<SimDisk> {
    open(SimDisk::from_bytes(512, disk.crash(|_| Fate::Old)), seed)
}

fn assert_sound<D: BlockDevice>(store: &Store<D>) {
    assert_eq!(store.verify().unwrap(), []);
}

/// Reads it in every way.
fn assert_holds<D: BlockDevice>(store: &Store<D>, path: &str, value: &[u8]) {
    let key = key(path);
    assert!(store.get(&key).unwrap() == value, "{path}");
    assert_eq!(store.size(&key).unwrap(), value.len() as u64);
    let mut random = Random::new(value.len() as u64);
    for _ in 0..5 {
        let (offset, len) = (random.below(value.len() + 10), random.below(5000));
        let mut buf = vec![0xEE; len];
        let read = store.get_partial(&key, offset as u64, &mut buf).unwrap();
        let rest = value.get(offset..).unwrap_or_default();
        let expected = &rest[..rest.len().min(len)];
        assert!(buf[..read] == *expected, "{path}: {len} bytes at {offset} of {}", value.len());
    }
    let mut reader = store.read_from(&key).unwrap();
    let mut found = Vec::new();
    let mut buf = vec![0; 777];
    loop {
        let read = reader.read(&mut buf).unwrap();
        found.extend_from_slice(&buf[..read]);
        if read == 0 {
            break;
        }
    }
    assert!(found == value, "{path}");
}

#[test]
fn values_of_all_sizes_come_back_in_every_way() {
    for (size, block) in [(64 << 10, 512), (1 << 20, 512), (4 << 20, 4096), (32 << 20, 4096)] {
        let disk = disk(size, block);
        let store = open(&disk, 2);
        let segment = usize::try_from(store.info().segment_size).unwrap();
        let (chunk, record) = ((segment / 8).clamp(1024, 65536) - 64, (segment / 4).min(65536));
        let record = record.max(4096).min(segment - 1199);
        let edges =
            [512, block as usize, chunk, 2 * chunk, 3 * chunk, record, segment, 2 * segment];
        let lens = edges.into_iter().flat_map(|edge| [edge - 1, edge, edge + 1]);
        let lens: Vec<_> = lens.filter(|&len| len as u64 <= size / 20).collect();
        for (number, &len) in lens.iter().enumerate() {
            let value = bytes(number as u64, len);
            store.set(&key("a/v"), &value).unwrap();
            assert_holds(&store, "a/v", &value);
            assert_holds(&reopened(&disk, 3), "a/v", &value);
            if number % 4 == 0 {
                store.remove(&key("a")).unwrap();
            }
        }
        assert_sound(&store);
        assert_sound(&reopened(&disk, 4));
    }
}

#[test]
fn a_part_of_a_large_value_is_read_and_written_alone_and_its_rename_moves_nothing() {
    let disk = CountingDevice::new(disk(64 << 20, 4096));
    let store = open(&disk, 2);
    let mut value = bytes(1, 20 << 20);
    store.set(&key("a"), &value).unwrap();
    disk.take();
    let mut buf = [0; 100];
    assert_eq!(store.get_partial(&key("a"), 7_000_000, &mut buf).unwrap(), 100);
    assert_eq!(buf, value[7_000_000..7_000_100]);
    // A chunk has 32 KiB here, and may begin and end within a block; the rest are nodes.
    let read = disk.take().blocks_read / SECTORS;
    assert!(read <= 8 + 2 + 4, "{read}");
    store.set_partial(&key("a"), 7_000_050, &[9; 100]).unwrap();
    value[7_000_050..7_000_150].fill(9);
    let written = disk.take().blocks_written / SECTORS;
    assert!(written <= 8 + 1 + 2, "{written}");
    store.rename(&key("a"), &key("b/c")).unwrap();
    assert!(disk.take().blocks_written <= 3 * SECTORS);
    store.rename(&key("b"), &key("d")).unwrap();
    assert!(disk.take().blocks_written <= 3 * SECTORS);
    assert_holds(&store, "d/c", &value);
    assert_sound(&store);
}

#[test]
fn what_is_allocated_takes_no_room_until_it_is_written_and_reads_as_zeros() {
    let disk = disk(4 << 20, 512);
    let store = open(&disk, 2);
    let time = Some(Timestamp(77));
    let size = 3_500_000;
    store.allocate(&key("a"), size as u64, time).unwrap();
    assert_eq!(store.last_modified(&key("a")).unwrap(), Timestamp(77));
    assert!(store.stat().live_bytes < 100);
    let mut value = vec![0; size];
    assert_holds(&store, "a", &value);
    for (fill, offset) in [(1, 0), (2, 1_000_000), (3, size - 3)] {
        store.set_partial(&key("a"), offset as u64, &[fill; 6000]).unwrap();
        let end = (offset + 6000).max(value.len());
        value.resize(end, 0);
        value[offset..offset + 6000].fill(fill);
        assert_holds(&store, "a", &value);
    }
    assert!(store.stat().live_bytes < 60_000);
    let store = reopened(&disk, 3);
    assert_holds(&store, "a", &value);
    assert_sound(&store);
}

#[test]
fn a_third_of_the_device_can_be_set_and_removed_for_ever() {
    for (size, block) in [(1 << 20, 512), (1 << 20, 4096), (4 << 20, 512), (4 << 20, 4096)] {
        let disk = disk(size, block);
        let store = open(&disk, 2);
        let mut value = bytes(1, usize::try_from(size * 3 / 10).unwrap());
        for round in 0..1000u32 {
            value[..4].copy_from_slice(&round.to_le_bytes());
            let told = store.set(&key("d/v"), &value);
            told.unwrap_or_else(|error| panic!("{error} in round {round}, {size}, {block}"));
            if round % 100 == 0 {
                assert!(store.get(&key("d/v")).unwrap() == value, "{round}");
            }
            store.remove(&key(["d/v", "d"][round as usize % 2])).unwrap();
        }
        assert_eq!(store.stat().keys, 0);
        assert_sound(&store);
        assert_sound(&reopened(&disk, 3));
    }
}

/// The cleaner moves extents as it does records: none of them is lost, and none goes elsewhere.
#[test]
fn objects_survive_cleaning_and_checkpoints() {
    let disk = disk(1 << 20, 512);
    let options = OpenOptions::new(2).delta_entries(40).step_nodes(2);
    let store = Store::open(&disk, TestClock::new(1), options).unwrap();
    let kept: Vec<_> = (0..6).map(|n| bytes(n as u64, 12_000 + 100 * n)).collect();
    for (n, value) in kept.iter().enumerate() {
        store.set(&key(&format!("kept/{n}")), value).unwrap();
        // What lies between goes, and leaves segments half empty.
        for other in 0..3 {
            store.set(&key(&format!("other/{n}/{other}")), &bytes(other, 9000)).unwrap();
        }
    }
    store.rename(&key("kept"), &key("moved")).unwrap();
    store.remove(&key("other")).unwrap();
    for round in 0..600u64 {
        store.set(&key(&format!("churn/{}", round % 7)), &bytes(round, 20_000)).unwrap();
    }
    assert_sound(&store);
    for (n, value) in kept.iter().enumerate() {
        assert_holds(&store, &format!("moved/{n}"), value);
    }
    let store = reopened(&disk, 3);
    assert_eq!(contents(&store).len(), 13);
    assert_sound(&store);
}

#[test]
fn a_dictionary_takes_its_objects_with_it() {
    let disk = disk(4 << 20, 512);
    let options = OpenOptions::new(2).delta_entries(10).step_nodes(1);
    let store = Store::open(&disk, TestClock::new(1), options).unwrap();
    for round in 0..4 {
        for n in 0..20 {
            store.set(&key(&format!("d/e/{n}")), &bytes(n, 30_000)).unwrap();
        }
        store.rename(&key("d/e"), &key("f")).unwrap();
        assert_eq!(store.list(&key("f")).unwrap().len(), 20, "{round}");
        assert_sound(&store);
        store.remove(&key("f")).unwrap();
        for n in 0..400 {
            store.set(&key(&format!("small/{}", n % 30)), &[7; 50]).unwrap();
        }
        assert_sound(&store);
        let stat = store.stat();
        assert!(stat.removals_unfinished > 0 || stat.live_bytes < 10_000, "{stat:?}");
    }
}

/// The merge that drops the keys finds the objects: their extents are another merge's work.
#[test]
fn cleaning_on_demand_frees_the_objects_of_a_removed_dictionary() {
    let disk = disk(4 << 20, 512);
    let store = open(&disk, 2);
    let before = store.clean().map(|_| store.stat().free_bytes).unwrap();
    for n in 0..60 {
        store.set(&key(&format!("d/{n}")), &bytes(n, 20_000)).unwrap();
    }
    store.clean().unwrap();
    store.remove(&key("d")).unwrap();
    store.clean().unwrap();
    let stat = store.stat();
    assert_eq!((stat.removals_unfinished, stat.keys, stat.live_bytes), (0, 0, 0));
    assert!(stat.free_bytes + 64 * 1024 > before, "{stat:?}, {before}");
    assert_sound(&store);
}

#[test]
fn lumps_have_any_size_too() {
    let disk = disk(64 << 20, 4096);
    let store = open(&disk, 2);
    let lumps = store.lumps();
    let id = LumpId(u128::MAX);
    for len in [0, 100, 70_000, 4 << 20, 9 << 20, 5 << 20, 80_000, 1] {
        let value = bytes(len as u64, len);
        assert_eq!(lumps.put(id, &value).unwrap(), len == 0, "{len}");
        assert!(lumps.get(id).unwrap() == Some(value), "{len}");
        assert_eq!(lumps.head(id).unwrap().unwrap().size, len as u64);
        let usage = lumps.usage_range(..).unwrap();
        assert!((len as u64..len as u64 * 102 / 100 + 100).contains(&usage), "{len}: {usage}");
        assert_sound(&store);
    }
    lumps.put(LumpId(7), &bytes(1, 6 << 20)).unwrap();
    assert!(lumps.delete_range(..).unwrap());
    assert_eq!(reopened(&disk, 3).lumps().list().unwrap(), []);
    store.clean().unwrap();
    assert_eq!(store.stat().live_bytes, 0);
    assert_sound(&store);
}

#[test]
fn a_writer_shows_nothing_before_it_commits_and_everything_then() {
    for size in [1 << 20, 64 << 20] {
        let disk = disk(size, 512);
        let store = open(&disk, 2);
        store.set(&key("a"), b"before").unwrap();
        let value = bytes(1, usize::try_from(size / 5).unwrap());
        let mut writer = store.write_to(&key("a"));
        for part in value.chunks(10_007) {
            writer.write(part).unwrap();
        }
        assert_eq!(value_of(&store, "a"), Some(b"before".to_vec()));
        assert_eq!(contents(&store).len(), 1);
        assert_sound(&store);
        writer.commit().unwrap();
        assert_holds(&store, "a", &value);
        assert_sound(&store);
        let store = reopened(&disk, 3);
        assert_holds(&store, "a", &value);
        assert_sound(&store);
    }
}

#[test]
fn what_a_writer_leaves_is_removed_when_it_is_dropped_or_the_power_fails() {
    let disk = disk(1 << 20, 512);
    let store = open(&disk, 2);
    let before = store.stat().live_bytes;
    for round in 0..50 {
        let mut writer = store.write_to(&key("a"));
        writer.write(&bytes(round, 200_000)).unwrap();
        drop(writer);
        store.set(&key("b"), b"x").unwrap();
    }
    assert_sound(&store);
    let mut writer = store.write_to(&key("a"));
    writer.write(&bytes(1, 200_000)).unwrap();
    let cleaned = reopened(&disk, 4);
    cleaned.clean().unwrap();
    assert!(cleaned.stat().live_bytes < before + 1000, "{:?}", cleaned.stat());
    assert_sound(&cleaned);
    let left = reopened(&disk, 3);
    assert_sound(&left);
    assert!(left.stat().live_bytes > 100_000);
    // The first write of the next mount removes it.
    left.set(&key("c"), b"x").unwrap();
    left.remove(&key("b")).unwrap();
    left.clean().unwrap();
    assert_eq!(left.stat().removals_unfinished, 0);
    assert!(left.stat().live_bytes < before + 1000, "{:?}", left.stat());
    assert_sound(&left);
    assert_eq!(contents(&left).len(), 1);
}

#[test]
fn a_writer_survives_checkpoints_and_cleaning_while_it_is_open() {
    let disk = disk(1 << 20, 512);
    let options = OpenOptions::new(2).delta_entries(40).step_nodes(2);
    let store = Store::open(&disk, TestClock::new(1), options).unwrap();
    let value = bytes(1, 200_000);
    let mut writer = store.write_to(&key("a"));
    for (n, part) in value.chunks(1000).enumerate() {
        writer.write(part).unwrap();
        store.set(&key(&format!("churn/{}", n % 5)), &bytes(n as u64, 15_000)).unwrap();
    }
    writer.commit().unwrap();
    assert_holds(&store, "a", &value);
    assert_sound(&store);
}

#[test]
fn a_reader_tells_when_the_value_has_changed() {
    let disk = disk(1 << 20, 512);
    let store = open(&disk, 2);
    for len in [100, 3000, 50_000] {
        for change in 0..4 {
            store.set(&key("a"), &bytes(1, len)).unwrap();
            let mut reader = store.read_from(&key("a")).unwrap();
            let mut buf = [0; 60];
            assert_eq!(reader.read(&mut buf).unwrap(), 60);
            match change {
                0 => store.set(&key("a"), &bytes(1, len)).unwrap(),
                1 => store.set_partial(&key("a"), 5, b"x").unwrap(),
                2 => store.rename(&key("a"), &key("b")).unwrap(),
                _ => store.remove(&key("a")).unwrap(),
            }
            assert!(matches!(reader.read(&mut buf), Err(Error::Changed)), "{len}, {change}");
        }
    }
}

/// Frame and extents are flushed together. If a crash takes an extent, the frame goes with it; once
/// something testifies to the frame, the loss is damage.
#[test]
fn a_frame_whose_extent_is_lost_has_never_been_and_one_that_was_durable_is_damage() {
    let disk = disk(1 << 20, 4096);
    let store = open(&disk, 2);
    store.set(&key("a"), &bytes(1, 30_000)).unwrap();
    let before = disk.crash(|_| Fate::Old);
    store.set(&key("a"), &bytes(2, 30_000)).unwrap();
    let after = disk.crash(|_| Fate::Old);
    store.set(&key("b"), b"x").unwrap();
    let later = disk.crash(|_| Fate::Old);
    drop(store);
    let blocks = before.chunks(4096).zip(after.chunks(4096)).enumerate();
    let changed: Vec<_> = blocks.filter(|(_, (old, new))| old != new).map(|(at, _)| at).collect();
    let is_frame = |&&block: &&usize| after[block * 4096..].starts_with(b"NrFr");
    let extents: Vec<_> = changed.iter().filter(|block| !is_frame(block)).collect();
    assert_eq!(extents.len() + 1, changed.len());
    for &&block in &extents {
        let place = block * 4096..(block + 1) * 4096;
        let mut lost = after.clone();
        lost[place.clone()].copy_from_slice(&before[place.clone()]);
        let store = open(SimDisk::from_bytes(512, lost), 3);
        assert_eq!(value_of(&store, "a"), Some(bytes(1, 30_000)), "block {block}");
        store.set(&key("c"), b"x").unwrap();
        assert_sound(&store);
        let mut lost = later.clone();
        lost[place.clone()].copy_from_slice(&before[place]);
        let store = open(SimDisk::from_bytes(512, lost), 3);
        assert!(matches!(store.get(&key("a")), Err(Error::Corrupt(_))), "block {block}");
        assert!(!store.verify().unwrap().is_empty());
    }
}
