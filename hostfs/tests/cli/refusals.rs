//! Bad images, bad arguments and full disks: one line, the right exit code, and nothing lost.

use crate::run::{Image, TOOL, all, failed, noise, with_input};
use std::fs::{self, File};
use std::process::Command;

fn set_len(image: &Image, len: u64) {
    File::options().write(true).open(image.path()).unwrap().set_len(len).unwrap();
}

#[test]
fn a_missing_image_is_named_and_not_made() {
    let image = Image::missing();
    for (verb, args) in all() {
        let message = image.fails_on_it(4, verb, args);
        assert_eq!(message, "can't open it: No such file or directory (os error 2)");
        assert!(!image.path().exists());
    }
}

#[test]
fn a_directory_is_no_image() {
    let image = Image::missing();
    fs::create_dir(image.path()).unwrap();
    for (verb, args) in all() {
        assert_eq!(image.fails_on_it(4, verb, args), "neither a file nor a block device");
    }
    image.fails_on_it(4, "create", ["--force"]);
}

#[test]
fn what_is_no_store_is_said_to_be_none() {
    for bytes in [noise(1 << 20), vec![0; 1 << 20], noise(1000), b"text".to_vec(), Vec::new()] {
        let image = Image::of(&bytes);
        for (verb, args) in all() {
            let message = image.fails_on_it(3, verb, args);
            assert_eq!(message, "there is no Nerite store on the device", "{} bytes", bytes.len());
        }
        assert!(image.bytes() == bytes);
    }
}

#[test]
fn an_image_that_was_cut_short_says_by_how_much() {
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    set_len(&image, 512 * 1024);
    for (verb, args) in all() {
        let message = image.fails_on_it(3, verb, args);
        assert_eq!(message, "the device has 524288 bytes, the store on it has 1048576");
    }
    set_len(&image, 1 << 20);
    assert_eq!(image.ok("get", ["k"]), b"v");
}

#[test]
fn an_image_that_has_grown_keeps_its_store() {
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    set_len(&image, (2 << 20) + 100);
    assert_eq!(image.ok("get", ["k"]), b"v");
    image.ok("set", ["k", "w"]);
    assert_eq!(image.ok("get", ["k"]), b"w");
}

#[test]
fn damage_is_found_and_placed_even_in_what_was_written_last() {
    let image = Image::with_store("1M");
    let value = noise(2000);
    // Closing has sealed it; without that, damage here would pass for a crash.
    image.set("k", &value);
    let mut bytes = image.bytes();
    let at = bytes.windows(64).position(|window| window == &value[1000..1064]).unwrap();
    bytes[at] ^= 1;
    fs::write(image.path(), &bytes).unwrap();
    let message = image.fails_on_it(3, "get", ["k"]);
    assert!(message.starts_with("damaged ") && message.contains(" at byte "), "{message}");
    bytes[at] ^= 1;
    fs::write(image.path(), &bytes).unwrap();
    assert!(image.ok("get", ["k"]) == value);
}

#[test]
fn verify_prints_what_is_wrong_and_nothing_of_a_sound_store() {
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    assert_eq!(image.ok("verify", [""; 0]), b"");
    let mut bytes = image.bytes();
    // The second copies of both slots of the superblock: the first of the newest one is enough.
    for page in [2, 3] {
        bytes[page * 4096 + 20] ^= 1;
    }
    fs::write(image.path(), &bytes).unwrap();
    assert_eq!(image.ok("get", ["k"]), b"v");
    let output = image.command("verify", [""; 0]).output().unwrap();
    let [told, message] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(told.starts_with("damaged superblock at byte ") && told.lines().count() == 1, "{told}");
    assert!(message.ends_with(": damaged in 1 place(s)\n"), "{message}");
}

#[test]
fn a_key_that_is_too_long_is_refused() {
    let image = Image::with_store("1M");
    let before = image.bytes();
    let name = "x".repeat(256);
    let key = vec!["y".repeat(255); 5].join("/");
    for (key, limit) in [(&name, "at most 255"), (&key, "at most 1024")] {
        for (verb, args) in
            [("get", vec![key.as_str()]), ("set", vec![key, "v"]), ("rm", vec![key])]
        {
            let message = image.fails(2, verb, args);
            assert!(message.contains(limit), "{message}");
        }
    }
    assert!(image.fails(2, "rm", [""]).contains("the root is /"));
    assert!(image.bytes() == before);
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let image = Image::missing();
    for args in [
        &["--size", "64MB"][..],
        &["--size", "-1"],
        &["--size", "99999999999T"],
        &["--block-size", "1000"],
        &["--block-size", "128K"],
        &["--uuid", "me"],
        &["--force=yes"],
        &["too", "many"],
    ] {
        image.fails(2, "create", args);
        assert!(!image.path().exists(), "{args:?}");
    }
    image.fails(2, "set", ["k"]);
    image.fails(2, "set", ["k", "v", "--file", "f"]);
    image.fails(2, "format", [""; 0]);
    failed(2, &Command::new(TOOL).output().unwrap());
}

#[test]
fn a_value_that_can_never_fit_is_refused_before_it_is_read() {
    let image = Image::with_store("64K");
    image.ok("set", ["k", "v"]);
    let before = image.bytes();
    // It has no end.
    let message = image.fails_on_it(6, "set", ["k", "--file", "/dev/zero"]);
    assert!(message.starts_with("too large: "), "{message}");
    let zero = File::open("/dev/zero").unwrap();
    let output = image.command("set", ["k", "-"]).stdin(zero).output().unwrap();
    assert!(failed(6, &output).contains("too large: "));
    image.fails_on_it(6, "set", ["k", &"x".repeat(100_000)]);
    assert!(image.bytes() == before);
    assert_eq!(image.ok("get", ["k"]), b"v");
}

#[test]
fn the_longest_value_that_is_promised_can_be_asked_for_and_no_longer_one() {
    let image = Image::with_store("1M");
    let info = image.text("info", [""; 0]);
    let limit = info.lines().find_map(|line| line.strip_prefix("value limit: ")).unwrap();
    let limit: usize = limit.split_ascii_whitespace().next().unwrap().parse().unwrap();
    let key =
        [&"x".repeat(255)[..], &"y".repeat(255), &"z".repeat(255), &"w".repeat(255)].join("/");
    image.ok("allocate", [&key[..], &limit.to_string()]);
    assert!(image.ok("get", [&key]) == vec![0; limit]);
    let value = noise(limit / 2);
    image.set(&key, &value);
    assert!(image.ok("get", [&key]) == value);
    for (len, message) in [(limit, "no space"), (limit + 1, "too large")] {
        let output = with_input(&mut image.command("set", ["k", "-"]), &noise(len));
        let told = failed(6, &output);
        assert!(told.contains(message), "{len}: {told}");
    }
    assert!(image.ok("get", [&key]) == value);
}

#[test]
fn a_full_store_refuses_more_and_keeps_what_it_has() {
    let image = Image::with_store("256K");
    let value = noise(1500);
    let file = image.beside("value");
    fs::write(&file, &value).unwrap();
    let file = file.to_str().unwrap();
    let mut count = 0;
    let message = loop {
        let key = format!("k/{count}");
        let output = image.command("set", [&key, "--file", file]).output().unwrap();
        if !output.status.success() {
            break failed(6, &output);
        }
        count += 1;
        assert!(count < 170, "256 KiB hold no 170 of these");
    };
    assert!(message.contains("no space: "), "{message}");
    assert!(count > 3, "full after {count}");
    for i in 0..count {
        assert!(image.ok("get", [format!("k/{i}")]) == value);
    }
    image.ok("rm", ["k/0"]);
    image.fails(1, "get", ["k/0"]);
    for i in 1..count {
        assert!(image.ok("get", [format!("k/{i}")]) == value);
    }
}
