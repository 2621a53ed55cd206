//! The one place that knows how to wait: it blocks with `std`, and spins without.
//!
//! A lock is never poisoned: what it guards is left whole before anything that can panic.

#[cfg(feature = "std")]
mod imp {
    use std::sync::{MutexGuard, PoisonError};

    pub(crate) type Guard<'a, T> = MutexGuard<'a, T>;

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> Guard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    pub(crate) type Guard<'a, T> = spin::MutexGuard<'a, T>;

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(spin::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(spin::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> Guard<'_, T> {
            self.0.lock()
        }
    }
}

pub(crate) use imp::{Guard, Mutex};
