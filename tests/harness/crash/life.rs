//! One life of a store: steps taken, answers compared with the model, and what a crash at each
//! moment may leave.

use super::failure::Failure;
use super::oracle::{Expected, State};
use super::script::{Shape, Step};
use crate::disk::{Event, Monitor, SECTOR, SimDisk};
use crate::write::Write;
use crate::{Fate, Model, Random, TestClock};
use nerite::{CreateOptions, Error, Store};
use std::sync::Arc;

/// What a disk may hold, and where it must not be written.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) expected: Expected,
    monitor: Monitor,
}

/// A disk between two lives.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub(super) bytes: Vec<u8>,
    pub(super) known: Known,
}

impl Disk {
    /// A new disk with an empty store.
    pub(super) fn formatted(shape: &Shape, seed: u64) -> Result<Self, Failure> {
        let disk = SimDisk::new(sector_len(), shape.kib * 2);
        let options = CreateOptions::new(seed).block_size(shape.block);
        let made = Store::create(&disk, options);
        made.map_err(|error| Failure::new(format!("create: {error}")))?;
        let bytes = disk.crash(|_| Fate::New);
        let monitor = Monitor::new(bytes.len(), shape.superblocks_len());
        Ok(Self { bytes, known: Known { expected: Expected::empty(), monitor } })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "512 fits")]
pub(super) const fn sector_len() -> u32 {
    SECTOR as u32
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
    disk: Arc<SimDisk>,
    clock: TestClock,
    model: Model,
    store: Option<Store<Arc<SimDisk>>>,
    opens: u64,
    /// A write or flush has failed since the store was opened.
    failed: bool,
    expected: Expected,
}

/// Lets a store live on `disk`: opens it and takes the steps.
pub(super) fn live(origin: Origin, disk: &Disk, steps: &[Step]) -> Result<Vec<Lapse>, Failure> {
    let sim = SimDisk::from_bytes(sector_len(), disk.bytes.clone());
    sim.watch(disk.known.monitor.clone());
    sim.record();
    let clock = TestClock::new(0);
    if origin.shape.clock_moves {
        clock.advance(origin.life << 32);
    }
    let mut living = Living {
        origin,
        disk: Arc::new(sim),
        model: Model::new(clock.clone()),
        clock,
        store: None,
        opens: 0,
        failed: false,
        expected: disk.known.expected.clone(),
    };
    living.open()?;
    if living.disk.take_trace().iter().any(writes) {
        return Err(Failure::new("opening wrote to the disk"));
    }
    steps.iter().map(|step| living.step(step)).collect()
}

fn writes(event: &Event) -> bool {
    matches!(event, Event::Write(_))
}

/// Where the events wrote, in bytes on the disk.
pub(super) fn sectors(events: &[Event]) -> Vec<usize> {
    let written = events.iter().flat_map(|event| match event {
        Event::Write(sectors) => &sectors[..],
        Event::Flush | Event::Lost => &[],
    });
    written.map(|(offset, _)| *offset).collect()
}

/// What a call has led to.
enum Answer {
    Acknowledged(Arc<State>),
    /// The disk failed: this state, or the one before.
    Failed(Arc<State>),
    /// It was refused.
    Refused,
}

impl Living {
    fn step(&mut self, step: &Step) -> Result<Lapse, Failure> {
        let mut during = self.known()?;
        if self.origin.shape.clock_moves {
            self.clock.advance(1_000_003);
        }
        let events = match step {
            Step::Write(write) => {
                let answer = self.write(write)?;
                let events = self.disk.take_trace();
                self.note(answer, &events, &mut during.expected)?;
                events
            }
            Step::Open => {
                self.store = None;
                self.open()?;
                self.disk.take_trace()
            }
            Step::Close => self.close()?,
            Step::Fault(fault) => {
                self.disk.inject(*fault);
                Vec::new()
            }
        };
        Ok(Lapse { events, during, after: self.known()? })
    }

    fn known(&self) -> Result<Known, Failure> {
        let monitor = self.disk.monitor().ok_or_else(|| Failure::new("nothing is watched"))?;
        Ok(Known { expected: self.expected.clone(), monitor })
    }

    /// Calls the store, and the model if the store did not refuse for want of room.
    fn write(&self, write: &Write) -> Result<Answer, Failure> {
        let Some(store) = &self.store else { return Ok(Answer::Refused) };
        let answer = write.run(store);
        if matches!(answer, Err(Error::NoSpace { .. } | Error::TooLarge { .. } | Error::Poisoned)) {
            return Ok(Answer::Refused);
        }
        let expected = write.run(&self.model);
        let state = || State::new(self.model.contents());
        match (answer, expected) {
            (Ok(()), Ok(())) if self.failed => Err(Failure::new(format!(
                "{write} was acknowledged though a write had failed before"
            ))),
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

    /// Takes note of what a call has led to.
    fn note(
        &mut self,
        answer: Answer,
        events: &[Event],
        during: &mut Expected,
    ) -> Result<(), Failure> {
        let sectors = sectors(events);
        match answer {
            Answer::Acknowledged(state) => {
                during.issue(Arc::clone(&state), sectors.clone());
                if !sectors.is_empty() {
                    self.disk.acknowledge();
                    self.expected.issue(Arc::clone(&state), sectors);
                }
                self.expected.settle(state);
            }
            Answer::Failed(_) if events.is_empty() => {
                // A read has failed: that is no more than no answer.
                self.model.restore(self.expected.acknowledged().contents.clone());
                self.disk.heal();
            }
            Answer::Failed(state) => {
                self.failed = true;
                self.disk.heal();
                self.disk.disclaim();
                during.issue(Arc::clone(&state), sectors.clone());
                self.shows_what_is_acknowledged()?;
                self.expected.issue(state, sectors);
            }
            Answer::Refused if events.is_empty() => {}
            Answer::Refused => {
                return Err(Failure::new("a call that was refused has written to the disk"));
            }
        }
        Ok(())
    }

    /// What failed is not shown.
    fn shows_what_is_acknowledged(&self) -> Result<(), Failure> {
        match &self.store {
            Some(store) => self.expected.judge(store).map(|_| ()).map_err(Failure::from),
            None => Ok(()),
        }
    }

    fn close(&mut self) -> Result<Vec<Event>, Failure> {
        let closed = self.store.take().map_or(Ok(()), |store| store.close().map(|_| ()));
        let mut events = self.disk.take_trace();
        match closed {
            Ok(()) if events.iter().any(writes) => self.expected.seal(),
            Ok(()) | Err(Error::Device(_) | Error::Poisoned) => {}
            Err(error) => return Err(Failure::new(format!("close: {error}"))),
        }
        self.open()?;
        events.extend(self.disk.take_trace());
        Ok(events)
    }

    /// Opens the store as the next process would, and settles what it holds.
    fn open(&mut self) -> Result<(), Failure> {
        self.disk.drop_cache();
        let store = match self.try_open() {
            // A fault that was meant for a later call.
            Err(Error::Device(_)) => {
                self.disk.heal();
                self.disk.drop_cache();
                self.try_open()
            }
            answer => answer,
        };
        let store = store.map_err(|error| Failure::new(format!("open: {error}")))?;
        self.disk.heal();
        let state = self.expected.judge(&store)?;
        self.model.restore(state.contents.clone());
        self.expected.settle(state);
        self.failed = false;
        self.store = Some(store);
        Ok(())
    }

    fn try_open(&mut self) -> Result<Store<Arc<SimDisk>>, Error> {
        self.opens += 1;
        let Origin { seed, life, shape, .. } = self.origin;
        let seed = Random::new(seed ^ life << 48 ^ self.opens << 32).next();
        Store::open(Arc::clone(&self.disk), self.clock.clone(), shape.options(seed))
    }
}
