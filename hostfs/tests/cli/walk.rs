//! The walk-through of `kanils`' own introduction, with the commands here, and what went wrong there.

use crate::run::{Image, with_input};
use std::fmt::Write;

/// The smallest image there is.
fn smallest() -> Image {
    let image = Image::missing();
    image.ok("create", ["--size", "64K", "--block-size", "512"]);
    image
}

#[test]
fn a_session_puts_deletes_collects_fills_up_and_goes_on() {
    let image = smallest();
    let mut lines = "lump put 42 test_string\nlump put 7 🦀\nlump get 42\nlump get 7\nlump list\n\
                     lump delete 42\nlump get 42\nlump list\ngc\nheader\n"
        .to_owned();
    for id in 100..300 {
        writeln!(lines, "lump put {id} {}", "x".repeat(300)).unwrap();
    }
    // It is full; what is there can be read, and room can be made.
    lines += "lump get 7\nlump delete-range 100 last\nlump put 100 x\nlump get 100\n";
    let output = with_input(&mut image.command("open", [""; 0]), lines.as_bytes());
    let [data, told] = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
    let begin = "new\nnew\ntest_string\n🦀\n0x00000000000000000000000000000007\n\
                 0x0000000000000000000000000000002a\n0x00000000000000000000000000000007\nfreed:  ";
    assert!(data.starts_with(begin), "{data}");
    assert!(data.ends_with("new\n🦀\ndeleted\nnew\nx\n"), "{data}");
    assert!(told.starts_with("durable\ndurable\ndurable\nnerite: "), "{told}");
    assert!(told.contains("lump 42 is not found") && told.contains(": no space: "), "{told}");
    assert!(told.ends_with("durable\ndurable\n"), "{told}");
    // The first failure was that 42 is not found.
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn one_key_is_put_by_many_processes_one_after_the_other() {
    let image = smallest();
    for i in 0..300 {
        let value = i.to_string();
        image.ok("put", ["1", &value]);
    }
    assert_eq!(image.ok("get", ["1"]), b"299");
    assert_eq!(image.ok("verify", [""; 0]), b"");
}
