//! A store that only counts: commits, rounds of checkpoints in steps, flips, and what each writes.

use crate::config::{Config, HEADER_LEN, NODE_LEN, Retention};
use crate::segments::{Full, Segments, Stream};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Leaves below a branch.
const FANOUT: usize = 64;

/// Bytes written, and flushes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) user: usize,
    pub(crate) log: usize,
    pub(crate) moved: usize,
    pub(crate) moves: usize,
    pub(crate) nodes: usize,
    pub(crate) slots: usize,
    pub(crate) flushes: usize,
}

impl Written {
    pub(crate) fn since(&self, before: Self) -> Self {
        Self {
            user: self.user - before.user,
            log: self.log - before.log,
            moved: self.moved - before.moved,
            moves: self.moves - before.moves,
            nodes: self.nodes - before.nodes,
            slots: self.slots - before.slots,
            flushes: self.flushes - before.flushes,
        }
    }

    /// All that is not the commits themselves.
    pub(crate) fn upkeep(&self) -> usize {
        self.moved + self.moves + self.nodes + self.slots
    }
}

/// A frozen delta on its way into the tree.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) leaves: VecDeque<usize>,
    /// The chain's segment that was open when the delta was frozen.
    pub(crate) tail: usize,
}

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) config: Config,
    pub(crate) segments: Segments,
    pub(crate) written: Written,
    /// Which keys have a value.
    pub(crate) present: Vec<bool>,
    /// Leaves that are not in the tree yet but will be, by what is in the deltas.
    unborn: BTreeSet<usize>,
    delta: Vec<bool>,
    pub(crate) delta_count: usize,
    pub(crate) log_len: usize,
    pub(crate) round: Option<Round>,
    pub(crate) credit: usize,
    /// The tail's first segment: in the next state, and in the two that the slots hold, newest first.
    tail_start: usize,
    tails: [usize; 2],
    /// Nodes that died since the last flip, and since the one before: segment and bytes.
    dead: [Vec<(usize, usize)>; 2],
    pub(crate) commits: usize,
}

impl Store {
    pub(crate) fn new(config: Config) -> Self {
        let items = config.keys + config.leaves() + config.leaves().div_ceil(FANOUT) + 2;
        let segments = Segments::new(config.segments(), config.segment_len(), config.block, items);
        Self {
            segments,
            written: Written::default(),
            present: vec![false; config.keys],
            unborn: BTreeSet::new(),
            delta: vec![false; config.keys],
            delta_count: 0,
            log_len: 0,
            round: None,
            credit: 0,
            tail_start: 0,
            tails: [0; 2],
            dead: [Vec::new(), Vec::new()],
            commits: 0,
            config,
        }
    }

    pub(crate) fn item_len(&self, item: usize) -> usize {
        let table = self.segments.places.len() - 1;
        if item < self.config.keys {
            self.config.record_len()
        } else if item == table {
            self.segments.padded(8 * self.segments.all.len())
        } else {
            NODE_LEN
        }
    }

    /// The first of the chain's segments that a slot's tail reaches.
    pub(crate) fn tail(&self) -> usize {
        match self.config.retention {
            Retention::BothSlots => self.tails[1],
            Retention::NewestSlot => self.tails[0],
        }
    }

    /// Lays out records of `len` bytes: how many stand in each frame, and whether it opens a segment.
    fn frames(&self, count: usize, len: usize) -> Vec<(usize, bool)> {
        let (mut rest, mut left) = (self.segments.rest(Stream::Chain), count);
        let mut frames = Vec::new();
        while left > 0 {
            let rolls = rest < HEADER_LEN + len;
            if rolls {
                rest = self.segments.len;
            }
            let taken = left.min((rest - HEADER_LEN) / len);
            frames.push((taken, rolls));
            left -= taken;
            rest -= self.segments.padded(HEADER_LEN + taken * len);
        }
        frames
    }

    pub(crate) fn chain_needs(&self, count: usize, len: usize) -> usize {
        self.frames(count, len).iter().filter(|(_, rolls)| *rolls).count()
    }

    /// Appends a group of records to the chain. Those of `items` live there then. Returns its bytes.
    pub(crate) fn append(
        &mut self,
        items: &[usize],
        count: usize,
        len: usize,
    ) -> Result<usize, Full> {
        let (mut total, mut at) = (0, 0);
        for (taken, rolls) in self.frames(count, len) {
            if rolls {
                self.segments.roll(Stream::Chain)?;
            }
            let padded = self.segments.padded(HEADER_LEN + taken * len);
            self.segments.take(Stream::Chain, padded);
            total += padded;
            for &item in items.iter().skip(at).take(taken) {
                self.segments.kill(item, len);
                self.segments.put(Stream::Chain, item, len, self.commits);
            }
            at += taken;
        }
        self.log_len += total;
        Ok(total)
    }

    pub(crate) fn change(&mut self, key: usize) {
        self.delta_count += usize::from(!self.delta[key]);
        self.delta[key] = true;
    }

    /// A key may make the tree larger by a leaf.
    pub(crate) fn grow(&mut self, key: usize) {
        let leaf = key / self.config.keys_per_leaf;
        if self.segments.places[self.config.keys + leaf].is_none() {
            self.unborn.insert(leaf);
        }
    }

    /// Segments that the deltas will add to the tree.
    pub(crate) fn growth(&self) -> usize {
        (self.unborn.len() * NODE_LEN).div_ceil(self.segments.len)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.delta_count > 0
            && (self.delta_count >= self.config.delta_entries
                || self.log_len >= self.config.tail_bytes * self.config.freeze_percent / 100)
    }

    pub(crate) fn freeze(&mut self) {
        assert!(self.round.is_none(), "one round at a time");
        self.round =
            Some(Round { leaves: self.changed_leaves().into(), tail: self.segments.order });
        self.delta.fill(false);
        (self.delta_count, self.log_len) = (0, 0);
    }

    /// The leaves that the delta changes, in order.
    pub(crate) fn changed_leaves(&self) -> Vec<usize> {
        let leaves = self.delta.chunks(self.config.keys_per_leaf).enumerate();
        leaves.filter(|(_, keys)| keys.contains(&true)).map(|(leaf, _)| leaf).collect()
    }

    /// The leaf that a node is, or one below it: a branch is written anew with any of its leaves.
    pub(crate) fn leaf_of(&self, node: usize) -> usize {
        let leaf = node - self.config.keys;
        leaf.checked_sub(self.config.leaves())
            .map_or(leaf, |branch| (branch * FANOUT).min(self.config.leaves() - 1))
    }

    fn has_keys(&self, leaf: usize) -> bool {
        let per_leaf = self.config.keys_per_leaf;
        self.present.iter().skip(leaf * per_leaf).take(per_leaf).any(|present| *present)
    }

    /// The nodes that a step writes and those that it drops, when these leaves change.
    pub(crate) fn nodes(&self, leaves: &[usize]) -> (Vec<usize>, Vec<usize>) {
        let (first, branches) = (self.config.keys, self.config.keys + self.config.leaves());
        let (keep, gone): (Vec<_>, Vec<_>) =
            leaves.iter().copied().partition(|leaf| self.has_keys(*leaf));
        let mut new: Vec<usize> = keep.into_iter().map(|leaf| first + leaf).collect();
        let above: BTreeSet<usize> = leaves.iter().map(|leaf| branches + leaf / FANOUT).collect();
        let root = self.segments.places.len() - 2;
        if self.config.leaves() > FANOUT {
            new.extend(above);
        }
        if self.config.leaves() > 1 {
            new.push(root);
        }
        new.push(root + 1);
        (new, gone.into_iter().map(|leaf| first + leaf).collect())
    }

    /// Free segments that a step over these leaves opens.
    pub(crate) fn step_needs(&self, leaves: &[usize]) -> usize {
        let lens = self.nodes(leaves).0.into_iter().map(|node| self.item_len(node));
        self.segments.needs(Stream::Index, lens)
    }

    /// Free segments that a step over one leaf opens at most: what is kept for evacuating nodes.
    pub(crate) fn least_step(&self) -> usize {
        let nodes =
            2 + usize::from(self.config.leaves() > 1) + usize::from(self.config.leaves() > FANOUT);
        (nodes * NODE_LEN).div_ceil(self.segments.len)
    }

    /// Free segments that a round leaves, so that nodes can be evacuated: a segment and its branches.
    /// Where segments are single nodes there is nothing to evacuate.
    fn evacuation(&self) -> usize {
        if self.segments.len < 2 * NODE_LEN { 0 } else { 3 }
    }

    /// Writes leaves anew with all above them, and flips.
    pub(crate) fn write_leaves(&mut self, leaves: &[usize]) -> Result<(), Full> {
        if self.step_needs(leaves) > self.segments.free() {
            return Err(Full);
        }
        let (new, gone) = self.nodes(leaves);
        self.unborn.retain(|leaf| !leaves.contains(leaf));
        for &node in new.iter().chain(&gone) {
            let len = self.item_len(node);
            if let Some(segment) = self.segments.kill(node, len) {
                self.segments.all[segment].held += len;
                self.dead[0].push((segment, len));
            }
        }
        for node in new {
            let len = self.item_len(node);
            if self.segments.rest(Stream::Index) < len {
                self.segments.roll(Stream::Index)?;
            }
            self.segments.take(Stream::Index, len);
            self.segments.put(Stream::Index, node, len, self.commits);
            self.written.nodes += len;
        }
        self.written.flushes += 1;
        self.flip();
        Ok(())
    }

    /// Merges the next leaves of the round: as many as a step takes and as there is room for.
    pub(crate) fn step(&mut self) -> Result<(), Full> {
        let round = self.round.as_ref().expect("a round");
        let mut leaves: Vec<usize> =
            round.leaves.iter().copied().take(self.config.step_leaves).collect();
        while self.step_needs(&leaves) + self.evacuation() > self.segments.free() {
            if leaves.len() < 2 {
                return Err(Full);
            }
            leaves.truncate(leaves.len() / 2);
        }
        let round = self.round.as_mut().expect("a round");
        round.leaves.drain(..leaves.len());
        if round.leaves.is_empty() {
            self.tail_start = round.tail;
            self.round = None;
        }
        self.write_leaves(&leaves)
    }

    /// A new state of the superblock. What the last but one alone named is not named any more.
    pub(crate) fn flip(&mut self) {
        self.tails = [self.tail_start, self.tails[0]];
        let ripe = match self.config.retention {
            Retention::BothSlots => 1,
            Retention::NewestSlot => 0,
        };
        for (segment, len) in std::mem::take(&mut self.dead[ripe]) {
            self.segments.all[segment].held -= len;
        }
        self.dead.swap(0, 1);
        self.written.slots += 2 * self.segments.block;
        self.written.flushes += 1;
        self.segments.release(self.tail());
    }

    /// How many segments one more flip would free.
    pub(crate) fn ripe(&self) -> usize {
        let mut freed = BTreeMap::new();
        for &(segment, len) in &self.dead[1] {
            *freed.entry(segment).or_insert(0) += len;
        }
        let all = self.segments.all.iter().enumerate();
        all.filter(|(at, it)| {
            let held = it.held - freed.get(at).copied().unwrap_or(0);
            it.sealed && it.live == 0 && held == 0 && !it.in_tail(self.tails[0])
        })
        .count()
    }

    /// Whether flips alone can free anything.
    pub(crate) fn holds(&self) -> bool {
        self.tail_start != self.tails[1] || self.dead.iter().any(|dead| !dead.is_empty())
    }
}
