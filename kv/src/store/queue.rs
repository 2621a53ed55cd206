//! Who commits next: one writer leads, those that come meanwhile queue up, and the first of them
//! leads next, for all that have queued.
//!
//! Invariants:
//! - There is one leader at most; if anybody waits, there is one, or one has been told to lead.
//! - Whoever queued is told one answer, also if the leader panics.

use crate::error::Error;
use crate::key::Key;
use crate::lock::{Mutex, Signal};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Requests that one leader takes, at most, and bytes of values in them, about.
const REQUESTS_MAX: usize = 64;
const BYTES_MAX: usize = 1 << 20;

/// What a writer wants done.
#[derive(Debug)]
pub(super) enum Request {
    Set { key: Key, value: Vec<u8> },
    Remove { key: Key },
}

impl Request {
    const fn len(&self) -> usize {
        match self {
            Self::Set { value, .. } => value.len(),
            Self::Remove { .. } => 0,
        }
    }
}

#[derive(Debug)]
pub(super) enum Told {
    /// It is this writer's turn.
    Lead,
    /// Another one has done it.
    Done(Result<(), Error>),
}

/// A writer that has queued up.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) request: Request,
    pub(super) told: Signal<Told>,
}

#[derive(Debug, Default)]
struct State {
    /// Somebody leads, or has been told to.
    led: bool,
    waiting: VecDeque<Arc<Ticket>>,
}

#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<State>);

/// Either way on.
pub(super) enum Entered<'a> {
    /// Nobody else leads.
    Turn(Turn<'a>),
    /// Somebody does, and knows of this request.
    Queued(Arc<Ticket>),
}

impl Queue {
    pub(super) fn enter(&self, request: impl FnOnce() -> Request) -> Entered<'_> {
        if let Some(turn) = self.try_lead(&mut self.0.lock()) {
            return Entered::Turn(turn);
        }
        // Values are copied while others come and go.
        let ticket = Arc::new(Ticket { request: request(), told: Signal::new() });
        let mut state = self.0.lock();
        if let Some(turn) = self.try_lead(&mut state) {
            return Entered::Turn(turn);
        }
        state.waiting.push_back(Arc::clone(&ticket));
        Entered::Queued(ticket)
    }

    fn try_lead(&self, state: &mut State) -> Option<Turn<'_>> {
        if state.led {
            return None;
        }
        state.led = true;
        Some(Turn(self))
    }

    /// The turn of whoever was told to lead.
    pub(super) const fn turn(&self) -> Turn<'_> {
        Turn(self)
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().waiting.len()
    }
}

/// The right to lead, which the next one gets when this is dropped.
pub(super) struct Turn<'a>(&'a Queue);

impl Turn<'_> {
    /// Those that have queued, the first of them first.
    pub(super) fn take(&self) -> Group {
        let mut state = self.0.0.lock();
        let (mut taken, mut len) = (Vec::new(), 0usize);
        while taken.len() < REQUESTS_MAX
            && len < BYTES_MAX
            && let Some(ticket) = state.waiting.pop_front()
        {
            len = len.saturating_add(ticket.request.len());
            taken.push(ticket);
        }
        Group(taken)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        match state.waiting.front() {
            Some(next) => next.told.tell(Told::Lead),
            None => state.led = false,
        }
    }
}

/// Writers for whom one leader commits.
pub(super) struct Group(pub(super) Vec<Arc<Ticket>>);

impl Drop for Group {
    fn drop(&mut self) {
        for ticket in &self.0 {
            // What was answered stands. What was not, since the device panicked, is not known.
            ticket.told.tell(Told::Done(Err(Error::Poisoned)));
        }
    }
}
