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

use crate::format::node::Node;
use crate::format::pointer::Pointer;
use crate::planted::{Bug, planted};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Nodes that compete for room: those whose places hash alike.
const WAYS: usize = 16;

#[derive(Debug)]
struct Slot {
    pointer: Pointer,
    node: Arc<Node>,
    /// It was asked for since the last time that a node had to go.
    used: bool,
}

/// A cache of nodes.
#[derive(Debug)]
pub(crate) struct Cache {
    sets: Vec<Vec<Slot>>,
    ways: usize,
}

impl Cache {
    /// A cache of at most `bytes`, for nodes of at most `node_len`.
    pub(crate) fn new(bytes: usize, node_len: u32) -> Self {
        let nodes = bytes / (node_len as usize).max(1);
        let ways = nodes.min(WAYS);
        let mut sets = Vec::new();
        sets.resize_with((nodes / WAYS).max(1), Vec::new);
        Self { sets, ways }
    }

    pub(super) fn get(&mut self, pointer: Pointer) -> Option<Arc<Node>> {
        let is_it = |slot: &Slot| {
            slot.pointer == pointer || planted(Bug::NodeStale) && slot.pointer.at == pointer.at
        };
        let slot = self.set(pointer)?.iter_mut().find(|slot| is_it(slot))?;
        slot.used = true;
        Some(Arc::clone(&slot.node))
    }

    pub(crate) fn insert(&mut self, pointer: Pointer, node: Arc<Node>) {
        let ways = self.ways;
        let Some(set) = self.set(pointer) else { return };
        if ways == 0 || set.iter().any(|slot| slot.pointer == pointer) {
            return;
        }
        if set.len() >= ways {
            // Branches stay longer than leaves: every descent passes them.
            let goes = set.iter().enumerate().min_by_key(|(_, s)| (s.node.level(), s.used));
            let goes = goes.map_or(0, |(index, _)| index);
            set.remove(goes);
            for slot in set.iter_mut() {
                slot.used = false;
            }
        }
        set.push(Slot { pointer, node, used: true });
    }

    /// Drops a node that nothing will ask for any more.
    pub(super) fn remove(&mut self, pointer: Pointer) {
        if planted(Bug::NodeStale) {
            return;
        }
        if let Some(set) = self.set(pointer) {
            set.retain(|slot| slot.pointer != pointer);
        }
    }

    fn set(&mut self, pointer: Pointer) -> Option<&mut Vec<Slot>> {
        // Fibonacci hashing; neighbours on the disk go to different sets.
        let check = if planted(Bug::NodeStale) { 0 } else { pointer.check };
        let name = pointer.at ^ u64::from(check) << 32;
        let hash = (name >> 9 ^ name << 55).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let count = self.sets.len() as u64;
        let set = ((u128::from(hash) * u128::from(count)) >> 64) as u64;
        self.sets.get_mut(usize::try_from(set).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::node::Pack;
    use alloc::vec;

    fn node(at: u64, level: u8) -> (Pointer, Arc<Node>) {
        let mut pack = Pack::default();
        pack.push(b"key", &vec![0; if level == 0 { 17 } else { Pointer::LEN }]);
        let (bytes, check) = pack.take_node(1, level, (1, at), 512);
        let pointer = Pointer { at, len: 512, check };
        (pointer, Arc::new(Node::open(bytes, pointer, 1, level).unwrap()))
    }

    fn held(cache: &Cache) -> usize {
        cache.sets.iter().map(Vec::len).sum()
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
