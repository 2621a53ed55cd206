//! The CPU's time stamp counter.

use core::arch::x86_64::_rdtsc;

/// What it is now.
pub(crate) fn ticks() -> u64 {
    // SAFETY: `boot.s` has used the instruction already, and nothing can forbid it in ring 0.
    unsafe { _rdtsc() }
}
