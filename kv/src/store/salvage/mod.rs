//! Salvage: what still verifies of a damaged store, and what is lost.
//!
//! Each key has the newest version that is found of it, in the tail or in the tree. Both slots of the
//! superblock name a whole state, so three things are tried where the tree has a hole: to mend the
//! node, the tree of the older state, and a look at everything that lies on the device. Only what the
//! last one brings is in doubt.
//!
//! Invariants:
//! - It only reads, and damage never ends it.
//! - No value comes back that does not verify: by the check of its record, or by that of its node, where
//!   one flipped bit is mended.
//! - What comes back though a newer version or a removal may be among what is lost, is said to be in doubt.

mod carve;
mod long;
mod loss;
mod source;
mod tail;
mod tree;
mod version;

use super::Store;
use super::names::{KeyRange, Name};
use super::recovery::check_readable;
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::index_key;
use crate::format::node::Node;
use crate::format::superblock::Superblock;
use crate::log::{Disk, fetch, superblocks};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use loss::corruption_of;
pub use loss::{Loss, Lost};
use source::Source;
use tail::Tail;
use tree::{Piece, Span, Trees};
use version::{Held, Version, Versions};

/// Reads what can still be read of a store that is damaged. It writes nothing.
///
/// ```
/// # use nerite::{CreateOptions, KvWrite, MemoryDevice, OpenOptions, Salvage, Salvaged, Store, Timestamp};
/// # let device = MemoryDevice::new(4096, 64);
/// # Store::create(&device, CreateOptions::new(1))?;
/// # let store = Store::open(&device, || Timestamp(0), OpenOptions::new(2))?;
/// store.set(&"/lease".parse()?, b"10.0.0.7")?;
/// let mut salvage = Salvage::open(&device)?;
/// while let Some(found) = salvage.next()? {
///     match found {
///         Salvaged::Value(value) => println!("{}: {} bytes", value.name, value.bytes.len()),
///         Salvaged::Loss(loss) => println!("{}", loss.corruption),
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Salvage<D> {
    disk: Disk<D>,
    superblock: Superblock,
    tail: Tail,
    /// Where the tree has holes, in key order.
    holes: Vec<Hole>,
    /// What was found for them.
    filling: Versions,
    trees: Trees,
    told: VecDeque<Loss>,
    /// Of the piece of the tree that was come to last, the last key first.
    here: Vec<(Vec<u8>, Version, bool)>,
}

/// What comes out of a damaged store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Salvaged {
    /// A value that verifies. Values come in order of their names.
    Value(SalvagedValue),
    /// Something is damaged.
    Loss(Loss),
}

/// A value, and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvagedValue {
    /// What it is called.
    pub name: Name,
    /// The whole value.
    pub bytes: Vec<u8>,
    /// When it was written; the beginning of 1970 if that is not known.
    pub last_modified: Timestamp,
    /// It may have been overwritten or removed since: the record of that may be among what is lost.
    pub is_doubted: bool,
}

impl<D: BlockDevice> Store<D> {
    /// A look at what of this store can be read, though something is damaged. What is written
    /// meanwhile may seem damaged to it.
    ///
    /// # Errors
    /// As [`Salvage::open`].
    pub fn salvage(&self) -> Result<Salvage<&D>, Error> {
        let _no_writer = self.log.lock();
        Salvage::open(self.disk.device())
    }
}

/// Where the tree is missing.
struct Hole {
    span: Span,
    /// The older state has all that belongs here.
    is_bridged: bool,
}

impl<D: BlockDevice> Salvage<D> {
    /// Reads the superblock, the log's tail, and the whole index; if that has holes, everything.
    ///
    /// Memory is that of the tail, as opening a store takes it, and what was lost of the index.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if all copies of the superblock are damaged: then nothing tells where
    /// anything is. [`Error::NotFormatted`], [`Error::Unsupported`], [`Error::DeviceChanged`] and
    /// [`Error::Device`] as [`Store::open`](super::Store::open).
    pub fn open(device: D) -> Result<Self, Error> {
        let disk = Disk::new(device)?;
        let found = superblocks::read(&disk)?;
        let superblock = found.newest.superblock;
        check_readable(&superblock, disk.geometry())?;
        let Superblock { layout, birth, .. } = superblock;
        let source = Source { disk: &disk, layout, birth };
        let mut losses = Vec::new();
        // A device error here only means that a copy is lost.
        let copies = superblocks::damaged_copies(&disk, &found.newest).unwrap_or_default();
        losses.extend(copies.into_iter().map(Loss::of_nothing));
        // From the older state's start on, the tail fits both trees.
        let older = found.older.filter(|older| older.layout == layout);
        let start = older.map_or(superblock.tail_start, |older| older.tail_start);
        let state = Superblock { tail_start: start, ..superblock };
        let needed = superblock.tail_start.number;
        let tail = tail::read(&source, &state, needed, &mut losses)?;
        let older = older.filter(|_| !tail.is_older_damaged);
        let (holes, filling) = fill(&source, &state, (&superblock, older.as_ref()), &mut losses)?;
        let trees = Trees::new(&superblock);
        let (told, here) = (losses.into(), Vec::new());
        Ok(Self { disk, superblock, tail, holes, filling, trees, told, here })
    }

    /// Bytes that the store has on the device.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.superblock.layout.len()
    }

    /// Bytes in a block of the store.
    #[must_use]
    pub const fn block_size(&self) -> u32 {
        self.superblock.layout.block_len
    }

    /// What comes next; `None` if that was all.
    ///
    /// # Errors
    /// None that damage could cause.
    #[expect(clippy::should_implement_trait, reason = "it can fail")]
    pub fn next(&mut self) -> Result<Option<Salvaged>, Error> {
        loop {
            if let Some(loss) = self.told.pop_front() {
                return Ok(Some(Salvaged::Loss(loss)));
            }
            while let Some((key, version, is_doubted)) = self.here.pop() {
                if let Some(name) = Name::of(&key) {
                    return self.value(name, version, is_doubted).map(Some);
                }
            }
            let Superblock { layout, birth, .. } = self.superblock;
            let source = Source { disk: &self.disk, layout, birth };
            let Some(piece) = self.trees.next(&source, None)? else { return Ok(None) };
            // It was told before.
            self.trees.mended.clear();
            self.here = self.versions_of(&piece);
        }
    }

    /// The versions that count of the keys of a piece, the last one first, and whether each is in doubt.
    fn versions_of(&self, piece: &Piece) -> Vec<(Vec<u8>, Version, bool)> {
        let everything = (Vec::new(), None);
        let (mut versions, span) = match piece {
            Piece::Leaf { node, span } => (entries(node), span),
            Piece::Hole { span, .. } => (self.filling.part(&span.0, span.1.as_deref()), span),
            Piece::Nothing => (Versions::default(), &everything),
        };
        versions.extend(self.tail.versions.part(&span.0, span.1.as_deref()));
        let is_hole = matches!(piece, Piece::Hole { .. });
        let is_bridged = self.holes.iter().any(|hole| hole.span == *span && hole.is_bridged);
        let is_doubted = |key: &Vec<u8>| {
            let is_sure = self.tail.versions.keys.contains_key(key);
            self.tail.doubted.contains(key) || (is_hole && !is_bridged && !is_sure)
        };
        let living = versions.living().rev();
        living
            .map(|(key, version)| {
                let is_doubted = is_doubted(&key);
                (key, version, is_doubted)
            })
            .collect()
    }

    fn value(&self, name: Name, version: Version, is_doubted: bool) -> Result<Salvaged, Error> {
        let Version { sequence, modified, held } = version;
        let key = name.index_key();
        let mut damage = None;
        let places = match held {
            Held::Inline(bytes) => {
                let last_modified = modified;
                let value = SalvagedValue { name, bytes, last_modified, is_doubted };
                return Ok(Salvaged::Value(value));
            }
            Held::Extents(object) => return self.long_value(name, object, (modified, is_doubted)),
            Held::Records(places) => places,
            Held::Gone => Vec::new(),
        };
        for pointer in places {
            let layout = &self.superblock.layout;
            match fetch(&self.disk, layout, pointer, key.as_bytes(), sequence) {
                Ok(fetched) => {
                    let last_modified = fetched.modified.unwrap_or(modified);
                    let bytes = fetched.value;
                    let value = SalvagedValue { name, bytes, last_modified, is_doubted };
                    return Ok(Salvaged::Value(value));
                }
                Err(error) => damage = Some(corruption_of(error, Part::Record, pointer.at)?),
            }
        }
        let unknown = Corruption { part: Part::Record, at: 0, fault: Fault::WrongRecord };
        let corruption = damage.unwrap_or(unknown);
        Ok(Salvaged::Loss(Loss { corruption, lost: Lost::Value(name) }))
    }
}

/// The holes of the newest tree, and what is found for them elsewhere.
fn fill<D: BlockDevice>(
    source: &Source<'_, D>,
    state: &Superblock,
    (newest, older): (&Superblock, Option<&Superblock>),
    losses: &mut Vec<Loss>,
) -> Result<(Vec<Hole>, Versions), Error> {
    let (mut holes, mut filling) = (Vec::new(), Versions::default());
    let mut trees = Trees::new(newest);
    while let Some(piece) = trees.next(source, None)? {
        let Piece::Hole { span, corruption } = piece else { continue };
        let is_bridged = match older.filter(|older| older.tree != newest.tree) {
            Some(older) => bridge(source, older, &span, &mut filling)?,
            None => false,
        };
        let range = KeyRange::new(&span.0, span.1.as_deref().unwrap_or(&index_key::ALL_LUMPS.1));
        let lost = if is_bridged { Lost::Nothing } else { Lost::Keys(range) };
        losses.push(Loss { corruption, lost });
        holes.push(Hole { span, is_bridged });
    }
    losses.extend(trees.mended.into_iter().map(Loss::of_nothing));
    let open: Vec<&Span> =
        holes.iter().filter(|hole| !hole.is_bridged).map(|hole| &hole.span).collect();
    if !open.is_empty() {
        carve::carve(source, state, &open, &mut filling)?;
    }
    Ok((holes, filling))
}

/// Takes what the older tree has of these keys, and tells whether that is all.
fn bridge<D: BlockDevice>(
    source: &Source<'_, D>,
    older: &Superblock,
    span: &Span,
    filling: &mut Versions,
) -> Result<bool, Error> {
    let mut trees = Trees::new(older);
    let mut is_whole = true;
    while let Some(piece) = trees.next(source, Some(span))? {
        match piece {
            Piece::Leaf { node, .. } => {
                filling.extend(entries(&node).part(&span.0, span.1.as_deref()));
            }
            Piece::Hole { .. } => is_whole = false,
            Piece::Nothing => {}
        }
    }
    Ok(is_whole)
}

fn entries(leaf: &Node) -> Versions {
    let mut versions = Versions::default();
    for cell in 0..leaf.len() {
        if let Ok(entry) = leaf.entry(cell) {
            versions.add(&leaf.key(cell), Version::of_entry(&entry));
        }
    }
    versions
}

impl<D> fmt::Debug for Salvage<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Salvage").field(&self.superblock).finish_non_exhaustive()
    }
}
