//! The bytes of objects, as `docs/format.md` has them.

use super::{BIRTH, TIME, assert_fields, check, created, hex, open};
use nerite::{CreateOptions, KvWrite, MemoryDevice, OpenOptions, Store};

/// A store of 64 KiB with one object, of three chunks and 40 bytes: it was allocated, its second chunk
/// has stayed a hole, and all of it is in a leaf in the end.
fn object() -> Vec<u8> {
    let device = created(CreateOptions::new(1));
    let store = open(&device, OpenOptions::new(2));
    let key = "/o".parse().unwrap();
    store.allocate(&key, 2920, None).unwrap();
    store.set_partial(&key, 0, &[7; 960]).unwrap();
    store.set_partial(&key, 2 * 960, &[8; 1000]).unwrap();
    store.clean().unwrap();
    device.to_bytes()
}

fn block(number: usize) -> Vec<u8> {
    object()[number * 512..(number + 1) * 512].to_vec()
}

const KEY: (&str, &str) = ("key: paths, o", "01 6f");
const ID: (&str, &str) = ("id", "0100000000000000");
const SIZE: (&str, &str) = ("size", "680b000000000000");
const FIRST: (&str, &str) = ("key: extents, id, offset", "03 0000000000000001 0000000000000000");
const THIRD: (&str, &str) = ("key: extents, id, offset", "03 0000000000000001 0000000000000780");
const LAST: (&str, &str) = ("key: extents, id, offset", "03 0000000000000001 0000000000000b40");

#[test]
fn an_allocated_object_and_places() {
    let allocated = [
        ("check", "b4038e26"),
        ("kind: object", "05"),
        ("flags", "00"),
        ("key length", "0200"),
        ("value length", "10000000"),
        ("sequence", "0100000000000000"),
        ("replaced segment", "0000"),
        ("replaced length", "00000000"),
        KEY,
        ID,
        SIZE,
    ];
    assert_fields(&block(16)[140..], &allocated);
    let changed = [
        ("check", "3dda5c8d"),
        ("kind: object", "05"),
        ("flags", "00"),
        ("key length", "0200"),
        ("value length", "10000000"),
        ("sequence", "0400000000000000"),
        ("replaced segment: the object is in the index", "ffff"),
        ("replaced length", "2c000000"),
        KEY,
        ID,
        SIZE,
    ];
    let place = |check, sequence, key, size, at, record: [&'static str; 2]| {
        [
            ("check", check),
            ("kind: place", "07"),
            ("flags", "00"),
            ("key length", "1100"),
            ("value length", "1c000000"),
            ("sequence", sequence),
            ("replaced segment", "0000"),
            ("replaced length", "00000000"),
            key,
            ("sequence of the extent", sequence),
            ("length of its bytes", size),
            ("record: at", at),
            ("record: length", record[0]),
            ("record: check", record[1]),
        ]
    };
    let (third, last) = (["eb030000", "a9130f09"], ["53000000", "db39c9e0"]);
    let third = place("53a6aba6", "0500000000000000", THIRD, "c0030000", "1cf6000000000000", third);
    let last = place("f3fc6b05", "0600000000000000", LAST, "28000000", "07fa000000000000", last);
    assert_fields(&block(18)[140..], &[&changed[..], &third, &last].concat());
}

#[test]
fn extents() {
    let run = object()[123 * 512..126 * 512].to_vec();
    let chunk = "08".repeat(960);
    let fields = [
        ("magic", "4e725376"),
        ("check", "81b75236"),
        BIRTH,
        ("at", "00f6000000000000"),
        ("length of the records", "3e040000"),
        ("check", "a9130f09"),
        ("kind: extent", "06"),
        ("flags", "00"),
        ("key length", "1100"),
        ("value length", "c0030000"),
        ("sequence", "0500000000000000"),
        ("replaced segment", "0000"),
        ("replaced length", "00000000"),
        THIRD,
        ("bytes", &chunk),
        ("check", "db39c9e0"),
        ("kind: extent", "06"),
        ("flags", "00"),
        ("key length", "1100"),
        ("value length", "28000000"),
        ("sequence", "0600000000000000"),
        ("replaced segment", "0000"),
        ("replaced length", "00000000"),
        LAST,
        ("bytes", &chunk[..80]),
    ];
    assert_fields(&run, &fields);
}

#[test]
fn leaf_of_an_object_and_its_extents() {
    let extent = |key: (&'static str, &'static str), sequence, size, at, record: [_; 2]| {
        [
            ("length of the rest of the key", "1100"),
            key,
            ("flags: record", "01"),
            ("sequence", sequence),
            TIME,
            ("length of its bytes", size),
            ("at", at),
            ("length of the record", record[0]),
            ("its check", record[1]),
        ]
    };
    let head = [
        ("magic", "4e724e6f"),
        ("check", "f7039485"),
        BIRTH,
        ("at", "00e0000000000000"),
        ("level", "00"),
        ("zero", "00"),
        ("cells", "0400"),
        ("length of the prefix", "0000"),
        ("end", "1101"),
        ("slot", "3800"),
        ("head", "0000 6f 01"),
        ("slot", "5d00"),
        ("head", "000000 03"),
        ("slot", "9900"),
        ("head", "000000 03"),
        ("slot", "d500"),
        ("head", "000000 03"),
        ("length of the rest of the key", "0200"),
        KEY,
        ("flags: object", "04"),
        ("sequence", "0400000000000000"),
        TIME,
        ID,
        SIZE,
    ];
    let records = [["eb030000", "e639e0dc"], ["eb030000", "a9130f09"], ["53000000", "db39c9e0"]];
    let whole = "c003000000000000";
    let cells = [
        extent(FIRST, "0300000000000000", whole, "1cf0000000000000", records[0]),
        extent(THIRD, "0500000000000000", whole, "1cf6000000000000", records[1]),
        extent(LAST, "0600000000000000", "2800000000000000", "07fa000000000000", records[2]),
    ];
    assert_fields(&block(112), &[&head[..], &cells.concat()].concat());
}

#[test]
fn table_of_objects() {
    let head = [
        ("magic", "4e725462"),
        ("check", "506bf45d"),
        BIRTH,
        ("at", "00e2000000000000"),
        ("counted", "0300000000000000"),
        ("keys", "0100000000000000"),
        ("extents", "0300000000000000"),
        ("pending", "0000000000000000"),
        ("live bytes: of the object's record and of three extents", "5508000000000000"),
        ("bytes of the index", "0004000000000000"),
        ("segments", "0e000000"),
    ];
    let rows = (0..14).map(|segment| match segment {
        0 => ("row: tail", "0000000000000000"),
        12 => ("row: nodes", "0004000000000002"),
        13 => ("row: extents", "2908000000000003"),
        _ => ("row: free", "0000000000000000"),
    });
    assert_fields(&block(113), &head.into_iter().chain(rows).collect::<Vec<_>>());
}

/// What a writer has begun has a key of its own, until it is done.
#[test]
fn a_pending_object() {
    let device = MemoryDevice::new(512, 2048);
    Store::create(&device, CreateOptions::new(1)).unwrap();
    let store = open(&device, OpenOptions::new(2));
    let key = "/o".parse().unwrap();
    store.set(&key, b"x").unwrap();
    let mut writer = store.write_to(&key);
    writer.write(&vec![7; 70_000]).unwrap();
    let find = |head: &[u8]| {
        let image = device.to_bytes();
        let at = image.windows(head.len()).position(|bytes| bytes == head);
        at.map(|at| image[at - 4..at + 80].to_vec())
    };
    let begun = find(&[5, 0, 9, 0, 16, 0, 0, 0]).expect("it is pending");
    let own_check = check(&begun[4..51]);
    let fields = [
        ("check", own_check.as_str()),
        ("kind: object", "05"),
        ("flags", "00"),
        ("key length", "0900"),
        ("value length", "10000000"),
        ("sequence", "0200000000000000"),
        ("replaced segment", "0000"),
        ("replaced length", "00000000"),
        ("key: pending, id", "00 0000000000000002"),
        ("id", "0200000000000000"),
        ("size", "0000000000000000"),
    ];
    assert_fields(&begun[..51], &fields);
    writer.commit().unwrap();
    let removed = find(&[2, 0, 9, 0, 0, 0, 0, 0]).expect("it is not pending any more");
    assert_eq!(hex(&removed[26..35]), "000000000000000002");
}
