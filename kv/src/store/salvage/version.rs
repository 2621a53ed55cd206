//! Versions of keys, as they are found here and there.

use crate::clock::Timestamp;
use crate::format::node::{LeafEntry, LeafValue};
use crate::format::object::Object;
use crate::format::pointer::Pointer;
use crate::format::record::{Operation, Record};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Bound;

/// What an operation has made of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) sequence: u64,
    /// 0 if it is not known.
    pub(super) modified: Timestamp,
    pub(super) held: Held,
}

/// Where its value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Inline(Vec<u8>),
    /// In a record that may lie at any of these places, the likelier first.
    Records(Vec<Pointer>),
    /// In extents.
    Extents(Object),
    /// It has none.
    Gone,
}

impl Version {
    /// As an entry of a leaf has it; nothing of a form that is not known here.
    pub(super) fn of_entry(entry: &LeafEntry<'_>) -> Self {
        let LeafEntry { sequence, modified, value } = *entry;
        let held = match value {
            LeafValue::Inline { bytes, .. } => Held::Inline(bytes.into()),
            LeafValue::Record { record, .. } => Held::Records(vec![record]),
            LeafValue::Object { object, .. } => Held::Extents(object),
        };
        Self { sequence, modified, held }
    }

    /// What of the same key is newer. The same version at several places can be at any of them.
    fn or(self, other: Self) -> Self {
        if self.sequence != other.sequence {
            return if self.sequence > other.sequence { self } else { other };
        }
        let modified = self.modified.max(other.modified);
        let held = match (self.held, other.held) {
            (Held::Records(mut places), Held::Records(more)) => {
                places.extend(more);
                Held::Records(places)
            }
            // What is in a leaf needs no second look.
            (inline @ Held::Inline(_), _) | (_, inline @ Held::Inline(_)) => inline,
            (held, _) => held,
        };
        Self { modified, held, ..self }
    }
}

/// The newest versions of some keys, and removals of ranges.
#[derive(Debug, Default)]
pub(super) struct Versions {
    pub(super) keys: BTreeMap<Vec<u8>, Version>,
    removals: Vec<Removal>,
}

#[derive(Debug)]
struct Removal {
    sequence: u64,
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Versions {
    pub(super) fn add(&mut self, key: &[u8], version: Version) {
        match self.keys.get_mut(key) {
            Some(known) => {
                let before = Version { held: Held::Gone, ..*known };
                let known_before = core::mem::replace(known, before);
                *known = version.or(known_before);
            }
            None => drop(self.keys.insert(key.into(), version)),
        }
    }

    /// Adds what a record says that lies there, in a frame of this time.
    pub(super) fn add_record(&mut self, record: &Record<'_>, pointer: Pointer, time: Timestamp) {
        let (sequence, modified) = (record.sequence, record.modified.unwrap_or(time));
        match record.operation {
            Operation::SetObject { key, object } => {
                self.add(key, Version { sequence, modified, held: Held::Extents(object) });
            }
            Operation::Set { key, .. } | Operation::Extent { key, .. } => {
                let held = Held::Records(vec![pointer]);
                self.add(key, Version { sequence, modified, held });
            }
            Operation::Remove { key } => {
                self.add(key, Version { sequence, modified, held: Held::Gone });
            }
            Operation::Move { key, moved } | Operation::Place { key, placed: moved } => {
                let held = Held::Records(vec![moved.record]);
                self.add(key, Version { sequence: moved.sequence, modified, held });
            }
            Operation::RemoveRange { from, to } => {
                self.removals.push(Removal { sequence, from: from.into(), to: to.into() });
            }
        }
    }

    /// Takes what others have on top.
    pub(super) fn extend(&mut self, others: Self) {
        for (key, version) in others.keys {
            self.add(&key, version);
        }
        self.removals.extend(others.removals);
    }

    /// Those from `from` on and below `to`.
    pub(super) fn part(&self, from: &[u8], to: Option<&[u8]>) -> Self {
        let range = (Bound::Included(from), to.map_or(Bound::Unbounded, Bound::Excluded));
        let keys = if to.is_some_and(|to| to <= from) {
            BTreeMap::new()
        } else {
            let keys = self.keys.range::<[u8], _>(range);
            keys.map(|(key, version)| (key.clone(), version.clone())).collect()
        };
        let meets =
            |removal: &&Removal| *removal.to > *from && to.is_none_or(|to| *removal.from < *to);
        let removals = self.removals.iter().filter(meets).map(|removal| Removal {
            sequence: removal.sequence,
            from: removal.from.clone(),
            to: removal.to.clone(),
        });
        Self { keys, removals: removals.collect() }
    }

    /// Those that have a value, in key order.
    pub(super) fn living(self) -> impl DoubleEndedIterator<Item = (Vec<u8>, Version)> {
        let Self { keys, removals } = self;
        keys.into_iter().filter(move |(key, version)| {
            let hides = |removal: &Removal| {
                removal.sequence > version.sequence && removal.from <= *key && *key < removal.to
            };
            version.held != Held::Gone && !removals.iter().any(hides)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(at: u64) -> Pointer {
        Pointer { at, len: 30, check: 1 }
    }

    fn set(versions: &mut Versions, key: &[u8], sequence: u64) {
        let operation = Operation::Set { key, value: b"" };
        let record = Record { sequence, modified: None, replaced: None, operation };
        versions.add_record(&record, pointer(sequence), Timestamp(sequence));
    }

    fn living(versions: &Versions) -> Vec<(Vec<u8>, u64)> {
        let all = versions.part(&[], None).living();
        all.map(|(key, version)| (key, version.sequence)).collect()
    }

    #[test]
    fn the_newest_counts_whatever_comes_first() {
        let mut versions = Versions::default();
        for sequence in [5, 9, 7] {
            set(&mut versions, b"\x01a", sequence);
        }
        assert_eq!(living(&versions), [(b"\x01a".to_vec(), 9)]);
        let operation = Operation::Remove { key: b"\x01a" };
        let remove = |sequence| Record { sequence, modified: None, replaced: None, operation };
        versions.add_record(&remove(8), pointer(0), Timestamp(0));
        assert_eq!(living(&versions).len(), 1);
        versions.add_record(&remove(10), pointer(0), Timestamp(0));
        assert_eq!(living(&versions), []);
    }

    #[test]
    fn a_removal_of_a_range_hides_what_is_older() {
        let mut versions = Versions::default();
        set(&mut versions, b"\x01a\0b", 5);
        set(&mut versions, b"\x01a\0c", 7);
        set(&mut versions, b"\x01b", 1);
        let operation = Operation::RemoveRange { from: b"\x01a\0", to: b"\x01a\x01" };
        let record = Record { sequence: 6, modified: None, replaced: None, operation };
        versions.add_record(&record, pointer(0), Timestamp(0));
        assert_eq!(living(&versions), [(b"\x01a\0c".to_vec(), 7), (b"\x01b".to_vec(), 1)]);
        let part = versions.part(b"\x01a\0b", Some(b"\x01b"));
        assert_eq!(living(&part), [(b"\x01a\0c".to_vec(), 7)]);
    }

    #[test]
    fn a_version_that_moved_can_be_at_either_place() {
        let mut versions = Versions::default();
        set(&mut versions, b"\x01a", 5);
        let moved = crate::format::record::Moved { sequence: 5, size: 0, record: pointer(99) };
        let operation = Operation::Move { key: b"\x01a", moved };
        let record = Record { sequence: 8, modified: None, replaced: None, operation };
        versions.add_record(&record, pointer(0), Timestamp(0));
        let (_, version) = versions.living().next().unwrap();
        assert_eq!(version.held, Held::Records(vec![pointer(99), pointer(5)]));
    }
}
