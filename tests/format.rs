//! The bytes on the disk, as `docs/format.md` has them. A change here is a change of the format.

#![forbid(unsafe_code)]

mod format_objects;

use nerite::{CreateOptions, Key, KvWrite, MemoryDevice, OpenOptions, Store, Timestamp, Uuid};

/// A store of 64 KiB on 512-byte blocks, with the name of the example.
fn created(options: CreateOptions) -> MemoryDevice {
    let device = MemoryDevice::new(512, 128);
    let uuid = Uuid::from_u128(0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF);
    Store::create(&device, options.uuid(uuid).block_size(512)).unwrap();
    device
}

/// At the time of the example.
fn open(device: &MemoryDevice, options: OpenOptions) -> Store<&MemoryDevice> {
    Store::open(device, || Timestamp(0x0102_0304_0506_0708), options).unwrap()
}

/// The example that `docs/format.md` refers to: a store of 64 KiB on 512-byte blocks, in which `/a/b`
/// was set to `x`, allocated to 3 zeros below another name, moved there, and `/a` removed.
fn example() -> Vec<u8> {
    let device = created(CreateOptions::new(1));
    let store = open(&device, OpenOptions::new(2));
    let key = |path: &str| path.parse::<Key>().unwrap();
    store.set(&key("/a/b"), b"x").unwrap();
    store.allocate(&key("/a-b"), 3, Some(Timestamp(9))).unwrap();
    store.rename(&key("/a-b"), &key("/a/b")).unwrap();
    store.remove(&key("/a")).unwrap();
    store.close().unwrap();
    device.to_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Compares field by field, so that a difference is named.
fn assert_fields(bytes: &[u8], fields: &[(&str, &str)]) {
    let mut at = 0;
    for (name, expected) in fields {
        let expected = expected.replace(' ', "");
        let end = at + expected.len() / 2;
        assert_eq!(hex(&bytes[at..end]), expected, "{name}, at {at}");
        at = end;
    }
    assert!(bytes[at..].iter().all(|&byte| byte == 0), "zeros behind the last field, from {at} on");
}

const STORE: (&str, &str) = ("uuid", "00112233445566778899aabbccddeeff");
const BIRTH: (&str, &str) = ("birth", "202c651b7771d9e4");
const MADE: &str = "67ec8e65a18debbe";
const MOUNT: &str = "f74e72e91e195983";
const NONE: &str = "ffffffff";
const NOWHERE: &str = "00000000000000000000000000000000";
const TIME: (&str, &str) = ("time", "0807060504030201");

/// The block that starts at this byte of the example.
fn block(at: usize) -> Vec<u8> {
    example()[at..at + 512].to_vec()
}

#[test]
fn superblock() {
    let limits = [
        ("block size", "00020000"),
        ("block count", "8000000000000000"),
        ("blocks in a segment", "08000000"),
        ("segments", "0e000000"),
        ("longest frame", "00001000"),
        ("most unflushed bytes", "0000800000000000"),
    ];
    let tail_start = [
        ("open segment", NONE),
        ("block in it", "00000000"),
        ("its generation", "0000000000000000"),
        ("next segment", "00000000"),
        ("the one after it", "01000000"),
        ("next number", "0100000000000000"),
        ("epoch before", MADE),
        ("check before", "00000000"),
        ("next sequence", "0100000000000000"),
    ];
    let index = [
        ("frozen", "0000000000000000"),
        ("open segment of the index", NONE),
        ("block in it", "00000000"),
        ("table", NOWHERE),
        ("trees", "00"),
        ("root", NOWHERE),
        ("its level", "00"),
        ("longest node", "00100000"),
        ("longest value in a leaf", "8000"),
        ("chunk", "c0030000"),
    ];
    // Slot B as `create` left it; slot A as `close` did.
    let states = [
        (4096, "24509d69", "01", "0200000000000000", MADE, "0000000000000000"),
        (0, "f709fa1e", "00", "0300000000000000", MOUNT, "0400000000000000"),
    ];
    for (at, check, slot, checkpoint, epoch, must_reach) in states {
        let head = [
            ("magic", "4e65726974650d0a"),
            ("check", check),
            ("version", "0000"),
            ("slot", slot),
            ("copy", "00"),
            ("check algorithm", "01"),
            ("check length", "04"),
            ("key limit", "0004"),
            ("incompatible", "0000000000000000"),
            ("read-only compatible", "0000000000000000"),
            ("compatible", "0000000000000000"),
            STORE,
            BIRTH,
        ];
        let state = [("checkpoint", checkpoint), ("epoch", epoch), ("must reach", must_reach)];
        assert_fields(&block(at), &[&head[..], &limits, &state, &tail_start, &index].concat());
    }
}

/// What two frames of the example differ in.
struct Frame {
    checks: [&'static str; 2],
    flags: &'static str,
    previous_epoch: &'static str,
    number: &'static str,
    previous_check: &'static str,
    durable: &'static str,
    sequence: &'static str,
    records_len: &'static str,
    records: &'static str,
}

impl Frame {
    fn fields(&self, block: &'static str) -> Vec<(&'static str, &'static str)> {
        vec![
            ("magic", "4e724672"),
            ("frame check", self.checks[0]),
            ("header check", self.checks[1]),
            ("flags", self.flags),
            ("zero", "0000"),
            STORE,
            BIRTH,
            ("epoch", MOUNT),
            ("previous epoch", self.previous_epoch),
            ("number", self.number),
            ("group", self.number),
            ("generation", "0100000000000000"),
            ("segment", "00000000"),
            ("block", block),
            ("next segment", "01000000"),
            ("the one after it", "02000000"),
            ("previous check", self.previous_check),
            ("durable", self.durable),
            ("checkpoint", "0200000000000000"),
            ("sequence", self.sequence),
            TIME,
            ("length of the records", self.records_len),
            ("records", self.records),
        ]
    }
}

#[test]
fn frames() {
    let mount = Frame {
        checks: ["3fa76814", "877a862f"],
        flags: "0700",
        previous_epoch: MADE,
        number: "0100000000000000",
        previous_check: "00000000",
        durable: "0000000000000000",
        sequence: "0100000000000000",
        records_len: "1f000000",
        records: "01000000",
    };
    let record = [
        ("check", "2e49ee09"),
        ("kind: set", "01"),
        ("flags", "00"),
        ("key length", "0400"),
        ("value length", "01000000"),
        ("sequence", "0100000000000000"),
        ("replaced segment", "0000"),
        ("replaced length", "00000000"),
        ("key: paths, a, separator, b", "01 61 00 62"),
        ("value", "78"),
    ];
    let fields = [mount.fields("00000000"), record.into()].concat();
    assert_fields(&block(8192), &fields);

    let group = Frame {
        checks: ["64e34e55", "a32caa0c"],
        flags: "0300",
        previous_epoch: "0000000000000000",
        number: "0300000000000000",
        previous_check: "a06a8fbc",
        durable: "0200000000000000",
        sequence: "0300000000000000",
        records_len: "47000000",
        records: "02000000",
    };
    let records = [
        ("check", "23ff3e55"),
        ("kind: remove", "02"),
        ("flags", "00"),
        ("key length", "0400"),
        ("value length", "00000000"),
        ("sequence", "0300000000000000"),
        ("replaced segment: the value is in the index", "ffff"),
        ("replaced length", "29000000"),
        ("key: `-` is one more than in ASCII", "01 61 2e 62"),
        ("check", "49eac6aa"),
        ("kind: set", "01"),
        ("flags: timed", "01"),
        ("key length", "0400"),
        ("value length", "03000000"),
        ("sequence", "0400000000000000"),
        ("replaced segment: the value is in the index", "ffff"),
        ("replaced length", "1f000000"),
        ("time", "0900000000000000"),
        ("key", "01 61 00 62"),
        ("value", "000000"),
    ];
    let fields = [group.fields("02000000"), records.into()].concat();
    assert_fields(&block(8192 + 2 * 512), &fields);
}

#[test]
fn range_removal() {
    let removal = Frame {
        checks: ["35a0bc45", "c40026c0"],
        flags: "0300",
        previous_epoch: "0000000000000000",
        number: "0400000000000000",
        previous_check: "64e34e55",
        durable: "0300000000000000",
        sequence: "0500000000000000",
        records_len: "20000000",
        records: "01000000",
    };
    let record = [
        ("check", "bfcf547c"),
        ("kind: remove range", "03"),
        ("flags", "00"),
        ("key length", "0300"),
        ("value length", "03000000"),
        ("sequence", "0500000000000000"),
        ("replaced segment", "0000"),
        ("replaced length", "00000000"),
        ("from: paths, a, separator", "01 61 00"),
        ("to", "01 61 01"),
    ];
    let fields = [removal.fields("03000000"), record.into()].concat();
    assert_fields(&block(8192 + 3 * 512), &fields);
}

/// The same store with other values, when its first checkpoint is through: four keys in nodes of three
/// at most, so two leaves and a branch. Leaves hold values of up to 3 bytes; that of `/a/long` is in
/// its record.
fn tree() -> Vec<u8> {
    let device = created(CreateOptions::new(1).inline_values(3));
    let options = OpenOptions::new(2).delta_entries(4).node_entries(3).step_nodes(1);
    let store = open(&device, options);
    let key = |path: &str| path.parse::<Key>().unwrap();
    store.set(&key("/a/b"), b"x").unwrap();
    store.allocate(&key("/a/c"), 3, Some(Timestamp(9))).unwrap();
    store.set(&key("/a/long"), b"long").unwrap();
    store.set(&key("/b"), b"").unwrap();
    store.set(&key("/c"), b"").unwrap();
    store.set(&key("/c"), b"").unwrap();
    device.to_bytes()
}

/// The first block of a node or table, of those in this segment, from its start on.
fn index_block(number: usize) -> Vec<u8> {
    let at = 8192 + 13 * 4096 + number * 512;
    tree()[at..at + 512].to_vec()
}

#[test]
fn leaf() {
    let fields = [
        ("magic", "4e724e6f"),
        ("check", "a68272b2"),
        BIRTH,
        ("at", "00f0000000000000"),
        ("level", "00"),
        ("zero", "00"),
        ("cells", "0200"),
        ("length of the prefix", "0300"),
        ("end", "5b00"),
        ("prefix: paths, a, separator", "01 61 00"),
        ("slot", "2f00"),
        ("head", "000000 62"),
        ("slot", "4400"),
        ("head", "000000 63"),
        ("length of the rest of the key", "0100"),
        ("rest of the key", "62"),
        ("flags", "00"),
        ("sequence", "0100000000000000"),
        TIME,
        ("value", "78"),
        ("length of the rest of the key", "0100"),
        ("rest of the key", "63"),
        ("flags: timed", "02"),
        ("sequence", "0200000000000000"),
        ("time", "0900000000000000"),
        ("value", "000000"),
    ];
    assert_fields(&index_block(0), &fields);
}

#[test]
fn leaf_of_a_value_in_a_record_and_an_empty_one() {
    let fields = [
        ("magic", "4e724e6f"),
        ("check", "6e67bcff"),
        BIRTH,
        ("at", "00f2000000000000"),
        ("level", "00"),
        ("zero", "00"),
        ("cells", "0200"),
        ("length of the prefix", "0100"),
        ("end", "7200"),
        ("prefix: paths", "01"),
        ("slot", "2d00"),
        ("head", "6f6c 00 61"),
        ("slot", "5e00"),
        ("head", "000000 62"),
        ("length of the rest of the key", "0600"),
        ("rest of the key: a, separator, long", "61 00 6c6f6e67"),
        ("flags: record", "01"),
        ("sequence", "0300000000000000"),
        TIME,
        ("length of the value", "0400000000000000"),
        ("at", "8c24000000000000"),
        ("length of the record", "25000000"),
        ("its check", "f7a37a4f"),
        ("length of the rest of the key", "0100"),
        ("rest of the key", "62"),
        ("flags", "00"),
        ("sequence", "0400000000000000"),
        TIME,
    ];
    assert_fields(&index_block(1), &fields);
}

#[test]
fn branch() {
    let fields = [
        ("magic", "4e724e6f"),
        ("check", "15aaaf25"),
        BIRTH,
        ("at", "00f4000000000000"),
        ("level", "01"),
        ("zero", "00"),
        ("cells", "0200"),
        ("length of the prefix", "0000"),
        ("end", "5400"),
        ("slot", "2c00"),
        ("head", "00000000"),
        ("slot", "3e00"),
        ("head", "6c006101"),
        ("length of the key: the leftmost one is empty", "0000"),
        ("at", "00f0000000000000"),
        ("length", "00020000"),
        ("check", "a68272b2"),
        ("length of the key: what parts /a/c from /a/long", "0400"),
        ("key", "0161006c"),
        ("at", "00f2000000000000"),
        ("length", "00020000"),
        ("check", "6e67bcff"),
    ];
    assert_fields(&index_block(2), &fields);
}

#[test]
fn table() {
    let head = [
        ("magic", "4e725462"),
        ("check", "346bf25d"),
        BIRTH,
        ("at", "00f6000000000000"),
        ("counted", "0500000000000000"),
        ("keys", "0500000000000000"),
        ("extents", "0000000000000000"),
        ("objects that are written", "0000000000000000"),
        ("live bytes", "a500000000000000"),
        ("bytes of the index", "0008000000000000"),
        ("segments", "0e000000"),
    ];
    // Segment 0 holds the chain from the tail start on, with one record that a leaf names.
    let rows = (0..14).map(|segment| match segment {
        0 => ("row: tail", "2500000000000000"),
        13 => ("row: nodes", "0008000000000002"),
        _ => ("row: free", "0000000000000000"),
    });
    assert_fields(&index_block(3), &head.into_iter().chain(rows).collect::<Vec<_>>());
}

/// The magic, the checks and the places of the example's frames tell that nothing else was written.
#[test]
fn nothing_else_is_on_the_disk() {
    let image = example();
    let written = image.chunks(512).enumerate();
    let written = written.filter(|(_, block)| block.iter().any(|&byte| byte != 0));
    let blocks: Vec<usize> = written.map(|(number, _)| number).collect();
    assert_eq!(blocks, [0, 8, 16, 17, 18, 19]);
}

#[test]
fn key_limit_is_1024() {
    assert_eq!(Key::LEN_MAX, 0x400);
}

/// A store in which ten values, each set as the seventh operation after the one before, were kept
/// among others that were replaced, until the cleaner had moved some; and where these lie now.
fn moved() -> (Vec<u8>, usize) {
    let device = created(CreateOptions::new(1));
    let store = open(&device, OpenOptions::new(2));
    for number in 0..1000 {
        if number % 6 == 0 && number < 60 {
            store.set(&format!("/k{}", number / 6).parse().unwrap(), &[7; 600]).unwrap();
        }
        store.set(&"/hot".parse().unwrap(), &[8; 700]).unwrap();
        let image = device.to_bytes();
        if let Some(block) = image.chunks(512).position(|block| block.starts_with(b"NrSv")) {
            return (image, block * 512);
        }
    }
    panic!("nothing was moved")
}

fn check(bytes: &[u8]) -> String {
    hex(&crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(bytes).to_le_bytes())
}

const RECORD_LEN: usize = 26 + 3 + 600;

#[test]
fn survivors_and_moves() {
    let (image, at) = moved();
    let run = &image[at..];
    let record = &run[28..28 + RECORD_LEN];
    // Which one it is, is not the format's business.
    let number = record[28] - b'0';
    let key = format!("01 6b {}", hex(&[record[28]]));
    let sequence = hex(&(1 + 7 * u64::from(number)).to_le_bytes());
    let (header_check, record_check) = (check(&run[8..28]), check(&record[4..]));
    let (place, len) = (hex(&(at as u64).to_le_bytes()), hex(&run[24..28]));
    let survivor = [
        ("magic", "4e725376"),
        ("check", header_check.as_str()),
        BIRTH,
        ("at", &place),
        ("length of the records", &len),
        ("check", &record_check),
        ("kind: set", "01"),
        ("flags", "00"),
        ("key length", "0300"),
        ("value length", "58020000"),
        ("sequence", &sequence),
        ("replaced segment", "0000"),
        ("replaced length", "00000000"),
        ("key: paths, k and its number", &key),
        ("value", &"07".repeat(600)),
    ];
    assert_fields(&run[..28 + RECORD_LEN], &survivor);
    let records = run[24..28].iter().rev().fold(0, |len, &byte| len << 8 | usize::from(byte));
    assert_eq!(records % RECORD_LEN, 0, "whole records, one after the other");
    assert!(run[28 + records..(28 + records).next_multiple_of(512)].iter().all(|&byte| byte == 0));

    let head = [4, 1, 3, 0, 28, 0, 0, 0];
    let key_at = 26 + 8;
    let is_move =
        |bytes: &[u8]| bytes[4..12] == head && bytes[key_at..key_at + 3] == record[26..29];
    let start = image.windows(key_at + 3).position(is_move).expect("a move names it");
    let moved = &image[start..start + key_at + 3 + 28];
    let (own_check, own_sequence) = (check(&moved[4..]), hex(&moved[12..20]));
    let (from, to) = (hex(&moved[20..22]), hex(&(at as u64 + 28).to_le_bytes()));
    let fields = [
        ("check", own_check.as_str()),
        ("kind: move", "04"),
        ("flags: timed", "01"),
        ("key length", "0300"),
        ("value length", "1c000000"),
        ("sequence", &own_sequence),
        ("replaced segment", &from),
        ("replaced length", "75020000"),
        TIME,
        ("key", &key),
        ("sequence of the set", &sequence),
        ("length of the value", "58020000"),
        ("record: at", &to),
        ("record: length", "75020000"),
        ("record: check", &record_check),
    ];
    assert_fields(moved, &fields);
    assert!(own_sequence != sequence && from < hex(&[14, 0]));
}
