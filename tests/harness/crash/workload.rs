//! What is done to a store, drawn from a seed.
//!
//! Each seed draws its own shape, keys, sizes and habits first (a swarm, Groce et al., ISSTA 2012):
//! what one workload never does leaves room for what it does all the time.

use super::script::Step;
use super::shape::{Oddities, Oddity, Shape};
use crate::contents::Contents;
use crate::disk::{Fault, SECTOR, Strike, Unflushed};
use crate::write::{Value, Write};
use crate::{Model, Random, TestClock};
use nerite::Key;

/// One seed's habits.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) shape: Shape,
    random: Random,
    /// What the store holds, so that calls find something.
    model: Model,
    keys: Vec<Key>,
    sizes: Vec<usize>,
    /// How often out of 100 a step removes, renames, changes a part, opens.
    habits: [usize; 4],
    /// Requests fail.
    faults: bool,
    marks: u32,
}

/// KiB on the disk and bytes in a block. Most are tiny: 14 segments, full after some 40 steps.
const SHAPES: [(u32, u32); 10] = [
    (64, 512),
    (64, 512),
    (64, 512),
    (64, 512),
    (64, 1024),
    (64, 2048),
    (64, 4096),
    (96, 512),
    (256, 512),
    (256, 4096),
];

const KEYS: [&str; 10] =
    ["a", "b", "d/x", "d/y", "d/z", "d/e/f", "e", "a-", "e-/x", "long/name/below/others"];

/// Bytes in a segment of all [`SHAPES`].
const SEGMENT: usize = 4096;

/// Bytes in the header of a frame, of a record, and of a usual key, about.
const HEADERS: usize = 170;

impl Workload {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x0077_6f72_6b6c_6f61);
        let (kib, block) = *random.pick(&SHAPES);
        let (clock_moves, small_deltas) = (random.one_in(2), random.one_in(2));
        // Nodes take room, and nothing is reclaimed yet.
        let kib = if small_deltas { kib.max(*random.pick(&[128, 128, 256])) } else { kib };
        let odd = oddities(block, &mut random);
        let shape = Shape { kib, block, clock_moves, small_deltas, odd };
        let key = |path: &&str| Key::new(path).expect("a short path");
        let count = 2 + random.below(KEYS.len() - 1);
        let keys = (0..count).map(|_| key(random.pick(&KEYS))).collect();
        let sizes = (0..=random.below(3)).map(|_| size(&mut random)).collect();
        let habits = [
            random.below(20),
            *random.pick(&[5, 20, 60]),
            random.below(15),
            *random.pick(&[0, 10, 50]),
        ];
        let faults = random.one_in(3);
        let model = Model::new(TestClock::new(0));
        Self { shape, random, model, keys, sizes, habits, faults, marks: 0 }
    }

    /// The steps of the first life.
    pub(super) fn steps(&mut self) -> Vec<Step> {
        let most = *self.random.pick(&[6, 12, 12, 40]);
        let count = 3 + self.random.below(most);
        let mut steps = Vec::new();
        while steps.len() < count {
            self.step(&mut steps);
        }
        steps
    }

    /// The steps of a life after a crash. What was under way may be tried again, a little
    /// different, as people do: what a crash has left of the one is most like the other.
    pub(super) fn after_crash(&mut self, under_way: Option<&Step>, held: Contents) -> Vec<Step> {
        self.model.restore(held);
        let mut steps = Vec::new();
        if self.faults && self.random.one_in(4) {
            self.open(&mut steps);
        }
        match under_way {
            Some(Step::Write(write)) if !self.random.one_in(3) => {
                let again = self.again(write);
                self.call(again, &mut steps);
            }
            _ => self.step(&mut steps),
        }
        if self.random.one_in(2) {
            self.step(&mut steps);
        }
        steps
    }

    /// The same call with another mark, or to another place.
    fn again(&mut self, write: &Write) -> Write {
        let mut again = write.clone();
        let mark = self.mark();
        if let Some(value) = again.value_mut() {
            value.mark = mark;
        }
        if let Write::Rename(_, dest) = &mut again {
            *dest = self.key();
        }
        again
    }

    fn step(&mut self, steps: &mut Vec<Step>) {
        let [removes, renames, parts, opens] = self.habits;
        let roll = self.random.below(100);
        if self.faults && self.random.one_in(8) {
            let fault = self.fault();
            steps.push(Step::Fault(fault));
            // A store that has failed once stays poisoned.
            for _ in 0..=self.random.below(3) {
                let write = self.write(removes, renames, parts);
                self.call(write, steps);
            }
            self.open(steps);
        } else if roll < opens {
            self.open(steps);
        } else if self.random.one_in(15) {
            self.stream((removes, renames, parts), steps);
        } else {
            let write = self.write(removes, renames, parts);
            // The first commit of a mount is not like others, and a group not like one frame.
            if matches!(write, Write::Rename(..) | Write::Batch(_)) && self.random.one_in(3) {
                steps.push(Step::Open);
            }
            self.call(write, steps);
        }
    }

    /// A writer, and calls while it is there.
    fn stream(&mut self, (removes, renames, parts): (usize, usize, usize), steps: &mut Vec<Step>) {
        let (key, len) =
            (self.key(), SEGMENT - self.random.below(200) + self.random.below(SEGMENT));
        let value = Value { len, ..self.value() };
        steps.push(Step::Begin(key.clone(), value));
        for _ in 0..self.random.below(3) {
            let write = self.write(removes, renames, parts);
            self.call(write, steps);
        }
        let commit = !self.random.one_in(3);
        if commit {
            let _ = Write::Set(key, value).run(&self.model);
        }
        steps.push(Step::End { commit });
    }

    /// Opens the store again. Recovery must bear a read that fails, sealing anything.
    fn open(&mut self, steps: &mut Vec<Step>) {
        let open = if self.random.one_in(3) { Step::Close } else { Step::Open };
        // Of two reads that fail in a row the second one may be the first one's repetition: a copy of
        // the superblock that can't be read twice is lost.
        let lives = steps.iter().rev().take_while(|step| !matches!(step, Step::Open | Step::Close));
        let waits = lives.filter(|step| matches!(step, Step::Fault(_))).count() > 0;
        if self.faults && !waits && self.random.one_in(2) {
            let read =
                Fault { after: self.random.below(13) as u64, ..Fault::next(Strike::ReadFails) };
            let fault = if open == Step::Close { self.fault() } else { read };
            steps.push(Step::Fault(fault));
        }
        steps.push(open);
    }

    /// Adds the call. What it leads to is right unless a disk fails or is full.
    fn call(&mut self, write: Write, steps: &mut Vec<Step>) {
        let _ = write.run(&self.model);
        steps.push(Step::Write(write));
    }

    /// A call, or now and then several in a batch.
    fn write(&mut self, removes: usize, renames: usize, parts: usize) -> Write {
        if !self.random.one_in(10) {
            return self.single(removes, renames, parts);
        }
        let count = 1 + self.random.below(6);
        let draw = |_| {
            if self.random.one_in(3) {
                Write::Remove(self.held())
            } else {
                Write::Set(self.key(), self.value())
            }
        };
        Write::Batch((0..count).map(draw).collect())
    }

    fn single(&mut self, removes: usize, renames: usize, parts: usize) -> Write {
        let roll = self.random.below(100);
        if roll < removes {
            Write::Remove(self.held())
        } else if roll < removes + renames {
            Write::Rename(self.held(), self.key())
        } else if roll < removes + renames + parts {
            let most = if self.random.one_in(3) { SEGMENT } else { 1000 };
            let offset = self.random.below(most) as u64;
            match self.random.below(3) {
                0 => Write::Allocate(self.key(), offset, self.random.one_in(2).then_some(5)),
                _ => Write::SetPartial(self.key(), offset, self.value()),
            }
        } else {
            Write::Set(self.key(), self.value())
        }
    }

    fn key(&mut self) -> Key {
        self.random.pick(&self.keys).clone()
    }

    /// A key that holds something, or mostly: it or a dictionary above it.
    fn held(&mut self) -> Key {
        let held: Vec<_> = self.model.contents().into_keys().collect();
        if held.is_empty() || self.random.one_in(8) {
            return self.key();
        }
        let key = self.random.pick(&held).clone();
        match key.parent() {
            Some(parent) if !parent.is_root() && self.random.one_in(3) => parent,
            _ => key,
        }
    }

    fn value(&mut self) -> Value {
        let len = *self.random.pick(&self.sizes);
        let len = if self.random.one_in(4) { self.random.below(300) } else { len };
        Value { len, mark: self.mark(), at_tail: !self.random.one_in(3) }
    }

    fn mark(&mut self) -> u32 {
        self.marks += 1;
        self.marks
    }

    fn fault(&mut self) -> Fault {
        let strike = match self.random.below(7) {
            0 => Strike::WriteFails { landed: 0 },
            1 => Strike::WriteFails { landed: 1 + self.random.below(4) },
            2 => Strike::WriteFails { landed: usize::MAX },
            3 => Strike::FlushFails(Unflushed::Kept),
            4 => Strike::FlushFails(Unflushed::Dropped),
            5 => Strike::ReadFails,
            _ => Strike::FlushFails(Unflushed::Cached),
        };
        let after = u64::from(self.random.one_in(4));
        Fault { after, ..Fault::next(strike) }
    }
}

/// A third of the shapes are plain, and a third are worn.
fn oddities(block: u32, random: &mut Random) -> Oddities {
    let mut odd = Oddities::NONE;
    if random.one_in(3) {
        odd = odd.and(Oddity::Worn);
    } else if random.one_in(2) {
        return odd;
    }
    for one in [Oddity::Alike, Oddity::Dirty, Oddity::Larger, Oddity::Pages, Oddity::Discards] {
        // Few blocks are that large: half of them lie on such a disk.
        let drawn = if one == Oddity::Pages { block >= 4096 } else { random.one_in(3) };
        if drawn {
            odd = odd.and(one);
        }
    }
    odd
}

/// Lengths around what decides: nothing, a sector, a block, two values in a frame or one.
fn size(random: &mut Random) -> usize {
    let near =
        |random: &mut Random, len: usize| (len - HEADERS + random.below(20)).saturating_sub(10);
    match random.below(10) {
        0 => random.below(2),
        1 => 20 + random.below(100),
        2 => near(random, SECTOR),
        3 => near(random, 2 * SECTOR),
        4 => near(random, 3 * SECTOR),
        5 => SEGMENT / 2 - HEADERS + random.below(100),
        6 => SEGMENT - 2 * HEADERS - random.below(600),
        // Objects, of few extents: each sector is one more that a crash can take.
        7 => 2900 + random.below(300),
        8 => 2900 + random.below(SEGMENT),
        // Hardly anything else fits beside it.
        _ => SEGMENT - HEADERS - 10 - random.below(40),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_steps_and_another_one_others() {
        let steps = |seed| Workload::new(seed).steps();
        assert_eq!(steps(1), steps(1));
        assert_ne!(steps(1), steps(2));
    }

    #[test]
    fn all_shapes_and_all_kinds_of_steps_are_drawn() {
        let (mut shapes, mut kinds) = (Vec::new(), [0; 11]);
        for seed in 0..200 {
            let mut workload = Workload::new(seed);
            shapes.push((workload.shape.kib, workload.shape.block));
            for step in workload.steps() {
                kinds[match step {
                    Step::Open => 0,
                    Step::Close => 1,
                    Step::Fault(_) => 2,
                    Step::Write(Write::Set(..)) => 3,
                    Step::Write(Write::SetPartial(..)) => 4,
                    Step::Write(Write::Allocate(..)) => 5,
                    Step::Write(Write::Remove(_)) => 6,
                    Step::Write(Write::Rename(..)) => 7,
                    Step::Write(Write::Batch(_)) => 8,
                    Step::Begin(..) => 9,
                    Step::End { .. } => 10,
                }] += 1;
            }
        }
        assert!(SHAPES.iter().all(|shape| shapes.contains(shape)));
        assert!(kinds.iter().all(|&count| count > 20), "{kinds:?}");
    }

    #[test]
    fn what_was_under_way_is_tried_again_with_another_mark_or_place() {
        let mut workload = Workload::new(3);
        let value = Value { len: 600, mark: 0, at_tail: true };
        let write = Step::Write(Write::Set(Key::new("a").unwrap(), value));
        let lives: Vec<_> =
            (0..20).map(|_| workload.after_crash(Some(&write), Contents::new())).collect();
        let twins = lives.iter().filter(|steps| match &steps[0] {
            Step::Write(Write::Set(key, twin)) => {
                key.as_bytes() == b"a" && twin.len == 600 && twin.mark != 0
            }
            _ => false,
        });
        assert!(twins.count() > 5);
    }
}
