//! `set`, `get` and `rm`: what goes in comes out.

use crate::run::{Image, noise, succeeded, with_input};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

#[test]
fn awkward_values_come_back_as_they_were() {
    // Large enough for the longest of them.
    let image = Image::with_store("64M");
    let long = noise(100 * 1024);
    let values: [&[u8]; 8] =
        [b"", b"\0", b"\n", b"no newline", b"\xff\xfe\x80", b"-", b"a\r\nb\n\n", &long];
    for value in values {
        image.set("by/stdin", value);
        assert!(image.ok("get", ["by/stdin"]) == value);
        let file = image.beside("value");
        fs::write(&file, value).unwrap();
        image.ok("set", [OsStr::new("by/file"), OsStr::new("--file"), file.as_os_str()]);
        assert!(image.ok("get", ["by/file"]) == value);
    }
}

#[test]
fn a_value_on_the_command_line_is_taken_as_it_is() {
    let image = Image::with_store("1M");
    for args in
        [&["k", "plain"][..], &["k", ""], &["k", "-5"], &["k", "--", "-v"], &["--", "k", "--file"]]
    {
        image.ok("set", args);
        assert_eq!(image.ok("get", ["k"]), args.last().unwrap().as_bytes());
    }
    image.ok("set", [OsStr::new("k"), OsStr::from_bytes(b"\xff\n")]);
    assert_eq!(image.ok("get", ["k"]), b"\xff\n");
}

#[test]
fn keys_are_bytes_and_empty_names_in_them_do_not_count() {
    let image = Image::with_store("1M");
    image.ok("set", ["//net///host/", "gateway"]);
    assert_eq!(image.ok("get", ["net/host"]), b"gateway");
    let odd = OsStr::from_bytes(b"a\n\xff\x1b");
    image.set(odd, b"odd");
    assert_eq!(image.ok("get", [odd]), b"odd");
    assert_eq!(image.text("ls", ["/"]), "/a\\n\\xff\\u{1b}\n/net/\n");
    let longest =
        [&"x".repeat(255)[..], &"y".repeat(255), &"z".repeat(255), &"w".repeat(255)].join("/");
    image.ok("set", [&longest, "v"]);
    assert_eq!(image.ok("get", [&longest]), b"v");
}

#[test]
fn the_last_value_set_counts() {
    let image = Image::with_store("1M");
    for value in ["1", "22", "", "4444"] {
        image.ok("set", ["k", value]);
        assert_eq!(image.ok("get", ["k"]), value.as_bytes());
    }
    assert!(image.text("stat", [""; 0]).starts_with("keys:  1\n"));
}

#[test]
fn what_is_removed_is_gone_and_the_rest_is_not() {
    let image = Image::with_store("1M");
    for key in ["a", "b/1", "b/c/2", "bb"] {
        image.ok("set", [key, key]);
    }
    image.ok("rm", ["b"]);
    assert_eq!(image.text("ls", ["-R"]), "/a\n/bb\n");
    assert_eq!(image.fails_on_it(1, "get", ["b/1"]), "/b/1 is not found");
    image.ok("rm", ["a"]);
    image.ok("rm", ["/"]);
    assert_eq!(image.text("ls", ["-R"]), "");
}

#[test]
fn what_is_not_there_is_not_found() {
    let image = Image::with_store("1M");
    image.ok("set", ["a/b", "v"]);
    let before = image.bytes();
    for (verb, key) in
        [("get", "x"), ("rm", "a/x"), ("ls", "a/b/c"), ("stat", "a/bb"), ("get", "a/b/c")]
    {
        let message = image.fails_on_it(1, verb, [key]);
        assert_eq!(message, format!("/{key} is not found"));
    }
    image.ok("rm", ["-f", "x"]);
    image.ok("rm", ["--force", "a/b/c"]);
    assert!(image.bytes() == before, "nothing was to be written");
}

#[test]
fn a_value_is_no_dictionary_and_a_dictionary_is_no_value() {
    let image = Image::with_store("1M");
    image.ok("set", ["a/b", "v"]);
    let before = image.bytes();
    assert_eq!(image.fails_on_it(2, "get", ["a"]), "/a is a dictionary");
    assert_eq!(image.fails_on_it(2, "get", ["/"]), "/ is a dictionary");
    assert_eq!(image.fails_on_it(2, "set", ["a", "v"]), "/a is a dictionary");
    assert_eq!(image.fails_on_it(2, "set", ["/", "v"]), "/ is a dictionary");
    assert_eq!(image.fails_on_it(2, "ls", ["a/b"]), "/a/b is a value, not a dictionary");
    let message = image.fails_on_it(2, "set", ["a/b/c", "v"]);
    assert!(message.ends_with("is a value, not a dictionary"), "{message}");
    assert!(image.bytes() == before, "nothing was to be written");
    assert_eq!(image.ok("get", ["a/b"]), b"v");
}

#[test]
fn a_pipeline_copies_within_one_image() {
    let image = Image::with_store("1M");
    image.ok("set", ["from", "carried over"]);
    let mut get = image.command("get", ["from"]).stdout(Stdio::piped()).spawn().unwrap();
    let carried = get.stdout.take().unwrap();
    let set = image.command("set", ["to", "-"]).stdin(carried).output().unwrap();
    assert!(get.wait().unwrap().success());
    succeeded(&set);
    assert_eq!(image.ok("get", ["to"]), b"carried over");
}

#[test]
fn output_that_can_not_be_written_is_a_failure() {
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = image.command("get", ["k"]).stdout(full).output().unwrap();
    let message = crate::run::failed(4, &output);
    assert!(message.starts_with("can't write to standard output: "), "{message}");
}

#[test]
fn a_value_that_can_not_be_read_is_named() {
    let image = Image::with_store("1M");
    let file = image.beside("missing");
    let message = image.fails(4, "set", [OsStr::new("k"), OsStr::new("--file"), file.as_os_str()]);
    assert!(message.starts_with(&format!("{}: ", file.display())), "{message}");
    assert_eq!(image.text("ls", [""; 0]), "");
}

#[test]
fn the_image_may_lie_in_the_working_directory() {
    let image = Image::with_store("1M");
    let mut command = Command::new(crate::run::TOOL);
    command.current_dir(image.path().parent().unwrap()).args(["set", "disk.img", "k", "-"]);
    succeeded(&with_input(&mut command, b"v"));
    let mut command = Command::new(crate::run::TOOL);
    command
        .current_dir(image.path().parent().unwrap())
        .args(["create", "new.img", "--size", "64K"]);
    succeeded(&command.output().unwrap());
    assert_eq!(fs::metadata(image.beside("new.img")).unwrap().len(), 65536);
}

#[test]
fn a_range_of_keys_is_removed_at_once_and_a_reversed_one_is_empty() {
    let image = Image::with_store("1M");
    for key in ["a", "b/1", "b/2", "b/3", "c"] {
        image.ok("set", [key, "v"]);
    }
    assert_eq!(image.text("rm-range", ["z", "a"]), "nothing\n");
    assert_eq!(image.text("rm-range", ["b/4", "c"]), "nothing\n");
    // It goes through the middle of a dictionary, without its end.
    assert_eq!(image.text("rm-range", ["a", "b/3"]), "deleted\n");
    assert_eq!(image.text("ls", ["-R"]), "/b/\n/b/3\n/c\n");
    assert_eq!(image.text("rm-range", ["/", "zzz"]), "deleted\n");
    assert_eq!(image.text("ls", [""; 0]), "");
    assert_eq!(image.ok("check", [""; 0]), b"");
    assert!(image.fails(2, "rm-range", ["a"]).contains("<TO>"));
}
