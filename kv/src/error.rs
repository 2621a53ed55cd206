//! One error for every store, so that `dyn KvWrite` needs no parameters.

use crate::device::DeviceError;
use crate::key::{InvalidKey, Key};
use alloc::boxed::Box;
use core::fmt;

/// Why a call failed. Unless a variant says otherwise, nothing has changed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The key names nothing.
    NotFound(Key),
    /// The key is a dictionary where a value is needed.
    ValueExpected(Key),
    /// The key is a value where a dictionary is needed.
    DictionaryExpected(Key),
    /// The key is taken.
    AlreadyPresent(Key),
    /// A rename to below the key itself.
    RenameSourcePrefix {
        /// What was to be moved.
        source: Key,
        /// Where to.
        dest: Key,
    },
    /// The key that the call would make is none.
    InvalidKey(InvalidKey),
    /// The device is full. `remove` still works, as long as the room lasts that is kept for it.
    NoSpace {
        /// Bytes that the commit takes on the device.
        needed: u64,
        /// Bytes that are left for it.
        free: u64,
    },
    /// It can never fit this store, however empty it is.
    TooLarge {
        /// Bytes asked for.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// The store or its device can only be read.
    ReadOnly,
    /// An earlier write or flush failed, so what is on the disk is unknown: reopen to write again.
    Poisoned,
    /// The value that a [`Reader`](crate::Reader) reads is not there any more.
    Changed,
    /// Another writer has written to the device since this store was opened; writes are poisoned.
    Stolen,
    /// There is no store on the device: its superblock pages hold something else, or nothing.
    NotFormatted,
    /// The device is not blank, and `create` was not told to overwrite it.
    NotBlank,
    /// The device is too small for a store.
    TooSmall {
        /// Bytes on the device.
        size: u64,
        /// Bytes that a store of this block size needs.
        minimum: u64,
    },
    /// The device is smaller than the store on it.
    DeviceChanged {
        /// Bytes that the store has.
        expected: u64,
        /// Bytes on the device.
        actual: u64,
    },
    /// This version of the software, or this device, can't do it.
    Unsupported(&'static str),
    /// Bytes on the device are not those that were written there.
    Corrupt(Corruption),
    /// The device failed. Of a write: after reopening, its effect is there whole or not at all.
    Device(DeviceError),
    /// An error of another implementation of the traits.
    Other(Box<dyn core::error::Error + Send + Sync>),
}

/// Damage: in what, where, and how it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Corruption {
    /// The structure that is damaged.
    pub part: Part,
    /// The first byte of that structure on the device.
    pub at: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// A structure on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// A slot of the superblock.
    Superblock,
    /// A frame of the chain.
    Frame,
    /// A record within a frame.
    Record,
    /// A node of the index.
    Node,
    /// The table of segments.
    Table,
}

/// How damage shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes do not start as the structure does.
    Magic,
    /// The check does not fit the bytes.
    Check,
    /// A field has a value that it can't have.
    Field(&'static str),
    /// A frame that was durable is missing from the chain.
    Missing {
        /// Its number.
        frame: u64,
    },
    /// The newest superblock is gone: something names a checkpoint that no slot holds.
    Older {
        /// The newest checkpoint that a slot holds.
        found: u64,
        /// The checkpoint that is named.
        named: u64,
    },
    /// Something was counted wrongly.
    Count {
        /// What.
        what: &'static str,
        /// How many there are by the count that is kept.
        kept: u64,
        /// How many were found.
        found: u64,
    },
    /// A whole record, but of another key or version than the index says.
    WrongRecord,
    /// The device can't read it.
    Unreadable,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(key) => write!(f, "{key} is not found"),
            Self::ValueExpected(key) => write!(f, "{key} is a dictionary"),
            Self::DictionaryExpected(key) => write!(f, "{key} is a value, not a dictionary"),
            Self::AlreadyPresent(key) => write!(f, "{key} is there already"),
            Self::RenameSourcePrefix { source, dest } => {
                write!(f, "{source} can't be moved below itself, to {dest}")
            }
            Self::InvalidKey(error) => error.fmt(f),
            Self::NoSpace { needed, free } => {
                write!(f, "no space: {needed} bytes are needed, {free} are free")
            }
            Self::TooLarge { size, limit } => {
                write!(f, "too large: {size} bytes, at most {limit} are possible here")
            }
            Self::ReadOnly => f.write_str("the store is open for reading only"),
            Self::Poisoned => {
                f.write_str("an earlier write failed: the store must be reopened to be written")
            }
            Self::Changed => f.write_str("the value has changed since reading began"),
            Self::Stolen => f.write_str("another writer has written to the device"),
            Self::NotFormatted => f.write_str("there is no Nerite store on the device"),
            Self::NotBlank => f.write_str("the device holds data already"),
            Self::TooSmall { size, minimum } => {
                write!(f, "the device has {size} bytes, a store needs {minimum} or more")
            }
            Self::DeviceChanged { expected, actual } => {
                write!(f, "the device has {actual} bytes, the store on it has {expected}")
            }
            Self::Unsupported(what) => write!(f, "not supported: {what}"),
            Self::Corrupt(corruption) => corruption.fmt(f),
            Self::Device(error) => error.fmt(f),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Device(error) => error.source(),
            Self::Other(error) => error.source(),
            _ => None,
        }
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Superblock => "superblock",
            Part::Frame => "frame",
            Part::Record => "record",
            Part::Node => "node",
            Part::Table => "table",
        };
        write!(f, "damaged {part} at byte {}: {}", self.at, self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("it does not start as one"),
            Self::Check => f.write_str("its check does not fit its bytes"),
            Self::Field(name) => write!(f, "its field \"{name}\" is impossible"),
            Self::Missing { frame } => {
                write!(f, "frame {frame} was durable and can't be read any more")
            }
            Self::Older { found, named } => {
                write!(f, "checkpoint {named} was durable, but only {found} is found")
            }
            Self::Count { what, kept, found } => {
                write!(f, "{what} are {found}, but {kept} by its count")
            }
            Self::WrongRecord => f.write_str("it is a record of another key or version"),
            Self::Unreadable => f.write_str("the device can't read it"),
        }
    }
}

impl From<DeviceError> for Error {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

impl From<InvalidKey> for Error {
    fn from(error: InvalidKey) -> Self {
        Self::InvalidKey(error)
    }
}

impl From<Corruption> for Error {
    fn from(corruption: Corruption) -> Self {
        Self::Corrupt(corruption)
    }
}
