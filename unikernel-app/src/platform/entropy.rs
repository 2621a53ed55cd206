//! The random seed that every open of a store needs.
//!
//! A mount stamps what it writes with an epoch made of this seed, and recovery tells by the epoch
//! what the last mount wrote from what an earlier, lost one left behind. Two mounts of one disk that
//! draw the same seed could be taken for each other after a crash, so a constant would be a bug. It
//! need not be secret.

use super::tsc::ticks;
use super::{cmos, pit};
use core::arch::x86_64::{__cpuid, _rdrand64_step};

const HAS_RDRAND: u32 = 1 << 30;

/// 64 bits that no other boot has: from the CPU's generator if it has one, and in any case from its
/// counter, the time of the day, and how long reading a timer takes.
pub(crate) fn seed() -> u64 {
    let mut seed = mix(0, ticks());
    seed = mix(seed, cmos::seconds().unwrap_or(0));
    for _ in 0..16 {
        seed = mix(seed, u64::from(pit::count()));
        seed = mix(seed, ticks());
    }
    if __cpuid(1).ecx & HAS_RDRAND != 0 {
        for _ in 0..4 {
            // SAFETY: the CPU has the instruction.
            seed = mix(seed, unsafe { rdrand() });
        }
    }
    seed
}

/// Stirs `input` in; for one `seed`, different inputs give different results (`SplitMix64`).
fn mix(seed: u64, input: u64) -> u64 {
    let mut z = (seed ^ input).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[target_feature(enable = "rdrand")]
fn rdrand() -> u64 {
    let mut value = 0;
    // The generator may be drained; ten tries are what its maker advises. 0 adds nothing.
    let _ = (0..10).any(|_| _rdrand64_step(&mut value) == 1);
    value
}
