//! What the engine never takes by itself: the time, and randomness.

use nerite::{Clock, Timestamp};
use rustix::rand::{GetRandomFlags, getrandom};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's real-time clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// The time now. A clock set before 1970 reads as 1970, one set after 2554 as 2554.
    fn now(&self) -> Timestamp {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// 64 random bits from the operating system, as [`nerite::CreateOptions::new`] and
/// [`nerite::OpenOptions::new`] need them.
///
/// # Errors
/// The system's, where it has no source of randomness.
pub fn random_seed() -> io::Result<u64> {
    let mut seed = [0; 8];
    let mut filled = 0;
    while let Some(rest) = seed.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match getrandom(rest, GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(u64::from_le_bytes(seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_tells_a_time_of_this_age() {
        let start_of_2024 = 1_704_067_200_000_000_000;
        assert!(SystemClock.now() > Timestamp(start_of_2024));
    }

    #[test]
    fn seeds_differ() {
        assert_ne!(random_seed().unwrap(), random_seed().unwrap());
    }
}
