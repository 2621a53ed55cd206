//! Why an image can't be opened.

use std::{error, fmt, io};

/// Why [`FileDevice`](crate::FileDevice) could not be opened or made. It does not name the file:
/// the caller knows it.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// A running guest or another process holds a lock on the file that excludes this access.
    InUse,
    /// It is a directory, a pipe, a terminal: nothing that has blocks.
    NotADevice,
    /// The system refused.
    Io {
        /// What was being done, as in "can't open it".
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl OpenError {
    /// For `map_err`: the system's error with what was being done.
    pub(crate) fn during<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { action, source: source.into() }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("in use by a running guest or another process"),
            Self::NotADevice => f.write_str("neither a file nor a block device"),
            Self::Io { action, .. } => write!(f, "can't {action} it"),
        }
    }
}

impl error::Error for OpenError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::InUse | Self::NotADevice => None,
        }
    }
}
