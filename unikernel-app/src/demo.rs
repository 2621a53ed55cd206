//! The application: it counts its boots, greets whom the host names, and does what the command line
//! says. It knows a store and a place to print to, and nothing of the machine.

use crate::civil::Rfc3339;
use crate::words::Step;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{self, Write};
use nerite::{Error, Escaped, InvalidKey, Key, KvRead, KvWrite, Timestamp};

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

/// Does what the command line says, in boot number `boot`.
///
/// # Errors
/// [`Failure::Store`] of the first step that fails; the steps before it are done.
pub fn run(
    store: &impl KvWrite,
    steps: &[Step],
    boot: u64,
    out: &mut impl Write,
) -> Result<(), Failure> {
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
            Step::Stress(count) => stress(store, *count, boot, out)?,
        }
    }
    Ok(())
}

/// Writes `/stress/0` and on, each value telling its number and the boot, and prints `ack i` when
/// value `i` is durable. Whoever reads these lines may cut the power at any of them.
fn stress(
    store: &impl KvWrite,
    count: u64,
    boot: u64,
    out: &mut impl Write,
) -> Result<(), Failure> {
    for number in 0..count {
        let key = Key::new(format!("/stress/{number}"))?;
        write(store, &key, format!("{number} of boot {boot}").as_bytes())?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use nerite::{CreateOptions, MemoryDevice, OpenOptions, Store};

    const SECOND: u64 = 1_000_000_000;

    fn store() -> Store<MemoryDevice> {
        let device = MemoryDevice::new(512, 2048);
        Store::create(&device, CreateOptions::new(1)).unwrap();
        Store::open(device, || Timestamp(0), OpenOptions::new(2)).unwrap()
    }

    fn get(store: &Store<MemoryDevice>, path: &str) -> Vec<u8> {
        store.get(&Key::new(path).unwrap()).unwrap()
    }

    #[test]
    fn boots_are_counted_from_one_and_timed() {
        let store = store();
        assert_eq!(boots(&store).unwrap(), 0);
        assert_eq!(count_boot(&store, Timestamp(0)).unwrap(), 1);
        assert_eq!(count_boot(&store, Timestamp(1_795_311_060 * SECOND)).unwrap(), 2);
        assert_eq!(get(&store, COUNT), b"2");
        assert_eq!(get(&store, TIME), b"2026-11-22T01:31:00Z");
    }

    #[test]
    fn a_count_that_is_none_is_an_error_and_stays() {
        let store = store();
        for text in ["many", "18446744073709551615"] {
            store.set(&Key::new(COUNT).unwrap(), text.as_bytes()).unwrap();
            let error = count_boot(&store, Timestamp(0)).unwrap_err();
            assert!(matches!(&error, Failure::NotACount(found) if found == text), "{error}");
            assert_eq!(get(&store, COUNT), text.as_bytes());
        }
    }

    #[test]
    fn the_greeting_is_what_the_host_left_made_printable() {
        let store = store();
        assert_eq!(greeting(&store).unwrap(), None);
        store.set(&Key::new(HELLO).unwrap(), b"hi\x07").unwrap();
        assert_eq!(greeting(&store).unwrap().unwrap(), r"hi\u{7}");
    }

    #[test]
    fn steps_are_done_in_order_and_acknowledged_one_by_one() {
        let store = store();
        let steps =
            crate::words::Plan::parse("set /a=1 get /a rm /a stress 2 get /a").unwrap().steps;
        let mut out = String::new();
        let error = run(&store, &steps, 7, &mut out).unwrap_err();
        assert_eq!(error.to_string(), "get /a: /a is not found");
        assert_eq!(out, "set /a\n/a = 1\nrm /a\nack 0\nack 1\n");
        assert_eq!(get(&store, "/stress/1"), b"1 of boot 7");
    }
}
