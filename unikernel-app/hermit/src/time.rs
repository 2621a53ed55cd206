//! The time, and randomness.

use nerite::{Clock, Timestamp};
use std::arch::x86_64::{_rdrand64_step, _rdtsc};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

/// The kernel's clock: the time of the day.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// The time now. A clock set before 1970 reads as 1970, one set after 2554 as 2554.
    fn now(&self) -> Timestamp {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// 64 bits that no other boot has, as [`nerite::CreateOptions::new`] and
/// [`nerite::OpenOptions::new`] need them. Not for secrets.
///
/// The kernel has random numbers only where the CPU has RDSEED, and says nothing where it has not. So
/// RDRAND is stirred in, the time, and the CPU's counter.
#[must_use]
pub fn random_seed() -> u64 {
    // Its keys are what the kernel calls random.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(SystemClock.now().0);
    for _ in 0..16 {
        std::thread::yield_now();
        // SAFETY: the kernel does not forbid the instruction.
        hasher.write_u64(unsafe { _rdtsc() });
        if is_x86_feature_detected!("rdrand") {
            // SAFETY: the CPU has the instruction.
            hasher.write_u64(unsafe { rdrand() });
        }
    }
    hasher.finish()
}

/// 0 if the generator is drained, which adds nothing.
#[target_feature(enable = "rdrand")]
fn rdrand() -> u64 {
    let mut value = 0;
    _rdrand64_step(&mut value);
    value
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
        assert_ne!(random_seed(), random_seed());
    }
}
