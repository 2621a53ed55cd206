//! Changes that are not in the tree yet, in memory.
//!
//! A *point* is the newest state of one key: a value, or none. A *cut* is what a removal of a range
//! leaves: it hides what older sources have there. It hides no point of its own delta: when a range
//! is removed, each key in it that has a value here gets a point without one.
//!
//! So that counts need no lookup, a point knows whether it *covers* what older sources have for its
//! key: then an operation of this delta has counted that entry off, and who drops it from the tree
//! must not do so again.

use super::entry::{Entry, Stored};
use crate::format::index_key::IndexKey;
use crate::planted::{Bug, planted};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Bound;

/// About what an entry takes in a leaf besides its key and value.
const CELL_LEN: usize = 45;

/// About what a point takes besides its key and value.
const POINT_LEN: usize = 128;

/// The newest state of a key.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) entry: Option<Entry>,
    /// The counts do not include what older sources have for this key.
    pub(super) covers: bool,
}

/// Keys in order, with their newest states; and ranges that hide what is older.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    points: BTreeMap<IndexKey, Point>,
    /// From where to where. They do not touch each other.
    cuts: BTreeMap<IndexKey, IndexKey>,
    /// Bytes of keys and values, and what holds them.
    len: usize,
    /// Bytes of entries whose keys have none in older sources.
    growth: usize,
    /// Objects whose keys a removal of a range has taken out of this: their extents are still there.
    pub(super) orphans: Vec<u64>,
    /// Bytes of the log that replay reads to make this.
    pub(super) log_len: u64,
}

impl Delta {
    /// Bytes in memory, about.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes of entries whose keys have none in older sources.
    pub(crate) const fn growth(&self) -> usize {
        self.growth
    }

    /// Points and cuts.
    pub(crate) fn count(&self) -> usize {
        self.points.len() + self.cuts.len()
    }

    pub(crate) fn cut_count(&self) -> usize {
        self.cuts.len()
    }

    /// The key's state is now `entry`. `covers` counts only if it had none here: whether an
    /// older source has an entry for it that was visible.
    pub(super) fn set(&mut self, key: IndexKey, entry: Option<Entry>, covers: bool) {
        let len = |key: &IndexKey, entry: &Option<Entry>| {
            let inline = match entry {
                Some(Entry { value: Stored::Inline { bytes, .. }, .. }) => bytes.len(),
                _ => 0,
            };
            POINT_LEN + key.as_bytes().len() + inline
        };
        let growth = |key: &IndexKey, entry: &Option<Entry>, covers: bool| {
            let adds = entry.is_some() && !covers;
            if adds { len(key, entry).saturating_sub(POINT_LEN - CELL_LEN) } else { 0 }
        };
        self.len += len(&key, &entry);
        let covers = self.points.get(&key).map_or(covers, |point| {
            self.len -= len(&key, &point.entry);
            self.growth -= growth(&key, &point.entry, point.covers);
            point.covers
        });
        self.growth += growth(&key, &entry, covers);
        self.points.insert(key, Point { entry, covers });
    }

    /// Removes every key from `from` on and below `to`, and tells which had values here.
    pub(super) fn remove_range(&mut self, from: IndexKey, to: IndexKey) -> Vec<(IndexKey, Entry)> {
        let points = self.points(from.as_bytes(), Some(to.as_bytes()));
        let removed: Vec<_> =
            points.filter_map(|(key, point)| Some((key.clone(), point.entry.clone()?))).collect();
        for (key, entry) in &removed {
            self.orphans.extend(entry.object().map(|object| object.id));
            self.set(key.clone(), None, false);
        }
        if !planted(Bug::RangeResurrects) {
            self.cut(from, to);
        }
        removed
    }

    /// Hides what older sources have from `from` on and below `to`.
    fn cut(&mut self, from: IndexKey, to: IndexKey) {
        let (mut from, mut to) = (from, to);
        // Those that overlap or touch it become one with it.
        while let Some((start, end)) = self.cut_touching(from.as_bytes(), to.as_bytes()) {
            let (start, end) = (start.clone(), end.clone());
            self.cuts.remove(&start);
            self.len -= POINT_LEN + start.as_bytes().len() + end.as_bytes().len();
            (from, to) = (from.min(start), to.max(end));
        }
        self.len += POINT_LEN + from.as_bytes().len() + to.as_bytes().len();
        self.cuts.insert(from, to);
    }

    fn cut_touching(&self, from: &[u8], to: &[u8]) -> Option<(&IndexKey, &IndexKey)> {
        let last = self.cuts.range::<[u8], _>((Bound::Unbounded, Bound::Included(to))).next_back();
        last.filter(|(_, end)| end.as_bytes() >= from)
    }

    /// From where to where cuts hide what is older.
    pub(super) fn cuts(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.cuts.iter().map(|(from, to)| (from.as_bytes(), to.as_bytes()))
    }

    /// The cut that hides `key`.
    pub(super) fn cut_of(&self, key: &[u8]) -> Option<(&[u8], &[u8])> {
        let up_to = (Bound::Unbounded, Bound::Included(key));
        let (from, to) = self.cuts.range::<[u8], _>(up_to).next_back()?;
        (key < to.as_bytes()).then_some((from.as_bytes(), to.as_bytes()))
    }

    /// Whether a cut hides anything from `from` on and below `to`, or without end.
    pub(super) fn cuts_between(&self, from: &[u8], to: Option<&[u8]>) -> bool {
        let below = (Bound::Unbounded, to.map_or(Bound::Unbounded, Bound::Excluded));
        let last = self.cuts.range::<[u8], _>(below).next_back();
        last.is_some_and(|(_, end)| end.as_bytes() > from)
    }

    pub(super) fn point(&self, key: &[u8]) -> Option<&Point> {
        self.points.get(key)
    }

    /// The points from `from` on and below `to`, or all the rest.
    pub(super) fn points(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> impl DoubleEndedIterator<Item = (&IndexKey, &Point)> {
        // An empty range, and not a reversed one, which a map refuses.
        let to = to.map_or(Bound::Unbounded, |to| Bound::Excluded(to.max(from)));
        self.points.range::<[u8], _>((Bound::Included(from), to))
    }

    /// Every value, in key order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&IndexKey, &Entry)> {
        self.points.iter().filter_map(|(key, point)| Some((key, point.entry.as_ref()?)))
    }

    /// The last point below `key`.
    pub(super) fn point_before(&self, key: &[u8]) -> Option<(&IndexKey, &Point)> {
        self.points.range::<[u8], _>((Bound::Unbounded, Bound::Excluded(key))).next_back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> IndexKey {
        IndexKey::from_checked(text.as_bytes())
    }

    fn cuts(delta: &Delta) -> Vec<(&[u8], &[u8])> {
        delta.cuts.iter().map(|(from, to)| (from.as_bytes(), to.as_bytes())).collect()
    }

    #[test]
    fn cuts_that_overlap_or_touch_are_one() {
        let mut delta = Delta::default();
        for (from, to) in [("b", "d"), ("x", "z"), ("f", "h"), ("d", "e"), ("h", "i")] {
            delta.cut(key(from), key(to));
        }
        assert_eq!(cuts(&delta), [(&b"b"[..], &b"e"[..]), (b"f", b"i"), (b"x", b"z")]);
        delta.cut(key("a"), key("g"));
        assert_eq!(cuts(&delta), [(&b"a"[..], &b"i"[..]), (b"x", b"z")]);
        delta.cut(key("c"), key("d"));
        assert_eq!(cuts(&delta).len(), 2, "within another one");
    }

    #[test]
    fn a_cut_hides_from_its_start_on_and_below_its_end() {
        let mut delta = Delta::default();
        delta.cut(key("b"), key("d"));
        for (sought, hidden) in [("a", false), ("b", true), ("czz", true), ("d", false)] {
            assert_eq!(delta.cut_of(sought.as_bytes()).is_some(), hidden, "{sought}");
        }
        let between = |from: &str, to: Option<&str>| {
            delta.cuts_between(from.as_bytes(), to.map(str::as_bytes))
        };
        assert!(between("a", None) && between("c", Some("c1")) && between("a", Some("b1")));
        assert!(!between("a", Some("b")) && !between("d", None));
    }

    #[test]
    fn a_point_covers_what_its_first_operation_said() {
        let mut delta = Delta::default();
        delta.set(key("a"), None, true);
        delta.set(key("a"), None, false);
        delta.set(key("b"), None, false);
        delta.set(key("b"), None, true);
        assert!(delta.point(b"a").unwrap().covers && !delta.point(b"b").unwrap().covers);
        assert_eq!(delta.len(), 2 * (POINT_LEN + 1));
    }
}
