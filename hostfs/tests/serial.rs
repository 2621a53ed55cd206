//! Tests that a process being started beside them would disturb: locks, pipes and programs.
//!
//! Until a new process runs its program it holds all that is open here, whoever started it: a lock
//! is then not released, a pipe not closed, a program not written to its end. So these run one
//! after the other. Cargo runs no other file of tests meanwhile.

mod alone;
#[expect(dead_code, reason = "the tests in `cli/` use the rest")]
#[path = "cli/run.rs"]
mod run;

use alone::alone;
use nerite_hostfs::{FileDevice, OpenError};
use run::{Image, READERS, TOOL, WRITERS, all, failed, noise, succeeded};
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

const IN_USE: &str = "in use by a running guest or another process";

fn image() -> Image {
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    image
}

#[test]
fn a_writer_keeps_every_command_out() {
    let _alone = alone();
    let image = image();
    let before = image.bytes();
    let device = FileDevice::open(image.path()).unwrap();
    for (verb, args) in all() {
        assert_eq!(image.fails_on_it(5, verb, args), IN_USE, "{verb}");
    }
    assert_eq!(image.fails_on_it(5, "create", ["--force"]), IN_USE);
    assert!(image.bytes() == before);
    drop(device);
    assert_eq!(image.ok("get", ["k"]), b"v");
}

#[test]
fn a_reader_keeps_out_writers_only() {
    let _alone = alone();
    let image = image();
    let before = image.bytes();
    let device = FileDevice::open_read_only(image.path()).unwrap();
    for (verb, args) in READERS {
        image.ok(verb, args);
    }
    for (verb, args) in WRITERS {
        assert_eq!(image.fails_on_it(5, verb, args), IN_USE, "{verb}");
    }
    assert_eq!(image.fails_on_it(5, "create", ["--force"]), IN_USE);
    assert!(image.bytes() == before);
    drop(device);
    image.ok("set", ["k", "w"]);
    assert_eq!(image.ok("get", ["k"]), b"w");
}

#[test]
fn a_command_that_waits_for_a_value_does_not_hold_the_image() {
    let _alone = alone();
    let image = image();
    let mut set = image.command("set", ["k", "-"]);
    let mut set = set.stdin(Stdio::piped()).spawn().unwrap();
    // Whether or not it has begun: it opens the image for reading, at most, until its input ends.
    image.ok("get", ["k"]);
    drop(set.stdin.take());
    assert!(set.wait().unwrap().success());
    assert_eq!(image.ok("get", ["k"]), b"");
}

#[test]
fn a_command_that_failed_holds_nothing() {
    let _alone = alone();
    let image = image();
    image.fails(1, "rm", ["x"]);
    image.fails(2, "set", ["k/x", "v"]);
    assert!(!matches!(FileDevice::open(image.path()), Err(OpenError::InUse)));
}

#[test]
fn a_pipe_that_is_closed_early_ends_it_quietly_but_not_well() {
    let _alone = alone();
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    for (verb, args) in [("get", &["k"][..]), ("ls", &[]), ("stat", &[]), ("info", &[])] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = image.command(verb, args).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), &output.stderr[..]), (Some(4), &b""[..]), "{verb}");
    }
}

#[test]
fn an_image_that_may_not_be_written_can_be_read() {
    let _alone = alone();
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    fs::set_permissions(image.path(), Permissions::from_mode(0o444)).unwrap();
    let directory = image.path().parent().unwrap();
    // Root may write everything; then the tool runs as nobody, from where nobody gets at it.
    let is_root = fs::metadata(directory).unwrap().uid() == 0;
    fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    let tool = image.beside("nerite");
    fs::copy(TOOL, &tool).unwrap();
    let run = |verb: &str, args: &[&str]| {
        let mut command = Command::new(&tool);
        command.arg(verb).arg(image.path()).args(args);
        if is_root {
            command.uid(65534).gid(65534);
        }
        command.output().unwrap()
    };
    assert_eq!(succeeded(&run("get", &["k"])), b"v");
    for (verb, args) in [("set", &["k", "w"][..]), ("rm", &["k"]), ("create", &["--force"])] {
        let message = failed(4, &run(verb, args));
        assert!(message.ends_with("can't open it: Permission denied (os error 13)"), "{message}");
    }
    assert_eq!(image.ok("get", ["k"]), b"v");
}

#[test]
fn a_session_keeps_others_out_until_its_input_ends() {
    let _alone = alone();
    let image = image();
    let mut session = image.command("open", [""; 0]);
    let session = session.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = session.spawn().unwrap();
    // Once it has answered, it has the image.
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"get k\n").unwrap();
    let mut answer = [0; 2];
    child.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
    for (verb, args) in all() {
        assert_eq!(image.fails_on_it(5, verb, args), IN_USE, "{verb}");
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    assert_eq!(image.ok("get", ["k"]), b"v");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_news() {
    let _alone = alone();
    let image = Image::with_store("64M");
    let value = image.beside("value");
    fs::write(&value, noise(200_000)).unwrap();
    image.ok("set", [OsStr::new("k"), OsStr::new("--file"), value.as_os_str()]);
    let lines = image.beside("lines");
    fs::write(&lines, "get k\nset k never\n").unwrap();
    for (verb, args) in [("scan", &[][..]), ("get", &["k", "--hex"]), ("dump", &[]), ("open", &[])]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = image.command(verb, args);
        command.stdin(File::open(&lines).unwrap()).stdout(writer);
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), &output.stderr[..]), (Some(4), &b""[..]), "{verb}");
    }
    // The session ended with it.
    assert_eq!(image.text("size", ["k"]), "200000\n");
}
