//! The oracle: the contract in its plainest form.
//!
//! Every answer is worked out from scratch over a map of all values. Nothing here is fast, and
//! nothing is shared with the engine but the vocabulary.

mod rules;

use crate::contents::Contents;
use crate::write::{KvBatch, Write};
use nerite::{Clock, Digest, Entry, Error, Key, Kind, KvRead, KvWrite, Timestamp};
use rules::{digest, entries, fits, kind, known, landing, value, writable};
use std::fmt;
use std::sync::{Mutex, MutexGuard};

/// A store that is right by inspection.
pub struct Model {
    clock: Box<dyn Clock + Send + Sync>,
    values: Mutex<Contents>,
}

impl Model {
    /// The longest value that it takes, in bytes.
    pub const VALUE_LEN_MAX: u64 = 1 << 24;

    /// An empty store whose times come from `clock`.
    #[must_use]
    pub fn new(clock: impl Clock + Send + Sync + 'static) -> Self {
        Self { clock: Box::new(clock), values: Mutex::default() }
    }

    /// Forgets all it holds, and holds this.
    pub fn restore(&self, contents: Contents) {
        *self.lock() = contents;
    }

    /// Every value and its time, without going through the contract.
    #[must_use]
    pub fn contents(&self) -> Contents {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.values.lock().expect("nothing panics while it holds the lock")
    }

    fn set_in(
        &self,
        values: &mut Contents,
        key: &Key,
        value: Vec<u8>,
        time: Option<Timestamp>,
    ) -> Result<(), Error> {
        writable(values, key)?;
        fits(value.len() as u64, Self::VALUE_LEN_MAX)?;
        self.put(values, key, value, time);
        Ok(())
    }

    /// Gives `key`, which can be written, this value.
    fn put(&self, values: &mut Contents, key: &Key, value: Vec<u8>, time: Option<Timestamp>) {
        let time = time.unwrap_or_else(|| self.clock.now());
        values.insert(key.clone(), (value, time));
    }
}

fn remove_from(values: &mut Contents, key: &Key) {
    values.retain(|other, _| !other.starts_with(key));
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.lock().iter()).finish()
    }
}

impl KvRead for Model {
    fn exists(&self, key: &Key) -> Result<Option<Kind>, Error> {
        Ok(kind(&self.lock(), key))
    }

    fn get(&self, key: &Key) -> Result<Vec<u8>, Error> {
        value(&self.lock(), key).map(<[u8]>::to_vec)
    }

    fn get_partial(&self, key: &Key, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let values = self.lock();
        let value = value(&values, key)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(value.len());
        let len = buf.len().min(value.len() - offset);
        buf[..len].copy_from_slice(&value[offset..offset + len]);
        Ok(len)
    }

    fn list_page(
        &self,
        key: &Key,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        let values = self.lock();
        if known(&values, key)? == Kind::Value {
            return Err(Error::DictionaryExpected(key.clone()));
        }
        let after = |name: &[u8]| after.is_none_or(|after| name > after);
        let entries = entries(&values, key).into_iter();
        Ok(entries.filter(|(name, _)| after(name)).map(|(_, entry)| entry).take(limit).collect())
    }

    fn size(&self, key: &Key) -> Result<u64, Error> {
        let values = self.lock();
        known(&values, key)?;
        let within = values.iter().filter(|(other, _)| other.starts_with(key));
        Ok(within.map(|(_, (value, _))| value.len() as u64).sum())
    }

    fn last_modified(&self, key: &Key) -> Result<Timestamp, Error> {
        let values = self.lock();
        if known(&values, key)? == Kind::Value {
            return Ok(values[key].1);
        }
        let direct = values.iter().filter(|(other, _)| other.parent().as_ref() == Some(key));
        Ok(direct.map(|(_, (_, time))| *time).max().unwrap_or_default())
    }

    fn digest(&self, key: &Key) -> Result<Digest, Error> {
        let values = self.lock();
        known(&values, key)?;
        Ok(digest(&values, key))
    }
}

impl KvWrite for Model {
    fn set(&self, key: &Key, value: &[u8]) -> Result<(), Error> {
        self.set_in(&mut self.lock(), key, value.to_vec(), None)
    }

    fn set_partial(&self, key: &Key, offset: u64, data: &[u8]) -> Result<(), Error> {
        let mut values = self.lock();
        writable(&values, key)?;
        let mut value = values.get(key).map(|(value, _)| value.clone()).unwrap_or_default();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(value.len());
        let end = offset + data.len();
        fits(end as u64, Self::VALUE_LEN_MAX)?;
        value.resize(end.max(value.len()), 0);
        value[offset..end].copy_from_slice(data);
        self.put(&mut values, key, value, None);
        Ok(())
    }

    fn allocate(
        &self,
        key: &Key,
        size: u64,
        last_modified: Option<Timestamp>,
    ) -> Result<(), Error> {
        let mut values = self.lock();
        writable(&values, key)?;
        if values.contains_key(key) {
            return Err(Error::AlreadyPresent(key.clone()));
        }
        let value = vec![0; fits(size, Self::VALUE_LEN_MAX)?];
        self.put(&mut values, key, value, last_modified);
        Ok(())
    }

    fn remove(&self, key: &Key) -> Result<(), Error> {
        remove_from(&mut self.lock(), key);
        Ok(())
    }

    fn rename(&self, source: &Key, dest: &Key) -> Result<(), Error> {
        let mut values = self.lock();
        let target = landing(&values, source, dest)?;
        let depth = source.names().count();
        let mut renamed = Contents::new();
        for (key, value) in values.iter().filter(|(key, _)| key.starts_with(source)) {
            let mut names = key.names().skip(depth);
            let key = names.try_fold(target.clone(), |key, name| key.join(name))?;
            renamed.insert(key, value.clone());
        }
        values.retain(|key, _| !key.starts_with(source));
        values.append(&mut renamed);
        Ok(())
    }
}

impl KvBatch for Model {
    fn write_all(&self, writes: &[Write]) -> Result<(), Error> {
        let mut values = self.lock();
        let (mut after, time) = (values.clone(), self.clock.now());
        for write in writes {
            match write {
                Write::Set(key, value) => {
                    self.set_in(&mut after, key, value.bytes(), Some(time))?;
                }
                Write::Remove(key) => remove_from(&mut after, key),
                other => panic!("{other} in a batch"),
            }
        }
        *values = after;
        Ok(())
    }
}
