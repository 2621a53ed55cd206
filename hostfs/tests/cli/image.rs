//! `create` and `info`, and what happens to the file.

use crate::run::{Image, READERS};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

const UUID: &str = "0a1b2c3d-4e5f-4012-8345-6789abcdef01";

/// The value of a line of `info` or `stat`.
fn field(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
}

#[test]
fn a_new_image_has_64_mib_and_takes_no_room() {
    let image = Image::missing();
    assert!(image.ok("create", [""; 0]).is_empty());
    let metadata = fs::metadata(image.path()).unwrap();
    assert_eq!(metadata.len(), 64 << 20);
    assert!(metadata.blocks() * 512 < 4 << 20, "it is not sparse");
    let info = image.text("info", [""; 0]);
    assert_eq!(field(&info, "size"), "67108864 bytes (64 MiB)");
    assert_eq!(field(&info, "block size"), "4096 bytes (4 KiB)");
    assert_eq!(field(&info, "flush"), "supported");
}

#[test]
fn create_does_what_it_is_told() {
    let image = Image::missing();
    image.ok("create", ["--size", "2MiB", "--block-size", "512", "--uuid", UUID]);
    let info = image.text("info", [""; 0]);
    assert_eq!(field(&info, "size"), "2097152 bytes (2 MiB)");
    assert_eq!(field(&info, "block size"), "512 bytes");
    assert_eq!(field(&info, "uuid"), UUID);
}

#[test]
fn stores_have_names_of_their_own() {
    let names: [String; 2] =
        [(); 2].map(|()| field(&Image::with_store("1M").text("info", [""; 0]), "uuid"));
    assert_ne!(names[0], names[1]);
}

#[test]
fn the_smallest_image_works() {
    let image = Image::with_store("64K");
    image.ok("set", ["k", "v"]);
    assert_eq!(image.ok("get", ["k"]), b"v");
}

#[test]
fn an_image_that_is_too_small_is_refused_and_not_left_behind() {
    let image = Image::missing();
    for size in ["0", "1", "4K"] {
        let message = image.fails(6, "create", ["--size", size]);
        assert!(message.contains("disk.img: "), "{message}");
        assert!(!image.path().exists());
    }
    image.fails(4, "create", ["--size", "8388608T"]);
    assert!(!image.path().exists());
}

#[test]
fn a_blank_image_is_taken_with_the_size_that_it_has() {
    let image = Image::of(&vec![0; 300 * 1024]);
    image.ok("create", [""; 0]);
    assert_eq!(image.bytes().len(), 300 * 1024);
    let blank = Image::of(&vec![0; 1 << 20]);
    blank.ok("create", ["--size", "1M"]);
    blank.ok("set", ["k", "v"]);
    assert_eq!(blank.bytes().len(), 1 << 20);
}

#[test]
fn an_image_that_is_there_is_never_resized() {
    let image = Image::of(&vec![0; 1 << 20]);
    for size in ["512K", "2M"] {
        let message = image.fails_on_it(2, "create", ["--size", size, "--force"]);
        assert!(message.contains("1048576 bytes"), "{message}");
        assert!(image.bytes() == vec![0; 1 << 20]);
    }
}

#[test]
fn data_of_others_are_overwritten_only_by_force() {
    for first in [0, 4096, 512 * 1024] {
        let mut bytes = vec![0; 1 << 20];
        bytes[first..first + 4].copy_from_slice(b"data");
        let image = Image::of(&bytes);
        let message = image.fails_on_it(2, "create", [""; 0]);
        assert_eq!(message, "holds data already; --force overwrites it", "data at {first}");
        assert!(image.bytes() == bytes);
        image.ok("create", ["--force"]);
        image.ok("set", ["k", "v"]);
    }
}

#[test]
fn a_store_is_replaced_only_by_force() {
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    let before = image.bytes();
    image.fails_on_it(2, "create", [""; 0]);
    image.fails_on_it(2, "create", ["--size", "1M"]);
    assert!(image.bytes() == before);
    assert_eq!(image.ok("get", ["k"]), b"v");
    image.ok("create", ["--force"]);
    assert_eq!(image.text("ls", [""; 0]), "");
    image.ok("set", ["k", "new"]);
    assert_eq!(image.ok("get", ["k"]), b"new");
}

#[test]
fn nothing_is_made_where_there_is_no_directory_or_behind_a_link() {
    let image = Image::missing();
    symlink(image.beside("elsewhere"), image.path()).unwrap();
    image.fails_on_it(4, "create", [""; 0]);
    assert!(!image.beside("elsewhere").exists());
    fs::remove_file(image.path()).unwrap();
    symlink(image.beside("missing/disk.img"), image.path()).unwrap();
    image.fails_on_it(4, "create", [""; 0]);
}

#[test]
fn readers_leave_every_byte_as_it_was() {
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    image.ok("set", ["d/e", "w"]);
    let before = image.bytes();
    for (verb, args) in READERS {
        image.ok(verb, args);
        assert!(image.bytes() == before, "{verb} {args:?} wrote");
    }
}

#[test]
fn figures_follow_what_is_written() {
    let image = Image::with_store("1M");
    let keys_and_live = || {
        let text = image.text("stat", [""; 0]);
        let live = field(&text, "live");
        assert_eq!(field(&text, "cut"), "no");
        (field(&text, "keys"), live.split(' ').next().unwrap().parse::<u64>().unwrap())
    };
    assert_eq!(keys_and_live(), ("0".to_owned(), 0));
    image.set("k", &[7; 1000]);
    let (keys, live) = keys_and_live();
    assert_eq!(keys, "1");
    assert!((1001..1200).contains(&live), "{live}");
    image.ok("rm", ["k"]);
    assert_eq!(keys_and_live().0, "0");
}
