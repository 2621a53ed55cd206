//! The explorer: every event of a workload, every subset of survivors, and lives after that.

use super::failure::{Failure, guarded};
use super::judge::judge;
use super::life::{Disk, Known, Lapse, Origin, live, sectors};
use super::oracle::Expected;
use super::rot::Rot;
use super::script::{Cut, Life, Script, Step};
use super::survivors::{Effort, Tears, is_in_order, survivors};
use super::workload::Workload;
use crate::Random;
use crate::disk::{Fate, Medium, SECTOR};
use std::collections::HashSet;
use std::fmt;
use xxhash_rust::xxh3::xxh3_128;

/// When a workload has come to so many states, those that follow are judged, and no lives follow them:
/// few workloads, of large values, would take the time of all others.
const STATES_WITH_LIVES: usize = 40_000;

/// Sectors that rot after each step, each alone: so many of those that the step has written, and so
/// many of those that were written before.
const ROTTEN: [usize; 2] = [4, 2];

/// Events of a second life at which power fails again, about: in some lives a full store makes room,
/// with hundreds of events, and without a limit a few of those would take all the time there is.
const EVENTS_AGAIN: usize = 16;

/// How far the explorer goes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Losses of power in a row, from 1.
    pub depth: usize,
    /// Of so many states one is given a second life, the others are only judged.
    pub lives_one_in: usize,
    /// Second lives of a state in which sectors survived up to one, or from one on.
    pub lives_in_order: usize,
    /// Crashes tried at each event of a second life, besides those in order where the first one was.
    pub sample: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { depth: 2, lives_one_in: 4, lives_in_order: 2, sample: 6 }
    }
}

/// Distinct states seen: different bytes, or other expectations of the same bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// All of them.
    pub states: u64,
    /// Those after two losses of power or more.
    pub depth2: u64,
    /// Those in which a sector had rotted.
    pub rotten: u64,
    /// Seeds that were explored.
    pub workloads: u64,
}

impl Stats {
    /// Adds what another explorer has seen.
    pub const fn add(&mut self, other: &Self) {
        self.states += other.states;
        self.depth2 += other.depth2;
        self.rotten += other.rotten;
        self.workloads += other.workloads;
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "states={} depth2={}", self.states, self.depth2)
    }
}

/// A promise broken, and the script that leads there.
#[derive(Clone, Debug)]
pub struct Found {
    /// Runs into it again.
    pub script: Script,
    /// How the promise was broken.
    pub failure: Failure,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.failure, self.script)
    }
}

/// Explores the workload of one seed, and counts.
///
/// # Errors
/// The first broken promise.
pub fn explore(seed: u64, bounds: Bounds, stats: &mut Stats) -> Result<(), Found> {
    let mut workload = Workload::new(seed);
    let script = Script { shape: workload.shape, seed, lives: Vec::new() };
    let tears = Tears::new(seed);
    let steps = workload.steps();
    let mut explorer = Explorer { bounds, stats, seen: HashSet::new(), workload, tears, script };
    explorer.stats.workloads += 1;
    let disk = guarded(|| Disk::formatted(&explorer.script.shape, seed));
    let disk = disk.map_err(|failure| explorer.found(failure))?;
    explorer.life(&disk, &steps, Effort::Full)
}

struct Explorer<'a> {
    bounds: Bounds,
    stats: &'a mut Stats,
    seen: HashSet<u128>,
    workload: Workload,
    tears: Tears,
    /// How the explorer got where it is.
    script: Script,
}

impl Explorer<'_> {
    fn found(&self, failure: Failure) -> Found {
        Found { script: self.script.clone(), failure }
    }

    /// Lets a store live on the disk, and lets power fail at each event.
    fn life(&mut self, disk: &Disk, steps: &[Step], effort: Effort) -> Result<(), Found> {
        let origin = self.origin();
        let depth = self.script.lives.len() + 1;
        let lived = guarded(|| live(origin, disk, steps));
        self.script.lives.push(Life { steps: steps.to_vec(), cut: None });
        let lapses = lived.map_err(|failure| self.found(failure))?;
        let mut medium = Medium::new(disk.bytes.clone());
        let mut written = Written::default();
        let events = lapses.iter().map(|lapse| lapse.events.len()).sum::<usize>();
        let one_in = if depth > 1 { events.div_ceil(EVENTS_AGAIN) } else { 1 };
        for (number, lapse) in lapses.iter().enumerate() {
            let life = Life { steps: steps[..=number].to_vec(), cut: None };
            *self.script.lives.last_mut().expect("pushed above") = life;
            for (event, happened) in lapse.events.iter().zip(1..) {
                medium.happen(event);
                if one_in > 1 && !self.tears.random.one_in(one_in) {
                    continue;
                }
                self.tears.note(self.script.lives[..depth - 1].iter().flat_map(fates_of));
                let fates = survivors(medium.pending.len(), effort, &mut self.tears);
                self.crash(&medium, lapse.known(happened), happened, fates)?;
            }
            if depth == 1 && medium.pending.is_empty() && !lapse.events.is_empty() {
                written.note(sectors(&lapse.events), self.script.shape.superblocks_len());
                self.rot(&medium.durable, lapse, &written)?;
            }
        }
        self.script.lives.pop();
        Ok(())
    }

    fn origin(&self) -> Origin {
        let life = self.script.lives.len() as u64;
        Origin { shape: self.script.shape, seed: self.script.seed, life }
    }

    /// Lets power fail here, in every way.
    fn crash(
        &mut self,
        medium: &Medium,
        known: &Known,
        events: usize,
        survivors: Vec<Vec<Fate>>,
    ) -> Result<(), Found> {
        let depth = self.script.lives.len();
        for fates in survivors {
            let bytes = medium.crash(|n| fates[n]);
            if !self.is_new(&bytes, &known.expected) {
                continue;
            }
            self.stats.states += 1;
            self.stats.depth2 += u64::from(depth > 1);
            let lives = if depth < self.bounds.depth { self.lives(&fates) } else { 0 };
            let sample = self.bounds.sample;
            let effort =
                if is_in_order(&fates) { Effort::InOrder(sample) } else { Effort::Sample(sample) };
            self.cut(Cut { events, fates, rot: None });
            self.after(&Disk { bytes, known: known.clone() }, lives, effort)?;
        }
        Ok(())
    }

    fn is_new(&mut self, bytes: &[u8], expected: &Expected) -> bool {
        self.seen.insert(xxh3_128(bytes) ^ u128::from(expected.fingerprint()))
    }

    fn cut(&mut self, cut: Cut) {
        self.script.lives.last_mut().expect("a life is going on").cut = Some(cut);
    }

    /// How many second lives such a state is worth.
    fn lives(&mut self, fates: &[Fate]) -> usize {
        if self.seen.len() > STATES_WITH_LIVES {
            0
        } else if is_in_order(fates) {
            self.bounds.lives_in_order
        } else {
            usize::from(self.tears.random.one_in(self.bounds.lives_one_in))
        }
    }

    /// Lets stores live on what a crash has left, each on a copy, or judges it.
    fn after(&mut self, disk: &Disk, lives: usize, effort: Effort) -> Result<(), Found> {
        for _ in 0..lives {
            let under_way = self.script.lives.last().and_then(|life| life.steps.last());
            let held = disk.known.expected.acknowledged().contents.clone();
            let steps = self.workload.after_crash(under_way, held);
            self.life(disk, &steps, effort)?;
        }
        if lives > 0 {
            return Ok(());
        }
        let judged = guarded(|| judge(&self.script.shape, &disk.bytes, &disk.known.expected));
        judged.map_err(|failure| self.found(failure))
    }

    /// Lets some sectors rot, each alone: of those that were written last, of those that were written
    /// before, and of the superblock.
    fn rot(&mut self, sound: &[u8], lapse: &Lapse, written: &Written) -> Result<(), Found> {
        let events = lapse.events.len();
        let expected = &lapse.known(events).expected;
        let shape = self.script.shape;
        let pages = shape.superblocks_len() / shape.page_len();
        let random = &mut self.tears.random;
        let mut drawn = vec![random.below(pages) * shape.page_len()];
        for (count, written) in ROTTEN.into_iter().zip([&written.last, &written.before]) {
            let count = if written.is_empty() { 0 } else { count };
            drawn.extend((0..count).map(|_| *random.pick(written)));
        }
        for offset in drawn {
            let fate = match self.tears.random.below(6) {
                0 => Fate::Zeros,
                1 => Fate::Ones,
                2 => Fate::Garbage(1),
                _ => Fate::Bit(bit(&mut self.tears.random)),
            };
            let rot = Rot { shape: &shape, sound, offset, fate };
            // What is expected differs from that of a crash with the same outcome.
            if !self.seen.insert(!xxh3_128(&rot.bytes()) ^ u128::from(expected.fingerprint())) {
                continue;
            }
            self.stats.states += 1;
            self.stats.rotten += 1;
            self.cut(Cut { events, fates: Vec::new(), rot: Some((offset, fate)) });
            guarded(|| rot.judge(expected)).map_err(|failure| self.found(failure))?;
        }
        Ok(())
    }
}

/// Sectors of the log that a life has written.
#[derive(Debug, Default)]
struct Written {
    /// By the last step that wrote any.
    last: Vec<usize>,
    /// By the steps before.
    before: Vec<usize>,
}

impl Written {
    /// A step has written these sectors, of which the first so many bytes on the disk do not count.
    fn note(&mut self, mut sectors: Vec<usize>, superblocks: usize) {
        sectors.retain(|&offset| offset >= superblocks);
        if !sectors.is_empty() {
            self.before.append(&mut self.last);
            self.last = sectors;
        }
    }
}

/// What became of sectors when power was lost in this life, or earlier.
fn fates_of(life: &Life) -> impl Iterator<Item = &Fate> {
    life.cut.iter().flat_map(|cut| &cut.fates)
}

/// A bit of a sector. Most of what is there is at its beginning.
#[expect(clippy::cast_possible_truncation, reason = "a sector has 4,096 bits")]
fn bit(random: &mut Random) -> u16 {
    let end = *random.pick(&[1024, 8 * SECTOR]);
    random.below(end) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small share of what `make crash` does, wherever the tests run.
    #[test]
    fn no_crash_of_some_workloads_is_fatal_and_each_is_seen_once() {
        let count = |seed| {
            let mut stats = Stats::default();
            explore(seed, Bounds::default(), &mut stats).unwrap_or_else(|found| panic!("{found}"));
            stats
        };
        let mut all = count(7);
        assert_eq!(all, count(7), "a seed goes the same way again");
        all.add(&count(4));
        assert!(all.states > 1000 && all.depth2 > 500 && all.rotten > 10, "{all:?}");
    }
}
