//! The programmable interval timer, to measure the speed of the CPU's counter. Only its channel 0
//! is used: microvm has no port to gate channel 2 with.

use super::port::Port;
use super::tsc::ticks;

// SAFETY: the timer's registers; it raises interrupts, which are off.
const CHANNEL_0: Port = unsafe { Port::new(0x40) };
// SAFETY: as above.
const COMMAND: Port = unsafe { Port::new(0x43) };

const HZ: u64 = 1_193_182;
/// About a millisecond: reading the timer is exact to some microseconds.
const INTERVAL: u16 = 1_193;
/// More reads than fit in the interval anywhere: the timer does not run.
const PATIENCE: u32 = 100_000;

/// What the timer counts down; it wraps after 55 ms.
pub(crate) fn count() -> u16 {
    COMMAND.write8(0x00); // latch channel 0
    u16::from_le_bytes([CHANNEL_0.read8(), CHANNEL_0.read8()])
}

/// Ticks of the CPU's counter in a second; `None` if there is no timer.
pub(crate) fn measure_hz() -> Option<u64> {
    COMMAND.write8(0x34); // channel 0, low byte then high byte, count down again and again
    CHANNEL_0.write8(0);
    CHANNEL_0.write8(0);
    // A host that stops the guest between two readings makes the CPU look fast, never slow.
    (0..2).filter_map(|_| measure_once()).min()
}

fn measure_once() -> Option<u64> {
    let (start, start_ticks) = reading();
    for _ in 0..PATIENCE {
        if start.wrapping_sub(count()) >= INTERVAL {
            let (end, end_ticks) = reading();
            let passed = u64::from(start.wrapping_sub(end));
            return (end_ticks - start_ticks).checked_mul(HZ)?.checked_div(passed);
        }
    }
    None
}

/// The count, and what [`ticks`] was at that moment: the closest pair of a few.
fn reading() -> (u16, u64) {
    let mut best = (u64::MAX, 0, 0);
    for _ in 0..4 {
        let before = ticks();
        let count = count();
        let took = ticks() - before;
        if took < best.0 {
            best = (took, count, before + took / 2);
        }
    }
    (best.1, best.2)
}
