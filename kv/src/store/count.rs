//! Counting exactly: what unfinished removals hide is looked up.

use super::Store;
use super::info::Counts;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::index_key::Keyspace;
use crate::format::layout::Layout;
use crate::index::{Chunk, Entry};

impl<D: BlockDevice> Store<D> {
    /// How much the store holds, exactly: reads the part of the index that unfinished removals hide,
    /// and nothing if there are none. Writers wait. (The bytes of long values in a dictionary that was
    /// removed count until the removal is merged so far that their keys are found.)
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Device`].
    pub fn count(&self) -> Result<Counts, Error> {
        let log = self.log.lock();
        let totals = log.segments.totals();
        let first = log.superblock().tail_start.sequence;
        let mut hidden = Counts::default();
        let ranges = {
            let index = self.index.lock();
            let in_memory = index.hidden_in_memory();
            in_memory.for_each(|(key, entry)| hidden.add(&self.layout, key.as_bytes(), entry));
            index.hidden_ranges()
        };
        for (from, to) in ranges {
            let mut chunk = Chunk::before(&from);
            while let Some(from) = chunk.next.take() {
                self.look(|index, pins| index.fill_from_tree(&mut chunk, &from, &to, pins))?;
                let index = self.index.lock();
                while chunk.advance() {
                    let Some(row) = chunk.row() else { break };
                    let key = row.index_key();
                    if index.counts_hidden(key.as_bytes(), &row.entry, first) {
                        let entry = Entry::from_leaf(&row.entry);
                        hidden.add(&self.layout, key.as_bytes(), &entry);
                    }
                }
            }
        }
        Ok(Counts {
            keys: totals.keys.saturating_sub(hidden.keys),
            live_bytes: totals.live.saturating_sub(hidden.live_bytes),
        })
    }
}

impl Counts {
    fn add(&mut self, layout: &Layout, key: &[u8], entry: &Entry) {
        self.keys += u64::from(Keyspace::of(key) == Keyspace::Path);
        self.live_bytes += u64::from(entry.replaced(layout, key).len);
    }
}
