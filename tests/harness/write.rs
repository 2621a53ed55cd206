//! The contract's writing calls as values, with a text form, so that a failure can be told in a
//! line and run again.

use nerite::{Batch, BlockDevice, Error, Key, KvWrite, Store, Timestamp};
use std::fmt;
use std::str::FromStr;

/// A value by its length and a number that tells it from others of that length.
///
/// Two values of one length differ in four bytes only, at their head or at their tail: what a crash
/// mixes of two such values is as plausible as it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    /// Bytes.
    pub len: usize,
    /// What tells it from others.
    pub mark: u32,
    /// Where the mark stands: at the end, or else at the start.
    pub at_tail: bool,
}

impl Value {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        // Bytes tell where they stand, so that a shifted part shows.
        let mut bytes: Vec<u8> = (0..self.len).map(|at| (at * 31 % 251).to_le_bytes()[0]).collect();
        let mark = self.mark.to_le_bytes();
        let len = mark.len().min(self.len);
        let start = if self.at_tail { self.len - len } else { 0 };
        bytes[start..start + len].copy_from_slice(&mark[..len]);
        bytes
    }
}

/// A writing call with all that it is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    /// `set`.
    Set(Key, Value),
    /// `set_partial` at an offset.
    SetPartial(Key, u64, Value),
    /// `allocate` of so many bytes, with the time if one is given.
    Allocate(Key, u64, Option<u64>),
    /// `remove`.
    Remove(Key),
    /// `rename` of the first to the second.
    Rename(Key, Key),
    /// These, which are `set` or `remove`, all or none.
    Batch(Vec<Write>),
}

/// What takes batches besides single calls.
pub trait KvBatch: KvWrite {
    /// Does these writes, which are `set` or `remove`, all or none.
    ///
    /// # Errors
    /// Those of the first one that fails.
    fn write_all(&self, writes: &[Write]) -> Result<(), Error>;
}

impl<D: BlockDevice> KvBatch for Store<D> {
    fn write_all(&self, writes: &[Write]) -> Result<(), Error> {
        let mut batch = Batch::new();
        for write in writes {
            match write {
                Write::Set(key, value) => batch.set(key, &value.bytes()),
                Write::Remove(key) => batch.remove(key),
                other => panic!("{other} in a batch"),
            }
        }
        self.write(&batch)
    }
}

impl Write {
    /// Makes the call.
    ///
    /// # Errors
    /// Those of the call.
    pub fn run<K: KvBatch + ?Sized>(&self, kv: &K) -> Result<(), Error> {
        match self {
            Self::Set(key, value) => kv.set(key, &value.bytes()),
            Self::SetPartial(key, offset, value) => kv.set_partial(key, *offset, &value.bytes()),
            Self::Allocate(key, size, time) => kv.allocate(key, *size, time.map(Timestamp)),
            Self::Remove(key) => kv.remove(key),
            Self::Rename(source, dest) => kv.rename(source, dest),
            Self::Batch(writes) => kv.write_all(writes),
        }
    }

    /// The value that it writes, if it is given one; of a batch the first one.
    pub fn value_mut(&mut self) -> Option<&mut Value> {
        match self {
            Self::Batch(writes) => writes.iter_mut().find_map(Self::value_mut),
            Self::Set(_, value) | Self::SetPartial(_, _, value) => Some(value),
            Self::Allocate(..) | Self::Remove(_) | Self::Rename(..) => None,
        }
    }
}

/// A key as a path without spaces: each byte outside `[A-Za-z0-9_/]` is `%` and two digits.
pub(crate) struct Path<'a>(pub(crate) &'a Key);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/")?;
        for &byte in self.0.as_bytes() {
            if byte.is_ascii_alphanumeric() || b"_/".contains(&byte) {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "%{byte:02x}")?;
            }
        }
        Ok(())
    }
}

pub(crate) fn parse_path(text: &str) -> Option<Key> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Key::new(bytes).ok()
}

/// `600t3`: 600 bytes with mark 3 at the tail; `600h3`: at the head.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.at_tail { 't' } else { 'h' };
        write!(f, "{}{place}{}", self.len, self.mark)
    }
}

pub(crate) fn parse_value(text: &str) -> Option<Value> {
    let at_tail = text.contains('t');
    let (len, mark) = text.split_once(if at_tail { 't' } else { 'h' })?;
    Some(Value { len: len.parse().ok()?, mark: mark.parse().ok()?, at_tail })
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(key, value) => write!(f, "set {} {value}", Path(key)),
            Self::SetPartial(key, at, value) => write!(f, "part {} {at} {value}", Path(key)),
            Self::Allocate(key, size, None) => write!(f, "alloc {} {size}", Path(key)),
            Self::Allocate(key, size, Some(time)) => {
                write!(f, "alloc {} {size} {time}", Path(key))
            }
            Self::Remove(key) => write!(f, "rm {}", Path(key)),
            Self::Rename(source, dest) => write!(f, "mv {} {}", Path(source), Path(dest)),
            Self::Batch(writes) => {
                f.write_str("batch")?;
                for (number, write) in writes.iter().enumerate() {
                    write!(f, "{} {write}", if number == 0 { "" } else { " +" })?;
                }
                Ok(())
            }
        }
    }
}

/// Why a text is no writing call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoWrite(pub(crate) String);

impl fmt::Display for NoWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no step", self.0)
    }
}

impl std::error::Error for NoWrite {}

fn parse_batch(text: &str) -> Option<Write> {
    let parts = text.split('+').map(str::trim).filter(|part| !part.is_empty());
    let writes = parts.map(|part| {
        let write = part.parse().ok()?;
        matches!(write, Write::Set(..) | Write::Remove(_)).then_some(write)
    });
    writes.collect::<Option<_>>().map(Write::Batch)
}

impl FromStr for Write {
    type Err = NoWrite;

    fn from_str(text: &str) -> Result<Self, NoWrite> {
        let words: Vec<_> = text.split_whitespace().collect();
        let write = match words[..] {
            ["set", key, value] => {
                parse_path(key).zip(parse_value(value)).map(|(key, value)| Self::Set(key, value))
            }
            ["part", key, at, value] => parse_path(key)
                .zip(at.parse().ok())
                .zip(parse_value(value))
                .map(|((key, at), value)| Self::SetPartial(key, at, value)),
            ["alloc", key, size] => parse_path(key)
                .zip(size.parse().ok())
                .map(|(key, size)| Self::Allocate(key, size, None)),
            ["alloc", key, size, time] => parse_path(key)
                .zip(size.parse().ok())
                .zip(time.parse().ok())
                .map(|((key, size), time)| Self::Allocate(key, size, Some(time))),
            ["rm", key] => parse_path(key).map(Self::Remove),
            ["mv", source, dest] => parse_path(source)
                .zip(parse_path(dest))
                .map(|(source, dest)| Self::Rename(source, dest)),
            ["batch", ..] => {
                parse_batch(text.trim_start().strip_prefix("batch").unwrap_or_default())
            }
            _ => None,
        };
        write.ok_or_else(|| NoWrite(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(path: &[u8]) -> Key {
        Key::new(path).unwrap()
    }

    #[test]
    fn values_of_one_length_differ_in_their_marks_only() {
        let value = |mark, at_tail| Value { len: 20, mark, at_tail }.bytes();
        let (one, two) = (value(1, true), value(2, true));
        assert_eq!(one[..16], two[..16]);
        assert_ne!(one[16..], two[16..]);
        let (one, two) = (value(1, false), value(2, false));
        assert_eq!(one[4..], two[4..]);
        assert_ne!(one[..4], two[..4]);
        for len in 0..6 {
            assert_eq!(Value { len, mark: u32::MAX, at_tail: true }.bytes().len(), len);
        }
    }

    #[test]
    fn comes_back_from_its_text_and_nothing_else_does() {
        let value = Value { len: 600, mark: 7, at_tail: true };
        let head = Value { at_tail: false, ..value };
        let writes = [
            Write::Set(key(b"a/b"), value),
            Write::Set(key(b" ;:\xff%"), head),
            Write::SetPartial(key(b"a"), u64::MAX, value),
            Write::Allocate(key(b"a"), 9, None),
            Write::Allocate(key(b"a"), 9, Some(3)),
            Write::Remove(Key::ROOT),
            Write::Rename(key(b"a"), key(b"a-")),
            Write::Batch(vec![]),
            Write::Batch(vec![Write::Set(key(b"a"), value), Write::Remove(key(b"a+b"))]),
        ];
        for write in writes {
            assert_eq!(write.to_string().parse(), Ok(write));
        }
        assert_eq!(Write::Set(key(b" /;"), value).to_string(), "set /%20/%3b 600t7");
        for text in
            ["", "set", "set /a", "set /a x", "set /%zz 1t1", "rm /a /b", "mv /a", "batch mv /a /b"]
        {
            assert!(text.parse::<Write>().is_err(), "{text}");
        }
    }
}
