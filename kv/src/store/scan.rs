//! Scans: all values in key order, a row at a time.

use super::Store;
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::index_key::{self, IndexKey, Subtree};
use crate::format::node::LeafValue;
use crate::index::{Chunk, Entry};
use crate::key::Key;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeBounds;

/// The values of a range of keys, in key order. [`Store::scan`] makes it.
pub struct Scan<'a, D> {
    store: &'a Store<D>,
    chunk: Chunk,
    to: Vec<u8>,
    key: Key,
    /// Of a row whose value is in a record, or was.
    fetched: Option<(Entry, Vec<u8>)>,
    ended: bool,
}

/// A value and its key, lent until the next one is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row<'a> {
    /// The key.
    pub key: &'a Key,
    /// The whole value.
    pub value: &'a [u8],
    /// When the value was last written.
    pub last_modified: Timestamp,
}

impl<D: BlockDevice> Store<D> {
    /// Every value whose key is in `range`, in key order. The keys below a dictionary are one range:
    /// from the dictionary's key on, up to the next key that does not start with it.
    ///
    /// A scan is no snapshot. What is there from its beginning to its end comes up once, with a
    /// value that it has had meanwhile; what is set or removed meanwhile may come up or not. Nothing
    /// is locked between two rows. Memory is that of 16 leaves and one value.
    ///
    /// ```
    /// # use nerite::{CreateOptions, Key, KvWrite, MemoryDevice, OpenOptions, Store, Timestamp};
    /// # let device = MemoryDevice::new(4096, 64);
    /// # Store::create(&device, CreateOptions::new(0x5eed))?;
    /// # let store = Store::open(device, || Timestamp(1), OpenOptions::new(0xcafe))?;
    /// store.set(&"/a/b".parse()?, b"1")?;
    /// let from: Key = "/a".parse()?;
    /// let mut scan = store.scan(from..);
    /// while let Some(row) = scan.next()? {
    ///     println!("{}: {} bytes", row.key, row.value.len());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn scan(&self, range: impl RangeBounds<Key>) -> Scan<'_, D> {
        let (from, to) = key_bounds(&range);
        let (chunk, key) = (Chunk::before(&from), Key::ROOT);
        Scan { store: self, chunk, to, key, fetched: None, ended: false }
    }
}

/// The index keys of a range: from the first on and below the second.
pub(super) fn key_bounds(range: &impl RangeBounds<Key>) -> (Vec<u8>, Vec<u8>) {
    let Subtree { from, to } = Subtree::of(&Key::ROOT);
    let bounds = [range.start_bound(), range.end_bound()].map(|at| at.map(IndexKey::path));
    index_key::bounds(bounds, (&from, &to))
}

impl<D: BlockDevice> Scan<'_, D> {
    /// The next row; `None` behind the last one.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Device`]. There are no rows then.
    #[expect(clippy::should_implement_trait, reason = "rows are lent, which an iterator can't")]
    pub fn next(&mut self) -> Result<Option<Row<'_>>, Error> {
        if self.ended || !self.advance()? {
            return Ok(None);
        }
        let Some(row) = self.chunk.row() else { return Ok(None) };
        index_key::read_path(row.key, &mut self.key);
        let (value, last_modified) = match (&self.fetched, row.entry.value) {
            (None, LeafValue::Inline { bytes, .. }) => (bytes, row.entry.modified),
            (Some((entry, value)), _) => (&value[..], entry.modified),
            (None, LeafValue::Record { .. } | LeafValue::Object { .. }) => return Ok(None),
        };
        Ok(Some(Row { key: &self.key, value, last_modified }))
    }

    /// Goes on to the next row, if there is one, and brings its value. If there is none, or on an
    /// error, the scan has ended.
    fn advance(&mut self) -> Result<bool, Error> {
        while self.chunk.advance() || self.refill()? {
            self.fetched = None;
            if self.chunk.is_inline() {
                return Ok(true);
            }
            let Some(row) = self.chunk.row() else { return Ok(true) };
            self.ended = true;
            let (key, entry) = (row.index_key(), Entry::from_leaf(&row.entry));
            self.fetched = self.store.current(key.as_bytes(), entry)?;
            self.ended = false;
            if self.fetched.is_some() {
                return Ok(true);
            }
            // The value has gone since the row was seen.
        }
        Ok(false)
    }

    /// Goes on to the first row of the next chunk that has one.
    #[inline(never)]
    fn refill(&mut self) -> Result<bool, Error> {
        self.ended = true;
        while let Some(from) = self.chunk.next.take().filter(|from| *from < self.to) {
            let (chunk, to) = (&mut self.chunk, &self.to);
            self.store.look(|index, pins| index.fill(chunk, &from, to, pins))?;
            if self.chunk.advance() {
                self.ended = false;
                break;
            }
        }
        Ok(!self.ended)
    }
}

impl<D> fmt::Debug for Scan<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scan").field(&self.key).finish_non_exhaustive()
    }
}
