//! Who makes room, when, and how: the policy.
//!
//! Invariant: what is begun leaves room for what must follow. A round leaves segments for evacuating
//! nodes, and nothing is cleaned that would not free more than it takes.

use crate::config::{HEADER_LEN, Survivors, Victim};
use crate::segments::{Full, Segment, Stream};
use crate::store::Store;

/// Leaves that a change pays for when the delta is full again though a round lasts.
const LEAVES_A_CHANGE_WHEN_FULL: usize = 32;

/// Bytes of upkeep that a commit pays for beyond what is urgent, for each of its own.
const PACE: usize = 4;

/// Pieces of work in one call, after which nothing will come of it.
const PATIENCE: usize = 2000;

/// Segments to be cleaned together.
#[derive(Clone, Debug, Default)]
struct Victims {
    segments: Vec<usize>,
    /// Live records, each with its segment.
    records: Vec<(usize, usize)>,
    /// Leaves that are live there, or have a branch there.
    leaves: Vec<usize>,
    /// What cleaning writes, in bytes.
    cost: usize,
}

impl Store {
    /// Commits changes: sets of `keys`, or removals.
    pub(crate) fn commit(&mut self, keys: &[usize], set: bool) -> Result<(), Full> {
        let len = self.config.record_len() - if set { 0 } else { self.config.value_len + 1 };
        self.commits += 1;
        self.checkpoint(keys.len());
        self.make_room(keys.len(), len, set)?;
        let lives = set && !self.config.inline;
        self.written.log += self.append(if lives { keys } else { &[] }, keys.len(), len)?;
        self.written.flushes += 1;
        for &key in keys {
            self.change(key);
            self.grow(key);
            self.present[key] = set;
            if !set && !self.config.inline {
                self.segments.kill(key, self.config.record_len());
            }
            self.written.user += if set { self.config.user_len() } else { 0 };
        }
        self.segments.release(self.tail());
        Ok(())
    }

    /// Freezes when it is time, and takes the steps that have been paid for.
    fn checkpoint(&mut self, changes: usize) {
        if self.round.is_none() {
            self.credit = 0;
            if !self.is_full() {
                return;
            }
            self.freeze();
        }
        let full = self.is_full();
        let each = if full { LEAVES_A_CHANGE_WHEN_FULL } else { self.config.leaves_a_change };
        self.credit += changes * each.min(self.config.step_leaves);
        while self.round.is_some() && self.credit >= self.config.step_leaves {
            if self.step().is_err() {
                self.credit = 0;
                return;
            }
            self.credit -= self.config.step_leaves;
        }
    }

    /// Goes on until there is room for a commit and the reserve, and beyond that as far as the commit
    /// pays for.
    fn make_room(&mut self, count: usize, len: usize, set: bool) -> Result<(), Full> {
        let reserve = if set { self.config.reserve } else { self.config.reserve / 2 };
        let paid = self.written.upkeep() + PACE * count * len;
        for _ in 0..PATIENCE {
            let free = self.segments.free();
            let urgent = free < self.chain_needs(count, len) + reserve + self.growth();
            if !urgent && (free >= self.config.low() || self.written.upkeep() >= paid) {
                return Ok(());
            }
            if !self.gain() {
                return if urgent { Err(Full) } else { Ok(()) };
            }
        }
        Err(Full)
    }

    /// Does one bounded piece of work that frees something, now or later.
    fn gain(&mut self) -> bool {
        if self.ripe() > 0 {
            self.flip();
            return true;
        }
        let victims = self.victims();
        if self.clean(victims.as_ref()).is_ok() || self.go_on() {
            return true;
        }
        if self.holds() {
            self.flip();
            return true;
        }
        false
    }

    /// Takes a step of the round, or of a new one.
    fn go_on(&mut self) -> bool {
        if self.round.is_none() && self.delta_count > 0 {
            self.freeze();
        }
        self.round.is_some() && self.step().is_ok()
    }

    /// Bytes written for 1,000 gained.
    fn price(&self, victims: &Victims) -> usize {
        let len = victims.segments.len() * self.segments.len;
        match len.saturating_sub(victims.cost) {
            0 => usize::MAX,
            gain => 1000 * victims.cost / gain,
        }
    }

    /// The segments to be cleaned next, if cleaning them gains anything.
    fn victims(&self) -> Option<Victims> {
        let both = [self.record_victims(), self.node_victims()];
        let gain = both.into_iter().filter(|victims| self.price(victims) < usize::MAX);
        gain.min_by_key(|victims| self.price(victims))
    }

    /// Segments behind the tail that have live bytes, the best first.
    fn candidates(&self, index: bool) -> Vec<usize> {
        let all = self.segments.all.iter().enumerate();
        let mut candidates: Vec<(f64, usize)> = all
            .filter(|(_, it)| it.sealed && it.live > 0 && !it.in_tail(self.tail()))
            .filter(|(_, it)| (it.stream == Some(Stream::Index)) == index)
            .map(|(at, it)| (self.score(it), at))
            .collect();
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
        candidates.into_iter().map(|(_, at)| at).collect()
    }

    fn score(&self, segment: &Segment) -> f64 {
        let live = segment.live as f64 / self.segments.len as f64;
        let age = (self.commits - segment.written + 1) as f64;
        match self.config.victim {
            Victim::Greedy => -live,
            Victim::CostBenefit => (1.0 - live) * age / (1.0 + live),
        }
    }

    /// As many as fill the segments that are to be written together.
    fn record_victims(&self) -> Victims {
        let mut victims = Victims::default();
        let (mut live, most) = (0, self.config.together * self.segments.len);
        for at in self.candidates(false) {
            live += self.segments.all[at].live;
            if live > most && !victims.segments.is_empty() {
                break;
            }
            victims.segments.push(at);
            victims.records.extend(self.segments.live_items(at).map(|item| (item, at)));
        }
        victims.records.sort_unstable();
        victims.records.dedup();
        let count = victims.records.len();
        victims.cost =
            self.segments.padded(count * self.config.record_len()) + self.moves_len(count);
        victims
    }

    fn moves_len(&self, count: usize) -> usize {
        match self.config.survivors {
            Survivors::Apart if count > 0 => {
                self.segments.padded(HEADER_LEN + count * self.config.move_len)
            }
            _ => 0,
        }
    }

    /// As many of those with the least live nodes as gain the most for what they write, in one step:
    /// leaves of several segments share branches.
    fn node_victims(&self) -> Victims {
        let (mut best, mut tried) = (Victims::default(), Victims::default());
        for at in self.candidates(true) {
            let nodes = self.segments.live_items(at);
            tried.leaves.extend(nodes.map(|node| self.leaf_of(node)));
            tried.leaves.sort_unstable();
            tried.leaves.dedup();
            tried.segments.push(at);
            let large = tried.leaves.len() > self.config.step_leaves;
            if large || self.step_needs(&tried.leaves) > self.segments.free() {
                break;
            }
            let nodes = self.nodes(&tried.leaves).0.into_iter();
            tried.cost = nodes.map(|node| self.item_len(node)).sum();
            if self.price(&tried) < self.price(&best) {
                best = tried.clone();
            }
        }
        best
    }

    /// Evacuates segments: records are copied, leaves written anew.
    fn clean(&mut self, victims: Option<&Victims>) -> Result<(), Full> {
        let victims = victims.ok_or(Full)?;
        if victims.records.is_empty() {
            self.write_leaves(&victims.leaves)?;
        } else {
            self.relocate(victims)?;
        }
        self.segments.release(self.tail());
        Ok(())
    }

    /// Copies live records, and tells the chain.
    fn relocate(&mut self, victims: &Victims) -> Result<(), Full> {
        let len = self.config.record_len();
        let items: Vec<usize> = victims.records.iter().map(|(item, _)| *item).collect();
        let needed = match self.config.survivors {
            Survivors::Chain => self.chain_needs(items.len(), len),
            Survivors::Apart => {
                self.segments.needs(Stream::Survivors, items.iter().map(|_| len))
                    + self.chain_needs(items.len(), self.config.move_len)
            }
        };
        let free = self.segments.free();
        if needed > free || needed + self.least_step() > free + victims.segments.len() {
            return Err(Full);
        }
        if self.config.survivors == Survivors::Chain {
            self.written.moved += self.append(&items, items.len(), len)?;
            self.written.flushes += 1;
        } else {
            self.copy(victims)?;
            self.written.moves += self.append(&[], items.len(), self.config.move_len)?;
            self.written.flushes += 2;
        }
        for item in items {
            self.change(item);
        }
        Ok(())
    }

    fn copy(&mut self, victims: &Victims) -> Result<(), Full> {
        let len = self.config.record_len();
        for &(item, from) in &victims.records {
            let written = self.segments.all[from].written;
            if self.segments.rest(Stream::Survivors) < len {
                self.segments.roll(Stream::Survivors)?;
            }
            self.segments.take(Stream::Survivors, len);
            self.segments.kill(item, len);
            self.segments.put(Stream::Survivors, item, len, written);
            self.written.moved += len;
        }
        // The block that this ends in is not written again.
        let rest = self.segments.rest(Stream::Survivors) % self.segments.block;
        self.segments.take(Stream::Survivors, rest);
        self.written.moved += rest;
        Ok(())
    }
}
