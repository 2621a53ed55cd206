//! `log` and `map`.

use crate::run::{Image, TOOL, with_input};
use std::fs;
use std::process::{Command, Stdio};

/// Some operations, the last one a removal, each from a process of its own.
fn image() -> Image {
    let image = Image::with_store("1M");
    image.ok("set", ["d/k1", "one"]);
    image.ok("set", ["d/\n", &"x".repeat(500)]);
    let mut put = Command::new(TOOL);
    put.args(["lump", "put"]).arg(image.path()).args(["42", "x"]);
    assert!(put.stdin(Stdio::null()).output().unwrap().status.success());
    image.ok("rm", ["d"]);
    image
}

/// The lines, with what differs from run to run left out.
fn plain(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split(", 20").next().unwrap().to_owned()).collect()
}

const FRAMES: [&str; 11] = [
    "tail: frame 1, byte 16384",
    "   operation          byte  kind           length  key",
    "frame 1: byte 16384, 4096 bytes, segment 0, mount",
    "           1         16524  set                 3  /d/k1",
    "frame 2: byte 20480, 4096 bytes, segment 0, mount",
    "           2         20620  set               500  /d/\\n",
    "frame 3: byte 24576, 4096 bytes, segment 0, mount",
    "           3         24716  set                 1  lump 0x0000000000000000000000000000002a",
    "frame 4: byte 28672, 4096 bytes, segment 0, mount",
    "           4         28812  remove range           /d/",
    "end: frame 5, byte 32768",
];

#[test]
fn the_log_shows_each_frame_and_operation_from_the_tail_to_the_end() {
    let image = image();
    let lines = plain(&image.text("log", [""; 0]));
    assert_eq!(lines[0], "head: checkpoint 6, sealed up to frame 4");
    assert_eq!(lines[1..], FRAMES);
    let from = plain(&image.text("journal", ["--from", "3"]));
    assert_eq!(from[1..], [&FRAMES[..2], &FRAMES[6..]].concat());
    // What is in a segment is there also when the tail has gone on.
    image.ok("gc", [""; 0]);
    assert_eq!(image.text("log", [""; 0]).lines().count(), 4);
    let segment = plain(&image.text("log", ["--segment", "0"]));
    assert_eq!(segment[2..], FRAMES[1..10]);
    assert_eq!(image.text("log", ["--segment", "62"]).matches("node: ").count(), 1);
    let message = image.fails_on_it(2, "log", ["--segment", "63"]);
    assert_eq!(message, "segments are 0 to 62");
}

#[test]
fn the_log_in_json_has_a_line_for_each() {
    let image = image();
    let text = image.text("log", ["--json"]);
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line.as_object().unwrap().keys().next()).collect();
    assert_eq!(kinds.len(), 10);
    assert_eq!(lines[0]["head"]["must_reach"], 4);
    assert_eq!(
        (&lines[1]["frame"]["number"], &lines[1]["frame"]["mount"]),
        (&1.into(), &true.into())
    );
    assert_eq!(
        (&lines[4]["record"]["key"], &lines[4]["record"]["size"]),
        (&"d/\n".into(), &500.into())
    );
    assert_eq!(lines[6]["record"]["lump"], "0x0000000000000000000000000000002a");
    assert_eq!(lines[8]["record"]["range"], "/d/");
    assert_eq!(lines[9]["end"]["frame"], 5);
}

#[test]
fn the_log_of_an_image_that_can_not_be_opened_is_shown_with_what_is_wrong() {
    let image = image();
    let mut bytes = image.bytes();
    bytes[16524 + 30] ^= 1;
    fs::write(image.path(), &bytes).unwrap();
    image.fails(3, "stat", [""; 0]);
    let output = image.command("log", [""; 0]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.ends_with("damaged in 2 place(s)\n"), "{told}");
    let lines = plain(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(lines[4], "damaged frame at byte 16384: its check does not fit its bytes");
    let expected = "damaged record at byte 16524: its check does not fit its bytes; \
                    it may be that of /";
    assert!(lines[5].starts_with(expected), "{}", lines[5]);
    assert_eq!(lines[6..], FRAMES[4..]);
    assert!(image.bytes() == bytes);
}

#[test]
fn the_map_counts_segments_by_their_use() {
    let image = image();
    let map = image.text("map", [""; 0]);
    let lines: Vec<_> = map.lines().collect();
    assert_eq!(lines[0], format!("     0  t0++++{}", ".".repeat(58)));
    assert_eq!(lines[1], format!("    32  {}", ".".repeat(62)));
    assert!(map.contains("\n  t      1 tail of the log, 0 % live\n"), "{map}");
    assert!(map.contains("\n  .     60 free\n"), "{map}");
    assert!(lines.iter().all(|line| line.len() <= 80));
    image.ok("gc", [""; 0]);
    assert!(image.text("map", [""; 0]).contains("n5\n"));
    let json = image.text("map", ["--json"]);
    assert_eq!(json.lines().count(), 63);
    assert!(json.ends_with("{\"live\":8192,\"segment\":62,\"size\":16384,\"use\":\"nodes\"}\n"));
}

#[test]
fn the_map_as_a_picture_has_a_square_for_each_segment() {
    let image = image();
    let svg = image.beside("map.svg");
    assert!(image.ok("map", ["--svg".as_ref(), svg.as_os_str()]).is_empty());
    let text = fs::read_to_string(&svg).unwrap();
    assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
    assert_eq!(text.matches("<title>segment ").count(), 63);
    assert_eq!(text.matches("<g>").count(), text.matches("</g>").count());
    // The image itself is never taken for the picture.
    let before = image.bytes();
    let own = image.path().to_owned();
    image.fails(2, "map", ["--svg".as_ref(), own.as_os_str()]);
    assert!(image.bytes() == before);
}

#[test]
fn in_a_session_both_are_as_on_the_command_line() {
    let image = image();
    let [log, map] = ["log", "map"].map(|verb| image.text(verb, [""; 0]));
    let output =
        with_input(&mut image.command("open", ["--read-only"]), b"log\nmap\njournal --from 9\n");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.starts_with(&(log + &map)), "{printed}");
}
