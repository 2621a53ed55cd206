//! The one place that knows how to wait: it blocks with `std`, and spins without.
//!
//! A lock is never poisoned: what it guards is left whole before anything that can panic.

#[cfg(feature = "std")]
mod imp {
    use std::sync::{Condvar, MutexGuard, PoisonError};

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

    /// What one thread tells another one.
    #[derive(Debug)]
    pub(crate) struct Signal<T>(Mutex<Option<T>>, Condvar);

    impl<T> Signal<T> {
        pub(crate) const fn new() -> Self {
            Self(Mutex::new(None), Condvar::new())
        }

        /// Tells it, unless something was told that nobody has heard.
        pub(crate) fn tell(&self, told: T) {
            self.0.lock().get_or_insert(told);
            self.1.notify_one();
        }

        /// Waits until something is told.
        pub(crate) fn wait(&self) -> T {
            let mut told = self.0.lock();
            loop {
                match told.take() {
                    Some(told) => return told,
                    None => told = self.1.wait(told).unwrap_or_else(PoisonError::into_inner),
                }
            }
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

    /// What one thread tells another one.
    #[derive(Debug)]
    pub(crate) struct Signal<T>(Mutex<Option<T>>);

    impl<T> Signal<T> {
        pub(crate) const fn new() -> Self {
            Self(Mutex::new(None))
        }

        /// Tells it, unless something was told that nobody has heard.
        pub(crate) fn tell(&self, told: T) {
            self.0.lock().get_or_insert(told);
        }

        /// Waits until something is told.
        pub(crate) fn wait(&self) -> T {
            loop {
                if let Some(told) = self.0.lock().take() {
                    return told;
                }
                core::hint::spin_loop();
            }
        }
    }
}

pub(crate) use imp::{Guard, Mutex, Signal};
