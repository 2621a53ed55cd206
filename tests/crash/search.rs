//! Workload after workload, on all cores.

use crate::args::Until;
use nerite_tests::crash::{Bounds, Found, Stats, explore};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// What was seen and found.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) stats: Stats,
    /// Of the lowest seed that was explored.
    pub(crate) found: Option<Found>,
    elapsed: Duration,
    threads: usize,
}

impl Outcome {
    /// How fast it went.
    pub(crate) fn pace(&self) -> String {
        let seconds = self.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let pace = self.stats.states as f64 / (seconds * self.threads as f64).max(1e-9);
        format!("{} workloads in {seconds:.1} s: {pace:.0} states/s a core", self.stats.workloads)
    }
}

/// What the threads share.
struct Shared {
    next: u64,
    stats: Stats,
    found: Option<(u64, Found)>,
}

/// Explores the workloads from `seed` on, up to the first that finds something.
pub(crate) fn search(seed: u64, until: Until, bounds: Bounds) -> Outcome {
    let started = Instant::now();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let shared = Mutex::new(Shared { next: seed, stats: Stats::default(), found: None });
    let is_over = |next: u64| match until {
        Until::Workloads(count) => next >= seed.saturating_add(count),
        Until::Elapsed(limit) => started.elapsed() >= limit,
    };
    let work = || {
        while let Some(seed) = take(&shared, is_over) {
            let mut stats = Stats::default();
            let explored = explore(seed, bounds, &mut stats);
            let mut shared = shared.lock().expect("nothing panics while it holds the lock");
            shared.stats.add(&stats);
            if let Err(found) = explored
                && shared.found.as_ref().is_none_or(|(other, _)| seed < *other)
            {
                shared.found = Some((seed, found));
            }
        }
    };
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let Shared { stats, found, .. } = shared.into_inner().expect("the threads have ended");
    let found = found.map(|(_, found)| found);
    Outcome { stats, found, elapsed: started.elapsed(), threads }
}

/// The next seed to explore.
fn take(shared: &Mutex<Shared>, is_over: impl Fn(u64) -> bool) -> Option<u64> {
    let mut shared = shared.lock().expect("nothing panics while it holds the lock");
    if shared.found.is_some() || is_over(shared.next) {
        return None;
    }
    shared.next += 1;
    Some(shared.next - 1)
}
