//! Lumps: values under 128-bit numbers (`CannyLS`'s calls), in a keyspace of their own beside the
//! paths. Each is a key like any other: durable, checked, moved and counted as paths are.

use super::Store;
use super::stream::{Target, Writer};
use super::write::AT_ONCE_MAX;
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::index_key::{self, ALL_LUMPS, IndexKey, lump_of};
use crate::format::record::extents_len;
use crate::index::Entry;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::num::ParseIntError;
use core::ops::RangeBounds;
use core::str::FromStr;

/// The number of a lump. Its text is 32 hexadecimal digits; fewer are taken too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LumpId(pub u128);

impl fmt::Display for LumpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for LumpId {
    type Err = ParseIntError;

    fn from_str(digits: &str) -> Result<Self, ParseIntError> {
        u128::from_str_radix(digits, 16).map(Self)
    }
}

/// What a lump is, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LumpHead {
    /// Bytes.
    pub size: u64,
    /// When it was last put.
    pub last_modified: Timestamp,
}

/// The lumps of a store. [`Store::lumps`] lends it; paths are beside it, untouched.
///
/// ```
/// # use nerite::{CreateOptions, LumpId, MemoryDevice, OpenOptions, Store, Timestamp};
/// # let device = MemoryDevice::new(4096, 64);
/// # Store::create(&device, CreateOptions::new(1))?;
/// # let store = Store::open(device, || Timestamp(0), OpenOptions::new(2))?;
/// let lumps = store.lumps();
/// assert!(lumps.put(LumpId(42), b"answer")?, "it is new");
/// assert_eq!(lumps.get(LumpId(42))?.as_deref(), Some(&b"answer"[..]));
/// lumps.delete_range(LumpId(40)..=LumpId(u128::MAX))?;
/// assert_eq!(lumps.list_range(.., usize::MAX)?, []);
/// # Ok::<(), nerite::Error>(())
/// ```
pub struct LumpStore<'a, D>(&'a Store<D>);

impl<D> Clone for LumpStore<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for LumpStore<'_, D> {}

impl<D> fmt::Debug for LumpStore<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LumpStore").field(self.0).finish()
    }
}

impl<D> Store<D> {
    /// The lumps in this store.
    #[must_use]
    pub const fn lumps(&self) -> LumpStore<'_, D> {
        LumpStore(self)
    }
}

impl<D: BlockDevice> LumpStore<'_, D> {
    /// The most bytes that [`embed`](Self::embed) takes.
    pub const EMBED_LEN_MAX: usize = 65_535;

    /// Gives the lump these bytes, in place of any that it has. Tells whether it is new.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::NoSpace`], [`Error::ReadOnly`], [`Error::Poisoned`],
    /// [`Error::Corrupt`], [`Error::Device`].
    pub fn put(self, id: LumpId, data: &[u8]) -> Result<bool, Error> {
        self.put_with(id, data, None)
    }

    /// As [`put`](Self::put), with this as the time of the last change: for what comes from elsewhere
    /// and has a time already.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_modified(
        self,
        id: LumpId,
        data: &[u8],
        last_modified: Timestamp,
    ) -> Result<bool, Error> {
        self.put_with(id, data, Some(last_modified))
    }

    fn put_with(self, id: LumpId, data: &[u8], modified: Option<Timestamp>) -> Result<bool, Error> {
        let key = IndexKey::lump(id.0);
        if data.len() > AT_ONCE_MAX {
            let mut writer = Writer::new(self.0, Target::Lump(key), modified);
            writer.write(data)?;
            return writer.finish();
        }
        let mut log = self.0.writer()?;
        log.check_value_len(data.len() as u64)?;
        let old = self.entry(&key)?;
        let is_new = old.is_none();
        self.0.put(&mut log, &key, data, old, modified)?;
        Ok(is_new)
    }

    /// As [`put`](Self::put), of no more than [`EMBED_LEN_MAX`](Self::EMBED_LEN_MAX) bytes. `CannyLS`
    /// keeps such lumps in its journal; here the store decides by itself where they lie.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn embed(self, id: LumpId, data: &[u8]) -> Result<bool, Error> {
        let (size, limit) = (data.len() as u64, Self::EMBED_LEN_MAX as u64);
        if size > limit { Err(Error::TooLarge { size, limit }) } else { self.put(id, data) }
    }

    /// The bytes of the lump, if there is one.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Device`].
    pub fn get(self, id: LumpId) -> Result<Option<Vec<u8>>, Error> {
        let key = IndexKey::lump(id.0);
        let Some(entry) = self.entry(&key)? else { return Ok(None) };
        self.0.bytes_of(&key, entry)
    }

    /// Size and time of the lump, if there is one. Its bytes are not read.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn head(self, id: LumpId) -> Result<Option<LumpHead>, Error> {
        let entry = self.entry(&IndexKey::lump(id.0))?;
        Ok(entry.map(|Entry { size, modified, .. }| LumpHead { size, last_modified: modified }))
    }

    /// Removes the lump. Tells whether there was one.
    ///
    /// # Errors
    /// Those of [`put`](Self::put) but for `TooLarge`; `NoSpace` only once the room is used up that is
    /// kept for removals.
    pub fn delete(self, id: LumpId) -> Result<bool, Error> {
        let mut log = self.0.writer()?;
        let key = IndexKey::lump(id.0);
        let Some(old) = self.entry(&key)? else { return Ok(false) };
        self.0.remove_value(&mut log, &key, &old)?;
        Ok(true)
    }

    /// Removes all lumps of a range, which may include the last number there is: one record, however
    /// many they are. Tells whether there were any.
    ///
    /// # Errors
    /// As [`delete`](Self::delete).
    pub fn delete_range(self, range: impl RangeBounds<LumpId>) -> Result<bool, Error> {
        let mut log = self.0.writer()?;
        let (from, to) = bounds(&range);
        if from < to { self.0.remove_between(&mut log, &from, &to) } else { Ok(false) }
    }

    /// All lumps, in numeric order. Memory grows with their number:
    /// [`list_range`](Self::list_range) bounds it.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn list(self) -> Result<Vec<LumpId>, Error> {
        self.list_range(.., usize::MAX)
    }

    /// The lumps of a range in numeric order, `limit` of them at most. Go on behind the last one until
    /// fewer than `limit` come back.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn list_range(
        self,
        range: impl RangeBounds<LumpId>,
        limit: usize,
    ) -> Result<Vec<LumpId>, Error> {
        let (from, to) = bounds(&range);
        self.0.walk((&from, &to), |walk| {
            let mut ids = vec![];
            while ids.len() < limit
                && let Some(row) = walk.next()?
            {
                ids.extend(lump_of(row.index_key().as_bytes()).map(LumpId));
            }
            Ok(ids)
        })
    }

    /// Bytes that the lumps of a range take: those of their records, whole.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn usage_range(self, range: impl RangeBounds<LumpId>) -> Result<u64, Error> {
        let (from, to) = bounds(&range);
        self.0.walk((&from, &to), |walk| {
            let mut sum = 0u64;
            while let Some(row) = walk.next()? {
                let (key, entry) = (row.index_key(), Entry::from_leaf(&row.entry));
                let record = entry.replaced(&self.0.layout, key.as_bytes()).len;
                let extents =
                    entry.object().map_or(0, |object| extents_len(object, &self.0.layout));
                sum = sum.saturating_add(record.into()).saturating_add(extents);
            }
            Ok(sum)
        })
    }

    fn entry(self, key: &IndexKey) -> Result<Option<Entry>, Error> {
        self.0.look(|index, pins| index.entry(key.as_bytes(), pins))
    }
}

/// The index keys of a range: from the first on and below the second.
fn bounds(range: &impl RangeBounds<LumpId>) -> (Vec<u8>, Vec<u8>) {
    let [start, end] = [range.start_bound(), range.end_bound()];
    let key = |id: &LumpId| IndexKey::lump(id.0);
    index_key::bounds([start.map(key), end.map(key)], (&ALL_LUMPS.0, &ALL_LUMPS.1))
}
