//! The battery-backed clock of a PC.

use super::port::Port;
use nerite_unikernel::civil::days;

// SAFETY: it selects the register that `DATA` shows, and masks the NMI.
const INDEX: Port = unsafe { Port::new(0x70) };
// SAFETY: the registers of the clock; nothing there makes it access memory.
const DATA: Port = unsafe { Port::new(0x71) };

const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;
const UPDATING: u8 = 1 << 7;
const BINARY: u8 = 1 << 2;
const FULL_DAY: u8 = 1 << 1;
const AFTERNOON: u8 = 1 << 7;

fn read(register: u8) -> u8 {
    INDEX.write8(register);
    DATA.read8()
}

/// Seconds since 1970; `None` if the machine has no such clock, or it does not run.
pub(crate) fn seconds() -> Option<u64> {
    if read(STATUS_A) == 0xff {
        return None; // nothing answers at this port
    }
    // A reading while the clock counts up is a mixture: take one that comes twice.
    let mut before = registers();
    for _ in 0..100 {
        let after = registers();
        if read(STATUS_A) & UPDATING == 0 && before == after {
            return Some(unix_time(after, read(STATUS_B)));
        }
        before = after;
    }
    None
}

/// Second, minute, hour, day, month, year of the century.
fn registers() -> [u8; 6] {
    [0x00, 0x02, 0x04, 0x07, 0x08, 0x09].map(read)
}

fn unix_time(registers: [u8; 6], format: u8) -> u64 {
    let number = |value: u8| {
        u64::from(if format & BINARY != 0 { value } else { (value >> 4) * 10 + (value & 0xf) })
    };
    let [second, minute, hour, day, month, year] = registers;
    let hour = match (format & FULL_DAY != 0, hour & AFTERNOON != 0) {
        (true, _) => number(hour),
        (false, false) => number(hour) % 12,
        (false, true) => number(hour & !AFTERNOON) % 12 + 12,
    };
    // The century has no fixed register. This code was written in this one.
    let days = days(2000 + number(year) as u32, number(month) as u32, number(day) as u32);
    ((days * 24 + hour) * 60 + number(minute)) * 60 + number(second)
}
