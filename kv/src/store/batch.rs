//! Batches: several operations as one commit.
//!
//! What a batch comes to is found out before anything is written: each operation is checked against
//! the store as those before it would leave it. One record a key is left in the end, so that a record
//! never replaces another one of its own group, whose place is not known yet.
//!
//! Invariants:
//! - In the group the removals of ranges come first, and what they hide is not named as replaced by
//!   what comes after them: so it is counted once.
//! - An operation that fails leaves what was staged as it was: in a group commit the others go on.

use super::Store;
use super::object::{self, Gone, NewExtent};
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::UNFLUSHED_MAX;
use crate::format::index_key::{IndexKey, Subtree};
use crate::format::object::Object;
use crate::format::record::Operation;
use crate::index::{Entry, Found};
use crate::key::Key;
use crate::log::{Log, Pending, Purpose};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::ops::Bound;

/// Operations that take effect together: all of them, or none, also after a crash.
///
/// They count in the order in which they were added, each as if those before it were done.
///
/// ```
/// # use nerite::{Batch, CreateOptions, Error, KvRead, MemoryDevice, OpenOptions, Store, Timestamp};
/// # let device = MemoryDevice::new(4096, 64);
/// # Store::create(&device, CreateOptions::new(1))?;
/// # let store = Store::open(device, || Timestamp(0), OpenOptions::new(2))?;
/// let mut batch = Batch::new();
/// batch.remove(&"/lease".parse()?);
/// batch.set(&"/lease/52:54".parse()?, b"10.0.0.7");
/// batch.set(&"/count".parse()?, b"1");
/// store.write(&batch)?;
/// assert_eq!(store.get(&"/count".parse()?)?, b"1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Keys and their values; none is a removal.
    operations: Vec<(Key, Option<Value>)>,
}

#[derive(Clone, Debug)]
struct Value {
    bytes: Vec<u8>,
    /// If it is not that of the commit.
    modified: Option<Timestamp>,
}

impl Batch {
    /// Bytes that a batch can take on the device, at most.
    pub const LEN_MAX: u64 = UNFLUSHED_MAX;

    /// Nothing to do.
    #[must_use]
    pub const fn new() -> Self {
        Self { operations: Vec::new() }
    }

    /// As [`KvWrite::set`](crate::KvWrite::set).
    pub fn set(&mut self, key: &Key, value: &[u8]) {
        let value = Value { bytes: value.into(), modified: None };
        self.operations.push((key.clone(), Some(value)));
    }

    /// As [`set`](Self::set), with this as the time of the last change: for what comes from elsewhere
    /// and has a time already.
    pub fn set_modified(&mut self, key: &Key, value: &[u8], last_modified: Timestamp) {
        let value = Value { bytes: value.into(), modified: Some(last_modified) };
        self.operations.push((key.clone(), Some(value)));
    }

    /// As [`KvWrite::remove`](crate::KvWrite::remove).
    pub fn remove(&mut self, key: &Key) {
        self.operations.push((key.clone(), None));
    }

    /// How many operations were added.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

impl<D: BlockDevice> Store<D> {
    /// Commits a batch: durable when this returns `Ok`, with one flush. All that it sets without a time
    /// gets the same one.
    ///
    /// # Errors
    /// What [`KvWrite::set`](crate::KvWrite::set) fails with, for any of the operations;
    /// [`Error::TooLarge`] too if it changes more keys and dictionaries than a delta is to have
    /// ([`OpenOptions::delta_entries`](crate::OpenOptions::delta_entries)), or if it takes more than
    /// [`Batch::LEN_MAX`] on the device.
    pub fn write(&self, batch: &Batch) -> Result<(), Error> {
        let mut log = self.writer()?;
        let mut staged = Staged::new(self);
        for (key, value) in &batch.operations {
            match value {
                Some(value) => staged.set(&log, key, (&value.bytes, value.modified))?,
                None => staged.remove(key)?,
            }
        }
        let (count, most) = (staged.len(), self.limits.group_entries());
        if count > most {
            return Err(Error::TooLarge { size: count as u64, limit: most as u64 });
        }
        self.commit_staged(&mut log, &staged)
    }

    /// Commits what was staged, if it comes to anything.
    pub(super) fn commit_staged(&self, log: &mut Log, staged: &Staged<'_, D>) -> Result<(), Error> {
        let (gone, objects) = (staged.gone(), staged.objects(log.point().sequence));
        let mut operations = staged.operations(&gone, &objects);
        if operations.is_empty() {
            return Ok(());
        }
        // Several that do not grow can't make up for one that does: small values take other room than
        // a large one.
        let grows = operations.iter().any(Pending::grows);
        let purpose = if grows { Purpose::Grow } else { Purpose::Change };
        self.commit(log, &mut operations, purpose)
    }
}

/// What a batch comes to so far, over what the store holds. Nobody else may write.
pub(super) struct Staged<'a, D> {
    store: &'a Store<D>,
    /// Dictionaries of the store that are removed, none within another one: where the keys below each
    /// begin and end.
    removed: BTreeMap<Vec<u8>, Vec<u8>>,
    keys: BTreeMap<IndexKey, State<'a>>,
}

/// A key that the batch changes.
struct State<'a> {
    /// None if it is removed. With its time, if that is not the commit's.
    value: Option<(&'a [u8], Option<Timestamp>)>,
    /// What the store holds for the key, if no removed dictionary hides it.
    old: Option<Entry>,
}

/// The keys below a dictionary.
fn range(below: &Subtree) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (Bound::Included(&below.from), Bound::Excluded(&below.to))
}

fn forget<K: Ord + Clone + Borrow<[u8]>, V>(map: &mut BTreeMap<K, V>, below: &Subtree) {
    let within: Vec<_> = map.range::<[u8], _>(range(below)).map(|(key, _)| key.clone()).collect();
    for key in within {
        map.remove(key.borrow());
    }
}

/// What stands at a key now.
enum Standing {
    /// A value. The store holds this one, unless the batch has to do with the key already.
    Value(Option<Entry>),
    Dictionary,
    BelowValue(Key),
    Nothing,
}

impl<'a, D: BlockDevice> Staged<'a, D> {
    pub(super) const fn new(store: &'a Store<D>) -> Self {
        Self { store, removed: BTreeMap::new(), keys: BTreeMap::new() }
    }

    /// Keys and dictionaries that it changes.
    fn len(&self) -> usize {
        self.keys.len().saturating_add(self.removed.len())
    }

    /// Sets a value, with its time if that is not the commit's.
    pub(super) fn set(
        &mut self,
        log: &Log,
        key: &Key,
        value: (&'a [u8], Option<Timestamp>),
    ) -> Result<(), Error> {
        let path = IndexKey::path(key);
        let old = match self.find(key, &path)? {
            Standing::Value(old) => old,
            Standing::Nothing => None,
            Standing::Dictionary => return Err(Error::ValueExpected(key.clone())),
            Standing::BelowValue(above) => return Err(Error::DictionaryExpected(above)),
        };
        log.check_value_len(value.0.len() as u64)?;
        self.keys.entry(path).or_insert(State { value: None, old }).value = Some(value);
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &Key) -> Result<(), Error> {
        let path = IndexKey::path(key);
        match self.find(key, &path)? {
            Standing::Value(old) => {
                let state = self.keys.remove(&path).unwrap_or(State { value: None, old });
                if state.old.is_some() {
                    self.keys.insert(path, State { value: None, ..state });
                }
            }
            Standing::Dictionary => {
                let below = Subtree::of(key);
                let (from, to) = (&below.from, &below.to);
                let is_there = self.store.look(|index, pins| index.any_between(from, to, pins))?;
                forget(&mut self.keys, &below);
                forget(&mut self.removed, &below);
                if is_there && self.removed_with(&below.from).is_none() {
                    self.removed.insert(below.from, below.to);
                }
            }
            Standing::Nothing | Standing::BelowValue(_) => {}
        }
        Ok(())
    }

    /// What stands at `key`, whose index key is `path`.
    fn find(&self, key: &Key, path: &IndexKey) -> Result<Standing, Error> {
        if self.is_set(path.as_bytes()) {
            return Ok(Standing::Value(None));
        }
        let below = Subtree::of(key);
        if key.is_root() || self.between(&below).any(|state| state.value.is_some()) {
            return Ok(Standing::Dictionary);
        }
        let above = |len: usize| path.above(len.checked_sub(1)?);
        let mut above_all =
            core::iter::successors(above(path.as_bytes().len()), |longer| above(longer.len()));
        if let Some(above) = above_all.find(|above| self.is_set(above)) {
            return Ok(Standing::BelowValue(IndexKey::from_checked(above).to_key()));
        }
        Ok(match self.store.find(key)? {
            Found::Value(old) if !self.is_gone(path.as_bytes()) => Standing::Value(Some(old)),
            Found::Dictionary if self.is_left(&below)? => Standing::Dictionary,
            Found::BelowValue(above) if !self.is_gone(IndexKey::path(&above).as_bytes()) => {
                Standing::BelowValue(above)
            }
            _ => Standing::Nothing,
        })
    }

    /// The keys of the batch in a dictionary.
    fn between(&self, below: &Subtree) -> impl Iterator<Item = &State<'a>> {
        self.keys.range::<[u8], _>(range(below)).map(|(_, state)| state)
    }

    /// Whether the batch gives the key a value.
    fn is_set(&self, key: &[u8]) -> bool {
        self.keys.get(key).is_some_and(|state| state.value.is_some())
    }

    /// Whether what the store holds for the key is removed.
    fn is_gone(&self, key: &[u8]) -> bool {
        self.keys.get(key).is_some_and(|state| state.value.is_none())
            || self.removed_with(key).is_some()
    }

    /// Where the removed dictionary ends that the key is in.
    fn removed_with(&self, key: &[u8]) -> Option<&[u8]> {
        let upto = (Bound::Unbounded, Bound::Included(key));
        let (_, to) = self.removed.range::<[u8], _>(upto).next_back()?;
        (*key < **to).then_some(to)
    }

    /// Whether anything is left of what the store holds in a dictionary.
    fn is_left(&self, below: &Subtree) -> Result<bool, Error> {
        if self.removed_with(&below.from).is_some() {
            return Ok(false);
        }
        let touched = self.between(below).next().is_some()
            || self.removed.range::<[u8], _>(range(below)).next().is_some();
        if !touched {
            return Ok(true);
        }
        self.store.walk((&below.from, &below.to), |walk| {
            while let Some(key) = walk.next()?.map(|row| row.key.concat()) {
                if let Some(end) = self.removed_with(&key) {
                    walk.skip_to(end);
                } else if !self.is_gone(&key) {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// Objects of the store that the batch replaces or removes, but for those in dictionaries that it
    /// removes.
    fn gone(&self) -> Vec<Gone> {
        self.keys.values().filter_map(|state| Gone::of_entry(state.old.as_ref())).collect()
    }

    /// What the batch sets that is too long for records: objects, the first of which is `id`. There
    /// are no more of them than operations.
    fn objects(&self, id: u64) -> BTreeMap<&[u8], (Object, Vec<NewExtent<'a>>)> {
        let layout = &self.store.layout;
        let values = self.keys.iter().filter_map(|(key, state)| Some((key, state.value?.0)));
        let is_object = |value: &[u8]| value.len() as u64 > layout.record_value_len_max();
        let values = values.filter(|(_, value)| is_object(value));
        let objects = values.zip(id..).map(|((key, value), id)| {
            let extents = object::extents_of(id, value, 0, layout.chunk_len());
            (key.as_bytes(), (Object { id, size: value.len() as u64 }, extents))
        });
        objects.collect()
    }

    fn operations<'b>(
        &'b self,
        gone: &'b [Gone],
        objects: &'b BTreeMap<&[u8], (Object, Vec<NewExtent<'a>>)>,
    ) -> Vec<Pending<'b>> {
        let removals = self.removed.iter().map(|(from, to)| Pending {
            operation: Operation::RemoveRange { from, to },
            modified: None,
            replaced: None,
        });
        let changes = self.keys.iter().map(|(key, state)| {
            let key = key.as_bytes();
            let (value, modified) = state.value.unzip();
            let operation = match (value, objects.get(key)) {
                (_, Some((object, _))) => Operation::SetObject { key, object: *object },
                (Some(value), None) => Operation::Set { key, value },
                (None, None) => Operation::Remove { key },
            };
            let replaced = state.old.as_ref().map(|old| old.replaced(&self.store.layout, key));
            Pending { operation, modified: modified.flatten(), replaced }
        });
        let extents = objects.values().flat_map(|(_, extents)| extents).map(NewExtent::pending);
        removals.chain(gone.iter().map(Gone::pending)).chain(changes).chain(extents).collect()
    }
}
