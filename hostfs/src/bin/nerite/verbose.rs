//! What `-v` tells, on standard error.

use log::{LevelFilter, Log, Metadata, Record};
use std::io::{self, Write as _};

struct Lines;

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // If this fails there is nowhere left to say so.
        let _ = writeln!(io::stderr(), "nerite: {}", record.args());
    }

    fn flush(&self) {}
}

/// From now on: nothing, what is opened and closed, each flush besides, or each request too.
pub(crate) fn set(count: u8) {
    let level = match count {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    // It fails where it was set before, which it was not.
    if log::set_logger(&Lines).is_ok() {
        log::set_max_level(level);
    }
}
