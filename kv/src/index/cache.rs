//! Nodes in memory, as they lie on the disk.
//!
//! Invariants:
//! - A node is named by its place and its check, so what is found is what the pointer means, even
//!   if something else lay there before.
//! - Nodes are proven before they come here.
//! - All are of the tree in force: those that leave it are dropped with it, and one that a reader
//!   brings is not taken if the tree that named it is no longer that one. So when a segment is used
//!   again, there is nothing of it here.
//! - There are never more than the limit allows, each counted as the largest one.
//! - A node is in the first place of the table that was free from its hash on, and every place
//!   between is taken; at least half of all places are free.

use crate::format::node::Node;
use crate::format::pointer::Pointer;
use crate::planted::{Bug, planted};
use alloc::vec::Vec;

/// Nodes of which one is chosen to go.
const WINDOW: usize = 16;

#[derive(Debug)]
struct Held {
    pointer: Pointer,
    node: Node,
    /// It was asked for since the last time that a node near it had to go.
    used: bool,
}

/// A cache of nodes.
#[derive(Debug)]
pub(crate) struct Cache {
    /// As many places as a power of two.
    table: Vec<Option<Held>>,
    count: usize,
    limit: usize,
    /// The place where the next window begins.
    hand: usize,
}

impl Cache {
    /// A cache of at most `bytes`, for nodes of at most `node_len`. The table grows as it is needed.
    pub(crate) fn new(bytes: usize, node_len: u32) -> Self {
        let limit = bytes / (node_len as usize).max(1);
        Self { table: empty(WINDOW), count: 0, limit, hand: 0 }
    }

    pub(super) fn get(&mut self, pointer: Pointer) -> Option<&Node> {
        let place = self.find(pointer)?;
        let held = self.table.get_mut(place)?.as_mut()?;
        held.used = true;
        Some(&held.node)
    }

    pub(crate) fn insert(&mut self, pointer: Pointer, node: Node) {
        if self.limit == 0 || self.find(pointer).is_some() {
            return;
        }
        if self.count >= self.limit {
            self.evict();
        } else if (self.count + 1) * 2 > self.table.len() {
            let table = empty(self.table.len() * 2);
            let held = core::mem::replace(&mut self.table, table);
            held.into_iter().flatten().for_each(|held| self.put(held));
        }
        self.count += 1;
        self.put(Held { pointer, node, used: true });
    }

    /// Drops a node that nothing will ask for any more.
    pub(super) fn remove(&mut self, pointer: Pointer) {
        if planted(Bug::NodeStale) {
            return;
        }
        if let Some(place) = self.find(pointer) {
            self.clear(place);
        }
    }

    /// Makes room for one. Branches stay longer than leaves: every descent passes them.
    fn evict(&mut self) {
        let (mut goes, mut seen) = (None, 0);
        while seen < WINDOW.min(self.count) {
            let place = self.hand;
            self.hand = self.behind(place);
            let Some(Some(held)) = self.table.get_mut(place) else { continue };
            let rank = (held.node.level(), held.used);
            if goes.is_none_or(|(least, _)| rank < least) {
                goes = Some((rank, place));
            }
            held.used = false;
            seen += 1;
        }
        if let Some((_, place)) = goes {
            self.clear(place);
        }
    }

    fn find(&self, pointer: Pointer) -> Option<usize> {
        let mut place = self.home(pointer);
        let is_it =
            |held: Pointer| held == pointer || planted(Bug::NodeStale) && held.at == pointer.at;
        while !is_it(self.table.get(place)?.as_ref()?.pointer) {
            place = self.behind(place);
        }
        Some(place)
    }

    /// Puts a node that is not in the table there.
    fn put(&mut self, held: Held) {
        let mut place = self.home(held.pointer);
        while self.table.get(place).is_some_and(Option::is_some) {
            place = self.behind(place);
        }
        if let Some(free) = self.table.get_mut(place) {
            *free = Some(held);
        }
    }

    /// Drops what is in a place, and lets those behind it move up that it kept from there.
    fn clear(&mut self, place: usize) {
        let mask = self.table.len() - 1;
        let distance = |from: usize, to: usize| to.wrapping_sub(from) & mask;
        let (mut free, mut place) = (place, self.behind(place));
        while let Some(Some(held)) = self.table.get(place) {
            let home = self.home(held.pointer);
            if distance(home, place) >= distance(free, place) {
                self.table.swap(place, free);
                free = place;
            }
            place = self.behind(place);
        }
        if let Some(place) = self.table.get_mut(free) {
            *place = None;
        }
        self.count -= 1;
    }

    fn behind(&self, place: usize) -> usize {
        (place + 1) & (self.table.len() - 1)
    }

    /// The place of a node if it is free.
    fn home(&self, pointer: Pointer) -> usize {
        // The check is as good as random; the place is mixed in for who crafts checks.
        let check = if planted(Bug::NodeStale) { 0 } else { pointer.check };
        let hash = (pointer.at ^ u64::from(check)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        usize::try_from(hash >> 32).unwrap_or(0) & (self.table.len() - 1)
    }
}

fn empty(places: usize) -> Vec<Option<Held>> {
    let mut table = Vec::new();
    table.resize_with(places, || None);
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::node::Pack;
    use crate::random::Random;
    use alloc::vec;

    fn node(at: u64, level: u8) -> (Pointer, Node) {
        let mut pack = Pack::default();
        pack.push(b"key", &vec![0; if level == 0 { 17 } else { Pointer::LEN }]);
        let (bytes, check) = pack.take_node(1, level, (1, at), 512);
        let pointer = Pointer { at, len: 512, check };
        (pointer, Node::open(&bytes, pointer, 1, level).unwrap())
    }

    fn held(cache: &Cache) -> usize {
        cache.table.iter().flatten().count()
    }

    #[test]
    fn a_node_is_found_by_its_place_and_check_together() {
        let mut cache = Cache::new(1 << 20, 4096);
        let (pointer, node) = node(4096, 0);
        cache.insert(pointer, node);
        assert!(cache.get(pointer).is_some());
        assert!(cache.get(Pointer { check: !pointer.check, ..pointer }).is_none());
        assert!(cache.get(Pointer { at: 8192, ..pointer }).is_none());
        cache.remove(pointer);
        assert!(cache.get(pointer).is_none());
    }

    #[test]
    fn there_are_never_more_nodes_than_the_limit_allows() {
        for nodes in [0, 1, 5, 8, 64] {
            let mut cache = Cache::new(nodes * 4096, 4096);
            for number in 0..500 {
                let (pointer, node) = node(number * 4096, 0);
                cache.insert(pointer, node);
                assert!(held(&cache) <= nodes, "{nodes}");
            }
            assert!(nodes == 0 || held(&cache) > nodes / 2, "{nodes}");
        }
    }

    #[test]
    fn nodes_are_found_as_long_as_they_are_held_whatever_goes() {
        let mut cache = Cache::new(100 * 4096, 4096);
        let nodes: Vec<_> = (1..=300).map(|number| node(number * 4096, 0)).collect();
        let mut random = Random(1);
        for _ in 0..20_000 {
            let (pointer, node) = &nodes[random.below(nodes.len())];
            if random.below(2) == 0 {
                cache.insert(*pointer, node.clone());
                assert!(cache.get(*pointer).is_some());
            } else {
                cache.remove(*pointer);
                assert!(cache.get(*pointer).is_none());
            }
            let found = nodes.iter().filter(|(pointer, _)| cache.find(*pointer).is_some());
            assert_eq!((found.count(), cache.count), (held(&cache), held(&cache)));
        }
    }

    #[test]
    fn branches_outlast_leaves() {
        let mut cache = Cache::new(64 * 4096, 4096);
        let (branch, node_of_it) = node(4096, 1);
        cache.insert(branch, node_of_it);
        for number in 2..2000 {
            let (pointer, node) = node(number * 4096, 0);
            cache.insert(pointer, node);
        }
        assert!(cache.get(branch).is_some());
    }
}
