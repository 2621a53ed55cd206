//! Reading: `KvRead`.

use super::Store;
use super::digest::DictionaryDigest;
use super::look::Walk;
use super::object::Filled;
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::index_key::{IndexKey, Subtree};
use crate::format::node::{LeafEntry, LeafValue};
use crate::index::{Entry as Value, Found, Stored};
use crate::key::Key;
use crate::log;
use crate::traits::{Digest, Entry, Kind, KvRead};
use alloc::vec::Vec;

impl<D: BlockDevice> Store<D> {
    /// The value that the index has for `key`.
    pub(super) fn value(&self, key: &Key) -> Result<Value, Error> {
        match self.find(key)? {
            Found::Value(value) => Ok(value),
            Found::Dictionary => Err(Error::ValueExpected(key.clone())),
            Found::BelowValue(_) | Found::Nothing => Err(Error::NotFound(key.clone())),
        }
    }

    /// The value of a key that had `entry`: its bytes, and the entry that they are of. If the record is
    /// not there any more, what the key has now; `None` if that is nothing.
    pub(super) fn current(
        &self,
        key: &[u8],
        mut entry: Value,
    ) -> Result<Option<(Value, Vec<u8>)>, Error> {
        let mut failed = None;
        loop {
            let told = self.fetch(key, &entry.as_leaf());
            let failed_once = matches!(told, Err(Error::Corrupt(_)));
            let is_object = entry.object().is_some();
            if !is_object && (!failed_once || failed.as_ref() == Some(&entry)) {
                return told.map(|bytes| Some((entry, bytes)));
            }
            let now = self.look(|index, pins| index.entry(key, pins))?;
            let Some(now) = now else { return Ok(None) };
            if is_object && now == entry {
                return told.map(|bytes| Some((entry, bytes)));
            }
            failed = Some(core::mem::replace(&mut entry, now));
        }
    }

    /// The bytes that a key has which had `entry`; `None` if it has no value any more.
    pub(super) fn bytes_of(&self, key: &IndexKey, entry: Value) -> Result<Option<Vec<u8>>, Error> {
        if let Stored::Inline { bytes, .. } = entry.value {
            return Ok(Some(bytes.into_vec()));
        }
        let current = self.current(key.as_bytes(), entry)?;
        Ok(current.map(|(_, bytes)| bytes))
    }

    /// The bytes of a value, from the index, from its record or from its extents. Nobody else may write:
    /// otherwise the record may have moved.
    pub(super) fn fetch(&self, key: &[u8], value: &LeafEntry<'_>) -> Result<Vec<u8>, Error> {
        match value.value {
            LeafValue::Inline { bytes, .. } => Ok(bytes.to_vec()),
            LeafValue::Object { object, .. } => self.whole_object(object),
            LeafValue::Record { record, .. } => {
                Ok(log::fetch(&self.disk, &self.layout, record, key, value.sequence)?.value)
            }
        }
    }

    /// As `get_partial`; `None` if the value is no object.
    fn get_partial_of_object(
        &self,
        key: &Key,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<Option<usize>, Error> {
        loop {
            let entry = self.value(key)?;
            let Some(object) = entry.object() else { return Ok(None) };
            let bytes = offset..offset.saturating_add(buf.len() as u64);
            let mut filled = Filled::new(buf);
            let mut each = |bytes: &[u8]| filled.add(bytes);
            let key = IndexKey::path(key);
            if self.read_object(key.as_bytes(), (&entry, object), bytes, &mut each)? {
                return Ok(Some(filled.len()));
            }
        }
    }

    /// What `each` makes of the entries of a dictionary behind the name `after`.
    fn entries<R>(
        &self,
        key: &Key,
        after: Option<&[u8]>,
        mut each: impl FnMut(&mut Entries<'_, '_, D>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let below = Subtree::of(key);
        let from = after.map_or_else(|| below.from.clone(), |name| below.behind(name));
        self.walk((&from, &below.to), |walk| {
            each(&mut Entries { walk, dictionary: key, below: &below })
        })
    }
}

impl<D: BlockDevice> KvRead for Store<D> {
    fn exists(&self, key: &Key) -> Result<Option<Kind>, Error> {
        Ok(match self.find(key)? {
            Found::Value(_) => Some(Kind::Value),
            Found::Dictionary => Some(Kind::Dictionary),
            Found::BelowValue(_) | Found::Nothing => None,
        })
    }

    fn get(&self, key: &Key) -> Result<Vec<u8>, Error> {
        loop {
            let entry = self.value(key)?;
            if let Some(bytes) = self.bytes_of(&IndexKey::path(key), entry)? {
                return Ok(bytes);
            }
        }
    }

    fn get_partial(&self, key: &Key, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        if let Some(len) = self.get_partial_of_object(key, offset, buf)? {
            return Ok(len);
        }
        let value = self.get(key)?;
        let rest = usize::try_from(offset).ok().and_then(|offset| value.get(offset..));
        let rest = rest.unwrap_or_default();
        let len = rest.len().min(buf.len());
        if let (Some(target), Some(source)) = (buf.get_mut(..len), rest.get(..len)) {
            target.copy_from_slice(source);
        }
        Ok(len)
    }

    fn list_page(
        &self,
        key: &Key,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        self.entries(key, after, |entries| {
            let mut page = Vec::new();
            while page.len() < limit {
                match entries.next()? {
                    Some((entry, _)) => page.push(entry),
                    None => break,
                }
            }
            if page.is_empty() {
                expect_dictionary(&entries.walk.find(key)?, key)?;
            }
            Ok(page)
        })
    }

    fn size(&self, key: &Key) -> Result<u64, Error> {
        let Subtree { from, to } = Subtree::of(key);
        self.walk((&from, &to), |walk| match walk.find(key)? {
            Found::Value(value) => Ok(value.size),
            Found::Dictionary => {
                let mut size = 0u64;
                while let Some(row) = walk.next()? {
                    size = size.saturating_add(row.entry.size());
                }
                Ok(size)
            }
            Found::BelowValue(_) | Found::Nothing => Err(Error::NotFound(key.clone())),
        })
    }

    fn last_modified(&self, key: &Key) -> Result<Timestamp, Error> {
        self.entries(key, None, |entries| match entries.walk.find(key)? {
            Found::Value(value) => Ok(value.modified),
            Found::Dictionary => {
                let mut newest = Timestamp::default();
                while let Some((_, modified)) = entries.next()? {
                    newest = modified.map_or(newest, |modified| newest.max(modified));
                }
                Ok(newest)
            }
            Found::BelowValue(_) | Found::Nothing => Err(Error::NotFound(key.clone())),
        })
    }

    fn digest(&self, key: &Key) -> Result<Digest, Error> {
        let Subtree { from, to } = Subtree::of(key);
        self.walk((&from, &to), |walk| match walk.find(key)? {
            Found::Value(value) => {
                let digest = walk.digest(&IndexKey::path(key), value)?;
                Ok(digest.unwrap_or_else(|| super::digest::of_value(&[])))
            }
            Found::Dictionary => {
                let mut digest = DictionaryDigest::new(key);
                while let Some(row) = walk.next()? {
                    let (key, entry) = (row.index_key(), Value::from_leaf(&row.entry));
                    let Some(value) = walk.digest(&key, entry)? else { break };
                    digest.add(&key.to_key(), value);
                }
                Ok(digest.finish())
            }
            Found::BelowValue(_) | Found::Nothing => Err(Error::NotFound(key.clone())),
        })
    }
}

fn expect_dictionary(found: &Found, key: &Key) -> Result<(), Error> {
    match found {
        Found::Dictionary => Ok(()),
        Found::Value(_) => Err(Error::DictionaryExpected(key.clone())),
        Found::BelowValue(_) | Found::Nothing => Err(Error::NotFound(key.clone())),
    }
}

/// The entries of a dictionary in key order. What is below a sub-dictionary is left out by one seek.
struct Entries<'a, 'w, D> {
    walk: &'a mut Walk<'w, D>,
    dictionary: &'a Key,
    below: &'a Subtree,
}

impl<D: BlockDevice> Entries<'_, '_, D> {
    /// The next entry; with the time, if it is a value.
    fn next(&mut self) -> Result<Option<(Entry, Option<Timestamp>)>, Error> {
        let Some(row) = self.walk.next()? else { return Ok(None) };
        let (name, goes_on) = self.below.name_of(&row.index_key());
        let modified = (!goes_on).then_some(row.entry.modified);
        if goes_on {
            self.walk.skip_to(&self.below.behind(&name));
        }
        let kind = if goes_on { Kind::Dictionary } else { Kind::Value };
        Ok(Some((Entry { key: self.dictionary.join(name)?, kind }, modified)))
    }
}
