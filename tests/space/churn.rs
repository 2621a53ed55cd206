//! Overwrites everything many times, and measures.

use crate::config::Config;
use crate::load::{Load, Skew};
use crate::segments::Full;
use crate::store::{Store, Written};

/// What came of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) written: Written,
    /// The most bytes of upkeep in one call.
    pub(crate) most: usize,
}

/// Sets all keys in order, then `rounds` times as many at random, of which the second half is
/// measured. None if a commit found no room.
pub(crate) fn churn(config: Config, skew: Skew, rounds: usize) -> Option<Outcome> {
    let mut store = Store::new(config);
    let mut load = Load::new(skew, config.keys);
    let all: Vec<usize> = (0..config.keys).collect();
    for keys in all.chunks(config.batch) {
        store.commit(keys, true).ok()?;
    }
    let commits = rounds * config.keys / config.batch;
    let (mut before, mut most) = (Written::default(), 0);
    for number in 0..commits {
        if number == commits / 2 {
            (before, most) = (store.written, 0);
        }
        let keys: Vec<usize> = (0..config.batch).map(|_| load.key()).collect();
        let upkeep = store.written.upkeep();
        store.commit(&keys, true).ok()?;
        most = most.max(store.written.upkeep() - upkeep);
    }
    Some(Outcome { written: store.written.since(before), most })
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
