//! Which entries the counts include: all that no operation has counted off. Of those, what a cut
//! hides is counted off when it is merged.

use super::delta::Delta;
use super::entry::Entry;
use super::sources::{Index, Known};
use crate::format::index_key::IndexKey;
use crate::format::node::LeafEntry;
use alloc::vec::Vec;

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

    /// The ranges in which cuts hide something, perhaps, in key order.
    pub(crate) fn hidden_ranges(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let frozen = self.frozen().map(|frozen| &*frozen.delta);
        let cuts = [Some(self.delta()), frozen].into_iter().flatten().flat_map(Delta::cuts);
        let mut ranges: Vec<_> = cuts.map(|(from, to)| (from.to_vec(), to.to_vec())).collect();
        ranges.sort_unstable();
        ranges.dedup_by(|(from, to), (_, end)| {
            let touches = *from <= *end;
            if touches && *to > *end {
                core::mem::swap(to, end);
            }
            touches
        });
        ranges
    }

    /// Whether the counts include this entry of the tree, which is hidden.
    pub(crate) fn counts_hidden(&self, key: &[u8], entry: &LeafEntry<'_>, first: u64) -> bool {
        self.counts_in_tree(key, entry, first)
            && !matches!(self.memory().known(key), Known::Nothing)
    }

    /// Values in memory that the counts include, and that are hidden.
    pub(crate) fn hidden_in_memory(&self) -> impl Iterator<Item = (&IndexKey, &Entry)> {
        let frozen = self.frozen().into_iter().flat_map(|frozen| frozen.delta.entries());
        frozen.filter(|(key, _)| {
            let (delta, key) = (self.delta(), key.as_bytes());
            let hidden = delta.point(key).is_some() || delta.cut_of(key).is_some();
            hidden && !covers(delta, key)
        })
    }
}

fn covers(delta: &Delta, key: &[u8]) -> bool {
    delta.point(key).is_some_and(|point| point.covers)
}
