//! The tool, the file device and a real QEMU keep each other off an image.
//!
//! QEMU runs stopped (`-S`): it has opened the image as for a guest, and no guest is needed.
//!
//! One test runs at a time: until a new process runs its program it holds the locks of this one.

mod alone;

use alone::alone;
use nerite_hostfs::{FileDevice, OpenError};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tempfile::{TempDir, tempdir};

const QEMU: &str = "qemu-system-x86_64";
/// Nothing takes this long; it only keeps a QEMU that hangs from hanging the tests.
const PATIENCE: Duration = Duration::from_mins(2);

/// A QEMU that has the image open, until it is dropped.
struct Guest(Child);

impl Guest {
    /// Starts it and waits until it answers, by when it holds its locks.
    ///
    /// # Errors
    /// What QEMU printed, if it gave up.
    fn start(image: &Path, drive_options: &str, device_options: &str) -> Result<Self, String> {
        let drive = format!("if=none,id=disk,format=raw,file={}{drive_options}", image.display());
        let device = format!("virtio-blk-pci,drive=disk{device_options}");
        let mut child = Command::new(QEMU)
            .args(["-M", "q35", "-S", "-nodefaults", "-display", "none", "-qmp", "stdio"])
            .args(["-drive", &drive, "-device", &device])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{QEMU}: {error}: run `make setup`"));
        let mut questions = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut errors = child.stderr.take().unwrap();
        let mut guest = Self(child);
        // A QEMU that gives up closes its end.
        let _ = questions
            .write_all(b"{\"execute\":\"qmp_capabilities\"}{\"execute\":\"query-status\"}");
        let (ready, is_ready) = mpsc::channel();
        thread::spawn(move || {
            // Commands are served once the machine is built, so an answer tells that it is.
            let answered =
                answers.lines().map_while(Result::ok).any(|line| line.contains("\"status\""));
            let _ = ready.send((answered, questions));
        });
        let (answered, questions) = is_ready.recv_timeout(PATIENCE).expect("QEMU hangs");
        if answered {
            guest.0.stdin = Some(questions);
            return Ok(guest);
        }
        let mut text = String::new();
        errors.read_to_string(&mut text).unwrap();
        assert!(!guest.0.wait().unwrap().success(), "QEMU ended well, unasked: {text}");
        Err(text)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn image() -> (TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    let path = dir.path().join("disk.img");
    assert_eq!(tool(&["create", "--size", "1M"], &path, &[]), (0, String::new()));
    (dir, path)
}

/// The exit code, and standard error.
fn tool(verb: &[&str], image: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_nerite"))
        .args(verb)
        .arg(image)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn assert_in_use(image: &Path, verb: &[&str], arguments: &[&str]) {
    let expected =
        format!("nerite: {}: in use by a running guest or another process\n", image.display());
    assert_eq!(tool(verb, image, arguments), (5, expected), "{verb:?}");
}

#[test]
fn a_guest_that_writes_keeps_every_command_out() {
    let _alone = alone();
    let (_dir, image) = image();
    // Alone, and sharing the write permission with other guests.
    for device_options in ["", ",share-rw=on"] {
        let guest = Guest::start(&image, "", device_options).unwrap();
        for verb in ["get", "rm"] {
            assert_in_use(&image, &[verb], &["k"]);
        }
        for verb in ["ls", "stat", "info"] {
            assert_in_use(&image, &[verb], &[]);
        }
        assert_in_use(&image, &["set"], &["k", "v"]);
        assert_in_use(&image, &["create", "--force"], &[]);
        assert!(matches!(FileDevice::open(&image), Err(OpenError::InUse)));
        assert!(matches!(FileDevice::open_read_only(&image), Err(OpenError::InUse)));
        drop(guest);
        assert_eq!(tool(&["set"], &image, &["k", "v"]), (0, String::new()));
    }
}

#[test]
fn a_guest_that_only_reads_keeps_out_writers_only() {
    let _alone = alone();
    let (_dir, image) = image();
    assert_eq!(tool(&["set"], &image, &["k", "v"]).0, 0);
    let _guest = Guest::start(&image, ",readonly=on", "").unwrap();
    assert_eq!(tool(&["get"], &image, &["k"]), (0, String::new()));
    assert_in_use(&image, &["set"], &["k", "v"]);
}

#[test]
fn a_writer_here_keeps_every_guest_out() {
    let _alone = alone();
    let (_dir, image) = image();
    let device = FileDevice::open(&image).unwrap();
    for options in ["", ",readonly=on"] {
        let error = Guest::start(&image, options, "").err().expect("QEMU took a locked image");
        assert!(error.contains("lock"), "{error}");
    }
    drop(device);
    Guest::start(&image, "", "").unwrap();
}

#[test]
fn a_reader_here_keeps_out_guests_that_write() {
    let _alone = alone();
    let (_dir, image) = image();
    let device = FileDevice::open_read_only(&image).unwrap();
    let error = Guest::start(&image, "", "").err().expect("QEMU took a locked image");
    assert!(error.contains("Failed to get \"write\" lock"), "{error}");
    let guest = Guest::start(&image, ",readonly=on", "").unwrap();
    // And the guest that came in does not keep other readers out.
    FileDevice::open_read_only(&image).unwrap();
    drop((guest, device));
    Guest::start(&image, "", "").unwrap();
}
