//! For tests that must run one after the other.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// To be held by every test for as long as it runs.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A test that failed has not spoilt anything for the next one.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
