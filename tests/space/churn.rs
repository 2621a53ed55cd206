//! Overwrites everything many times, and measures.

use crate::config::Config;
use crate::load::{Load, Skew};
use crate::segments::Full;
use crate::store::{Store, Written};

/// What came of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) written: Written,
    /// The most bytes of upkeep in one call, and flushes, its own included.
    pub(crate) most: usize,
    pub(crate) most_flushes: usize,
    /// The commit that found no room.
    pub(crate) stuck: Option<usize>,
}

/// Sets all keys in order, then `rounds` times as many at random, of which the first half is not
/// measured.
pub(crate) fn churn(config: Config, skew: Skew, rounds: usize) -> Outcome {
    let mut store = Store::new(config);
    let mut load = Load::new(skew, config.keys);
    let all: Vec<usize> = (0..config.keys).collect();
    let stuck = |store: &Store, before| { outcome(store, before, 0, 0, Some(store.commits)) };
    for keys in all.chunks(config.batch) {
        if store.commit(keys, true).is_err() {
            return stuck(&store, Written::default());
        }
    }
    let commits = rounds * config.keys / config.batch;
    let (mut before, mut most, mut most_flushes) = (Written::default(), 0, 0);
    for number in 0..commits {
        if number == commits / 2 {
            (before, most, most_flushes) = (store.written, 0, 0);
        }
        let keys: Vec<usize> = (0..config.batch).map(|_| load.key()).collect();
        let start = store.written;
        if store.commit(&keys, true).is_err() {
            return stuck(&store, Written::default());
        }
        most = most.max(store.written.upkeep() - start.upkeep());
        most_flushes = most_flushes.max(store.written.flushes - start.flushes);
    }
    outcome(&store, before, most, most_flushes, None)
}

fn outcome(
    store: &Store,
    before: Written,
    most: usize,
    most_flushes: usize,
    stuck: Option<usize>,
) -> Outcome {
    Outcome { written: store.written.since(before), most, most_flushes, stuck }
}

/// Fills, overwrites all `rounds` times, removes all, one key at a time, and fills again, `times`
/// times.
pub(crate) fn refill(config: Config, rounds: usize, times: usize) -> Result<Written, Full> {
    let mut store = Store::new(config);
    let mut load = Load::new(Skew::Uniform, config.keys);
    let mut written = Written::default();
    for _ in 0..times {
        for key in 0..config.keys {
            store.commit(&[key], true)?;
        }
        let before = store.written;
        for _ in 0..rounds * config.keys {
            store.commit(&[load.key()], true)?;
        }
        written = store.written.since(before);
        for key in 0..config.keys {
            store.commit(&[key], false)?;
        }
    }
    Ok(written)
}
