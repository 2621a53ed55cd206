//! Runs the tool on an image.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::{TempDir, tempdir};

pub(crate) const TOOL: &str = env!("CARGO_BIN_EXE_nerite");

/// An image, or the place for one, in a directory that goes with it.
pub(crate) struct Image {
    dir: TempDir,
    path: PathBuf,
}

impl Image {
    /// A place where there is nothing yet.
    pub(crate) fn missing() -> Self {
        let dir = tempdir().unwrap();
        let path = dir.path().join("disk.img");
        Self { dir, path }
    }

    /// A file that holds these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let image = Self::missing();
        fs::write(&image.path, bytes).unwrap();
        image
    }

    /// An empty store of this size.
    pub(crate) fn with_store(size: &str) -> Self {
        let image = Self::missing();
        image.ok("create", ["--size", size]);
        image
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path beside the image.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    /// The command `verb` on this image, to be run.
    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        verb: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(TOOL);
        command.arg(verb).arg(&self.path).args(args).stdin(Stdio::null());
        command
    }

    /// Runs a command that succeeds, and gives what it printed.
    pub(crate) fn ok<S: AsRef<OsStr>>(
        &self,
        verb: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Vec<u8> {
        succeeded(&self.command(verb, args).output().unwrap())
    }

    /// As [`ok`](Self::ok), of a command that prints text.
    pub(crate) fn text<S: AsRef<OsStr>>(
        &self,
        verb: &str,
        args: impl IntoIterator<Item = S>,
    ) -> String {
        String::from_utf8(self.ok(verb, args)).unwrap()
    }

    /// Gives `key` this value by way of standard input.
    pub(crate) fn set(&self, key: impl AsRef<OsStr>, value: &[u8]) {
        succeeded(&with_input(&mut self.command("set", [key.as_ref(), OsStr::new("-")]), value));
    }

    /// Runs a command that fails with this exit code, and gives its message: what stands after
    /// `nerite: ` in the one line that it prints.
    pub(crate) fn fails<S: AsRef<OsStr>>(
        &self,
        code: i32,
        verb: &str,
        args: impl IntoIterator<Item = S>,
    ) -> String {
        failed(code, &self.command(verb, args).output().unwrap())
    }

    /// As [`fails`](Self::fails); the message begins with the path of the image, which is left out.
    pub(crate) fn fails_on_it<S: AsRef<OsStr>>(
        &self,
        code: i32,
        verb: &str,
        args: impl IntoIterator<Item = S>,
    ) -> String {
        let message = self.fails(code, verb, args);
        let prefix = format!("{}: ", self.path.display());
        message.strip_prefix(&prefix).unwrap_or_else(|| panic!("{message}")).to_owned()
    }
}

/// Every command with arguments that are right, as far as the arguments go.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    READERS.into_iter().chain(WRITERS)
}

/// Those that only read, once `k` is a value.
pub(crate) const READERS: [(&str, &[&str]); 18] = [
    ("get", &["k"]),
    ("exists", &["k"]),
    ("size", &["k"]),
    ("digest", &["/"]),
    ("ls", &[]),
    ("ls", &["-lR"]),
    ("scan", &[]),
    ("stat", &[]),
    ("stat", &["k"]),
    ("info", &[]),
    ("check", &[]),
    ("verify", &["--json"]),
    ("log", &[]),
    ("log", &["--json", "--segment", "1"]),
    ("map", &[]),
    ("map", &["--json"]),
    ("dump", &[]),
    ("open", &["--read-only"]),
];

/// Those that change the store, or may.
pub(crate) const WRITERS: [(&str, &[&str]); 11] = [
    ("set", &["k", "v"]),
    ("rm", &["k"]),
    ("rm-range", &["a", "z"]),
    ("mv", &["k", "l"]),
    ("cp", &["k", "l"]),
    ("touch", &["k"]),
    ("allocate", &["l", "5"]),
    ("load", &["/dev/null"]),
    ("gc", &[]),
    ("resize", &["64M"]),
    ("open", &[]),
];

/// Bytes without a pattern, the same ones every time.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::new();
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Runs it with this on its standard input, which it may leave unread.
pub(crate) fn with_input(command: &mut Command, input: &[u8]) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

pub(crate) fn succeeded(output: &Output) -> Vec<u8> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{}: {stderr}", output.status);
    output.stdout.clone()
}

pub(crate) fn failed(code: i32, output: &Output) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(output.stdout.is_empty(), "something on standard output");
    let line = stderr.strip_suffix('\n').unwrap_or_else(|| panic!("no whole line: {stderr:?}"));
    assert!(!line.contains(char::is_control), "not one line: {stderr}");
    line.strip_prefix("nerite: ").unwrap_or_else(|| panic!("{stderr}")).to_owned()
}
