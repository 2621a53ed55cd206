//! One writer, or any number of readers.

use crate::run::{ALL, Image, READERS};
use nerite_hostfs::{FileDevice, OpenError};

const IN_USE: &str = "in use by a running guest or another process";

fn image() -> Image {
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    image
}

#[test]
fn a_writer_keeps_every_command_out() {
    let image = image();
    let before = image.bytes();
    let device = FileDevice::open(image.path()).unwrap();
    for (verb, args) in ALL {
        assert_eq!(image.fails_on_it(5, verb, args), IN_USE, "{verb}");
    }
    assert_eq!(image.fails_on_it(5, "create", ["--force"]), IN_USE);
    assert!(image.bytes() == before);
    drop(device);
    assert_eq!(image.ok("get", ["k"]), b"v");
}

#[test]
fn a_reader_keeps_out_writers_only() {
    let image = image();
    let before = image.bytes();
    let device = FileDevice::open_read_only(image.path()).unwrap();
    for (verb, args) in READERS {
        image.ok(verb, args);
    }
    assert_eq!(image.fails_on_it(5, "set", ["k", "w"]), IN_USE);
    assert_eq!(image.fails_on_it(5, "rm", ["k"]), IN_USE);
    assert_eq!(image.fails_on_it(5, "create", ["--force"]), IN_USE);
    assert!(image.bytes() == before);
    drop(device);
    image.ok("set", ["k", "w"]);
    assert_eq!(image.ok("get", ["k"]), b"w");
}

#[test]
fn a_command_that_waits_for_a_value_does_not_hold_the_image() {
    let image = image();
    let mut set = image.command("set", ["k", "-"]);
    let mut set = set.stdin(std::process::Stdio::piped()).spawn().unwrap();
    // Whether or not it has begun: it opens the image for reading, at most, until its input ends.
    image.ok("get", ["k"]);
    drop(set.stdin.take());
    assert!(set.wait().unwrap().success());
    assert_eq!(image.ok("get", ["k"]), b"");
}

#[test]
fn a_command_that_failed_holds_nothing() {
    let image = image();
    image.fails(1, "rm", ["x"]);
    image.fails(2, "set", ["k/x", "v"]);
    assert!(!matches!(FileDevice::open(image.path()), Err(OpenError::InUse)));
}
