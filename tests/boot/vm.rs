//! The image under QEMU, as `scripts/qemu.sh` starts it, with its console in the test's hands.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What the machine's clock shows when it is switched on.
pub(crate) const BOOT_TIME: &str = "2030-01-02T03:04:05";

/// The machines that the image runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Machine {
    /// virtio-blk-pci.
    Q35,
    /// virtio-mmio.
    Microvm,
    /// Q35 with the Hermit kernel on it.
    Hermit,
}

/// How to start one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config<'a> {
    pub(crate) machine: Machine,
    pub(crate) memory: &'a str,
    /// More properties of QEMU's `-drive`, each with a comma before it.
    pub(crate) drive: &'a str,
    /// More properties of the disk's `-device`.
    pub(crate) device: &'a str,
    /// More arguments.
    pub(crate) more: &'a [&'a str],
    /// What is built for the machine.
    pub(crate) image: &'a str,
}

impl Config<'_> {
    pub(crate) const fn new(machine: Machine) -> Self {
        let image = "nerite-unikernel";
        Self { machine, memory: "64M", drive: ",cache=writeback", device: "", more: &[], image }
    }

    /// Boots with these words on the command line, and waits for the end.
    pub(crate) fn run(self, disk: &Path, words: &str) -> End {
        self.start(disk, words).end()
    }

    /// Boots, and is killed after a while at the latest.
    pub(crate) fn start(self, disk: &Path, words: &str) -> Vm {
        const PATIENCE: Duration = Duration::from_mins(1);
        let mut command = Command::new("qemu-system-x86_64");
        let (machine, device) = match self.machine {
            Machine::Q35 | Machine::Hermit => ("q35", "virtio-blk-pci,disable-legacy=on"),
            Machine::Microvm => ("microvm", "virtio-blk-device"),
        };
        command
            .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
            .args(["-accel", "tcg", "-cpu", "max", "-smp", "1", "-serial", "stdio"])
            .args(["-machine", machine, "-m", self.memory])
            .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4"])
            .args(["-global", "virtio-mmio.force-legacy=false"])
            .arg("-drive")
            .arg(format!("if=none,id=disk,format=raw,file={}{}", disk.display(), self.drive))
            .arg("-device")
            .arg(format!("{device},drive=disk{}", self.device))
            .args(["-rtc", &format!("base={BOOT_TIME},clock=vm")])
            .args(self.more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        match self.machine {
            Machine::Q35 | Machine::Microvm => {
                command.arg("-kernel").arg(bare(self.image)).args(["-append", words])
            }
            // The kernel keeps the words before "--" for itself.
            Machine::Hermit => command
                .arg("-kernel")
                .arg(bare("nerite-loader"))
                .arg("-initrd")
                .arg(built("x86_64-unknown-hermit/hermit", self.image))
                .args(["-append", &format!("-- {words}")]),
        };
        let mut child = command.spawn().expect("QEMU starts: run `make setup`");
        let console = child.stdout.take().expect("it is a pipe");
        let (sender, lines) = channel();
        // Ends when QEMU does: the pipe is closed then.
        thread::spawn(move || {
            for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Vm { child, lines, deadline: Instant::now() + PATIENCE, printed: String::new() }
    }
}

/// What is built for the bare machine: the image, and Hermit's loader.
pub(crate) fn bare(name: &str) -> PathBuf {
    built("x86_64-unknown-none/image", name)
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    std::env::var_os("NERITE_TARGET").map_or(beside, PathBuf::from)
}

fn built(folder: &str, name: &str) -> PathBuf {
    let path = target().join(folder).join(name);
    assert!(path.exists(), "there is no image at {}: run `make test`", path.display());
    path
}

/// A running machine. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Vm {
    child: Child,
    lines: Receiver<String>,
    deadline: Instant,
    printed: String,
}

/// How a machine ended, and all that it printed.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    pub(crate) printed: String,
}

impl Vm {
    /// The next line that the guest prints; `None` when there are no more.
    pub(crate) fn line(&mut self) -> Option<String> {
        let patience = self.deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(patience) {
            Ok(line) => {
                self.printed += &line;
                self.printed += "\n";
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the guest hangs after\n{}", self.printed),
        }
    }

    /// Cuts the power (SIGKILL), and returns the lines that were printed before and not yet read.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was started here");
        std::iter::from_fn(|| self.line()).collect()
    }

    fn end(mut self) -> End {
        while self.line().is_some() {}
        // It closed its console, so it is about to exit.
        let status = self.child.wait().expect("it was started here");
        End { status, printed: std::mem::take(&mut self.printed) }
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // Both fail if it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl End {
    /// It did all that it was told.
    #[track_caller]
    pub(crate) fn is_done(&self) {
        // QEMU also exits with 1 when it can't start.
        let done = self.status.code() == Some(1) && self.printed.ends_with("nerite: done\n");
        assert!(done, "{:?}\n{}", self.status, self.printed);
    }

    /// It ended with this exit value, and said this.
    #[track_caller]
    pub(crate) fn is_failure(&self, value: i32, message: &str) {
        let failed = self.status.code() == Some(2 * value + 1) && self.printed.contains(message);
        assert!(failed, "{:?}, not {value} and \"{message}\"\n{}", self.status, self.printed);
        assert!(!self.printed.contains("nerite: done"), "{}", self.printed);
    }

    /// A line that starts so was printed.
    #[track_caller]
    pub(crate) fn says(&self, start: &str) {
        let found = self.printed.lines().any(|line| line.starts_with(start));
        assert!(found, "no line starts with \"{start}\"\n{}", self.printed);
    }
}
