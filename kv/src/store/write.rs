//! Writing: `KvWrite`. Each call checks the contract against the index, makes one group of
//! operations of it, and commits that.

use super::Store;
use super::apply::apply;
use super::object::{Gone, NewObject};
use super::queue::Request;
use super::rename;
use super::scan::key_bounds;
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::index_key::{IndexKey, Subtree};
use crate::format::object::Object;
use crate::format::record::Operation;
use crate::index::{Entry, Found};
use crate::key::Key;
use crate::lock::Guard;
use crate::log::{Change, Log, Pending, Purpose};
use crate::planted::{Bug, planted};
use crate::traits::KvWrite;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::RangeBounds;

/// Bytes of the longest value that is written at once, with one flush: a commit is assembled in memory.
pub(super) const AT_ONCE_MAX: usize = 4 << 20;

impl<D: BlockDevice> Store<D> {
    /// Removes every value whose key is in `range`, in one commit, and tells whether there were any. The
    /// keys below a dictionary are one range; others may cut through dictionaries.
    ///
    /// # Errors
    /// As [`KvWrite::remove`].
    pub fn remove_range(&self, range: impl RangeBounds<Key>) -> Result<bool, Error> {
        let mut log = self.writer()?;
        let (from, to) = key_bounds(&range);
        if from < to { self.remove_between(&mut log, &from, &to) } else { Ok(false) }
    }

    /// The right to write: nobody else writes while it is held.
    pub(super) fn writer(&self) -> Result<Guard<'_, Log>, Error> {
        if self.read_only {
            return Err(Error::ReadOnly);
        }
        let log = self.log.lock();
        log.check()?;
        Ok(log)
    }

    /// Makes the operations durable, all of them, and then visible. Room for them, and what earlier
    /// ones have paid for, is made first.
    pub(super) fn commit(
        &self,
        log: &mut Log,
        operations: &mut [Pending<'_>],
        purpose: Purpose,
    ) -> Result<(), Error> {
        self.remove_abandoned(log)?;
        self.commit_these(log, operations, purpose)
    }

    /// As [`commit`](Self::commit), but for what writers have left.
    pub(super) fn commit_these(
        &self,
        log: &mut Log,
        operations: &mut [Pending<'_>],
        purpose: Purpose,
    ) -> Result<(), Error> {
        log.complete_slots(&self.disk)?;
        let begun = log.point().number;
        let (opened, mut keep) = self.admit(log, operations, purpose)?;
        let admitted = (log.point().number, log.superblock().checkpoint);
        let kept = opened.saturating_add(keep);
        let steps = self.merge_paid(log, operations.len(), kept)?;
        self.work_ahead(log, operations, (steps, kept))?;
        if (log.point().number, log.superblock().checkpoint) != admitted {
            // What was done for others can have filled the segment that had room for this.
            (_, keep) = self.admit(log, operations, purpose)?;
        }
        // The cleaner has committed moves.
        if log.point().number != begun && !planted(Bug::ReplacedStale) {
            self.look_again(operations)?;
        }
        let (changes, len) = log.append(&self.disk, self.clock.now(), operations, keep)?;
        self.apply(log, changes, len);
        log.exhausted = false;
        Ok(())
    }

    /// Names anew what the operations replace: the cleaner may have moved it since they were made.
    fn look_again(&self, operations: &mut [Pending<'_>]) -> Result<(), Error> {
        for pending in operations {
            let in_record = pending.replaced.is_some_and(|replaced| replaced.segment.is_some());
            let Some(key) = pending.operation.key().filter(|_| in_record) else { continue };
            let entry = self.look(|index, pins| index.entry(key, pins))?;
            pending.replaced = entry.map(|entry| entry.replaced(&self.layout, key));
        }
        Ok(())
    }

    /// Makes changes visible that are durable. The log has grown by `len` bytes.
    pub(super) fn apply(&self, log: &mut Log, changes: Vec<Change>, len: u64) {
        let frame = log.durable();
        let mut index = self.index.lock();
        for change in changes {
            apply(&mut index, Some(&mut log.segments), &self.layout, (frame, change));
        }
        index.add_log_len(len);
        log.debt = log.debt.saturating_add(len);
    }

    /// What `key` holds now, if it may be given a value.
    pub(super) fn settable(&self, key: &Key) -> Result<Option<Entry>, Error> {
        match self.find(key)? {
            Found::Value(entry) => Ok(Some(entry)),
            Found::Nothing => Ok(None),
            Found::Dictionary => Err(Error::ValueExpected(key.clone())),
            Found::BelowValue(above) => Err(Error::DictionaryExpected(above)),
        }
    }

    /// Commits `value` in place of `old`.
    pub(super) fn put(
        &self,
        log: &mut Log,
        key: &IndexKey,
        value: &[u8],
        old: Option<Entry>,
        modified: Option<Timestamp>,
    ) -> Result<(), Error> {
        if value.len() as u64 > self.layout.record_value_len_max() {
            return self.put_value(log, (key, modified), value, old.as_ref());
        }
        let gone = Gone::of_entry(old.as_ref());
        let replaced = old.map(|old| old.replaced(&self.layout, key.as_bytes()));
        let operation = Operation::Set { key: key.as_bytes(), value };
        let set = Pending { operation, modified, replaced };
        let purpose = if set.grows() && gone.is_none() { Purpose::Grow } else { Purpose::Change };
        let mut operations: Vec<_> =
            gone.as_ref().map(Gone::pending).into_iter().chain([set]).collect();
        self.commit(log, &mut operations, purpose)
    }

    pub(super) fn set_now(&self, log: &mut Log, key: &Key, value: &[u8]) -> Result<(), Error> {
        let old = self.settable(key)?;
        let key = IndexKey::path(key);
        log.check_value_len(value.len() as u64)?;
        self.put(log, &key, value, old, None)
    }

    pub(super) fn remove_now(&self, log: &mut Log, key: &Key) -> Result<(), Error> {
        match self.find(key)? {
            Found::Value(old) => self.remove_value(log, &IndexKey::path(key), &old),
            Found::Dictionary => {
                let Subtree { from, to } = Subtree::of(key);
                self.remove_between(log, &from, &to).map(|_| ())
            }
            Found::BelowValue(_) | Found::Nothing => Ok(()),
        }
    }

    /// The removal of a key that has this value.
    pub(super) fn removal<'a>(&self, key: &'a IndexKey, old: &Entry) -> Pending<'a> {
        let operation = Operation::Remove { key: key.as_bytes() };
        let replaced = Some(old.replaced(&self.layout, key.as_bytes()));
        Pending { operation, modified: None, replaced }
    }

    /// Commits the removal of a key that has this value.
    pub(super) fn remove_value(
        &self,
        log: &mut Log,
        key: &IndexKey,
        old: &Entry,
    ) -> Result<(), Error> {
        let gone = Gone::of_entry(Some(old));
        let removal = self.removal(key, old);
        let mut operations: Vec<_> =
            [removal].into_iter().chain(gone.as_ref().map(Gone::pending)).collect();
        self.commit(log, &mut operations, Purpose::Change)
    }

    /// Commits the removal of all keys from `from` on and below `to`, if there are any, and tells so.
    pub(super) fn remove_between(
        &self,
        log: &mut Log,
        from: &[u8],
        to: &[u8],
    ) -> Result<bool, Error> {
        if !self.look(|index, pins| index.any_between(from, to, pins))? {
            return Ok(false);
        }
        let operation = Operation::RemoveRange { from, to };
        let pending = Pending { operation, modified: None, replaced: None };
        self.commit(log, &mut [pending], Purpose::Change)?;
        Ok(true)
    }
}

impl<D: BlockDevice> KvWrite for Store<D> {
    fn set(&self, key: &Key, value: &[u8]) -> Result<(), Error> {
        if value.len() > AT_ONCE_MAX {
            self.settable(key)?;
            let mut writer = self.write_to(key);
            writer.write(value)?;
            return writer.commit();
        }
        self.in_turn(
            || Request::Set { key: key.clone(), value: value.to_vec() },
            |log| self.set_now(log, key, value),
        )
    }

    fn set_partial(&self, key: &Key, offset: u64, data: &[u8]) -> Result<(), Error> {
        let mut log = self.writer()?;
        let old = self.settable(key)?;
        let key = IndexKey::path(key);
        let size = old.as_ref().map_or(0, |old| old.size);
        let start = offset.min(size);
        let end = start.saturating_add(data.len() as u64);
        log.check_value_len(size.max(end))?;
        if let Some(old) = &old
            && let Some(object) = old.object()
        {
            return self.change_object(&mut log, &key, (old, object), (start, data));
        }
        let mut value = match &old {
            Some(old) => self.fetch(key.as_bytes(), &old.as_leaf())?,
            None => Vec::new(),
        };
        let start = usize::try_from(start).unwrap_or(value.len());
        let end = start.saturating_add(data.len()).min(value.len());
        value.splice(start..end, data.iter().copied());
        self.put(&mut log, &key, &value, old, None)
    }

    fn allocate(
        &self,
        key: &Key,
        size: u64,
        last_modified: Option<Timestamp>,
    ) -> Result<(), Error> {
        let mut log = self.writer()?;
        if self.settable(key)?.is_some() {
            return Err(Error::AlreadyPresent(key.clone()));
        }
        let key = IndexKey::path(key);
        log.check_value_len(size)?;
        if size > self.layout.record_value_len_max() {
            let object = Object { id: log.point().sequence, size };
            let (key, modified) = (&key, last_modified);
            let new = NewObject { key, object, modified, extents: Vec::new() };
            return self.put_object(&mut log, &new, None);
        }
        let zeros = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        self.put(&mut log, &key, &zeros, None, last_modified)
    }

    fn remove(&self, key: &Key) -> Result<(), Error> {
        self.in_turn(|| Request::Remove { key: key.clone() }, |log| self.remove_now(log, key))
    }

    fn rename(&self, source: &Key, dest: &Key) -> Result<(), Error> {
        let mut log = self.writer()?;
        let resolved = rename::resolve(|key| self.find(key), source, dest)?;
        match resolved {
            Some(moved) => self.move_to(&mut log, source, &moved),
            None => Ok(()),
        }
    }
}
