//! Objects: values that are longer than what a record holds, in extents.
//!
//! Invariants:
//! - What changes a value changes the key's entry in the same commit. So extents that were read belong
//!   together if the key has the same entry before and after.
//! - An object has one key, or is pending. Who gives it another one takes the old key out by itself: a
//!   range that hides the key of an object hides an object that goes.
//! - The extents of an object go as one range.

use super::Store;
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::index_key::{self, IndexKey};
use crate::format::object::Object;
use crate::format::record::{Operation, Replaced};
use crate::index::Entry;
use crate::log::{Log, Pending, Purpose};
use crate::planted::{Bug, planted};
use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// An extent that is to be written.
pub(super) struct NewExtent<'a> {
    pub(super) key: IndexKey,
    pub(super) bytes: Cow<'a, [u8]>,
    /// The one that was there before.
    pub(super) replaced: Option<Replaced>,
}

impl NewExtent<'_> {
    pub(super) fn pending(&self) -> Pending<'_> {
        let operation = Operation::Extent { key: self.key.as_bytes(), bytes: &self.bytes };
        Pending { operation, modified: None, replaced: self.replaced }
    }
}

/// The keys of the extents of an object that goes.
pub(super) struct Gone {
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Gone {
    pub(super) fn of(object: Object) -> Option<Self> {
        let (from, to) = index_key::extents_of(object.id);
        (!planted(Bug::ExtentsKept)).then_some(Self { from, to })
    }

    /// Those of a value that is replaced or removed.
    pub(super) fn of_entry(entry: Option<&Entry>) -> Option<Self> {
        entry.and_then(Entry::object).and_then(Self::of)
    }

    pub(super) fn pending(&self) -> Pending<'_> {
        let operation = Operation::RemoveRange { from: &self.from, to: &self.to };
        Pending { operation, modified: None, replaced: None }
    }
}

/// An object that is to be a key's value.
pub(super) struct NewObject<'a> {
    pub(super) key: &'a IndexKey,
    pub(super) object: Object,
    pub(super) modified: Option<Timestamp>,
    pub(super) extents: Vec<NewExtent<'a>>,
}

/// The extents of these bytes of an object, which begin at a multiple of the chunk.
pub(super) fn extents_of(object: u64, bytes: &[u8], offset: u64, chunk: u32) -> Vec<NewExtent<'_>> {
    let offsets = (0u64..).map(|number| offset.saturating_add(number.saturating_mul(chunk.into())));
    let chunks = offsets.zip(bytes.chunks(chunk.max(1) as usize));
    let extent = |(offset, bytes)| NewExtent {
        key: IndexKey::extent(object, offset),
        bytes: Cow::Borrowed(bytes),
        replaced: None,
    };
    chunks.map(extent).collect()
}

/// A buffer that parts of a value come into, one behind the other.
pub(super) struct Filled<'a> {
    buf: &'a mut [u8],
    len: usize,
}

impl<'a> Filled<'a> {
    pub(super) const fn new(buf: &'a mut [u8]) -> Self {
        Self { buf, len: 0 }
    }

    /// Adds bytes, if all of them fit.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let target = self.buf.get_mut(self.len..).and_then(|rest| rest.get_mut(..bytes.len()));
        if let Some(target) = target {
            target.copy_from_slice(bytes);
            self.len = self.len.saturating_add(bytes.len());
        }
    }

    /// How many bytes have come.
    pub(super) const fn len(&self) -> usize {
        self.len
    }
}

impl<D: BlockDevice> Store<D> {
    /// Commits an object in place of `old`, with the extents that are new.
    pub(super) fn put_object(
        &self,
        log: &mut Log,
        new: &NewObject<'_>,
        old: Option<&Entry>,
    ) -> Result<(), Error> {
        let NewObject { key, object, modified, extents } = new;
        let replaced = old.map(|old| old.replaced(&self.layout, key.as_bytes()));
        let operation = Operation::SetObject { key: key.as_bytes(), object: *object };
        let set = Pending { operation, modified: *modified, replaced };
        let gone = old.filter(|old| old.object().is_none_or(|old| old.id != object.id));
        let gone = Gone::of_entry(gone);
        let operations = gone.as_ref().map(Gone::pending).into_iter().chain([set]);
        let mut operations: Vec<_> =
            operations.chain(extents.iter().map(NewExtent::pending)).collect();
        // What replaces it must be there before it goes: that may be much.
        let grows =
            old.is_none_or(|old| old.size < object.size) || object.size > self.layout.segment_len();
        let purpose = if grows { Purpose::Grow } else { Purpose::Change };
        self.commit(log, &mut operations, purpose)
    }

    /// Commits `value` as an object in place of `old`.
    pub(super) fn put_value(
        &self,
        log: &mut Log,
        (key, modified): (&IndexKey, Option<Timestamp>),
        value: &[u8],
        old: Option<&Entry>,
    ) -> Result<(), Error> {
        let object = Object { id: log.point().sequence, size: value.len() as u64 };
        let extents = extents_of(object.id, value, 0, self.layout.chunk_len());
        self.put_object(log, &NewObject { key, object, modified, extents }, old)
    }

    /// Writes `data` over what an object has from `start` on, up to which it reaches.
    pub(super) fn change_object(
        &self,
        log: &mut Log,
        key: &IndexKey,
        (old, object): (&Entry, Object),
        (start, data): (u64, &[u8]),
    ) -> Result<(), Error> {
        let end = start.saturating_add(data.len() as u64);
        let grown = Object { size: object.size.max(end), ..object };
        let mut extents = Vec::new();
        for offset in grown.chunks(&self.layout, &(start..end)) {
            let len = grown.chunk_len(&self.layout, offset);
            let extent = IndexKey::extent(object.id, offset);
            let entry = self.look(|index, pins| index.entry(extent.as_bytes(), pins))?;
            let replaced =
                entry.as_ref().map(|entry| entry.replaced(&self.layout, extent.as_bytes()));
            let into = span(&(start..end), offset, len);
            let from = usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX);
            let new = data.get(from..).and_then(|rest| rest.get(..into.len())).unwrap_or_default();
            let bytes = if new.len() == len {
                Cow::Borrowed(new)
            } else {
                let mut bytes = match entry {
                    Some(entry) => self.fetch(extent.as_bytes(), &entry.as_leaf())?,
                    None => Vec::new(),
                };
                bytes.resize(len, 0);
                if let Some(target) = bytes.get_mut(into) {
                    target.copy_from_slice(new);
                }
                Cow::Owned(bytes)
            };
            extents.push(NewExtent { key: extent, bytes, replaced });
        }
        self.put_object(log, &NewObject { key, object: grown, modified: None, extents }, Some(old))
    }

    /// Shows `each` these bytes of an object, as its extents are now.
    pub(super) fn read_extents(
        &self,
        object: Object,
        bytes: Range<u64>,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Error> {
        self.check_object(object)?;
        for offset in object.chunks(&self.layout, &bytes) {
            let len = object.chunk_len(&self.layout, offset);
            let found = self.extent(object.id, offset)?;
            if found.as_ref().is_some_and(|found| found.len() != len) {
                let fault = Fault::Field("length of an extent");
                return Err(Corruption { part: Part::Record, at: 0, fault }.into());
            }
            let found = found.unwrap_or_else(|| vec![0; len]);
            each(found.get(span(&bytes, offset, len)).unwrap_or_default());
        }
        Ok(())
    }

    /// An object that says it is longer than the device would make a read go on for ever.
    pub(super) fn check_object(&self, object: Object) -> Result<(), Error> {
        if object.size <= self.layout.value_len_max() {
            return Ok(());
        }
        let fault = Fault::Field("length of an object");
        Err(Corruption { part: Part::Node, at: 0, fault }.into())
    }

    /// The bytes of an extent; `None` if there is none.
    fn extent(&self, object: u64, offset: u64) -> Result<Option<Vec<u8>>, Error> {
        let key = IndexKey::extent(object, offset);
        let entry = self.look(|index, pins| index.entry(key.as_bytes(), pins))?;
        let Some(entry) = entry else { return Ok(None) };
        Ok(self.current(key.as_bytes(), entry)?.map(|(_, bytes)| bytes))
    }

    /// Shows `each` these bytes of the value of a key that had `entry`, which is an object. `false` if
    /// the key has another one now: what was shown may be of both.
    pub(super) fn read_object(
        &self,
        key: &[u8],
        (entry, object): (&Entry, Object),
        bytes: Range<u64>,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, Error> {
        let told = self.read_extents(object, bytes, each);
        let now = self.look(|index, pins| index.entry(key, pins))?;
        if now.as_ref() == Some(entry) { told.map(|()| true) } else { Ok(false) }
    }

    /// All bytes of an object, as its extents are now.
    pub(super) fn whole_object(&self, object: Object) -> Result<Vec<u8>, Error> {
        self.check_object(object)?;
        let size = object.size;
        let mut value = Vec::new();
        let len = usize::try_from(size).ok();
        if len.is_none_or(|len| value.try_reserve_exact(len).is_err()) {
            // Memory can't hold it: how much it could, nobody tells.
            return Err(Error::TooLarge { size, limit: size.saturating_sub(1) });
        }
        self.read_extents(object, 0..size, &mut |bytes| value.extend_from_slice(bytes))?;
        Ok(value)
    }
}

/// What of `len` bytes that begin at `offset` is within `bytes`.
pub(super) fn span(bytes: &Range<u64>, offset: u64, len: usize) -> Range<usize> {
    let within =
        |at: u64| usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX).min(len);
    within(bytes.start)..within(bytes.end)
}
