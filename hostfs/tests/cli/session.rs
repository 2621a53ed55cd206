//! `open` with lines from a pipe.

use crate::run::{Image, READERS, with_input};
use std::fmt::Write as _;
use std::process::Output;

/// What a session on the image prints: its data, its messages, its exit code.
fn session(image: &Image, lines: &str) -> (String, String, i32) {
    let Output { status, stdout, stderr } =
        with_input(&mut image.command("open", [""; 0]), lines.as_bytes());
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (stdout, stderr, status.code().unwrap())
}

/// Runs lines of which one writes and none fails.
#[track_caller]
fn prints(image: &Image, lines: &str, expected: &str) {
    let (stdout, stderr, code) = session(image, lines);
    assert_eq!((stdout.as_str(), stderr.as_str(), code), (expected, "durable\n", 0));
}

#[test]
fn what_is_put_is_got_and_said_to_be_durable() {
    let image = Image::with_store("1M");
    prints(&image, "put 1 a\nget 1\n", "a\n");
    // The last line may lack its end, and lines of Windows are as good.
    prints(&image, "set 1 b\r\nget 1", "b\n");
    assert_eq!(image.ok("get", ["1"]), b"b");
}

#[test]
fn a_session_goes_on_after_any_failure_and_tells_the_first() {
    let image = Image::with_store("1M");
    let lines = "get x\nset a/b v\nset a v\nnonsense\nls 'a\nget\nresize 5M\nset - -\nset y -\n\
                 load\nset y \\q\n\nrm a/b\nget x\nls\nexists x\nput ok ok\nget ok\nexit\nget never\n";
    let (stdout, stderr, code) = session(&image, lines);
    assert_eq!((stdout.as_str(), code), ("nothing\nok\n", 1));
    let mut messages = stderr.lines();
    for expected in [
        "/x is not found",
        "durable",
        "/a is a dictionary",
        "unrecognized subcommand 'nonsense' (see help)",
        "a quote ' is not closed",
        "were not provided: <KEY> (see help)",
        "unrecognized subcommand 'resize'",
        "standard input is what the session reads; name a file",
        "standard input is what the session reads; name a file",
        "standard input is what the session reads; name a file",
        "\\q means nothing",
        "durable",
        "/x is not found",
        "durable",
    ] {
        let line = messages.next().unwrap();
        assert!(line.contains(expected), "{line} for {expected}");
    }
    assert_eq!(messages.next(), None);
}

#[test]
fn a_full_store_refuses_and_the_session_goes_on() {
    let image = Image::with_store("64K");
    let value = "x".repeat(1500);
    let mut lines = String::new();
    for i in 0..60 {
        writeln!(lines, "put k/{i} {value}").unwrap();
    }
    lines += "rm k/0\nput small 1\nget small\n";
    let (stdout, stderr, code) = session(&image, &lines);
    assert_eq!((stdout.as_str(), code), ("1\n", 6));
    assert!(stderr.contains(": no space: ") && stderr.ends_with("durable\ndurable\n"), "{stderr}");
}

#[test]
fn what_is_shown_can_be_typed() {
    let image = Image::with_store("1M");
    let lines = r#"set a\ b\xff\n\u{1b}\\ 'one two'
ls
get "a b\xff\n\u{1b}\\"
get a\ b\xff\n\u{1b}\\ --hex --length 3
"#;
    let data = r"/a b\xff\n\u{1b}\\
one two
00000000  6f 6e 65                                          |one|
";
    prints(&image, lines, data);
}

#[test]
fn every_verb_works_in_it() {
    let image = Image::with_store("4M");
    let file = image.beside("file");
    let name = file.display();
    let lines = format!(
        "set k v\ncp k l\nmv l m\ntouch n\nallocate o 3\nscan --from m\nsize k\nexists o\n\
         dump -o {name}\nrm /\nload {name}\nget k\nrm m\ngc\ninfo\nstat\nstat k\ndigest k\nls -lR\n"
    );
    let (stdout, stderr, code) = session(&image, &lines);
    assert_eq!((stderr.as_str(), code), ("durable\n".repeat(9).as_str(), 0));
    let expected = "/m\tv\n/n\t\n/o\t\\u{0}\\u{0}\\u{0}\n1\nvalue\nloaded:   4 values\n\
                    commits:  1\nv\nfreed:  ";
    assert!(stdout.starts_with(expected), "{stdout}");
    assert_eq!(image.text("ls", [""; 0]), "/k\n/n\n/o\n");
}

#[test]
fn help_speaks_of_the_session() {
    let image = Image::with_store("1M");
    let (stdout, stderr, code) = session(&image, "help\nhelp set\nls --help\nhelp nonsense\n");
    assert!(stdout.contains("Usage: set [OPTIONS] <KEY> [VALUE]\n"), "{stdout}");
    assert!(stdout.contains("Usage: ls [OPTIONS] [KEY]\n") && !stdout.contains("IMG"), "{stdout}");
    assert!(!stdout.contains("create"), "{stdout}");
    assert_eq!((stderr.as_str(), code), ("nerite: there is no command nonsense (see help)\n", 2));
}

#[test]
fn a_session_to_read_changes_nothing() {
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    let before = image.bytes();
    let mut lines = String::new();
    for (verb, args) in READERS.iter().filter(|(verb, _)| *verb != "open") {
        writeln!(lines, "{verb} {}", args.join(" ")).unwrap();
    }
    let mut command = image.command("open", ["--read-only"]);
    let output = with_input(&mut command, (lines + "set k w\ngc\nget k\n").as_bytes());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.matches("the store is open for reading only").count(), 2, "{stderr}");
    assert!(output.stdout.ends_with(b"v\n"));
    assert!(image.bytes() == before);
}
