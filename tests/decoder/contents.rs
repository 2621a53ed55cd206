//! What a store holds, by its bytes alone: the tree, then the changes of the tail in order. "Record",
//! "Object" and "Index key" of `docs/format.md`.
#![expect(clippy::big_endian_bytes, reason = "index keys are")]

use super::bytes::{Bytes, Pointer, Wrong, demand};
use super::record::Record;
use super::superblock::Superblock;
use super::{chain, tree};
use std::collections::BTreeMap;

const PATHS: u8 = 1;
const EXTENTS: u8 = 3;

/// The version of a key.
pub(crate) struct Entry {
    pub(crate) sequence: u64,
    pub(crate) time: u64,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    Bytes(Vec<u8>),
    /// The record that holds it, and its length.
    Record(Pointer, u64),
    Object {
        id: u64,
        size: u64,
    },
}

/// Paths with their times and values.
pub(crate) type Paths = BTreeMap<String, (u64, Vec<u8>)>;

/// A store, by the bytes of its image.
pub(crate) struct Contents<'a> {
    image: Bytes<'a>,
    superblock: Superblock,
    entries: BTreeMap<Vec<u8>, Entry>,
}

impl<'a> Contents<'a> {
    pub(crate) fn read(image: &'a [u8]) -> Result<Self, Wrong> {
        let image = Bytes(image);
        let superblock = Superblock::in_force(image)?;
        let mut entries = Vec::new();
        if let Some(root) = superblock.root {
            tree::walk(image, &superblock, root, &mut entries)?;
        }
        let mut contents = Self { image, superblock, entries: entries.into_iter().collect() };
        for (record, time) in chain::replay(image, &contents.superblock)? {
            contents.apply(&record, time)?;
        }
        Ok(contents)
    }

    pub(crate) const fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// How many keys of these keyspaces there are.
    pub(crate) fn count(&self, keyspaces: &[u8]) -> u64 {
        self.entries.keys().filter(|key| keyspaces.contains(&key[0])).count() as u64
    }

    /// Bytes of records in each segment that hold a value and are needed.
    pub(crate) fn table(&self) -> Result<Option<tree::Table>, Wrong> {
        let table = |at| tree::table(self.image, &self.superblock, at);
        self.superblock.table.map(table).transpose()
    }

    fn apply(&mut self, record: &Record<'_>, time: u64) -> Result<(), Wrong> {
        let Record { kind, sequence, key, value, .. } = *record;
        let fields = Bytes(value);
        match kind {
            1 => self.insert(key, sequence, time, Value::Bytes(value.to_vec())),
            2 => drop(self.entries.remove(key)),
            3 => self.entries.retain(|other, _| !(key..value).contains(&&other[..])),
            4 => {
                let moved = Value::Record(Pointer::read(fields, 12)?, fields.u32(8)?.into());
                let sequence = fields.u64(0)?;
                if self.entries.get(key).is_some_and(|held| held.sequence == sequence) {
                    self.insert(key, sequence, time, moved);
                }
            }
            5 => {
                let object = Value::Object { id: fields.u64(0)?, size: fields.u64(8)? };
                self.insert(key, sequence, time, object);
            }
            7 => {
                let placed = Value::Record(Pointer::read(fields, 12)?, fields.u32(8)?.into());
                self.insert(key, fields.u64(0)?, time, placed);
            }
            kind => return Err(format!("a record of kind {kind}")),
        }
        Ok(())
    }

    fn insert(&mut self, key: &[u8], sequence: u64, time: u64, value: Value) {
        self.entries.insert(key.to_vec(), Entry { sequence, time, value });
    }

    pub(crate) fn paths(&self) -> Result<Paths, Wrong> {
        let paths = self.entries.iter().filter(|(key, _)| key[0] == PATHS);
        paths
            .map(|(key, entry)| {
                let path: Vec<u8> = key[1..].iter().map(|&byte| rotated_back(byte)).collect();
                let path = String::from_utf8(path).map_err(|error| error.to_string())?;
                Ok((format!("/{path}"), (entry.time, self.value(key, entry)?)))
            })
            .collect()
    }

    fn value(&self, key: &[u8], entry: &Entry) -> Result<Vec<u8>, Wrong> {
        match entry.value {
            Value::Bytes(ref bytes) => Ok(bytes.clone()),
            Value::Record(at, len) => {
                let record = Record::read_at(self.image, at)?;
                let fits = record.key == key && record.sequence == entry.sequence;
                demand(fits && record.value.len() as u64 == len, || format!("{record:?}"))?;
                Ok(record.value.to_vec())
            }
            Value::Object { id, size } => self.object(id, size),
        }
    }

    /// Zeros, but where there are extents.
    fn object(&self, id: u64, size: u64) -> Result<Vec<u8>, Wrong> {
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| "a huge object")?];
        let key = |offset: u64| [&[EXTENTS][..], &id.to_be_bytes(), &offset.to_be_bytes()].concat();
        for (key, entry) in self.entries.range(key(0)..=key(u64::MAX)) {
            let part = self.value(key, entry)?;
            let offset = u64::from_be_bytes(key[9..].try_into().map_err(|_| "its key")?);
            let chunk = self.superblock.chunk;
            let ends = part.len() as u64 == chunk.min(size - offset);
            demand(ends && offset % chunk == 0, || format!("the extent at {offset}"))?;
            let start = usize::try_from(offset).map_err(|_| "far")?;
            bytes[start..start + part.len()].copy_from_slice(&part);
        }
        Ok(bytes)
    }
}

const fn rotated_back(byte: u8) -> u8 {
    match byte {
        0 => b'/',
        1..=b'/' => byte - 1,
        _ => byte,
    }
}
