//! `mv`, `cp`, `touch` and `allocate`.

use crate::run::{Image, noise};

fn small() -> Image {
    let image = Image::with_store("1M");
    for key in ["a", "d/1", "d/e/2", "v"] {
        image.ok("set", [key, key]);
    }
    image
}

fn all(image: &Image) -> String {
    image.text("scan", [""; 0]).replace('\t', "=").replace('\n', " ")
}

/// The time of a key, to the nanosecond.
fn time(image: &Image, key: &str) -> String {
    let text = image.text("stat", [key]);
    let line = text.lines().find_map(|line| line.strip_prefix("last modified:"));
    line.unwrap().trim().to_owned()
}

#[test]
fn values_and_dictionaries_move_whole_with_their_times() {
    let image = small();
    let before = time(&image, "a");
    image.ok("mv", ["a", "b"]);
    assert_eq!(time(&image, "b"), before);
    image.ok("mv", ["d", "x/y"]);
    assert_eq!(all(&image), "/b=a /v=v /x/y/1=d/1 /x/y/e/2=d/e/2 ");
    image.ok("mv", ["b", "x"]);
    image.ok("mv", ["v", "x/b"]);
    assert_eq!(all(&image), "/x/b=v /x/y/1=d/1 /x/y/e/2=d/e/2 ");
}

#[test]
fn what_can_not_move_stays() {
    let image = small();
    let before = image.bytes();
    for (code, source, dest, message) in [
        (1, "x", "y", "/x is not found"),
        (2, "d", "d/f", "/d can't be moved below itself, to /d/f"),
        (2, "d", "v", "/d is a dictionary"),
        (2, "a", "v/x", "/v is a value, not a dictionary"),
    ] {
        assert_eq!(image.fails_on_it(code, "mv", [source, dest]), message);
    }
    assert!(image.bytes() == before);
}

#[test]
fn values_are_copied_to_where_they_would_move() {
    let image = small();
    image.ok("cp", ["a", "b"]);
    image.ok("cp", ["a", "d"]);
    image.ok("cp", ["v", "a"]);
    assert_eq!(all(&image), "/a=v /b=a /d/1=d/1 /d/a=a /d/e/2=d/e/2 /v=v ");
}

#[test]
fn dictionaries_are_copied_at_once_if_asked_for() {
    let image = small();
    assert_eq!(image.fails_on_it(2, "cp", ["d", "f"]), "/d is a dictionary; -R copies it");
    image.ok("cp", ["-R", "d/e", "n"]);
    image.ok("cp", ["-R", "d", "n"]);
    assert_eq!(
        all(&image),
        "/a=a /d/1=d/1 /d/e/2=d/e/2 /n/2=d/e/2 /n/d/1=d/1 /n/d/e/2=d/e/2 /v=v "
    );
    let before = image.bytes();
    for (code, args, message) in [
        (1, ["-R", "x", "y"], "/x is not found"),
        (2, ["-R", "d", "n"], "/n/d is there already"),
        (2, ["-R", "d", "v"], "/d is a dictionary"),
        (2, ["-R", "d", "d/e"], "/d can't be copied below itself"),
        (2, ["-R", "d", "a/b"], "/a is a value, not a dictionary"),
        (2, ["-R", "/", "d"], "/ can't be copied below itself"),
        (2, ["-R", "a", "a"], "/a can't be copied onto itself"),
    ] {
        assert_eq!(image.fails_on_it(code, "cp", args), message);
    }
    assert!(image.bytes() == before);
}

#[test]
fn a_dictionary_that_is_too_large_for_one_commit_is_not_copied_in_part() {
    let image = Image::with_store("64M");
    for i in 0..44 {
        image.set(format!("d/{i}"), &noise(200_000));
    }
    let message = image.fails_on_it(6, "cp", ["-R", "d", "e"]);
    assert!(message.starts_with("too large: 8800000 bytes"), "{message}");
    assert_eq!(image.text("ls", [""; 0]), "/d/\n");
}

#[test]
fn touch_makes_an_empty_value_or_a_new_time() {
    let image = small();
    image.ok("touch", ["new"]);
    assert_eq!(image.ok("get", ["new"]), b"");
    let before = time(&image, "a");
    image.ok("touch", ["a"]);
    assert!(time(&image, "a") > before);
    assert_eq!(image.ok("get", ["a"]), b"a");
    assert_eq!(image.fails_on_it(2, "touch", ["d"]), "/d is a dictionary");
}

#[test]
fn allocate_makes_zeros_with_a_time_where_there_is_nothing() {
    let image = small();
    image.ok("allocate", ["z", "2K", "--time", "2026-01-02T03:04:05.5Z"]);
    assert!(image.ok("get", ["z"]) == [0; 2048]);
    assert_eq!(time(&image, "z"), "2026-01-02T03:04:05.500000000Z");
    assert_eq!(image.fails_on_it(2, "allocate", ["a", "1"]), "/a is there already");
    assert!(image.fails_on_it(6, "allocate", ["y", "1T"]).starts_with("too large: "));
    image.fails(2, "allocate", ["y", "1X"]);
    image.fails(2, "allocate", ["y", "1", "--time", "yesterday"]);
    assert_eq!(image.text("exists", ["z"]), "value\n");
}

#[test]
fn ls_shows_times_to_the_nanosecond() {
    let image = Image::with_store("1M");
    image.ok("allocate", ["z", "7", "--time", "2026-01-02T03:04:05.000000006Z"]);
    assert_eq!(image.text("ls", ["-t"]), "2026-01-02T03:04:05.000000006Z  /z\n");
    assert_eq!(image.text("ls", ["-lt"]), "           7  2026-01-02T03:04:05.000000006Z  /z\n");
    image.ok("allocate", ["d/e/f", "7"]);
    assert!(image.text("ls", ["--timestamp"]).starts_with(&format!("{:<30}  /d/\n", "-")));
}
