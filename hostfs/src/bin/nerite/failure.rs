//! How the tool fails: one line on standard error, and an exit code that scripts can tell apart.

use crate::color;
use nerite::{DeviceErrorKind, Error};
use nerite_hostfs::OpenError;
use std::error::Error as StdError;
use std::fmt::{Display, Write as _};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// The exit codes, as `--help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// The key is not found.
    NotFound = 1,
    /// The arguments make no sense, or not for what is there.
    Usage = 2,
    /// The image is damaged, or holds no store.
    Corrupt = 3,
    /// Input or output failed.
    Io = 4,
    /// A guest or another process has the image.
    Busy = 5,
    /// No space: for a value, or for a store at all.
    Full = 6,
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    /// `None` to say nothing: nobody reads any more.
    message: Option<String>,
}

impl Failure {
    /// A failure that this message tells of.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    /// For `map_err`: the image at `path` can't be opened or made.
    pub(crate) fn open(path: &Path) -> impl FnOnce(OpenError) -> Self {
        move |error| {
            let code = match error {
                OpenError::InUse => Code::Busy,
                _ => Code::Io,
            };
            Self::new(code, format!("{}: {}", path.display(), with_sources(&error)))
        }
    }

    /// For `map_err`: the store in the image at `path` failed.
    pub(crate) fn store(path: &Path) -> impl FnOnce(Error) -> Self {
        move |error| {
            let code = code_of(&error);
            Self::new(code, format!("{}: {}", path.display(), with_sources(&error)))
        }
    }

    /// For `map_err`: a file, or another thing with a name, can't be read.
    pub(crate) fn input(name: impl Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::new(Code::Io, format!("{name}: {error}"))
    }

    /// The arguments make no sense for what is there.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// Standard output, or a file with this name, failed. A reader that has seen enough, as `head`,
    /// is no news.
    pub(crate) fn output(name: impl Display, error: &io::Error) -> Self {
        let message = (error.kind() != io::ErrorKind::BrokenPipe)
            .then(|| format!("can't write to {name}: {error}"));
        Self { code: Code::Io, message }
    }

    /// The answer is no, and it was given already.
    pub(crate) fn no() -> Self {
        Self { code: Code::NotFound, message: None }
    }

    /// The same, with nothing left to say.
    pub(crate) fn said(self) -> Self {
        Self { message: None, ..self }
    }

    /// With this behind its message.
    pub(crate) fn and_say(mut self, more: &str) -> Self {
        if let Some(message) = &mut self.message {
            message.push_str(more);
        }
        self
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.code == Code::Io && self.message.is_none()
    }

    /// Prints the message, if any, as one line.
    pub(crate) fn report(&self) -> ExitCode {
        if let Some(message) = &self.message {
            // If this fails there is nowhere left to say so; the exit code stays.
            let mut stderr = io::stderr();
            let name = color::paint(color::is_on(&stderr), "1;31", "nerite:");
            let _ = writeln!(stderr, "{name} {}", one_line(message));
        }
        ExitCode::from(self.code as u8)
    }
}

fn code_of(error: &Error) -> Code {
    match error {
        Error::NotFound(_) => Code::NotFound,
        Error::ValueExpected(_)
        | Error::DictionaryExpected(_)
        | Error::AlreadyPresent(_)
        | Error::RenameSourcePrefix { .. }
        | Error::InvalidKey(_)
        | Error::NotBlank => Code::Usage,
        Error::NotFormatted
        | Error::DeviceChanged { .. }
        | Error::Unsupported(_)
        | Error::Corrupt(_) => Code::Corrupt,
        Error::Stolen | Error::Changed => Code::Busy,
        Error::NoSpace { .. } | Error::TooLarge { .. } | Error::TooSmall { .. } => Code::Full,
        Error::Device(error) if error.kind() == DeviceErrorKind::NoSpace => Code::Full,
        _ => Code::Io,
    }
}

/// The error and what caused it: `can't open it: Permission denied (os error 13)`.
fn with_sources(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Writing to a string can't fail.
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

/// With control characters escaped: names of files and arguments may hold any, and would move the
/// cursor or start a second line.
fn one_line(message: &str) -> String {
    message.chars().fold(String::new(), |mut line, c| {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nerite::{DeviceError, Key};

    #[test]
    fn a_full_host_disk_is_no_space_and_other_device_errors_are_io() {
        let code = |kind| code_of(&Error::Device(DeviceError::new(kind, None)));
        assert_eq!(code(DeviceErrorKind::NoSpace), Code::Full);
        assert_eq!(code(DeviceErrorKind::Io), Code::Io);
    }

    #[test]
    fn a_message_names_the_image_and_the_thing_and_the_cause() {
        let failure = Failure::store(Path::new("a.img"))(Error::NotFound(Key::new("x").unwrap()));
        assert_eq!(failure.message.unwrap(), "a.img: /x is not found");
        let cause = io::Error::other("the cause");
        let error = DeviceError::new(DeviceErrorKind::Io, Some(7)).with_source(cause);
        let failure = Failure::store(Path::new("a.img"))(Error::Device(error));
        assert_eq!(failure.message.unwrap(), "a.img: input/output error (block 7): the cause");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(one_line("a\n\u{1b}[2Jé"), "a\\n\\u{1b}[2Jé");
    }

    #[test]
    fn a_closed_pipe_is_quiet() {
        assert!(Failure::output("it", &io::ErrorKind::BrokenPipe.into()).is_closed_pipe());
        assert!(!Failure::output("it", &io::ErrorKind::StorageFull.into()).is_closed_pipe());
        assert!(!Failure::no().is_closed_pipe());
    }
}
