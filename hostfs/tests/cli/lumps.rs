//! `lump`: values under numbers.

use crate::run::{Image, TOOL, failed, noise, succeeded, with_input};
use std::fmt::Write;
use std::fs;
use std::process::{Command, Output};

fn run(image: &Image, verb: &str, args: &[&str]) -> Output {
    let mut command = Command::new(TOOL);
    command.args(["lump", verb]).arg(image.path()).args(args);
    with_input(&mut command, b"from a pipe")
}

#[track_caller]
fn ok(image: &Image, verb: &str, args: &[&str]) -> String {
    String::from_utf8(succeeded(&run(image, verb, args))).unwrap()
}

#[track_caller]
fn fails(image: &Image, code: i32, verb: &str, args: &[&str]) -> String {
    failed(code, &run(image, verb, args))
}

fn shown(ids: &[u128]) -> String {
    ids.iter().fold(String::new(), |text, id| text + &format!("0x{id:032x}\n"))
}

#[test]
fn lumps_are_put_and_got_under_numbers_of_either_form() {
    let image = Image::with_store("1M");
    assert_eq!(ok(&image, "put", &["42", "test_string"]), "new\n");
    assert_eq!(ok(&image, "get", &["0x2a"]), "test_string");
    assert_eq!(ok(&image, "embed", &["0x2A", "🦀"]), "overwritten\n");
    assert_eq!(
        ok(&image, "get-bytes", &["42"]),
        format!("{:<58}  |....|\n", "00000000  f0 9f a6 80")
    );
    assert_eq!(ok(&image, "put", &["7", "-"]), "new\n");
    assert_eq!(ok(&image, "get", &["7"]), "from a pipe");
    let last = u128::MAX.to_string();
    ok(&image, "put", &[&last, "--", "-v"]);
    assert_eq!(ok(&image, "get", &["0xffffffffffffffffffffffffffffffff"]), "-v");
    let head = ok(&image, "head", &["7"]);
    assert!(head.starts_with("11\t20") && head.ends_with("Z\n"), "{head}");
    // Keys are beside them.
    assert_eq!(image.text("ls", [""; 0]), "");
    image.ok("set", ["42", "a key"]);
    assert_eq!(ok(&image, "get", &["42"]), "🦀");
}

#[test]
fn lumps_are_listed_and_removed_in_ranges_up_to_the_last() {
    let image = Image::with_store("1M");
    assert_eq!(ok(&image, "list", &[]), "");
    let ids = [0, 1, 300, 1 << 64, u128::MAX - 1, u128::MAX];
    for id in ids {
        ok(&image, "put", &[&id.to_string(), "v"]);
    }
    assert_eq!(ok(&image, "list", &[]), shown(&ids));
    assert_eq!(ok(&image, "list", &["1", "0x10000000000000000"]), shown(&ids[1..3]));
    assert_eq!(ok(&image, "list", &["301", "last"]), shown(&ids[3..]));
    // The other way round there is nothing in between.
    assert_eq!(ok(&image, "list", &["300", "1"]), "");
    assert_eq!(ok(&image, "delete-range", &["300", "1"]), "nothing\n");
    let all: u64 = ok(&image, "usage", &[]).trim().parse().unwrap();
    let some: u64 = ok(&image, "usage", &["0", "300"]).trim().parse().unwrap();
    assert!(all > 6 && some * 3 == all, "{some} of {all}");
    assert_eq!(ok(&image, "delete", &["300"]), "");
    assert_eq!(ok(&image, "delete-range", &["1", &u128::MAX.to_string()]), "deleted\n");
    assert_eq!(ok(&image, "list", &[]), shown(&[0, u128::MAX]));
    assert_eq!(ok(&image, "delete-range", &["1", "last"]), "deleted\n");
    assert_eq!(ok(&image, "list", &[]), shown(&[0]));
}

#[test]
fn long_lists_come_whole_and_once() {
    let image = Image::with_store("4M");
    // As many as are fetched at once, and one more.
    let mut text = "{\"dump\":\"nerite\",\"version\":1}\n".to_owned();
    for id in 0..1024 {
        writeln!(text, "{{\"lump\":\"{id}\",\"value\":\"\"}}").unwrap();
    }
    text += "{\"end\":true,\"rows\":1024}\n";
    succeeded(&with_input(&mut image.command("load", [""; 0]), text.as_bytes()));
    for count in [1024, 1025] {
        ok(&image, "put", &[&(count - 1).to_string(), ""]);
        assert_eq!(ok(&image, "list", &[]), shown(&(0..count).collect::<Vec<_>>()));
    }
}

#[test]
fn what_is_wrong_with_lumps_is_told_and_nothing_is_written() {
    let image = Image::with_store("1M");
    ok(&image, "put", &["1", "v"]);
    let before = image.bytes();
    for verb in ["get", "get-bytes", "head", "delete"] {
        assert!(fails(&image, 1, verb, &["0x2a"]).ends_with(": lump 42 is not found"));
    }
    for id in ["-1", "x", "", "2a", "340282366920938463463374607431768211456"] {
        fails(&image, 2, "get", &["--", id]);
    }
    fails(&image, 2, "put", &["1"]);
    fails(&image, 2, "frobnicate", &["1"]);
    let file = image.beside("value");
    fs::write(&file, noise(65_536)).unwrap();
    let args = ["2", "--file", file.to_str().unwrap()];
    assert!(fails(&Image::with_store("64M"), 6, "embed", &args).contains("at most 65535"));
    assert!(image.bytes() == before);
}

#[test]
fn a_dump_has_the_lumps_too() {
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    ok(&image, "put", &["0x2a", "-"]);
    ok(&image, "put", &["340282366920938463463374607431768211455", ""]);
    let dumped = image.text("dump", [""; 0]);
    let row = dumped.lines().nth(2).unwrap();
    assert!(row.starts_with(r#"{"lump":"0x0000000000000000000000000000002a","time":""#), "{row}");
    assert!(row.ends_with(r#","value":"from a pipe"}"#), "{row}");
    let copy = Image::with_store("1M");
    let told = succeeded(&with_input(&mut copy.command("load", [""; 0]), dumped.as_bytes()));
    assert_eq!(str::from_utf8(&told).unwrap(), "loaded:   3 values\ncommits:  3\n");
    assert_eq!(copy.text("dump", [""; 0]), dumped);
}

#[test]
fn a_session_has_the_same_commands() {
    let image = Image::with_store("1M");
    let lines = b"lump put 42 'test string'\nlump get 0x2a\nlump\nlump get\nlump put 1 -\n\
                  lump get 43\nlump delete 42\nlump list\nhelp lump\nlump get --help\n";
    let output = with_input(&mut image.command("open", [""; 0]), lines);
    let [stdout, stderr] = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
    assert!(stdout.starts_with("new\ntest string\nPut, get, list and remove lumps"), "{stdout}");
    assert!(stdout.contains("delete-range") && !stdout.contains("IMG"), "{stdout}");
    let told: Vec<_> = stderr.lines().collect();
    assert_eq!(told.len(), 6, "{stderr}");
    assert_eq!((told[0], told[5]), ("durable", "durable"));
    assert!(told[1].contains("requires a subcommand") && told[2].contains("<ID>"), "{stderr}");
    assert!(told[3].contains("name a file") && told[4].contains("43 is not found"), "{stderr}");
    assert_eq!(output.status.code(), Some(2));
}
