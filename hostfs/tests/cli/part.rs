//! `exists`, `size`, `digest`, `scan`, and parts of values.

use crate::run::{Image, failed, noise};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

fn small() -> Image {
    let image = Image::with_store("1M");
    for key in ["a", "b/1", "b/2/x", "b-"] {
        image.ok("set", [key, &format!("value of {key}")]);
    }
    image
}

#[test]
fn exists_tells_the_kind_and_no_is_a_quiet_1() {
    let image = small();
    assert_eq!(image.text("exists", ["a"]), "value\n");
    assert_eq!(image.text("exists", ["b/2"]), "dictionary\n");
    assert_eq!(image.text("exists", ["/"]), "dictionary\n");
    for key in ["c", "a/b"] {
        let output = image.command("exists", [key]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"nothing\n"[..], &b""[..]));
    }
}

#[test]
fn size_and_digest_are_bare_figures() {
    let image = small();
    image.ok("set", ["abc", "abc"]);
    assert_eq!(image.text("size", ["abc"]), "3\n");
    assert_eq!(image.text("size", ["b"]), "26\n");
    assert_eq!(
        image.text("digest", ["abc"]),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
    );
    assert!(image.text("stat", ["b"]).contains(&image.text("digest", ["b"])));
    for verb in ["size", "digest"] {
        assert_eq!(image.fails_on_it(1, verb, ["x"]), "/x is not found");
    }
}

#[test]
fn a_part_of_a_value_is_what_stands_there() {
    let image = Image::with_store("4M");
    let value = noise(9000);
    image.set("k", &value);
    for (offset, length) in [(0, 9000), (0, 0), (1, 1), (8999, 1), (4000, 3000), (100, 0)] {
        let args = ["k", "--offset", &offset.to_string(), "--length", &length.to_string()];
        assert!(image.ok("get", args) == value[offset..offset + length], "{offset} {length}");
    }
    assert!(image.ok("get", ["k", "--offset", "8K"]) == value[8192..]);
    assert!(image.ok("get", ["k", "--length", "1T"]) == value);
    assert!(image.ok("get", ["k", "--offset", "16777215T"]).is_empty());
    assert!(image.ok("get", ["k", "--offset", "9000"]).is_empty());
    image.ok("set", ["d/e", "v"]);
    assert_eq!(image.fails_on_it(2, "get", ["d", "--length", "1"]), "/d is a dictionary");
    assert_eq!(image.fails_on_it(1, "get", ["x", "--offset", "1"]), "/x is not found");
    for offset in ["-1", "x", "1.5K", ""] {
        image.fails(2, "get", ["k", "--offset", offset]);
    }
}

#[test]
fn hexadecimal_shows_places_bytes_and_text() {
    let image = Image::with_store("1M");
    image.set("k", b"0123456789abcdef\x00\xffg |");
    let first = "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n";
    let second = format!("{:<58}  |..g ||\n", "00000010  00 ff 67 20 7c");
    assert_eq!(image.text("get", ["k", "--hex"]), format!("{first}{second}"));
    assert_eq!(image.text("get", ["k", "--hex", "--offset", "16"]), second);
    image.ok("set", ["empty", ""]);
    assert_eq!(image.text("get", ["empty", "--hex"]), "");
}

#[test]
fn a_value_goes_into_a_file_and_a_failure_leaves_the_file_alone() {
    let image = small();
    let file = image.beside("out");
    let get =
        |key: &str| [OsStr::new(key), OsStr::new("-o"), file.as_os_str()].map(OsStr::to_owned);
    assert!(image.ok("get", get("a")).is_empty());
    assert_eq!(fs::read(&file).unwrap(), b"value of a");
    assert_eq!(image.fails_on_it(1, "get", get("x")), "/x is not found");
    assert_eq!(fs::read(&file).unwrap(), b"value of a");
    let before = image.bytes();
    let onto_itself = [OsStr::new("a"), OsStr::new("-o"), image.path().as_os_str()];
    assert_eq!(image.fails_on_it(2, "get", onto_itself), "is the image itself");
    assert!(image.bytes() == before);
    let message = image.fails(4, "get", ["a", "-o", "/dev/full"]);
    assert!(message.starts_with("can't write to /dev/full: "), "{message}");
}

#[test]
fn scans_are_of_ranges_in_key_order() {
    let image = small();
    let all = "/a\tvalue of a\n/b/1\tvalue of b/1\n/b/2/x\tvalue of b/2/x\n/b-\tvalue of b-\n";
    assert_eq!(image.text("scan", [""; 0]), all);
    assert_eq!(image.text("scan", ["--from", "b", "--to", "b-", "--keys-only"]), "/b/1\n/b/2/x\n");
    assert_eq!(image.text("scan", ["--from", "b/2/x", "--limit", "1"]), "/b/2/x\tvalue of b/2/x\n");
    assert_eq!(image.text("scan", ["--limit", "0"]), "");
    // The other way round there is nothing in between.
    assert_eq!(image.text("scan", ["--from", "b-", "--to", "a"]), "");
    assert_eq!(image.text("scan", ["--from", "a", "--to", "a"]), "");
    image.fails(2, "scan", ["--limit", "-1"]);
}

#[test]
fn a_scan_has_a_line_for_each_value_whatever_it_holds() {
    let image = Image::with_store("1M");
    image.set(OsStr::from_bytes(b"a\n\t\xff"), b"1\n2\t\x1b\\\xfe");
    assert_eq!(image.text("scan", [""; 0]), "/a\\n\\t\\xff\t1\\n2\\t\\u{1b}\\\\\\xfe\n");
}

#[test]
fn output_that_can_not_be_written_is_a_failure_of_every_kind_of_output() {
    let image = small();
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    for verb in ["scan", "dump", "info", "ls"] {
        let output = image.command(verb, [""; 0]).stdout(full()).output().unwrap();
        assert!(failed(4, &output).starts_with("can't write to standard output: "), "{verb}");
    }
}
