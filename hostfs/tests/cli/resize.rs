//! `resize` and `gc`.

use crate::run::{Image, noise, with_input};
use std::fs::{self, File};

fn size_of_store(image: &Image) -> u64 {
    let info = image.text("info", [""; 0]);
    let size = info.lines().find_map(|line| line.strip_prefix("size:")).unwrap();
    size.split_ascii_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_store_grows_with_its_image_and_keeps_what_it_holds() {
    let image = Image::with_store("4M");
    let value = noise(3000);
    image.set("k", &value);
    let told = image.text("resize", ["8M"]);
    assert_eq!(told, "size:    8388608 bytes (8 MiB)\n");
    assert_eq!(fs::metadata(image.path()).unwrap().len(), 8 << 20);
    assert_eq!(size_of_store(&image), 8 << 20);
    assert!(image.ok("get", ["k"]) == value);
    // More than was there before.
    let rows = (0..700).map(|i| format!("set n/{i} {}\n", "x".repeat(5_000)));
    let lines: String = rows.collect();
    let output = with_input(&mut image.command("open", [""; 0]), lines.as_bytes());
    assert!(output.status.success());
    assert!(image.ok("get", ["k"]) == value);
}

#[test]
fn what_a_crash_leaves_between_the_two_steps_is_finished_by_resize() {
    let image = Image::with_store("4M");
    image.ok("set", ["k", "v"]);
    File::options().write(true).open(image.path()).unwrap().set_len(8 << 20).unwrap();
    assert_eq!(image.ok("get", ["k"]), b"v");
    assert_eq!(size_of_store(&image), 4 << 20);
    image.ok("resize", [""; 0]);
    assert_eq!(size_of_store(&image), 8 << 20);
    image.ok("resize", ["8M"]);
    assert_eq!(size_of_store(&image), 8 << 20);
}

#[test]
fn an_image_never_becomes_smaller() {
    let image = Image::with_store("4M");
    image.ok("set", ["k", "v"]);
    let before = image.bytes();
    for size in ["0", "1M", "4194303"] {
        let message = image.fails_on_it(2, "resize", [size]);
        assert_eq!(message, "has 4194304 bytes (4 MiB) already, and never becomes smaller");
    }
    image.fails(2, "resize", ["8MB"]);
    image.fails_on_it(4, "resize", ["8388608T"]);
    assert!(image.bytes() == before);
}

#[test]
fn what_the_store_can_not_take_is_told() {
    let image = Image::with_store("4M");
    let told = image.text("resize", ["1G"]);
    assert!(told.contains("unused:  ") && told.contains("it can't grow further"), "{told}");
    image.ok("set", ["k", "v"]);
    assert_eq!(image.ok("get", ["k"]), b"v");
}

#[test]
fn nothing_is_made_longer_that_holds_no_store() {
    let image = Image::of(&noise(1 << 20));
    image.fails_on_it(3, "resize", ["2M"]);
    assert_eq!(image.bytes().len(), 1 << 20);
}

#[test]
fn gc_frees_what_is_dead_and_tells_how_much() {
    let image = Image::with_store("4M");
    for round in 0..3 {
        for i in 0..20 {
            image.set(format!("k/{round}/{i}"), &noise(10_000));
        }
    }
    image.set("other", b"v");
    image.ok("rm", ["k"]);
    let free = |text: &str, name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_ascii_whitespace().next().unwrap().parse().unwrap()
    };
    let before = free(&image.text("stat", [""; 0]), "free:");
    let told = image.text("gc", [""; 0]);
    assert!(free(&told, "freed:") > 400_000, "{told}");
    assert!(free(&told, "free:") >= before, "{told} {before}");
    assert_eq!(image.text("scan", [""; 0]), "/other\tv\n");
}
