//! Time: the CPU's counter, set going by the battery-backed clock.

use super::cmos;
use super::pit;
use super::tsc::ticks;
use core::fmt;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;
use core::time::Duration;
use nerite::Timestamp;

/// Wrong by some factor, and said to be: durations still grow.
const ASSUMED_HZ: u64 = 1_000_000_000;

/// Ticks of the counter in a second; 0 if nothing could measure it.
static HZ: AtomicU64 = AtomicU64::new(0);

/// The time, monotonic and of the day.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    /// When the image began.
    entry: u64,
    /// The time of the day, in seconds since 1970, and when it was read.
    day: Option<(u64, u64)>,
}

impl Clock {
    /// `entry` is what [`ticks`] was when the image began.
    pub(crate) fn start(entry: u64) -> Self {
        HZ.store(pit::measure_hz().unwrap_or(0), Relaxed);
        Self { entry, day: cmos::seconds().map(|seconds| (seconds, ticks())) }
    }

    /// Since the image began.
    pub(crate) fn uptime(&self) -> Duration {
        elapsed(self.entry)
    }

    /// Now. Without a clock of the day, time begins in 1970 at every boot.
    pub(crate) fn now(&self) -> Timestamp {
        let (seconds, read_at) = self.day.unwrap_or((0, self.entry));
        let now = Duration::from_secs(seconds).saturating_add(elapsed(read_at));
        Timestamp(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// Since the counter was `start`.
pub(crate) fn elapsed(start: u64) -> Duration {
    let hz = match HZ.load(Relaxed) {
        0 => ASSUMED_HZ,
        hz => hz,
    };
    let passed = u128::from(ticks().saturating_sub(start));
    let nanos = passed * 1_000_000_000 / u128::from(hz);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.day {
            Some(_) => f.write_str("CMOS clock")?,
            None => f.write_str("NO clock of the day (it is 1970)")?,
        }
        match HZ.load(Relaxed) {
            0 => f.write_str(", NO timer to measure the TSC by (durations are guesses)"),
            hz => write!(f, ", TSC at {} MHz", hz / 1_000_000),
        }
    }
}
