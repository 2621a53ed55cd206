//! How far long work has come, on standard error, if that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(200);

/// A line that is written over and over, and is gone in the end.
pub(crate) struct Progress {
    shown: bool,
    next: Option<Instant>,
}

impl Progress {
    /// Nothing is shown before a moment has passed.
    pub(crate) fn new() -> Self {
        Self { shown: false, next: io::stderr().is_terminal().then(|| Instant::now() + PERIOD) }
    }

    /// Tells this, now and then.
    pub(crate) fn tell(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        if self.next.is_some_and(|next| next <= now) {
            self.next = Some(now + PERIOD);
            self.shown = true;
            // It is no loss if it can't be shown.
            let _ = write!(io::stderr(), "\r\x1b[K{}", text());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
