//! `ls` and `stat` of keys.

use crate::run::Image;
use nerite::{CreateOptions, Key, KvWrite, MemoryDevice, OpenOptions, Store, Timestamp};

/// 2026-01-02 03:04:05.678 UTC.
const TIME: Timestamp = Timestamp(1_767_323_045_678_000_000);

/// A store with these keys, each of which is its own value, written at [`TIME`].
fn store_of(keys: impl IntoIterator<Item = String>) -> Image {
    let device = MemoryDevice::new(512, 8192);
    Store::create(&device, CreateOptions::new(1)).unwrap();
    let store = Store::open(&device, || TIME, OpenOptions::new(2)).unwrap();
    for key in keys {
        store.set(&Key::new(&key).unwrap(), key.as_bytes()).unwrap();
    }
    store.close().unwrap();
    Image::of(&device.to_bytes())
}

fn small() -> Image {
    store_of(["a", "b/c/d", "b/e", "b-", "b0"].map(str::to_owned))
}

#[test]
fn entries_come_in_key_order_and_dictionaries_end_in_a_slash() {
    let image = small();
    assert_eq!(image.text("ls", [""; 0]), "/a\n/b/\n/b-\n/b0\n");
    assert_eq!(image.text("ls", ["/b"]), "/b/c/\n/b/e\n");
    assert_eq!(image.text("ls", ["-R"]), "/a\n/b/\n/b/c/\n/b/c/d\n/b/e\n/b-\n/b0\n");
    assert_eq!(image.text("ls", ["-R", "b/c"]), "/b/c/d\n");
}

#[test]
fn an_empty_store_lists_nothing() {
    assert_eq!(Image::with_store("64K").text("ls", ["-lR"]), "");
}

#[test]
fn the_long_form_has_size_and_time() {
    let image = small();
    let expected = "           1  2026-01-02T03:04:05Z  /a\n           \
                    8  2026-01-02T03:04:05Z  /b/\n           \
                    2  2026-01-02T03:04:05Z  /b-\n           \
                    2  2026-01-02T03:04:05Z  /b0\n";
    assert_eq!(image.text("ls", ["-l"]), expected);
}

#[test]
fn a_dictionary_of_dictionaries_has_no_time() {
    let image = store_of(["x/y/z".to_owned()]);
    assert_eq!(image.text("ls", ["-l"]), format!("{:>12}  {:<20}  /x/\n", 5, "-"));
}

#[test]
fn long_dictionaries_come_whole_and_once() {
    // Three parts, the last of which is empty, and parts of parts.
    for count in [255, 256, 512, 700] {
        let keys: Vec<_> = (0..count).map(|i| format!("d/{i:04}/x")).collect();
        let image = store_of(keys.clone());
        let listed = image.text("ls", ["d"]);
        let expected: Vec<_> = (0..count).map(|i| format!("/d/{i:04}/")).collect();
        assert!(listed.lines().eq(expected), "{count}");
        let values = image.text("ls", ["-R"]).lines().filter(|line| line.ends_with("/x")).count();
        assert_eq!(values, keys.len());
    }
}

#[test]
fn deep_keys_are_listed_to_the_bottom() {
    let image = store_of([vec!["n"; 512].join("/")]);
    assert_eq!(image.text("ls", ["-R"]).lines().count(), 512);
}

#[test]
fn stat_of_a_value_tells_all_of_it() {
    let image = store_of(["abc".to_owned()]);
    let expected = "key:            /abc\n\
                    kind:           value\n\
                    size:           3 bytes\n\
                    last modified:  2026-01-02T03:04:05.678000000Z\n\
                    sha256:         ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
    assert_eq!(image.text("stat", ["abc"]), expected);
}

#[test]
fn stat_of_a_dictionary_sums_what_is_below() {
    let image = small();
    let text = image.text("stat", ["/b"]);
    assert!(
        text.starts_with(
            "key:            /b\nkind:           dictionary\nsize:           8 bytes\n"
        ),
        "{text}"
    );
    assert!(image.text("stat", ["/"]).contains("kind:           dictionary\n"));
}

#[test]
fn times_are_those_of_the_system_s_clock() {
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    let text = image.text("ls", ["-l"]);
    let time = text.split_ascii_whitespace().nth(1).unwrap();
    // Later than any time that a constant would give.
    assert!(time > "2024", "{time}");
}
