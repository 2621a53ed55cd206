//! Trees that are built and merged at random, against sorted maps.

use super::builder::Builder;
use super::delta::Delta;
use super::entry::{Entry, Stored};
use super::merge::{Budget, Merged, Work, step};
use super::{Cache, Chunk, Index, Pins, Stop};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::format::index_key::IndexKey;
use crate::format::layout::Layout;
use crate::format::node::{Limits, Node};
use crate::format::point::ChainPoint;
use crate::format::pointer::Pointer;
use crate::format::superblock::Tree;
use crate::log::NewNodes;
use crate::random::Random;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

const BIRTH: u64 = 5;
/// The first operation of a delta.
const FIRST: u64 = 1000;

impl Random {
    /// A key of few possible bytes: some begin with others, and they meet often.
    fn key(&mut self) -> Vec<u8> {
        let len = 2 + self.below(5);
        (0..len).map(|_| u8::try_from(1 + self.below(4)).unwrap()).collect()
    }

    fn entry(&mut self, sequence: u64) -> Entry {
        let bytes: Vec<u8> = alloc::vec![u8::try_from(self.below(256)).unwrap(); self.below(120)];
        let size = bytes.len() as u64;
        let value = Stored::Inline { bytes: bytes.into(), timed: false };
        Entry { sequence, modified: Timestamp(9), size, value }
    }

    fn entries(&mut self, count: usize) -> Rows {
        (0..count).map(|_| (self.key(), self.entry(7))).collect()
    }

    fn limits(&mut self) -> Limits {
        Limits { len: layout().node_len_max(), cells: [3, 4, 10, usize::MAX][self.below(4)] }
    }
}

type Rows = BTreeMap<Vec<u8>, Entry>;

fn layout() -> Layout {
    Layout::divide(4 << 20, 512).unwrap()
}

/// All nodes that were ever made, and the tree in force.
#[derive(Default)]
struct Forest {
    nodes: BTreeMap<(u64, u32), Node>,
    tree: Option<Tree>,
}

impl Forest {
    fn plant(&mut self, tree: Option<Tree>, new: NewNodes) {
        let new = new.into_nodes().into_iter();
        self.nodes.extend(new.map(|(pointer, node)| (name(pointer), node)));
        self.tree = tree;
    }

    fn read(&self, pointer: Pointer, level: u8) -> Node {
        let node = &self.nodes[&name(pointer)];
        assert_eq!(node.level(), level);
        node.clone()
    }

    /// What the tree holds, and its nodes. Each is in its place: within the bounds that the branches
    /// above set, in order, and no larger than it may be.
    fn check(&self, limits: Limits) -> (Rows, Vec<(u64, u32)>) {
        let (mut rows, mut nodes) = (Rows::new(), Vec::new());
        if let Some(Tree { root, level }) = self.tree {
            self.check_node((root, level), (&[], None), limits, (&mut rows, &mut nodes));
        }
        nodes.sort_unstable();
        (rows, nodes)
    }

    fn check_node(
        &self,
        (pointer, level): (Pointer, u8),
        (from, to): (&[u8], Option<&[u8]>),
        limits: Limits,
        (rows, nodes): (&mut Rows, &mut Vec<(u64, u32)>),
    ) {
        let node = self.read(pointer, level);
        nodes.push(name(pointer));
        assert!(pointer.len <= limits.len && node.len() <= limits.cells);
        let keys: Vec<_> = (0..node.len()).map(|cell| node.key(cell)).collect();
        assert!(keys.is_sorted_by(|one, next| one < next));
        assert!(*keys[0] >= *from && to.is_none_or(|to| **keys.last().unwrap() < *to));
        for (cell, key) in keys.iter().enumerate() {
            if level == 0 {
                rows.insert(key.clone(), Entry::from_leaf(&node.entry(cell).unwrap()));
                continue;
            }
            // The first cell takes what is lower, too.
            let from = if cell == 0 { from } else { key };
            let to = keys.get(cell + 1).map(|next| &next[..]).or(to);
            let child = (node.child(cell).unwrap(), level - 1);
            self.check_node(child, (from, to), limits, (rows, nodes));
        }
    }
}

fn name(pointer: Pointer) -> (u64, u32) {
    (pointer.at, pointer.check)
}

fn payload(entry: &Entry) -> Vec<u8> {
    let mut payload = Vec::new();
    entry.as_leaf().encode(&mut payload);
    payload
}

fn built(rows: &Rows, limits: Limits) -> Forest {
    let mut builder = Builder::new(NewNodes::anywhere(layout(), BIRTH), limits);
    for (key, entry) in rows {
        builder.push(key, &payload(entry), &[]).unwrap();
    }
    let (tree, new) = builder.finish().unwrap();
    let mut forest = Forest::default();
    forest.plant(tree, new);
    forest
}

#[test]
fn a_tree_that_is_built_holds_its_rows_in_nodes_that_are_well_filled() {
    let mut random = Random(1);
    for case in 0..300 {
        let (limits, count) = (random.limits(), random.below(900));
        let rows = random.entries(count);
        let (held, nodes) = built(&rows, limits).check(limits);
        assert_eq!(held, rows, "case {case}");
        // Half full at least, but for the last ones of each level.
        let cells = limits.cells.min(4096 / 200);
        assert!(nodes.len() <= rows.len() * 3 / cells + 12, "case {case}: {} nodes", nodes.len());
    }
}

/// A delta over `rows`, and what both are together.
fn changed(random: &mut Random, rows: &Rows) -> (Delta, Rows) {
    let (mut delta, mut expected) = (Delta::default(), rows.clone());
    for number in 0..random.below(200) as u64 {
        let key = random.key();
        let index_key = IndexKey::from_checked(&key);
        let covers = expected.contains_key(&key);
        match random.below(20) {
            0 => {
                let to = [&key[..random.below(key.len())], &[5]].concat();
                expected.retain(|held, _| *held < key || *held >= to);
                delta.remove_range(index_key, IndexKey::from_checked(&to));
            }
            1..8 => {
                expected.remove(&key);
                delta.set(index_key, None, covers);
            }
            _ => {
                let entry = random.entry(FIRST + number);
                expected.insert(key, entry.clone());
                delta.set(index_key, Some(entry), covers);
            }
        }
    }
    (delta, expected)
}

fn take(forest: &Forest, work: Work<'_>, budget: Budget) -> Merged {
    let read = |pointer, level| Ok::<_, Error>(forest.read(pointer, level));
    let new = NewNodes::anywhere(layout(), BIRTH);
    step(read, work, (forest.tree, FIRST, layout()), new, budget).unwrap()
}

/// Takes the step, and checks that its list of nodes that went is exact.
fn take_and_plant(forest: &mut Forest, work: Work<'_>, budget: Budget) -> (Option<Vec<u8>>, usize) {
    let (_, before) = forest.check(budget.limits);
    let Merged { tree, new, old, forgotten, next, .. } = take(forest, work, budget);
    let old: Vec<_> = old.into_iter().map(name).collect();
    assert!(old.iter().all(|gone| before.contains(gone)));
    forest.plant(tree, new);
    let (_, after) = forest.check(budget.limits);
    for node in before {
        // A node that is made anew where it was, as it was, is in both.
        assert!(after.contains(&node) || old.contains(&node));
    }
    (next, forgotten.len())
}

#[test]
fn a_round_of_any_steps_makes_the_tree_what_the_delta_says_and_a_second_one_changes_nothing() {
    let mut random = Random(2);
    for case in 0..200 {
        let (limits, count) = (random.limits(), random.below(400));
        let rows = random.entries(count);
        let mut forest = built(&rows, limits);
        let (delta, expected) = changed(&mut random, &rows);
        let hidden = rows.keys().filter(|key| {
            let point = delta.point(key);
            let covered = point.is_some_and(|point| point.covers);
            !covered && (point.is_some() || delta.cut_of(key).is_some())
        });
        let hidden = hidden.count();
        for (round, hidden) in [hidden, 0].into_iter().enumerate() {
            let old = forest.check(limits).0;
            let (mut start, mut forgotten) = (Some(Vec::new()), 0);
            while let Some(from) = start {
                let (leaves, bytes) = (1 + random.below(9), 1 + random.below(3000));
                let budget = Budget { leaves, bytes, limits };
                let work = Work { delta: &delta, start: &from, moved: &[] };
                let (next, count) = take_and_plant(&mut forest, work, budget);
                forgotten += count;
                let held = forest.check(limits).0;
                let merged = |key: &Vec<u8>| next.as_ref().is_none_or(|next| key < next);
                let below = expected.iter().filter(|(key, _)| merged(key));
                let behind = old.iter().filter(|(key, _)| !merged(key));
                assert!(held.iter().eq(below.chain(behind)), "case {case}, round {round}");
                assert!(next.as_ref().is_none_or(|next| *next > from), "it goes on");
                start = next;
            }
            assert_eq!(forgotten, hidden, "case {case}, round {round}");
        }
    }
}

#[test]
fn nodes_on_the_way_to_keys_are_written_anew_and_the_tree_holds_the_same() {
    let mut random = Random(3);
    for case in 0..200 {
        let (limits, count) = (random.limits(), 1 + random.below(400));
        let rows = random.entries(count);
        let mut forest = built(&rows, limits);
        let mut moved: Vec<_> = (0..=random.below(5)).map(|_| random.key()).collect();
        moved.sort();
        let work = Work { delta: &Delta::default(), start: &[], moved: &moved };
        let budget = Budget { leaves: usize::MAX, bytes: usize::MAX, limits };
        let gone = take(&forest, work, budget).old;
        for key in &moved {
            let Tree { root: mut pointer, level } = forest.tree.unwrap();
            for level in (0..=level).rev() {
                assert!(gone.contains(&pointer), "case {case}, level {level}");
                let node = forest.read(pointer, level);
                if level > 0 {
                    pointer = node.child(node.child_of(key)).unwrap();
                }
            }
        }
        assert_eq!(take_and_plant(&mut forest, work, budget), (None, 0));
        assert_eq!(forest.check(limits).0, rows, "case {case}");
    }
}

/// Changes an index, and what it is expected to hold.
fn change(random: &mut Random, index: &mut Index, expected: &mut Rows) {
    for number in 0..random.below(200) as u64 {
        let key = random.key();
        let index_key = IndexKey::from_checked(&key);
        let replaces = expected.contains_key(&key);
        match random.below(20) {
            0 => {
                let to = [&key[..random.below(key.len())], &[5]].concat();
                expected.retain(|held, _| *held < key || *held >= to);
                index.remove_range(index_key, IndexKey::from_checked(&to));
            }
            1..8 => {
                expected.remove(&key);
                index.remove(index_key, replaces);
            }
            _ => {
                let entry = random.entry(FIRST + number);
                expected.insert(key, entry.clone());
                index.insert(index_key, entry, replaces);
            }
        }
    }
}

/// An index of all three sources, and what it holds. No node is in memory yet.
fn index(random: &mut Random) -> (Forest, Index, Rows) {
    let (limits, count) = (random.limits(), random.below(400));
    let mut expected = random.entries(count);
    let forest = built(&expected, limits);
    let mut index = Index::new(forest.tree, Cache::new(1 << 16, 4096));
    if random.below(3) > 0 {
        change(random, &mut index, &mut expected);
        index.freeze(ChainPoint::first(1), Vec::new());
    }
    change(random, &mut index, &mut expected);
    (forest, index, expected)
}

/// What a look tells, with the nodes that it asks for.
fn look<R>(
    forest: &Forest,
    index: &mut Index,
    mut look: impl FnMut(&mut Index, &Pins) -> Result<R, Stop>,
) -> R {
    let mut pins = Pins::default();
    loop {
        match look(index, &pins) {
            Ok(told) => return told,
            Err(Stop::Wanted(pointer, level)) => {
                let node = forest.read(pointer, level);
                index.keep(pointer, node.clone());
                pins.nodes.push((pointer, node));
            }
            Err(Stop::Passed(key)) => {
                assert!(pins.passed.is_none_or(|passed| passed < key), "it gets on");
                pins.passed = Some(key);
            }
            Err(Stop::Corrupt(corruption)) => panic!("{corruption}"),
        }
    }
}

#[test]
fn chunks_lend_all_rows_in_order_whatever_is_skipped_and_in_memory() {
    let mut random = Random(4);
    for case in 0..400 {
        let (forest, mut index, expected) = index(&mut random);
        let (from, to) = (random.key(), random.key());
        let mut chunk = Chunk::before(&from);
        // The next row is the first one from here on.
        let mut at = from.clone();
        loop {
            while !chunk.advance()
                && let Some(from) = chunk.next.take().filter(|next| *next < to)
            {
                look(&forest, &mut index, |index, pins| index.fill(&mut chunk, &from, &to, pins));
            }
            let row = chunk.row().map(|row| (row.key.concat(), Entry::from_leaf(&row.entry)));
            let due = expected.range(at.clone()..).next().filter(|(key, _)| **key < to);
            let due = due.map(|(key, entry)| (key.clone(), entry.clone()));
            assert_eq!(row, due, "case {case}");
            let Some((key, _)) = due else { break };
            at = [&key[..], &[0]].concat();
            if random.below(8) == 0 {
                let key = random.key();
                chunk.skip_to(&key);
                at = at.max(key);
            }
        }
    }
}

#[test]
fn a_range_has_a_key_if_any_row_is_in_it() {
    let mut random = Random(5);
    for case in 0..400 {
        let (forest, mut index, expected) = index(&mut random);
        for _ in 0..20 {
            let (from, to) = (random.key(), random.key());
            let any = look(&forest, &mut index, |index, pins| index.any_between(&from, &to, pins));
            let mut due = expected.range(from..).take_while(|(key, _)| **key < to);
            assert_eq!(any, due.next().is_some(), "case {case}");
        }
    }
}
