//! Reading: `KvRead`.

use super::Store;
use super::digest::DictionaryDigest;
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::index_key::{IndexKey, Subtree};
use crate::index::{Entry as Value, Found, Index};
use crate::key::Key;
use crate::log;
use crate::traits::{Digest, Entry, Kind, KvRead};
use alloc::vec::Vec;

impl<D: BlockDevice> Store<D> {
    /// The value that the index has for `key`.
    fn value(&self, key: &Key) -> Result<Value, Error> {
        match self.index.lock().find(key) {
            Found::Value(value) => Ok(value),
            Found::Dictionary => Err(Error::ValueExpected(key.clone())),
            Found::BelowValue(_) | Found::Nothing => Err(Error::NotFound(key.clone())),
        }
    }

    /// The bytes of a value, from its record.
    pub(super) fn fetch(&self, key: &IndexKey, value: &Value) -> Result<Vec<u8>, Error> {
        log::fetch(&self.disk, &self.layout, value.record, key.as_bytes(), value.sequence)
    }

    /// Every value below a dictionary, as of now.
    pub(super) fn values_below(&self, key: &Key) -> Vec<(IndexKey, Value)> {
        let below = Subtree::of(key);
        let index = self.index.lock();
        index.range(&below.from, &below.to).map(|(key, value)| (key.clone(), *value)).collect()
    }
}

impl<D: BlockDevice> KvRead for Store<D> {
    fn exists(&self, key: &Key) -> Result<Option<Kind>, Error> {
        Ok(match self.index.lock().find(key) {
            Found::Value(_) => Some(Kind::Value),
            Found::Dictionary => Some(Kind::Dictionary),
            Found::BelowValue(_) | Found::Nothing => None,
        })
    }

    fn get(&self, key: &Key) -> Result<Vec<u8>, Error> {
        let value = self.value(key)?;
        self.fetch(&IndexKey::path(key), &value)
    }

    fn get_partial(&self, key: &Key, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
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
        let index = self.index.lock();
        expect_dictionary(&index, key)?;
        entries(&index, key, after).take(limit).map(|entry| entry.map(|(entry, _)| entry)).collect()
    }

    fn size(&self, key: &Key) -> Result<u64, Error> {
        let index = self.index.lock();
        match index.find(key) {
            Found::Value(value) => Ok(value.size),
            Found::Dictionary => {
                let below = Subtree::of(key);
                let sizes = index.range(&below.from, &below.to).map(|(_, value)| value.size);
                Ok(sizes.fold(0, u64::saturating_add))
            }
            Found::BelowValue(_) | Found::Nothing => Err(Error::NotFound(key.clone())),
        }
    }

    fn last_modified(&self, key: &Key) -> Result<Timestamp, Error> {
        let index = self.index.lock();
        match index.find(key) {
            Found::Value(value) => Ok(value.modified),
            Found::Dictionary => {
                let mut newest = Timestamp::default();
                for entry in entries(&index, key, None) {
                    newest = entry?.1.map_or(newest, |value| newest.max(value.modified));
                }
                Ok(newest)
            }
            Found::BelowValue(_) | Found::Nothing => Err(Error::NotFound(key.clone())),
        }
    }

    fn digest(&self, key: &Key) -> Result<Digest, Error> {
        // Records are never overwritten while the store is open, so the values that are listed now
        // can be read later: the digest is of this moment.
        let values = match self.exists(key)? {
            None => return Err(Error::NotFound(key.clone())),
            Some(Kind::Value) => return Ok(super::digest::of_value(&self.get(key)?)),
            Some(Kind::Dictionary) => self.values_below(key),
        };
        let mut digest = DictionaryDigest::new(key);
        for (encoded, value) in values {
            let bytes = self.fetch(&encoded, &value)?;
            digest.add(&encoded.to_key(), &bytes);
        }
        Ok(digest.finish())
    }
}

fn expect_dictionary(index: &Index, key: &Key) -> Result<(), Error> {
    match index.find(key) {
        Found::Dictionary => Ok(()),
        Found::Value(_) => Err(Error::DictionaryExpected(key.clone())),
        Found::BelowValue(_) | Found::Nothing => Err(Error::NotFound(key.clone())),
    }
}

/// The entries of a dictionary behind the name `after`, in key order; with the value, if it is
/// one. What is below a sub-dictionary is skipped by one seek.
fn entries(
    index: &Index,
    key: &Key,
    after: Option<&[u8]>,
) -> impl Iterator<Item = Result<(Entry, Option<Value>), Error>> {
    let below = Subtree::of(key);
    let mut from = after.map_or_else(|| below.from.clone(), |name| below.behind(name));
    core::iter::from_fn(move || {
        let (found, value) = index.range(&from, below.to.as_slice().max(&from)).next()?;
        let (name, goes_on) = below.name_of(found);
        from = below.behind(&name);
        let kind = if goes_on { Kind::Dictionary } else { Kind::Value };
        let entry = key.join(name).map(|key| (Entry { key, kind }, (!goes_on).then_some(*value)));
        Some(entry.map_err(Error::from))
    })
}
