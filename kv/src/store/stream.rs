//! Values that are written and read in parts, so that memory need not hold them.
//!
//! Invariants:
//! - What a writer has written belongs to an object that is pending, from its first commit on: it is no
//!   key's value, and the cleaner moves it as any other. One commit makes it the key's value and not
//!   pending any more.
//! - A pending object of which the writer has gone is removed by the next commit; one of an earlier
//!   mount, by the first commit that goes through.

use super::Store;
use super::object::{self, Filled, Gone, NewExtent};
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::index_key::{self, IndexKey};
use crate::format::object::Object;
use crate::format::record::Operation;
use crate::index::Entry;
use crate::key::Key;
use crate::log::{Log, Pending, Purpose};
use alloc::vec::Vec;
use core::fmt;

/// Bytes that a writer commits at once, about.
const PART_LEN: u64 = 1 << 20;
/// The same on small devices: segments.
const PART_SEGMENTS: u64 = 1;

/// Objects that are removed at once.
const REMOVALS_MAX: usize = 64;

/// What is to have the value.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Path(Key),
    /// A lump of this key.
    Lump(IndexKey),
}

/// A value that is being written. [`Store::write_to`] makes it.
///
/// Dropping it abandons the value: the key keeps what it has.
pub struct Writer<'a, D: BlockDevice> {
    store: &'a Store<D>,
    target: Target,
    /// `None`: the time of the commit.
    modified: Option<Timestamp>,
    /// What has been committed.
    object: Option<Object>,
    /// What has not.
    rest: Vec<u8>,
    failed: bool,
}

impl<D: BlockDevice> Store<D> {
    /// Begins to write a value of any length, without knowing it. The key has it, whole, when
    /// [`Writer::commit`] returns; until then nothing of it can be seen. The contract is checked then,
    /// too. Memory is that of about 1 MiB, twice.
    ///
    /// ```
    /// # use nerite::{CreateOptions, Key, KvRead, MemoryDevice, OpenOptions, Store, Timestamp};
    /// # let device = MemoryDevice::new(4096, 1024);
    /// # Store::create(&device, CreateOptions::new(0x5eed))?;
    /// # let store = Store::open(device, || Timestamp(1), OpenOptions::new(0xcafe))?;
    /// let key: Key = "/large".parse()?;
    /// let mut writer = store.write_to(&key);
    /// for n in 0..100 {
    ///     writer.write(&[n; 1000])?;
    /// }
    /// writer.commit()?;
    /// assert_eq!(store.size(&key)?, 100_000);
    /// # use nerite::KvWrite;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_to(&self, key: &Key) -> Writer<'_, D> {
        Writer::new(self, Target::Path(key.clone()), None)
    }

    /// Bytes of a part, whole chunks.
    fn part_len(&self) -> usize {
        let wanted = PART_LEN.min(self.layout.segment_len().saturating_mul(PART_SEGMENTS));
        let chunk = u64::from(self.layout.chunk_len()).max(1);
        usize::try_from((wanted / chunk).max(1).saturating_mul(chunk)).unwrap_or(usize::MAX)
    }

    /// Removes what writers have left that are gone, as far as there is room for that.
    pub(super) fn remove_abandoned(&self, log: &mut Log) -> Result<(), Error> {
        if !log.has_mounted() && log.segments.totals().pending > 0 {
            *self.abandoned.lock() = self.pending_objects()?;
        }
        loop {
            let mut ids = self.abandoned.lock().clone();
            ids.truncate(REMOVALS_MAX);
            if ids.is_empty() {
                return Ok(());
            }
            match self.remove_pending(log, &ids) {
                Ok(()) => self.abandoned.lock().retain(|id| !ids.contains(id)),
                // It can wait.
                Err(Error::NoSpace { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// The objects that are pending.
    fn pending_objects(&self) -> Result<Vec<u64>, Error> {
        let (from, to) = index_key::all_pending();
        self.walk((&from, &to), |walk| {
            let mut ids = Vec::new();
            while let Some(row) = walk.next()? {
                ids.extend(index_key::object_of(row.index_key().as_bytes()).map(|(id, _)| id));
            }
            Ok(ids)
        })
    }

    fn remove_pending(&self, log: &mut Log, ids: &[u64]) -> Result<(), Error> {
        let keys: Vec<_> = ids.iter().map(|&id| IndexKey::pending(id)).collect();
        let gone: Vec<_> = ids.iter().filter_map(|&id| Gone::of(Object { id, size: 0 })).collect();
        let removals = keys.iter().map(|key| self.removal_of(key));
        let removals = removals.collect::<Result<Vec<_>, _>>()?;
        let mut operations: Vec<_> =
            removals.into_iter().flatten().chain(gone.iter().map(Gone::pending)).collect();
        self.commit_these(log, &mut operations, Purpose::Change)
    }

    /// Takes the key of a pending object out.
    fn removal_of<'a>(&self, key: &'a IndexKey) -> Result<Option<Pending<'a>>, Error> {
        let entry = self.look(|index, pins| index.entry(key.as_bytes(), pins))?;
        Ok(entry.map(|entry| self.removal(key, &entry)))
    }
}

impl<'a, D: BlockDevice> Writer<'a, D> {
    pub(super) const fn new(
        store: &'a Store<D>,
        target: Target,
        modified: Option<Timestamp>,
    ) -> Self {
        Self { store, target, modified, object: None, rest: Vec::new(), failed: false }
    }

    /// Gives the value this time of its last change, and not that of the commit: for what comes from
    /// elsewhere and has a time already.
    pub const fn set_modified(&mut self, last_modified: Timestamp) {
        self.modified = Some(last_modified);
    }

    /// Adds bytes to the value. Now and then some are made durable.
    ///
    /// # Errors
    /// [`Error::NoSpace`], [`Error::TooLarge`], [`Error::ReadOnly`], [`Error::Poisoned`],
    /// [`Error::Corrupt`], [`Error::Device`]. Nothing can be done with the writer then but to drop it.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        self.check()?;
        // It is as it was again only if all of this succeeds.
        self.failed = true;
        let part = self.store.part_len();
        while self.rest.len().saturating_add(bytes.len()) > part {
            let missing = part.saturating_sub(self.rest.len());
            let (now, later) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
            if self.rest.is_empty() {
                self.put_part(now)?;
            } else {
                self.rest.extend_from_slice(now);
                let full = core::mem::take(&mut self.rest);
                self.put_part(&full)?;
                self.rest = full;
                self.rest.clear();
            }
            bytes = later;
        }
        self.rest.extend_from_slice(bytes);
        self.failed = false;
        Ok(())
    }

    /// Makes all that was written the key's value.
    ///
    /// # Errors
    /// Those of [`KvWrite::set`](crate::KvWrite::set); [`Error::Unsupported`] if a write has failed.
    /// The value is abandoned then.
    pub fn commit(self) -> Result<(), Error> {
        self.finish().map(|_| ())
    }

    /// As [`commit`](Self::commit). Tells whether the key had no value.
    pub(super) fn finish(mut self) -> Result<bool, Error> {
        self.check()?;
        let store = self.store;
        let mut log = store.writer()?;
        let (key, old) = match &self.target {
            Target::Path(key) => (IndexKey::path(key), store.settable(key)?),
            Target::Lump(key) => {
                (key.clone(), store.look(|index, pins| index.entry(key.as_bytes(), pins))?)
            }
        };
        let is_new = old.is_none();
        let Some(Object { id, size }) = self.object else {
            return store.put(&mut log, &key, &self.rest, old, self.modified).map(|()| is_new);
        };
        let chunk = store.layout.chunk_len();
        let extents = object::extents_of(id, &self.rest, size, chunk);
        let object = Object { id, size: size.saturating_add(self.rest.len() as u64) };
        log.check_value_len(object.size)?;
        let pending = IndexKey::pending(id);
        let removal = store.removal_of(&pending)?;
        let gone = Gone::of_entry(old.as_ref());
        let replaced = old.as_ref().map(|old| old.replaced(&store.layout, key.as_bytes()));
        let operation = Operation::SetObject { key: key.as_bytes(), object };
        let set = Pending { operation, modified: self.modified, replaced };
        let gone = gone.as_ref().map(Gone::pending);
        let operations = removal.into_iter().chain(gone).chain([set]);
        let mut operations: Vec<_> =
            operations.chain(extents.iter().map(NewExtent::pending)).collect();
        store.commit(&mut log, &mut operations, Purpose::Grow)?;
        self.object = None;
        Ok(is_new)
    }

    const fn check(&self) -> Result<(), Error> {
        if self.failed { Err(Error::Unsupported("a writer that has failed")) } else { Ok(()) }
    }

    /// Commits bytes that begin where a chunk does.
    fn put_part(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let store = self.store;
        let mut log = store.writer()?;
        let begins = self.object.is_none();
        let Object { id, size } =
            self.object.unwrap_or(Object { id: log.point().sequence, size: 0 });
        let object = Object { id, size: size.saturating_add(bytes.len() as u64) };
        log.check_value_len(object.size)?;
        let extents = object::extents_of(id, bytes, size, store.layout.chunk_len());
        let pending = IndexKey::pending(id);
        let operation =
            Operation::SetObject { key: pending.as_bytes(), object: Object { id, size: 0 } };
        let begin = Pending { operation, modified: None, replaced: None };
        let begin = begins.then_some(begin).into_iter();
        let mut operations: Vec<_> = begin.chain(extents.iter().map(NewExtent::pending)).collect();
        store.commit(&mut log, &mut operations, Purpose::Grow)?;
        self.object = Some(object);
        Ok(())
    }
}

impl<D: BlockDevice> Drop for Writer<'_, D> {
    fn drop(&mut self) {
        if let Some(object) = self.object {
            self.store.abandoned.lock().push(object.id);
        }
    }
}

impl<D: BlockDevice> fmt::Debug for Writer<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Writer").field(&self.target).finish_non_exhaustive()
    }
}

/// A value that is read in parts. [`Store::read_from`] makes it.
///
/// It keeps nothing on the device: if the value is overwritten, removed or renamed, the next read says
/// so.
pub struct Reader<'a, D> {
    store: &'a Store<D>,
    key: IndexKey,
    entry: Entry,
    /// The value, if it is no object.
    value: Vec<u8>,
    offset: u64,
}

impl<D: BlockDevice> Store<D> {
    /// Begins to read a value. Memory is that of one chunk, at most 64 KiB.
    ///
    /// # Errors
    /// Those of [`KvRead::get`](crate::KvRead::get).
    pub fn read_from(&self, key: &Key) -> Result<Reader<'_, D>, Error> {
        let index_key = IndexKey::path(key);
        loop {
            let entry = self.value(key)?;
            let found = match entry.object() {
                Some(_) => Some((entry, Vec::new())),
                None => self.current(index_key.as_bytes(), entry)?,
            };
            if let Some((entry, value)) = found {
                return Ok(Reader { store: self, key: index_key, entry, value, offset: 0 });
            }
        }
    }
}

impl<D: BlockDevice> Reader<'_, D> {
    /// Bytes of the value.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.entry.size
    }

    /// Reads the next bytes into `buf`, and tells how many they are: as many as it has, or what is left
    /// of the value.
    ///
    /// # Errors
    /// [`Error::Changed`] if the key does not have this value any more; [`Error::Corrupt`];
    /// [`Error::Device`].
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        let bytes = self.offset..self.offset.saturating_add(buf.len() as u64);
        let mut filled = Filled::new(buf);
        let mut each = |bytes: &[u8]| filled.add(bytes);
        let same = if let Some(object) = self.entry.object() {
            let entry = (&self.entry, object);
            self.store.read_object(self.key.as_bytes(), entry, bytes, &mut each)?
        } else {
            let span = object::span(&bytes, 0, self.value.len());
            each(self.value.get(span).unwrap_or_default());
            let look = self.store.look(|index, pins| index.entry(self.key.as_bytes(), pins))?;
            look.is_some_and(|now| now.sequence == self.entry.sequence)
        };
        if !same {
            return Err(Error::Changed);
        }
        let len = filled.len();
        self.offset = self.offset.saturating_add(len as u64);
        Ok(len)
    }
}

impl<D> fmt::Debug for Reader<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reader").field(&self.key).field(&self.offset).finish_non_exhaustive()
    }
}
