//! A clock that the test moves.

use nerite::{Clock, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A clock on which every look is `step` nanoseconds later than the one before. Clones share one
/// time, so that a test moves the clock that its store reads.
#[derive(Clone, Debug)]
pub struct TestClock {
    now: Arc<AtomicU64>,
    step: u64,
}

impl TestClock {
    /// Where every clock starts: 2026-01-01. Not the epoch, which a forgotten time would show.
    pub const START: Timestamp = Timestamp(1_767_225_600_000_000_000);

    /// With a `step` of 0 it stands still until the test moves it.
    #[must_use]
    pub fn new(step: u64) -> Self {
        Self { now: Arc::new(AtomicU64::new(Self::START.0)), step }
    }

    /// What the next look will tell; this is not one.
    #[must_use]
    pub fn peek(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    /// Makes it `time`, be that earlier or later.
    pub fn set(&self, time: Timestamp) {
        self.now.store(time.0, Ordering::SeqCst);
    }

    /// Moves it on.
    pub fn advance(&self, nanoseconds: u64) {
        self.now.fetch_add(nanoseconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.fetch_add(self.step, Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_look_is_a_step_later_and_clones_share_the_time() {
        let clock = TestClock::new(10);
        let other = clock.clone();
        assert_eq!(clock.now(), TestClock::START);
        assert_eq!(other.now(), Timestamp(TestClock::START.0 + 10));
        other.set(Timestamp(5));
        assert_eq!(clock.peek(), Timestamp(5));
        clock.advance(1);
        assert_eq!(other.now(), Timestamp(6));
    }

    #[test]
    fn without_a_step_it_stands_still() {
        let clock = TestClock::new(0);
        assert_eq!(clock.now(), clock.now());
    }
}
