//! Looking at the index: no lock is held while the device is read.
//!
//! A look runs on what is in memory. If it needs a node that is not, the lock is let go, the node
//! is read and kept for this call, and the look starts again: what it tells in the end is of one
//! moment. A look that passes many keys that have no value any more does so leaf by leaf, and goes
//! on behind them if nothing has changed meanwhile. A *walk* over many keys takes one chunk after
//! the other. If anything has changed since its first one, it starts again; after a few times it
//! keeps writers out.
//!
//! Meanwhile a writer may move what a look has named and use its place again. What is read is proven,
//! so that shows; then the look is repeated. It is damage if it is named again and fails again.

use super::Store;
use super::digest::{ValueDigest, of_value};
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::index_key::IndexKey;
use crate::format::node::Node;
use crate::format::pointer::Pointer;
use crate::index::{Chunk, Entry, Found, Index, Pins, Row, Stop};
use crate::key::Key;
use crate::log;
use crate::traits::Digest;
use alloc::vec::Vec;

/// How often a look or a walk starts again before it keeps writers out.
const TRIES: usize = 3;

impl<D: BlockDevice> Store<D> {
    /// What `look` tells of the index.
    pub(super) fn look<R>(
        &self,
        mut look: impl FnMut(&mut Index, &Pins) -> Result<R, Stop>,
    ) -> Result<R, Error> {
        let mut pins = Pins::default();
        let (mut version, mut restarts, mut no_writer) = (None, 0, None);
        let mut failed = None;
        loop {
            let (stopped, tree) = {
                let mut index = self.index.lock();
                let now = Some(index.version());
                if version != now && pins.passed.take().is_some() {
                    restarts += 1;
                }
                version = now;
                match look(&mut index, &pins) {
                    Ok(told) => return Ok(told),
                    Err(stopped) => (stopped, index.tree_version()),
                }
            };
            match stopped {
                Stop::Wanted(pointer, level) => match self.read(pointer, level, tree) {
                    Ok(node) => pins.nodes.push((pointer, node)),
                    // The node may have moved, and its place been used again: then a look at the new
                    // tree goes elsewhere. If the tree is the same, so was the place.
                    Err(Error::Corrupt(_)) if failed != Some((pointer, tree)) => {
                        failed = Some((pointer, tree));
                    }
                    Err(error) => return Err(error),
                },
                Stop::Passed(key) => pins = Pins { passed: Some(key), ..Pins::default() },
                Stop::Corrupt(corruption) => return Err(corruption.into()),
            }
            // Under a writer's own looks nothing changes.
            if restarts == TRIES && no_writer.is_none() {
                no_writer = Some(self.log.lock());
            }
        }
    }

    /// The node that a pointer leads to, out of the cache or into it. Nobody else may write.
    pub(super) fn read_node(&self, pointer: Pointer, level: u8) -> Result<Node, Error> {
        let (cached, tree) = {
            let mut index = self.index.lock();
            (index.node(pointer), index.tree_version())
        };
        match cached.filter(|node| node.level() == level) {
            Some(node) => Ok(node),
            None => self.read(pointer, level, tree),
        }
    }

    /// The node that a pointer in this version of the tree leads to.
    fn read(&self, pointer: Pointer, level: u8, tree: u64) -> Result<Node, Error> {
        let node = log::read_node(&self.disk, &self.layout, self.birth, pointer, level)?;
        let mut index = self.index.lock();
        if index.tree_version() == tree {
            index.keep(pointer, node.clone());
        }
        Ok(node)
    }

    pub(super) fn find(&self, key: &Key) -> Result<Found, Error> {
        self.look(|index, pins| index.find(key, pins))
    }

    /// What `each` makes of a walk from `from` on and below `to`, all of one moment. It may be
    /// called again.
    pub(super) fn walk<R>(
        &self,
        (from, to): (&[u8], &[u8]),
        mut each: impl FnMut(&mut Walk<'_, D>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        for _ in 0..TRIES {
            let mut walk = Walk::new(self, from, to);
            let told = each(&mut walk);
            if !walk.moved {
                return told;
            }
        }
        let _no_writer = self.log.lock();
        each(&mut Walk::new(self, from, to))
    }
}

/// A way over keys in order.
pub(super) struct Walk<'a, D> {
    store: &'a Store<D>,
    chunk: Chunk,
    to: Vec<u8>,
    /// The version of the index at the first look.
    version: Option<u64>,
    /// The index has changed since: what was seen is not of one moment.
    moved: bool,
}

impl<'a, D: BlockDevice> Walk<'a, D> {
    fn new(store: &'a Store<D>, from: &[u8], to: &[u8]) -> Self {
        Self { store, chunk: Chunk::before(from), to: to.to_vec(), version: None, moved: false }
    }

    /// What stands at `key`, at the moment of the walk.
    pub(super) fn find(&mut self, key: &Key) -> Result<Found, Error> {
        let look = |index: &mut Index, pins: &Pins| Ok((index.find(key, pins)?, index.version()));
        let (found, version) = self.store.look(look)?;
        self.see(version);
        Ok(found)
    }

    /// The next row. There is none when the walk must start again, too.
    pub(super) fn next(&mut self) -> Result<Option<Row<'_>>, Error> {
        while !self.chunk.advance() {
            let Some(from) = self.chunk.next.take().filter(|from| *from < self.to) else {
                return Ok(None);
            };
            if !self.fill(&from)? {
                return Ok(None);
            }
        }
        Ok(self.chunk.row())
    }

    /// Leaves out what is below `key`.
    pub(super) fn skip_to(&mut self, key: &[u8]) {
        self.chunk.skip_to(key);
    }

    /// The digest of a value at the moment of the walk; `None` when the walk must start again.
    pub(super) fn digest(&mut self, key: &IndexKey, entry: Entry) -> Result<Option<Digest>, Error> {
        if let Some(object) = entry.object() {
            let (mut digest, entry) = (ValueDigest::default(), (&entry, object));
            let mut each = |bytes: &[u8]| digest.add(bytes);
            let all = 0..object.size;
            let same = self.store.read_object(key.as_bytes(), entry, all, &mut each)?;
            self.moved |= !same;
            return Ok(same.then(|| digest.finish()));
        }
        Ok(self.fetch(key, entry)?.map(|bytes| of_value(&bytes)))
    }

    fn fetch(&mut self, key: &IndexKey, entry: Entry) -> Result<Option<Vec<u8>>, Error> {
        let sequence = entry.sequence;
        let now = self.store.current(key.as_bytes(), entry)?;
        let same = now.filter(|(now, _)| now.sequence == sequence);
        self.moved |= same.is_none();
        Ok(same.map(|(_, bytes)| bytes))
    }

    /// Whether the next rows are of the moment of the walk.
    fn fill(&mut self, from: &[u8]) -> Result<bool, Error> {
        let (chunk, to) = (&mut self.chunk, &self.to);
        let version = self.store.look(|index, pins| {
            index.fill(chunk, from, to, pins)?;
            Ok(index.version())
        })?;
        self.see(version);
        Ok(!self.moved)
    }

    fn see(&mut self, version: u64) {
        self.moved |= *self.version.get_or_insert(version) != version;
    }
}
