//! `dump` and `load`: what goes out comes in, or nothing does.

use crate::run::{Image, failed, noise, succeeded, with_input};
use nerite::{CreateOptions, Key, KvWrite, MemoryDevice, OpenOptions, Store, Timestamp};
use std::ffi::OsStr;
use std::fs;
use std::process::Stdio;

/// A store with these values.
fn store_of(rows: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Image {
    let device = MemoryDevice::new(512, 32 << 11);
    Store::create(&device, CreateOptions::new(1)).unwrap();
    let store = Store::open(&device, || Timestamp(1), OpenOptions::new(2)).unwrap();
    for (key, value) in rows {
        store.set(&Key::new(key).unwrap(), &value).unwrap();
    }
    store.close().unwrap();
    Image::of(&device.to_bytes())
}

/// Keys and values that are hard to write down.
fn hostile() -> Vec<(Vec<u8>, Vec<u8>)> {
    let all: Vec<u8> = (0..=255).collect();
    let mut rows: Vec<(Vec<u8>, Vec<u8>)> = (0..=255)
        .filter(|&byte| byte != b'/')
        .map(|byte| (vec![byte, b'/', byte], vec![byte]))
        .collect();
    let texts =
        ["..", "\u{feff}", "\u{2028}", "{\"end\":true}", "\r\n", "\u{10ffff}", "e\u{301}", " "];
    rows.extend(texts.map(|text| (text.repeat(2).into_bytes(), text.into())));
    rows.push((vec![b'k'; 255], all.repeat(20)));
    rows.push((b"long/text".to_vec(), "\0\u{1}\"\\\u{7f}".repeat(5_000).into_bytes()));
    rows.push((b"long/bytes".to_vec(), noise(100_000)));
    rows.push((b"empty".to_vec(), Vec::new()));
    rows
}

#[test]
fn a_round_trip_keeps_every_byte() {
    let image = store_of(hostile());
    let dumped = image.ok("dump", [""; 0]);
    assert_eq!(str::from_utf8(&dumped).unwrap().lines().count(), hostile().len() + 2);
    let file = image.beside("dump");
    image.ok("dump", [OsStr::new("-o"), file.as_os_str()]);
    assert!(fs::read(&file).unwrap() == dumped);
    for from_pipe in [true, false] {
        let copy = Image::with_store("64M");
        let told = if from_pipe {
            succeeded(&with_input(&mut copy.command("load", [""; 0]), &dumped))
        } else {
            copy.ok("load", [&file])
        };
        let expected = format!("loaded:   {} values\ncommits:  1\n", hostile().len());
        assert_eq!(str::from_utf8(&told).unwrap(), expected);
        assert!(copy.ok("dump", [""; 0]) == dumped);
        assert_eq!(copy.text("digest", ["/"]), image.text("digest", ["/"]));
    }
}

#[test]
fn the_text_is_as_it_is_documented() {
    let image = store_of([
        (b"net/host".to_vec(), b"gateway".to_vec()),
        (b"\xff".to_vec(), b"\0\xff".to_vec()),
    ]);
    let text = image.text("dump", [""; 0]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], r#"{"dump":"nerite","version":1}"#);
    assert_eq!(
        lines[1],
        r#"{"key":"net/host","time":"1970-01-01T00:00:00.000000001Z","value":"gateway"}"#
    );
    let row = r#"{"key64":"/w==","time":"1970-01-01T00:00:00.000000001Z","value64":"AP8="}"#;
    assert_eq!(lines[2], row);
    assert!(lines[3].starts_with(r#"{"end":true,"rows":2,"sha256":""#), "{}", lines[3]);
    assert_eq!(lines.len(), 4);
}

#[test]
fn times_come_back_of_keys_and_lumps_and_are_now_where_none_is_told() {
    let image = Image::with_store("1M");
    let rows = "{\"dump\":\"nerite\",\"version\":1}\n\
        {\"key\":\"a\",\"time\":\"2001-02-03T04:05:06.000000007Z\",\"value\":\"1\"}\n\
        {\"key\":\"b\",\"value\":\"2\"}\n\
        {\"lump\":\"7\",\"time\":\"2001-02-03T04:05:06Z\",\"value\":\"3\"}\n\
        {\"end\":true,\"rows\":3}";
    succeeded(&with_input(&mut image.command("load", [""; 0]), rows.as_bytes()));
    let listed = image.text("ls", ["-t"]);
    let (first, second) = listed.split_once('\n').unwrap();
    assert_eq!(first, "2001-02-03T04:05:06.000000007Z  /a");
    assert!(second.starts_with("20") && !second.starts_with("2001-"), "{second}");
    let dumped = image.text("dump", [""; 0]);
    assert!(dumped.contains("\"time\":\"2001-02-03T04:05:06.000000000Z\",\"value\":\"3\""));
    let copy = Image::with_store("2M");
    succeeded(&with_input(&mut copy.command("load", [""; 0]), dumped.as_bytes()));
    assert_eq!(copy.text("dump", [""; 0]), dumped);
}

#[test]
fn a_dump_may_be_written_by_hand() {
    let image = Image::with_store("1M");
    let text = "{\"dump\":\"nerite\",\"version\":1}\n{\"key\":\"/a/b\",\"value\":\"1\"}\n\
                {\"key\":\"c\",\"value64\":\"/w==\"}\n{\"end\":true,\"rows\":2}";
    succeeded(&with_input(&mut image.command("load", [""; 0]), text.as_bytes()));
    assert_eq!(image.text("scan", [""; 0]), "/a/b\t1\n/c\t\\xff\n");
}

#[test]
fn a_damaged_dump_is_refused_whole_however_long_it_is() {
    let rows = (0..3000).map(|i| (format!("k/{i:04}").into_bytes(), noise(4000)));
    let dumped = store_of(rows).ok("dump", [""; 0]);
    let image = Image::with_store("64M");
    image.ok("set", ["k/0007", "old"]);
    let before = image.bytes();
    let last_row = dumped.len() - 200;
    let mut damaged = vec![dumped[..last_row].to_vec(), dumped[..dumped.len() - 100].to_vec()];
    damaged.push(Vec::new());
    damaged.push(noise(1000));
    for at in [10, 5000, last_row] {
        let mut bytes = dumped.clone();
        bytes[at] ^= 1;
        damaged.push(bytes);
    }
    // A line is missing.
    let second = dumped.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let third = second + dumped[second..].iter().position(|&byte| byte == b'\n').unwrap() + 1;
    damaged.push([&dumped[..second], &dumped[third..]].concat());
    damaged.push([&dumped[..], b"\n"].concat());
    for bytes in damaged {
        let output = with_input(&mut image.command("load", [""; 0]), &bytes);
        let message = failed(3, &output);
        assert!(message.starts_with("standard input: "), "{message}");
        assert!(message.ends_with("; nothing was loaded"), "{message}");
        assert!(image.bytes() == before, "{message}");
    }
    let told = succeeded(&with_input(&mut image.command("load", [""; 0]), &dumped));
    assert!(str::from_utf8(&told).unwrap().starts_with("loaded:   3000 values\n"));
    assert!(image.ok("dump", [""; 0]) == dumped);
}

#[test]
fn what_stands_in_the_way_is_found_before_anything_is_written() {
    let dumped = store_of([
        (b"a/b".to_vec(), b"1".to_vec()),
        (b"c/d/e".to_vec(), noise(60_000)),
        (b"z".to_vec(), b"2".to_vec()),
    ])
    .ok("dump", [""; 0]);
    for (key, size, code, message) in [
        ("c", "32M", 2, "/c is a value, not a dictionary"),
        ("z/y", "32M", 2, "/z is a dictionary"),
        ("x", "64K", 6, "too large: 60000 bytes"),
    ] {
        let image = Image::with_store(size);
        image.ok("set", [key, "v"]);
        let before = image.bytes();
        let output = with_input(&mut image.command("load", [""; 0]), &dumped);
        let told = failed(code, &output);
        assert!(told.contains(message), "{told}");
        assert!(image.bytes() == before);
    }
}

#[test]
fn more_than_the_store_can_hold_is_refused_before_anything_is_written() {
    let rows = (0..200).map(|i| (format!("k/{i:04}").into_bytes(), noise(4000)));
    let dumped = store_of(rows).ok("dump", [""; 0]);
    let image = Image::with_store("512K");
    let before = image.bytes();
    let output = with_input(&mut image.command("load", [""; 0]), &dumped);
    let message = failed(6, &output);
    assert!(message.contains("no space: "), "{message}");
    assert!(image.bytes() == before);
}

#[test]
fn a_store_that_becomes_full_tells_what_was_loaded() {
    let rows = (0..100).map(|i| (format!("k/{i:04}").into_bytes(), noise(3000)));
    let dumped = store_of(rows).ok("dump", [""; 0]);
    let image = Image::with_store("320K");
    let output = with_input(&mut image.command("load", [""; 0]), &dumped);
    let message = failed(6, &output);
    let loaded = image.text("scan", ["--keys-only"]).lines().count();
    assert!(loaded > 0 && loaded < 100, "{loaded}: {message}");
    let expected = format!("; {loaded} of 100 values of standard input are loaded, and stay");
    assert!(message.contains("no space: ") && message.ends_with(&expected), "{message}");
}

#[test]
fn a_pipeline_loads_what_the_same_image_dumps() {
    let image = store_of(hostile());
    let before = image.ok("dump", [""; 0]);
    let mut dump = image.command("dump", [""; 0]).stdout(Stdio::piped()).spawn().unwrap();
    let text = dump.stdout.take().unwrap();
    succeeded(&image.command("load", [""; 0]).stdin(text).output().unwrap());
    assert!(dump.wait().unwrap().success());
    assert!(image.ok("dump", [""; 0]) == before);
}

#[test]
fn a_dump_does_not_go_over_its_own_image_nor_to_a_full_disk() {
    let image = store_of(hostile());
    let before = image.bytes();
    let onto_itself = [OsStr::new("-o"), image.path().as_os_str()];
    assert_eq!(image.fails_on_it(2, "dump", onto_itself), "is the image itself");
    assert!(image.bytes() == before);
    let message = image.fails(4, "dump", ["-o", "/dev/full"]);
    assert!(message.starts_with("can't write to /dev/full: "), "{message}");
    let missing = image.beside("missing");
    let message = image.fails(4, "load", [&missing]);
    assert!(message.starts_with(&format!("{}: ", missing.display())), "{message}");
}

#[test]
fn a_line_without_end_takes_no_memory_without_end() {
    let image = Image::with_store("64K");
    let before = image.bytes();
    let mut text = b"{\"dump\":\"nerite\",\"version\":1}\n{\"key\":\"a\",\"value\":\"".to_vec();
    text.resize(4 << 20, b'x');
    let output = with_input(&mut image.command("load", [""; 0]), &text);
    let message = failed(6, &output);
    assert!(message.starts_with("standard input: line 2: longer than any value"), "{message}");
    assert!(image.bytes() == before);
}
