//! Time comes in from outside: the engine never reads a clock by itself.

/// Nanoseconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

/// Where `last_modified` times come from.
///
/// It may stand still, jump or run backwards: times are data, they never decide an order.
pub trait Clock {
    /// The time now.
    fn now(&self) -> Timestamp;
}

impl<F: Fn() -> Timestamp> Clock for F {
    fn now(&self) -> Timestamp {
        self()
    }
}
