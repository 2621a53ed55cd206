//! What the judge says when a store has not kept its promise.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

/// How a promise was broken, or why a script says nothing about any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    what: String,
    is_misfit: bool,
}

impl Failure {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_misfit: false }
    }

    /// The script does not fit what the store does: what it would show is not seen.
    pub(super) fn misfit(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_misfit: true }
    }

    /// Whether the script does not fit what the store does, so that nothing is said about the store.
    #[must_use]
    pub const fn is_misfit(&self) -> bool {
        self.is_misfit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

thread_local! {
    /// Panics of this thread are failures.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    /// Where the last one came from.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on a panic that is a failure is told by that failure alone, with its place. Others are told
/// as before.
pub fn tell_panics_as_failures() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if GUARDED.get() {
            PLACE.set(panic.location().map(Location::to_string));
        } else {
            usual(panic);
        }
    }));
}

/// Runs `work`; a panic in it is a failure too.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let outer = GUARDED.replace(true);
    PLACE.take();
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    done.unwrap_or_else(|panic| Err(Failure::new(message(&*panic, PLACE.take()))))
}

fn message(panic: &(dyn Any + Send), place: Option<String>) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let place = place.map_or_else(String::new, |place| format!(" at {place}"));
    format!("panicked{place}: {}", text.unwrap_or("without a message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_with_its_place_and_message() {
        let panic = || guarded::<()>(|| panic!("at {}", 5)).unwrap_err().to_string();
        tell_panics_as_failures();
        let told = panic();
        assert!(told.contains("failure.rs:") && told.ends_with(": at 5"), "{told}");
        assert_eq!(guarded(|| Ok(7)), Ok(7));
        assert!(!GUARDED.get(), "what panics from now on is told as before");
    }
}
