//! Who makes room, when, and how: the policy that is to be chosen.

use crate::config::{HEADER_LEN, NODE_LEN, Order, Survivors, Victim};
use crate::segments::{Full, Segment, Stream};
use crate::store::{FANOUT, Store};
use std::collections::BTreeSet;

/// Leaves that a change pays for when the delta is full again though a round lasts.
const LEAVES_A_CHANGE_WHEN_FULL: usize = 32;

/// Steps of upkeep in one call, above which nothing will come of it.
const PATIENCE: usize = 2000;

impl Store {
    /// Commits changes: sets of `keys`, or removals.
    pub(crate) fn commit(&mut self, keys: &[usize], set: bool) -> Result<(), Full> {
        let removal = self.config.record_len() - self.config.value_len - 1;
        let len = if set { self.config.record_len() } else { removal };
        self.commits += 1;
        self.checkpoint(keys.len());
        self.make_room(keys.len(), len, set)?;
        let lives = set && !self.config.inline;
        let total = self.append(if lives { keys } else { &[] }, keys.len(), len)?;
        self.written.log += total;
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
        let each = if self.is_full() { LEAVES_A_CHANGE_WHEN_FULL } else { self.config.leaves_a_change };
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
        let reserve = if set { self.config.reserve } else { self.config.removal_reserve };
        let paid = self.written.upkeep() + self.config.pace * count * len;
        for turn in 0..PATIENCE {
            if turn > PATIENCE - 12 && std::env::var("DBG").is_ok() { self.debug(); }
            let needed = self.chain_needs(count, len);
            let free = self.segments.free();
            let urgent = free < needed + reserve + self.growth();
            if !urgent && (free >= self.config.low() || self.written.upkeep() >= paid) {
                return Ok(());
            }
            if !self.gain(urgent) {
                return if urgent { Err(Full) } else { Ok(()) };
            }
        }
        Err(Full)
    }

    /// Does one bounded piece of work that frees something, now or later.
    fn gain(&mut self, urgent: bool) -> bool {
        if self.ripe() > 0 && (urgent || self.ripe() >= self.config.flip_for) {
            self.flip();
            self.written.empty_flips += 1;
            return true;
        }
        let victims = self.victims();
        let worth = 1000 * self.config.worth;
        let clean_first = match self.config.order {
            Order::VictimFirst => self.victim_price(&victims) <= worth,
            Order::RoundFirst => self.round.is_none() || self.round_price() > worth,
            Order::Cheapest => self.victim_price(&victims) <= self.round_price(),
        };
        if clean_first && self.clean(&victims).is_ok() {
            return true;
        }
        if self.round_price() <= worth && self.go_on() {
            return true;
        }
        if self.clean(&victims).is_ok() || self.go_on() {
            return true;
        }
        if urgent && self.holds() {
            self.flip();
            self.written.empty_flips += 1;
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

    /// What cleaning a segment writes.
    fn cost(&self, segment: &Segment) -> usize {
        if segment.stream == Some(Stream::Index) {
            let branches = self.config.leaves().div_ceil(FANOUT);
            return segment.live + (branches.min(segment.live / NODE_LEN) + 2) * NODE_LEN;
        }
        let records = segment.live / self.config.record_len();
        segment.live + self.segments.padded(HEADER_LEN + records * self.config.move_len)
    }

    /// The best of the segments that can be cleaned with a gain.
    fn victims(&self) -> Vec<usize> {
        let len = self.segments.len;
        let all = self.segments.all.iter().enumerate();
        let mut victims: Vec<(f64, usize)> = all
            .filter(|(_, it)| it.sealed && it.live > 0 && !it.in_tail(self.tail()))
            .filter(|(_, it)| self.cost(it) < len)
            .map(|(at, it)| (self.score(it), at))
            .collect();
        victims.sort_by(|a, b| b.0.total_cmp(&a.0));
        victims.into_iter().take(self.config.together).map(|(_, at)| at).collect()
    }

    fn score(&self, segment: &Segment) -> f64 {
        let live = segment.live as f64 / self.segments.len as f64;
        let age = (self.commits - segment.written + 1) as f64;
        match self.config.victim {
            Victim::Greedy => -live,
            Victim::Oldest => -(live * 16.0).floor() + age / 1e9,
            Victim::CostBenefit => (1.0 - live) * age / (1.0 + live),
            Victim::Mixed => (1.0 - live) * age.sqrt() / (1.0 + live),
        }
    }

    /// Bytes written for 1,000 gained.
    fn victim_price(&self, victims: &[usize]) -> usize {
        let all = victims.iter().map(|&at| &self.segments.all[at]);
        let cost: usize = all.map(|it| self.cost(it)).sum();
        let len = victims.len() * self.segments.len;
        (1000 * cost).checked_div(len - cost).unwrap_or(usize::MAX)
    }

    /// The same for the rest of the round, or a whole one, with the cleaning of what it unlocks.
    fn round_price(&self) -> usize {
        let tail = self.round.as_ref().map_or(self.segments.order, |round| round.tail);
        let all = self.segments.all.iter();
        let unlocked: Vec<&Segment> =
            all.filter(|it| it.in_tail(self.tail()) && !it.in_tail(tail)).collect();
        let cost: usize = unlocked.iter().map(|it| self.cost(it).min(self.segments.len)).sum();
        let gain = unlocked.len() * self.segments.len - cost;
        let leaves = self.round.as_ref().map_or_else(|| self.changed_leaves().len(), |it| it.leaves.len());
        (1000 * (cost + leaves * NODE_LEN)).checked_div(gain).unwrap_or(usize::MAX)
    }

    /// Evacuates segments: records are moved, leaves written anew.
    fn clean(&mut self, victims: &[usize]) -> Result<(), Full> {
        let Some(&first) = victims.first() else { return Err(Full) };
        let index = |at: &usize| self.segments.all[*at].stream == Some(Stream::Index);
        if index(&first) && self.config.survivors != Survivors::WithNodes {
            let leaves = self.leaves_in(first);
            self.write_leaves(&leaves)?;
            self.written.victims += 1;
            return Ok(());
        }
        let victims: Vec<usize> = victims.iter().copied().filter(|at| {
            self.config.survivors == Survivors::WithNodes || !index(at)
        }).collect();
        let leaves: Vec<usize> = victims.iter().flat_map(|&at| self.leaves_in(at)).collect();
        let mut records: Vec<(usize, usize)> =
            victims.iter().flat_map(|&at| self.records_in(at)).collect();
        records.sort_unstable();
        records.dedup();
        if !records.is_empty() {
            self.relocate(&records)?;
        }
        if !leaves.is_empty() {
            self.write_leaves(&leaves)?;
        }
        self.written.victims += victims.len();
        self.segments.release(self.tail());
        Ok(())
    }

    fn leaves_in(&self, segment: usize) -> Vec<usize> {
        let (first, end) = (self.config.keys, self.config.keys + self.config.leaves());
        let nodes = self.segments.all[segment].items.iter().copied();
        let live = nodes.filter(|item| self.segments.places[*item] == Some(segment) && *item >= first);
        // A branch is written anew with any leaf below it.
        let mut leaves: Vec<usize> = live
            .map(|item| if item < end { item - first } else { self.a_leaf_below(item - end) })
            .collect();
        leaves.sort_unstable();
        leaves.dedup();
        leaves
    }

    /// The live records of a segment, each with its segment.
    fn records_in(&self, segment: usize) -> Vec<(usize, usize)> {
        let items = self.segments.all[segment].items.iter().copied();
        let live = items
            .filter(|item| *item < self.config.keys)
            .filter(|item| self.segments.places[*item] == Some(segment));
        live.map(|item| (item, segment)).collect()
    }

    /// Copies records, and tells the chain.
    fn relocate(&mut self, records: &[(usize, usize)]) -> Result<(), Full> {
        let len = self.config.record_len();
        let items: Vec<usize> = records.iter().map(|(item, _)| *item).collect();
        let from: BTreeSet<usize> = records.iter().map(|(_, from)| *from).collect();
        let freed = from.len();
        if self.config.survivors == Survivors::Chain {
            if self.chain_needs(items.len(), len) + self.least_step() > self.segments.free() + freed {
                return Err(Full);
            }
            self.written.moved += self.append(&items, items.len(), len)?;
            self.written.flushes += 1;
            items.iter().for_each(|&item| self.change(item));
            return Ok(());
        }
        let stream = |store: &Self, segment: usize| match store.config.survivors {
            Survivors::WithNodes => Stream::Index,
            Survivors::ByAge if store.segments.all[segment].order == 0 => Stream::OldSurvivors,
            _ => Stream::Survivors,
        };
        let first = stream(self, records[0].1);
        let needed = self.segments.needs(first, items.iter().map(|_| len))
            + usize::from(self.config.survivors == Survivors::ByAge)
            + self.chain_needs(items.len(), self.config.move_len);
        let free = self.segments.free();
        if needed > free || needed + self.least_step() > free + freed {
            return Err(Full);
        }
        let mut used = [(Stream::Survivors, 0); 2];
        for &(item, from) in records {
            let to = stream(self, from);
            let written = self.segments.all[from].written;
            if self.segments.rest(to) < len {
                self.segments.roll(to)?;
            }
            self.segments.take(to, len);
            self.segments.kill(item, len);
            self.segments.put(to, item, len, written);
            self.written.moved += len;
            used[usize::from(to == Stream::OldSurvivors)] = (to, 1);
        }
        for (to, _) in used.into_iter().filter(|(_, used)| *used > 0) {
            // The block that this write ends in is not written again.
            let rest = self.segments.rest(to) % self.segments.block;
            self.segments.take(to, rest);
            self.written.moved += rest;
        }
        self.written.moves += self.append(&[], items.len(), self.config.move_len)?;
        self.written.flushes += 2;
        items.iter().for_each(|&item| self.change(item));
        Ok(())
    }
}
