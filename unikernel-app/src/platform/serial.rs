//! The console: the serial port COM1, only written to.

use super::port::Port;
use core::fmt;

// SAFETY: the registers of a UART.
const DATA: Port = unsafe { Port::new(0x3f8) };
// SAFETY: as above.
const INTERRUPTS: Port = unsafe { Port::new(0x3f9) };
// SAFETY: as above.
const FIFO: Port = unsafe { Port::new(0x3fa) };
// SAFETY: as above.
const LINE: Port = unsafe { Port::new(0x3fb) };
// SAFETY: as above.
const STATUS: Port = unsafe { Port::new(0x3fd) };

const READY: u8 = 1 << 5;

/// The port has no state of its own here, so that a panic can print in the middle of anything.
pub(crate) struct Serial;

impl Serial {
    /// 115,200 baud, 8 bits, no parity, 1 stop bit; no interrupts, with FIFO.
    pub(crate) fn start() {
        INTERRUPTS.write8(0);
        LINE.write8(0x80); // the next two bytes are the divisor
        DATA.write8(1);
        INTERRUPTS.write8(0);
        LINE.write8(0x03);
        FIFO.write8(0xc7);
    }

    fn byte(byte: u8) {
        // Bounded: a port that never gets ready must not hang the boot. At 115,200 baud a byte
        // leaves in 87 us, which is less than this many port reads take anywhere.
        for _ in 0..100_000 {
            if STATUS.read8() & READY != 0 {
                break;
            }
        }
        DATA.write8(byte);
    }
}

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                Self::byte(b'\r');
            }
            Self::byte(byte);
        }
        Ok(())
    }
}

/// `println!` to the console.
macro_rules! println {
    ($($arg:tt)*) => {{
        use core::fmt::Write as _;
        // Writing to the port always succeeds; a `Display` that fails cuts its own line short.
        let _ = writeln!($crate::platform::serial::Serial, $($arg)*);
    }};
}
pub(crate) use println;
