//! Which entries the counts include: all that no operation has counted off.

use super::delta::Delta;
use super::entry::Entry;
use super::sources::Index;
use crate::format::index_key::IndexKey;
use crate::format::node::LeafEntry;

impl Index {
    /// Whether the counts include this entry of the tree. `first` is the sequence at the tail start:
    /// what is not older is the frozen delta's own, as far as it is merged.
    pub(crate) fn counts_in_tree(&self, key: &[u8], entry: &LeafEntry<'_>, first: u64) -> bool {
        let frozen = self.frozen().map(|frozen| &*frozen.delta);
        let Some(frozen) = frozen else { return !covers(self.delta(), key) };
        if entry.sequence >= first {
            return false;
        }
        if frozen.point(key).is_some() {
            return !covers(frozen, key);
        }
        // What a cut has hidden, newer operations did not see.
        frozen.cut_of(key).is_some() || !covers(self.delta(), key)
    }

    /// Every value in memory that the counts include.
    pub(crate) fn counted_in_memory(&self) -> impl Iterator<Item = (&IndexKey, &Entry)> {
        let frozen = self.frozen().into_iter().flat_map(|frozen| frozen.delta.entries());
        let frozen = frozen.filter(|(key, _)| !covers(self.delta(), key.as_bytes()));
        self.delta().entries().chain(frozen)
    }
}

fn covers(delta: &Delta, key: &[u8]) -> bool {
    delta.point(key).is_some_and(|point| point.covers)
}
