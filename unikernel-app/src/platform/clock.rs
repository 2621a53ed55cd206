//! Time: the CPU's counter, set going by the battery-backed clock.

use super::cmos;
use super::pit;
use super::tsc::ticks;
use core::fmt;
use core::time::Duration;
use nerite::Timestamp;

/// Wrong by some factor, and said to be: durations still grow.
const ASSUMED_HZ: u64 = 1_000_000_000;

/// The time, monotonic and of the day.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    /// When the image began.
    entry: u64,
    hz: Option<u64>,
    /// The time of the day, in seconds since 1970, and when it was read.
    day: Option<(u64, u64)>,
}

impl Clock {
    /// `entry` is what [`ticks`] was when the image began.
    pub(crate) fn start(entry: u64) -> Self {
        let hz = pit::measure_hz();
        Self { entry, hz, day: cmos::seconds().map(|seconds| (seconds, ticks())) }
    }

    /// Since the image began.
    pub(crate) fn uptime(&self) -> Duration {
        self.since(self.entry)
    }

    /// Now. Without a clock of the day, time begins in 1970 at every boot.
    pub(crate) fn now(&self) -> Timestamp {
        let (seconds, read_at) = self.day.unwrap_or((0, self.entry));
        let now = Duration::from_secs(seconds).saturating_add(self.since(read_at));
        Timestamp(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
    }

    fn since(&self, start: u64) -> Duration {
        let ticks = u128::from(ticks().saturating_sub(start));
        let nanos = ticks * 1_000_000_000 / u128::from(self.hz.unwrap_or(ASSUMED_HZ));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.day {
            Some(_) => f.write_str("CMOS clock")?,
            None => f.write_str("NO clock of the day (it is 1970)")?,
        }
        match self.hz {
            Some(hz) => write!(f, ", TSC at {} MHz", hz / 1_000_000),
            None => f.write_str(", NO timer to measure the TSC by (durations are guesses)"),
        }
    }
}
