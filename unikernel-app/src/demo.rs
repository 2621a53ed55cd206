//! The application: it counts its boots, greets whom the host names, and does what the command line
//! says. It knows a store and a place to print to, and nothing of the machine.

use crate::civil::Rfc3339;
use crate::text::Escaped;
use crate::words::Step;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{self, Write};
use nerite::{Error, InvalidKey, Key, KvRead, KvWrite, Timestamp};

/// Where a host leaves a word for the guest.
pub const HELLO: &str = "/host/hello";
/// How many times the image has booted with this store, in decimal digits.
pub const COUNT: &str = "/boot/count";
/// When it did last, as RFC 3339 text.
pub const TIME: &str = "/boot/time";

/// Why the application gave up.
#[derive(Debug)]
pub enum Failure {
    /// A call of the store failed.
    Store {
        /// What was to be done.
        doing: String,
        /// Why it was not.
        error: Error,
    },
    /// What is under [`COUNT`] is not a number that can be counted up.
    NotACount(String),
    /// Printing failed.
    Print,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store { doing, error } => write!(f, "{doing}: {error}"),
            Self::NotACount(text) => write!(f, "{COUNT} is \"{text}\", which is not a count"),
            Self::Print => f.write_str("the report can't be printed"),
        }
    }
}

impl core::error::Error for Failure {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Store { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<fmt::Error> for Failure {
    fn from(_: fmt::Error) -> Self {
        Self::Print
    }
}

impl From<InvalidKey> for Failure {
    fn from(error: InvalidKey) -> Self {
        Self::Store { doing: "make a key".to_string(), error: error.into() }
    }
}

/// What the host left under [`HELLO`], if anything, as printable text.
///
/// # Errors
/// [`Failure::Store`]
pub fn greeting(store: &impl KvRead) -> Result<Option<String>, Failure> {
    read(store, HELLO)
}

/// How many boots the store has seen.
///
/// # Errors
/// [`Failure::Store`], [`Failure::NotACount`]
pub fn boots(store: &impl KvRead) -> Result<u64, Failure> {
    match read(store, COUNT)? {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| Failure::NotACount(text)),
    }
}

/// Counts this boot: writes [`COUNT`] and [`TIME`], and returns its number, from 1.
///
/// # Errors
/// [`Failure::Store`], [`Failure::NotACount`]
pub fn count_boot(store: &impl KvWrite, now: Timestamp) -> Result<u64, Failure> {
    let before = boots(store)?;
    let number = before.checked_add(1).ok_or_else(|| Failure::NotACount(before.to_string()))?;
    write(store, &Key::new(COUNT)?, number.to_string().as_bytes())?;
    let time = Rfc3339(now.0 / 1_000_000_000).to_string();
    write(store, &Key::new(TIME)?, time.as_bytes())?;
    Ok(number)
}

/// Does what the command line says.
///
/// # Errors
/// [`Failure::Store`] of the first step that fails; the steps before it are done.
pub fn run(store: &impl KvWrite, steps: &[Step], out: &mut impl Write) -> Result<(), Failure> {
    for step in steps {
        match step {
            Step::Set(key, value) => {
                write(store, key, value)?;
                writeln!(out, "set {key}")?;
            }
            Step::Get(key) => {
                let value = store.get(key).map_err(failure(|| format!("get {key}")))?;
                writeln!(out, "{key} = {}", Escaped(&value))?;
            }
            Step::Remove(key) => {
                store.remove(key).map_err(failure(|| format!("rm {key}")))?;
                writeln!(out, "rm {key}")?;
            }
            Step::Stress(count) => stress(store, *count, out)?,
        }
    }
    Ok(())
}

/// Writes `/stress/0` and on, each value telling its own number, and prints `ack i` when value `i`
/// is durable. Whoever reads these lines may cut the power at any of them.
fn stress(store: &impl KvWrite, count: u64, out: &mut impl Write) -> Result<(), Failure> {
    for number in 0..count {
        let key = Key::new(format!("/stress/{number}"))?;
        write(store, &key, format!("value {number}").as_bytes())?;
        writeln!(out, "ack {number}")?;
    }
    Ok(())
}

fn read(store: &impl KvRead, path: &str) -> Result<Option<String>, Failure> {
    match store.get(&Key::new(path)?) {
        Ok(value) => Ok(Some(Escaped(&value).to_string())),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(failure(|| format!("get {path}"))(error)),
    }
}

fn write(store: &impl KvWrite, key: &Key, value: &[u8]) -> Result<(), Failure> {
    store.set(key, value).map_err(failure(|| format!("set {key}")))
}

fn failure(doing: impl FnOnce() -> String) -> impl FnOnce(Error) -> Failure {
    |error| Failure::Store { doing: doing(), error }
}
