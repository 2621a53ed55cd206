//! The contract: mirage-kv 6.1.1's `RO` and `RW` in Rust.

use crate::clock::Timestamp;
use crate::error::Error;
use crate::key::Key;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// What a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Bytes.
    Value,
    /// The keys below it. Dictionaries are implicit: a key is one if it is a proper prefix of some
    /// key that has a value; the root always is.
    Dictionary,
}

/// One row of [`KvRead::list`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The whole key, from the root.
    pub key: Key,
    /// What it names.
    pub kind: Kind,
}

/// A SHA-256 digest. It prints as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A store that can be read (`Mirage_kv.RO`).
///
/// Each call sees one moment. No key is both a value and a dictionary. Besides the errors that the
/// methods name, each can fail with [`Error::Corrupt`] and [`Error::Device`].
pub trait KvRead {
    /// What `key` names, `None` if nothing. The root is always a dictionary.
    ///
    /// # Errors
    /// None of its own.
    fn exists(&self, key: &Key) -> Result<Option<Kind>, Error>;

    /// The whole value.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::ValueExpected`] of a dictionary.
    fn get(&self, key: &Key) -> Result<Vec<u8>, Error>;

    /// Fills `buf` with the bytes of the value from `offset` on and tells how many: fewer than
    /// `buf` holds at the value's end, 0 beyond it.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    fn get_partial(&self, key: &Key, offset: u64, buf: &mut [u8]) -> Result<usize, Error>;

    /// At most `limit` entries of a dictionary, in key order, those whose name comes after `after`.
    /// Go on with the last entry's name until fewer than `limit` come back.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::DictionaryExpected`] of a value.
    fn list_page(&self, key: &Key, after: Option<&[u8]>, limit: usize)
    -> Result<Vec<Entry>, Error>;

    /// Every entry of a dictionary, in key order. Memory grows with the dictionary:
    /// [`list_page`](Self::list_page) bounds it.
    ///
    /// # Errors
    /// As [`list_page`](Self::list_page).
    fn list(&self, key: &Key) -> Result<Vec<Entry>, Error> {
        self.list_page(key, None, usize::MAX)
    }

    /// The bytes of a value; of a dictionary, the sum of the values below it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    fn size(&self, key: &Key) -> Result<u64, Error>;

    /// When the value was last written; of a dictionary, the newest of the values directly in it
    /// (the time takes as long as there are such values), and the epoch if there are none.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    fn last_modified(&self, key: &Key) -> Result<Timestamp, Error>;

    /// SHA-256 of a value. Of a dictionary, SHA-256 over its entries in key order, each as the
    /// length of its name (1 byte), the name, its kind (0 value, 1 dictionary) and its digest.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    fn digest(&self, key: &Key) -> Result<Digest, Error>;
}

/// A store that can be written (`Mirage_kv.RW`).
///
/// Each call is atomic, and **durable** when it returns `Ok`: after a crash its effect is there
/// whole. Besides the errors that the methods name, each can fail with [`Error::ReadOnly`],
/// [`Error::NoSpace`], [`Error::TooLarge`], [`Error::Poisoned`] and [`Error::Corrupt`]. After an
/// error nothing has changed, with one exception: after [`Error::Device`], as after a crash in the
/// middle of a call, its effect is there whole or not at all, which reopening tells.
pub trait KvWrite: KvRead {
    /// Gives `key` this value, in place of any that it has.
    ///
    /// # Errors
    /// [`Error::ValueExpected`] over a dictionary (the root is one);
    /// [`Error::DictionaryExpected`] below a value.
    fn set(&self, key: &Key, value: &[u8]) -> Result<(), Error>;

    /// Replaces the bytes of the value from `offset` on by `data`, as far as they go. From beyond
    /// the value's end it appends, leaving no gap. A key without a value is given `data`.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    fn set_partial(&self, key: &Key, offset: u64, data: &[u8]) -> Result<(), Error>;

    /// Makes a value of `size` zeros, modified at `last_modified`, or now.
    ///
    /// # Errors
    /// [`Error::AlreadyPresent`] if `key` has a value; otherwise as [`set`](Self::set).
    fn allocate(&self, key: &Key, size: u64, last_modified: Option<Timestamp>)
    -> Result<(), Error>;

    /// Removes a value, or a dictionary with everything below it; the root empties the store. Of
    /// nothing it is `Ok`.
    ///
    /// # Errors
    /// None of its own.
    fn remove(&self, key: &Key) -> Result<(), Error>;

    /// Moves a value or a whole dictionary, times included. If `dest` is a dictionary it moves
    /// inside, keeping its last name. A value at the destination is replaced by a value. Onto
    /// itself it changes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no `source`; [`Error::RenameSourcePrefix`] if the
    /// destination is below it; [`Error::ValueExpected`] of a dictionary onto a value or a value
    /// onto a dictionary; [`Error::AlreadyPresent`] of a dictionary onto a dictionary;
    /// [`Error::DictionaryExpected`] below a value; [`Error::InvalidKey`] if a key would become too
    /// long.
    fn rename(&self, source: &Key, dest: &Key) -> Result<(), Error>;
}

macro_rules! forward {
    ($($pointer:ty),*) => { $(
        impl<K: KvRead + ?Sized> KvRead for $pointer {
            fn exists(&self, key: &Key) -> Result<Option<Kind>, Error> {
                (**self).exists(key)
            }
            fn get(&self, key: &Key) -> Result<Vec<u8>, Error> {
                (**self).get(key)
            }
            fn get_partial(&self, key: &Key, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
                (**self).get_partial(key, offset, buf)
            }
            fn list_page(
                &self,
                key: &Key,
                after: Option<&[u8]>,
                limit: usize,
            ) -> Result<Vec<Entry>, Error> {
                (**self).list_page(key, after, limit)
            }
            fn list(&self, key: &Key) -> Result<Vec<Entry>, Error> {
                (**self).list(key)
            }
            fn size(&self, key: &Key) -> Result<u64, Error> {
                (**self).size(key)
            }
            fn last_modified(&self, key: &Key) -> Result<Timestamp, Error> {
                (**self).last_modified(key)
            }
            fn digest(&self, key: &Key) -> Result<Digest, Error> {
                (**self).digest(key)
            }
        }
        impl<K: KvWrite + ?Sized> KvWrite for $pointer {
            fn set(&self, key: &Key, value: &[u8]) -> Result<(), Error> {
                (**self).set(key, value)
            }
            fn set_partial(&self, key: &Key, offset: u64, data: &[u8]) -> Result<(), Error> {
                (**self).set_partial(key, offset, data)
            }
            fn allocate(
                &self,
                key: &Key,
                size: u64,
                last_modified: Option<Timestamp>,
            ) -> Result<(), Error> {
                (**self).allocate(key, size, last_modified)
            }
            fn remove(&self, key: &Key) -> Result<(), Error> {
                (**self).remove(key)
            }
            fn rename(&self, source: &Key, dest: &Key) -> Result<(), Error> {
                (**self).rename(source, dest)
            }
        }
    )* };
}
forward!(&K, Box<K>, Arc<K>);
