//! `verify`: everything on the disk that the store names is read and proven.

use super::Store;
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::index_key::{self, IndexKey, Keyspace, Subtree};
use crate::format::layout::Layout;
use crate::format::node::{LeafEntry, LeafValue, Node};
use crate::format::object::Object;
use crate::format::place::Place as Open;
use crate::format::pointer::Pointer;
use crate::format::record::Replaced;
use crate::format::superblock::{Superblock, Tree};
use crate::format::table::Totals;
use crate::index::Entry;
use crate::key::Key;
use crate::log::superblocks::{self, Newest};
use crate::log::{self, Fetched, Log, Segments};
use alloc::vec;
use alloc::vec::Vec;

/// More are not told.
const FINDINGS_MAX: usize = 1000;

impl<D: BlockDevice> Store<D> {
    /// Reads everything that the store names and proves it: superblocks, the table, the tail, every
    /// node (its check, place, level, and the order of its keys and separators), every record that
    /// holds a value, what the index says of it (but for the time of one that has its frame's),
    /// that no key is both a value and a dictionary, and every count. Tells all that is wrong, up
    /// to 1,000 findings; nothing, if all is well. What is below a node whose keys are out of order
    /// is not looked at. Writers wait.
    ///
    /// The time grows with what the store holds; memory does not.
    ///
    /// # Errors
    /// [`Error::Device`]; [`Error::Poisoned`] after a failed write, when what is on the disk is
    /// unknown.
    pub fn verify(&self) -> Result<Vec<Corruption>, Error> {
        let log = self.log.lock();
        log.check()?;
        let superblock = *log.superblock();
        let mut findings = superblocks::damaged_copies(&self.disk, log.newest())?;
        self.verify_tail(&log, log.newest(), &mut findings)?;
        if let Some(older) = superblocks::read(&self.disk)?.older {
            let older = Newest { superblock: older, slot: 1 - log.newest().slot };
            self.verify_tail(&log, &older, &mut findings)?;
        }
        let mut census = Census::new(&log, findings);
        if let Some(Tree { root, level }) = superblock.tree {
            self.verify_node(&mut census, &Place { pointer: root, level, from: &[], to: None })?;
        }
        for (key, entry) in self.index.lock().counted_in_memory() {
            let keyspace = Keyspace::of(key.as_bytes());
            census.value((keyspace, entry.replaced(&self.layout, key.as_bytes())));
        }
        let Census { mut findings, totals, live, .. } = census;
        compare(&log.segments, &totals, &live, &superblock, &mut findings);
        let extents = self.verify_values(&mut findings)?;
        if let Some(extents) = extents
            && let Err(error) = self.verify_extents(extents, &mut findings)
        {
            note(error, &mut findings)?;
        }
        Ok(findings)
    }

    /// The table and the root of a state are whole, and replay from its tail start ends where this
    /// mount is.
    fn verify_tail(
        &self,
        log: &Log,
        state: &Newest,
        findings: &mut Vec<Corruption>,
    ) -> Result<(), Error> {
        let superblock = &state.superblock;
        if let Some(Tree { root, level }) = superblock.tree
            && superblock.tree != log.superblock().tree
            && let Err(error) = log::read_node(&self.disk, &self.layout, self.birth, root, level)
        {
            note(error, findings)?;
        }
        if let Err(error) = log::read_table(&self.disk, superblock) {
            return note(error, findings);
        }
        match log::replay(&self.disk, state, |_| Ok(())) {
            Ok(end) if end.number == log.point().number => Ok(()),
            Ok(end) => {
                let fault = Fault::Missing { frame: end.number };
                let at = end.at(&self.layout);
                tell(findings, Corruption { part: Part::Frame, at, fault });
                Ok(())
            }
            Err(error) => note(error, findings),
        }
    }

    /// A node and all below it.
    fn verify_node(&self, census: &mut Census, place: &Place<'_>) -> Result<(), Error> {
        let Place { pointer, level, .. } = *place;
        let node = match log::read_node(&self.disk, &self.layout, self.birth, pointer, level) {
            Ok(node) => node,
            Err(error) => return note(error, &mut census.findings),
        };
        let damaged = |fault| Corruption { part: Part::Node, at: pointer.at, fault };
        if !node.is_in_order(place.from, place.to) {
            // Each node in order has keys of its own: so none is passed twice, however many lead to it.
            tell(&mut census.findings, damaged(Fault::Field("order of keys")));
            return Ok(());
        }
        if self.layout.segment_of(pointer.at).is_none_or(|segment| !census.is_index(segment)) {
            tell(&mut census.findings, damaged(Fault::Field("segment")));
        }
        census.bytes(pointer);
        for cell in 0..node.len() {
            let key = node.key(cell);
            let told = if level == 0 {
                node.entry(cell).map(|entry| {
                    self.verify_entry(census, &node, &key, &entry);
                    Ok(())
                })
            } else {
                let next = (cell + 1 < node.len()).then(|| node.key(cell + 1));
                let to = next.as_deref().or(place.to);
                let from = if cell == 0 { place.from } else { &key };
                node.child(cell)
                    .map(|pointer| Place { pointer, level: level.saturating_sub(1), from, to })
                    .map(|child| self.verify_node(census, &child))
            };
            told.map_err(damaged)??;
        }
        Ok(())
    }

    fn verify_entry(&self, census: &mut Census, leaf: &Node, key: &[u8], entry: &LeafEntry<'_>) {
        let mut damaged = |fault| {
            tell(&mut census.findings, Corruption { part: Part::Node, at: leaf.at(), fault });
        };
        if let Err(fault) = index_key::check_key(key) {
            damaged(fault);
        }
        if matches!(entry.value, LeafValue::Inline { bytes, .. } if bytes.len() > census.inline_max)
        {
            damaged(Fault::Field("length of a value"));
        }
        if self.index.lock().counts_in_tree(key, entry, census.first) {
            let record = Entry::from_leaf(entry).replaced(&self.layout, key);
            census.value((Keyspace::of(key), record));
        }
    }

    /// Every extent is of an object that some key has, or that is being written. `found` are those of
    /// the former.
    fn verify_extents(&self, found: u64, findings: &mut Vec<Corruption>) -> Result<(), Error> {
        if self.index.lock().cut_count() > 0 {
            // What a removal has left is still to be removed.
            return Ok(());
        }
        let (from, to) = index_key::all_extents();
        let all = self.count_keys(&from, &to)?;
        let found = found.saturating_add(self.count_pending()?);
        if all != found {
            let fault = Fault::Count { what: "extents of objects", kept: all, found };
            tell(findings, Corruption { part: Part::Node, at: 0, fault });
        }
        Ok(())
    }

    /// Extents of objects that are being written.
    fn count_pending(&self) -> Result<u64, Error> {
        let (from, to) = index_key::all_pending();
        self.walk((&from, &to), |walk| {
            let mut count = 0u64;
            while let Some(row) = walk.next()? {
                let object = index_key::object_of(row.index_key().as_bytes())
                    .map_or(0, |(object, _)| object);
                let (from, to) = index_key::extents_of(object);
                count = count.saturating_add(self.count_keys(&from, &to)?);
            }
            Ok(count)
        })
    }

    /// Keys from `from` on and below `to`.
    fn count_keys(&self, from: &[u8], to: &[u8]) -> Result<u64, Error> {
        self.walk((from, to), |walk| {
            let mut count = 0u64;
            while walk.next()?.is_some() {
                count = count.saturating_add(1);
            }
            Ok(count)
        })
    }

    /// Every value can be read, and none is below another one. Tells how many extents they have, if all
    /// is well.
    fn verify_values(&self, findings: &mut Vec<Corruption>) -> Result<Option<u64>, Error> {
        let sound = findings.len();
        let (Subtree { from, .. }, (_, to)) = (Subtree::of(&Key::ROOT), index_key::ALL_LUMPS);
        let told = self.walk((&from, &to), |walk| {
            let (mut above, mut extents): (Option<IndexKey>, u64) = (None, 0);
            while let Some(row) = walk.next()? {
                let key = row.index_key();
                match self.verify_value(key.as_bytes(), &row.entry) {
                    Ok(count) => extents = extents.saturating_add(count),
                    Err(error) => note(error, findings)?,
                }
                if above.is_some_and(|above| key.is_below(&above)) {
                    let fault = Fault::Field("a key below a value");
                    tell(findings, Corruption { part: Part::Node, at: 0, fault });
                }
                above = Some(key);
            }
            Ok(extents)
        });
        let extents = match told {
            Ok(extents) => Some(extents),
            Err(error) => note(error, findings).map(|()| None)?,
        };
        Ok(extents.filter(|_| findings.len() == sound))
    }

    /// The record of a value is whole, and the index says of it what it does; of an object, all its
    /// extents are. Tells how many they are.
    fn verify_value(&self, key: &[u8], entry: &LeafEntry<'_>) -> Result<u64, Error> {
        let (size, record) = match entry.value {
            LeafValue::Inline { .. } => return Ok(0),
            LeafValue::Object { object, .. } => return self.verify_object(object),
            LeafValue::Record { size, record } => (size, record),
        };
        let fetched = log::fetch(&self.disk, &self.layout, record, key, entry.sequence)?;
        let Fetched { value, modified } = fetched;
        let field = if value.len() as u64 != size {
            "length of a value"
        } else if modified.is_some_and(|modified| modified != entry.modified) {
            "time"
        } else {
            return Ok(0);
        };
        Err(Corruption { part: Part::Record, at: record.at, fault: Fault::Field(field) }.into())
    }
}

impl<D: BlockDevice> Store<D> {
    /// The extents of an object are whole, lie at its chunks, and are as long as these.
    fn verify_object(&self, object: Object) -> Result<u64, Error> {
        self.check_object(object)?;
        let (from, to) = index_key::extents_of(object.id);
        let chunk = u64::from(self.layout.chunk_len());
        self.walk((&from, &to), |walk| {
            let mut count = 0u64;
            while let Some(row) = walk.next()? {
                let offset = index_key::object_of(row.index_key().as_bytes())
                    .map_or(0, |(_, offset)| offset);
                let len = object.chunk_len(&self.layout, offset);
                let LeafValue::Record { size, record } = row.entry.value else {
                    let fault = Fault::Field("an extent in a leaf");
                    return Err(Corruption { part: Part::Node, at: 0, fault }.into());
                };
                let sequence = row.entry.sequence;
                let key = row.index_key();
                let fetched =
                    log::fetch(&self.disk, &self.layout, record, key.as_bytes(), sequence)?;
                let fits = fetched.value.len() == len && size == len as u64 && len > 0;
                if !fits || !offset.is_multiple_of(chunk) {
                    let fault = Fault::Field("length of an extent");
                    return Err(Corruption { part: Part::Record, at: record.at, fault }.into());
                }
                count = count.saturating_add(1);
            }
            Ok(count)
        })
    }
}

/// A node and its place among the keys.
struct Place<'a> {
    pointer: Pointer,
    level: u8,
    from: &'a [u8],
    to: Option<&'a [u8]>,
}

/// What is found while the tree is walked.
struct Census {
    findings: Vec<Corruption>,
    totals: Totals,
    /// Live bytes of each segment.
    live: Vec<u64>,
    index: Vec<bool>,
    layout: Layout,
    inline_max: usize,
    /// The sequence at the tail start.
    first: u64,
    /// Where the next node goes.
    open: Option<Open>,
}

impl Census {
    fn new(log: &Log, findings: Vec<Corruption>) -> Self {
        let Superblock { layout, inline_max, tail_start, table, index_open: open, .. } =
            *log.superblock();
        let segments = 0..layout.segment_count;
        let mut census = Self {
            findings,
            totals: Totals::default(),
            live: vec![0; layout.segment_count as usize],
            index: segments.map(|segment| log.segments.is_index(segment)).collect(),
            layout,
            inline_max: usize::from(inline_max),
            first: tail_start.sequence,
            open,
        };
        if let Some(table) = table {
            census.bytes(table);
        }
        census
    }

    fn is_index(&self, segment: u32) -> bool {
        self.index.get(segment as usize).copied().unwrap_or(false)
    }

    /// A node or the table.
    fn bytes(&mut self, bytes: Pointer) {
        self.totals.index += u64::from(bytes.len);
        let segment = self.layout.segment_of(bytes.at);
        let end = bytes.at.saturating_add(u64::from(bytes.len));
        let is_in_the_way = |open: Open| {
            segment == Some(open.segment) && end > self.layout.at(open.segment, open.block)
        };
        if self.open.is_some_and(is_in_the_way) {
            let fault = Fault::Field("open segment of the index");
            tell(&mut self.findings, Corruption { part: Part::Node, at: bytes.at, fault });
        }
        self.add(segment, bytes.len);
    }

    /// A value that counts, by the form in which its record is named.
    fn value(&mut self, (keyspace, record): (Keyspace, Replaced)) {
        match keyspace {
            Keyspace::Pending => self.totals.pending += 1,
            Keyspace::Path => self.totals.keys += 1,
            Keyspace::Extent => self.totals.extents += 1,
        }
        self.totals.live += u64::from(record.len);
        self.add(record.segment.map(u32::from), record.len);
    }

    fn add(&mut self, segment: Option<u32>, len: u32) {
        let live = segment.and_then(|segment| self.live.get_mut(segment as usize));
        if let Some(live) = live {
            *live += u64::from(len);
        }
    }
}

/// The counts that are kept are those that were found.
fn compare(
    kept: &Segments,
    found: &Totals,
    live: &[u64],
    superblock: &Superblock,
    findings: &mut Vec<Corruption>,
) {
    let at = superblock.table.map_or(0, |table| table.at);
    let mut compare = |what, kept: u64, found: u64| {
        if kept != found {
            let fault = Fault::Count { what, kept, found };
            tell(findings, Corruption { part: Part::Table, at, fault });
        }
    };
    compare("keys", kept.totals().keys, found.keys);
    compare("extents", kept.totals().extents, found.extents);
    compare("objects that are written", kept.totals().pending, found.pending);
    compare("live bytes", kept.totals().live, found.live);
    compare("bytes of the index", kept.totals().index, found.index);
    for (kept, found) in kept.live().zip(live) {
        compare("live bytes of a segment", kept, *found);
    }
    let holds = (0..).zip(live).filter(|(segment, live)| **live > 0 && !kept.holds(*segment));
    for _ in holds {
        tell(findings, Corruption { part: Part::Table, at, fault: Fault::Field("use") });
    }
}

/// One more, as long as they are not too many to be kept.
fn tell(findings: &mut Vec<Corruption>, corruption: Corruption) {
    if findings.len() < FINDINGS_MAX {
        findings.push(corruption);
    }
}

/// Damage is a finding; anything else ends the search.
fn note(error: Error, findings: &mut Vec<Corruption>) -> Result<(), Error> {
    match error {
        Error::Corrupt(corruption) => {
            tell(findings, corruption);
            Ok(())
        }
        error => Err(error),
    }
}
