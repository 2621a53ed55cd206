//! One life of a store: steps taken, answers compared with the model, and what a crash at each
//! moment may leave.

use super::failure::Failure;
use super::oracle::{Expected, State};
use super::script::Step;
use super::shape::{Oddity, Shape};
use crate::contents::{Contents, contents};
use crate::disk::{Event, Monitor, SimDisk, Strike};
use crate::write::{Value, Write};
use crate::{Fate, Model, Random, TestClock};
use nerite::{CreateOptions, Error, Key, KvWrite, Store};
use std::fmt::Display;
use std::sync::Arc;

/// Operations of the device in one step, at most: most take a few, a whole round on a full device takes
/// some hundred.
const EVENTS_A_STEP: usize = 400;

/// What a disk may hold, and where it must not be written.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) expected: Expected,
    monitor: Monitor,
    /// The next mount is so many mounts behind the last one that has acknowledged something.
    idle: u64,
    /// Of the last mount that has acknowledged something.
    epoch: Option<u64>,
}

/// A disk between two lives.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub(super) bytes: Vec<u8>,
    pub(super) known: Known,
}

impl Disk {
    /// A disk with an empty store.
    pub(super) fn formatted(shape: &Shape, seed: u64) -> Result<Self, Failure> {
        let disk = shape.disk(shape.blank(seed));
        if shape.odd.has(Oddity::Dirty) {
            make(&disk, shape, !seed)?;
            leave_some(&disk, shape, seed).map_err(|error| Failure::new(error.to_string()))?;
        }
        make(&disk, shape, seed)?;
        let bytes = shape.grown(disk.crash(|_| Fate::New));
        let monitor = Monitor::new(bytes.len(), shape.superblocks_len());
        let mut known = Known { expected: Expected::empty(), monitor, idle: 0, epoch: None };
        if !shape.odd.has(Oddity::Worn) {
            return Ok(Self { bytes, known });
        }
        let disk = Arc::new(shape.disk(bytes));
        let worn = wear(&disk, shape, seed).map_err(|error| Failure::new(error.to_string()))?;
        known.expected = Expected::only(worn);
        Ok(Self { bytes: disk.crash(|_| Fate::New), known })
    }
}

/// Overwrites a few keys until every segment has been used, and some were used again. Tells what is
/// left.
fn wear(disk: &Arc<SimDisk>, shape: &Shape, seed: u64) -> Result<Contents, Error> {
    let store = Store::open(Arc::clone(disk), TestClock::new(0), shape.options(!seed))?;
    let mut random = Random::new(seed);
    for _ in 0..60 {
        let key = Key::new(random.pick(&["a-", "d/e/f", "d/z", "e", "f", "g"]))?;
        let len = 200 + random.below(1500);
        match store.set(&key, &random.bytes(len)) {
            Ok(()) => {}
            Err(Error::NoSpace { .. }) => store.remove(&key)?,
            Err(error) => return Err(error),
        }
    }
    let worn = contents(&store);
    store.close()?;
    Ok(worn)
}

fn make(disk: &SimDisk, shape: &Shape, seed: u64) -> Result<(), Failure> {
    let options = CreateOptions::new(seed).block_size(shape.block);
    let made = Store::create(&disk, options.force(shape.odd.has(Oddity::Dirty)));
    made.map_err(|error| Failure::new(format!("create: {error}")))
}

/// Leaves frames of a store that was there before, as many as there is room for.
fn leave_some(disk: &SimDisk, shape: &Shape, seed: u64) -> Result<(), Error> {
    let store = Store::open(disk, TestClock::new(0), shape.options(seed))?;
    let key = Key::new("old")?;
    match (0..8).try_for_each(|len| store.set(&key, &vec![7; len * 40])) {
        Err(Error::NoSpace { .. }) => Ok(()),
        told => told,
    }
}

/// What one step did to the disk, and what may be there then.
#[derive(Debug)]
pub(super) struct Lapse {
    pub(super) events: Vec<Event>,
    /// Before the step has returned.
    during: Known,
    /// After it has.
    after: Known,
}

impl Lapse {
    /// What is known when so many of the events have happened, at least one.
    pub(super) fn known(&self, events: usize) -> &Known {
        if events < self.events.len() { &self.during } else { &self.after }
    }
}

/// Where seeds of a life come from: those of the script, and how many lives were before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) shape: Shape,
    pub(super) seed: u64,
    pub(super) life: u64,
}

/// A store that lives.
struct Living {
    origin: Origin,
    /// What was known to be acknowledged, if the disk is not watched.
    monitor: Monitor,
    disk: Arc<SimDisk>,
    clock: TestClock,
    model: Model,
    /// A writer has it too.
    store: Option<Arc<Store<Arc<SimDisk>>>>,
    opens: u64,
    idle: u64,
    epoch: Option<u64>,
    /// A write or flush has failed since the store was opened.
    failed: bool,
    /// The store has acknowledged something since it was opened: `close` must seal that.
    mounted: bool,
    expected: Expected,
}

/// Lets a store live on `disk`: opens it and takes the steps.
pub(super) fn live(origin: Origin, disk: &Disk, steps: &[Step]) -> Result<Vec<Lapse>, Failure> {
    let sim = origin.shape.disk(disk.bytes.clone());
    if origin.shape.is_watched() {
        sim.watch(disk.known.monitor.clone());
    }
    sim.record();
    let clock = TestClock::new(0);
    if origin.shape.clock_moves {
        clock.advance(origin.life << 32);
    }
    let mut living = Living {
        origin,
        monitor: disk.known.monitor.clone(),
        disk: Arc::new(sim),
        model: Model::new(clock.clone()),
        clock,
        store: None,
        opens: 0,
        idle: disk.known.idle,
        epoch: disk.known.epoch,
        failed: false,
        mounted: false,
        expected: disk.known.expected.clone(),
    };
    living.open()?;
    if living.disk.take_trace().iter().any(writes) {
        return Err(Failure::new("opening wrote to the disk"));
    }
    living.steps(steps)
}

fn writes(event: &Event) -> bool {
    matches!(event, Event::Write(_))
}

/// Where the events wrote, in bytes on the disk.
pub(super) fn sectors(events: &[Event]) -> Vec<usize> {
    events.iter().flat_map(written).collect()
}

fn written(event: &Event) -> Vec<usize> {
    match event {
        Event::Write(sectors) => sectors.iter().map(|(offset, _)| *offset).collect(),
        Event::Flush | Event::Lost => Vec::new(),
    }
}

/// What a call has led to.
enum Answer {
    Acknowledged(Arc<State>),
    /// The disk failed: this state, or the one before.
    Failed(Arc<State>),
    /// There was no room for it, and none could be made.
    NoRoom {
        /// Room was made by commits of its own.
        moved: bool,
    },
    /// It was refused.
    Refused,
}

impl Living {
    fn steps(&mut self, mut steps: &[Step]) -> Result<Vec<Lapse>, Failure> {
        let mut lapses = Vec::new();
        while let Some((step, behind)) = steps.split_first() {
            steps = behind;
            if let Step::Begin(key, value) = step {
                let taken = self.stream((key, value), behind, &mut lapses)?;
                steps = &behind[taken..];
            } else {
                lapses.push(self.step(step)?);
            }
        }
        Ok(lapses)
    }

    /// Lets a writer begin, and takes the steps behind that as long as it is there. Tells how many.
    fn stream(
        &mut self,
        (key, value): (&Key, &Value),
        behind: &[Step],
        lapses: &mut Vec<Lapse>,
    ) -> Result<usize, Failure> {
        let store = self.store.clone();
        let mut writer = store.as_ref().map(|store| store.write_to(key));
        lapses.push(self.lapse(|living, during| {
            let begin = format!("begin {key} {value}");
            let answer = living.call((&begin, false), |_| match &mut writer {
                Some(writer) => (writer.write(&value.bytes()), None),
                None => (Ok(()), None),
            })?;
            if !matches!(answer, Answer::Acknowledged(_)) {
                writer = None;
            }
            living.noted(answer, during)
        })?);
        for (taken, step) in behind.iter().enumerate() {
            match step {
                Step::Write(_) | Step::Fault(_) => lapses.push(self.step(step)?),
                Step::End { commit } => {
                    let writer = writer.take().filter(|_| *commit);
                    lapses.push(self.lapse(|living, during| match writer {
                        Some(writer) => {
                            let set = Write::Set(key.clone(), *value);
                            let answer = living
                                .call((&"commit", false), |_| (writer.commit(), Some(&set)))?;
                            living.noted(answer, during)
                        }
                        None => Ok(Vec::new()),
                    })?);
                    return Ok(taken + 1);
                }
                Step::Begin(..) | Step::Open | Step::Close => return Ok(taken),
            }
        }
        Ok(behind.len())
    }

    fn step(&mut self, step: &Step) -> Result<Lapse, Failure> {
        self.lapse(|living, during| match step {
            Step::Write(write) => {
                let removes = matches!(write, Write::Remove(_));
                let answer =
                    living.call((write, removes), |store| (write.run(store), Some(write)))?;
                living.noted(answer, during)
            }
            Step::Open => {
                living.store = None;
                living.open_again()?;
                Ok(living.disk.take_trace())
            }
            Step::Close => living.close(),
            Step::Fault(fault) => {
                living.disk.inject(*fault);
                Ok(Vec::new())
            }
            // There is no writer.
            Step::Begin(..) | Step::End { .. } => Ok(Vec::new()),
        })
    }

    /// What is known before, and after what `act` does.
    fn lapse(
        &mut self,
        act: impl FnOnce(&mut Self, &mut Expected) -> Result<Vec<Event>, Failure>,
    ) -> Result<Lapse, Failure> {
        let mut during = self.known();
        if self.origin.shape.clock_moves {
            self.clock.advance(1_000_003);
        }
        let events = act(self, &mut during.expected)?;
        if events.len() > EVENTS_A_STEP {
            let count = events.len();
            return Err(Failure::new(format!("{count} device operations: it goes on and on")));
        }
        let after = self.known();
        during.monitor.release_as(&after.monitor);
        Ok(Lapse { events, during, after })
    }

    /// Takes note of what a call has led to, and tells what it did to the disk.
    fn noted(&mut self, answer: Answer, during: &mut Expected) -> Result<Vec<Event>, Failure> {
        let events = self.disk.take_trace();
        self.note(answer, &events, during)?;
        Ok(events)
    }

    fn known(&self) -> Known {
        let monitor = self.disk.monitor().unwrap_or_else(|| self.monitor.clone());
        let expected = self.expected.clone();
        Known { expected, monitor, idle: self.next_idle(), epoch: self.epoch }
    }

    const fn next_idle(&self) -> u64 {
        if self.mounted { 0 } else { self.idle + 1 }
    }

    /// Calls the store, and the model, for what the call tells that it does, if the store did not refuse.
    fn call<'a>(
        &mut self,
        (write, removes): (&dyn Display, bool),
        call: impl FnOnce(&Store<Arc<SimDisk>>) -> (Result<(), Error>, Option<&'a Write>),
    ) -> Result<Answer, Failure> {
        let Some(store) = &self.store else { return Ok(Answer::Refused) };
        let next_frame = store.stat().next_frame;
        let (answer, does) = call(store);
        let struck = self.disk.take_struck();
        if let Err(error) = &answer
            && !self.has_cause(removes, error, &struck)
        {
            return Err(Failure::new(format!("{write}: {error}, without a cause")));
        }
        self.failed |= struck.iter().any(|strike| strike.is_of_writing());
        match answer {
            Err(Error::NoSpace { .. }) => {
                let moved = store.stat().next_frame > next_frame;
                return Ok(Answer::NoRoom { moved });
            }
            Err(Error::TooLarge { .. } | Error::Poisoned) => return Ok(Answer::Refused),
            _ => {}
        }
        let expected = does.map_or(Ok(()), |does| does.run(&self.model));
        let state = || State::new(self.model.contents());
        match (answer, expected) {
            (Ok(()), Ok(())) if self.failed => {
                Err(Failure::new(format!("{write} was acknowledged though a write has failed")))
            }
            (Ok(()), Ok(())) => Ok(Answer::Acknowledged(state())),
            (Err(Error::Device(_)), _) => Ok(Answer::Failed(state())),
            (Err(told), Err(expected)) if format!("{told:?}") == format!("{expected:?}") => {
                Ok(Answer::Refused)
            }
            (told, expected) => {
                Err(Failure::new(format!("{write}: {told:?}, the model tells {expected:?}")))
            }
        }
    }

    /// Whether the store may answer so: the disk has failed, or there is no room.
    fn has_cause(&self, removes: bool, error: &Error, struck: &[Strike]) -> bool {
        match error {
            Error::Device(_) => !struck.is_empty(),
            Error::Poisoned => self.failed,
            Error::NoSpace { needed, free } => needed > free && !removes,
            Error::TooLarge { size, limit } => size > limit && !removes,
            _ => true,
        }
    }

    /// Takes note of what a call has led to.
    fn note(
        &mut self,
        answer: Answer,
        events: &[Event],
        during: &mut Expected,
    ) -> Result<(), Failure> {
        let group = self.group(events);
        match answer {
            Answer::Acknowledged(state) => {
                during.issue(Arc::clone(&state), group.clone());
                if !group.is_empty() {
                    self.has_own_epoch()?;
                    self.mounted = true;
                    self.disk.acknowledge();
                    self.expected.issue(Arc::clone(&state), group);
                }
                drop(self.expected.settle(state));
            }
            Answer::Failed(state) => {
                self.disk.heal();
                self.disk.disclaim();
                self.model.restore(self.expected.acknowledged().contents.clone());
                // If it was a read that failed, that is no more than no answer.
                if self.failed {
                    during.issue(Arc::clone(&state), group.clone());
                    self.shows_what_is_acknowledged()?;
                    self.expected.issue(state, group);
                }
            }
            // What was done to make room holds what is acknowledged, and changes nothing.
            Answer::NoRoom { moved } => {
                if moved {
                    self.has_own_epoch()?;
                    self.mounted = true;
                }
                self.disk.acknowledge();
            }
            Answer::Refused if events.is_empty() => {}
            Answer::Refused => {
                return Err(Failure::new("a call that was refused has written to the disk"));
            }
        }
        Ok(())
    }

    /// A mount is told from the one before by its epoch, whatever seeds they are given.
    fn has_own_epoch(&mut self) -> Result<(), Failure> {
        let Some(store) = self.store.as_ref().filter(|_| !self.mounted) else { return Ok(()) };
        let epoch = Some(store.info().epoch);
        if epoch == self.epoch {
            return Err(Failure::new("two mounts that follow each other have one epoch"));
        }
        self.epoch = epoch;
        Ok(())
    }

    /// Where the events wrote the frames of a commit: they come last.
    fn group(&self, events: &[Event]) -> Vec<usize> {
        let log = self.origin.shape.superblocks_len();
        let mut written = events.iter().rev().map(written);
        written.find(|sectors| sectors.iter().any(|&offset| offset >= log)).unwrap_or_default()
    }

    /// What failed is not shown.
    fn shows_what_is_acknowledged(&self) -> Result<(), Failure> {
        match &self.store {
            Some(store) => self.expected.judge(store).map(|_| ()).map_err(Failure::from),
            None => Ok(()),
        }
    }

    fn close(&mut self) -> Result<Vec<Event>, Failure> {
        let store = self.store.take().and_then(Arc::into_inner);
        let closed = store.map_or(Ok(()), |store| store.close().map(|_| ()));
        let mut events = self.disk.take_trace();
        let struck = self.disk.take_struck();
        let fails = self.failed || struck.iter().any(|strike| strike.is_of_writing());
        match closed {
            Ok(()) if fails => {
                return Err(Failure::new("close is content though a write has failed"));
            }
            Ok(()) if self.mounted => self.expected.seal(),
            Ok(()) if events.iter().any(writes) => {
                return Err(Failure::new("close wrote though nothing was to be sealed"));
            }
            Ok(()) => {}
            Err(Error::Device(_)) if !struck.is_empty() => {}
            Err(Error::Poisoned) if self.failed => {}
            Err(error) => return Err(Failure::new(format!("close: {error}, without a cause"))),
        }
        self.open_again()?;
        events.extend(self.disk.take_trace());
        Ok(events)
    }

    fn open_again(&mut self) -> Result<(), Failure> {
        self.idle = self.next_idle();
        self.open()
    }

    /// Opens the store as the next process would, and settles what it holds.
    fn open(&mut self) -> Result<(), Failure> {
        self.disk.drop_cache();
        let store = match self.try_open() {
            // A fault that was meant for it, or for a later call.
            Err(Error::Device(_)) if !self.disk.take_struck().is_empty() => {
                self.disk.heal();
                self.disk.drop_cache();
                self.try_open()
            }
            answer => answer,
        };
        let store = store.map_err(|error| Failure::new(format!("open: {error}")))?;
        self.disk.heal();
        drop(self.disk.take_struck());
        let state = self.expected.judge(&store)?;
        self.model.restore(state.contents.clone());
        self.disk.adopt(&self.expected.settle(state));
        (self.failed, self.mounted) = (false, false);
        self.store = Some(Arc::new(store));
        Ok(())
    }

    fn try_open(&mut self) -> Result<Store<Arc<SimDisk>>, Error> {
        self.opens += 1;
        let Origin { seed, life, shape, .. } = self.origin;
        // What two mounts of one seed write at one place can't be told apart: seeds must be random.
        let alike = shape.odd.has(Oddity::Alike);
        let mount = if alike { self.idle } else { life << 48 ^ self.opens << 32 };
        let seed = Random::new(seed ^ mount).next();
        Store::open(Arc::clone(&self.disk), self.clock.clone(), shape.options(seed))
    }
}

/// A store with two values for tests: its disk, and what its last step did.
#[cfg(test)]
pub(super) fn two_values() -> (Shape, Vec<u8>, Lapse) {
    use super::shape::Oddities;
    let odd = Oddities::NONE;
    let shape = Shape { kib: 256, block: 512, clock_moves: true, small_deltas: false, odd };
    let disk = Disk::formatted(&shape, 3).expect("a store");
    let steps =
        ["set /a 40t1", "set /b 40t2"].map(|text| Step::Write(text.parse().expect("a call")));
    let lapses = live(Origin { shape, seed: 3, life: 0 }, &disk, &steps);
    let mut lapses = lapses.expect("it lives");
    let mut medium = crate::disk::Medium::new(disk.bytes);
    for event in lapses.iter().flat_map(|lapse| &lapse.events) {
        medium.happen(event);
    }
    (shape, medium.durable, lapses.pop().expect("two steps"))
}
