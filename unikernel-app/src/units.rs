//! Numbers as the image prints them.

use core::fmt;
use core::time::Duration;

/// Bytes, in the largest unit that keeps two digits.
#[derive(Clone, Copy, Debug)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 10 << 20 => write!(f, "{} MiB", bytes >> 20),
            bytes if bytes >= 10 << 10 => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// A duration in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Ms(pub Duration);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{} ms", micros / 1_000, micros / 100 % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn numbers_are_short() {
        let sizes = [10_239, 10_240, (10 << 20) - 1, 10 << 20].map(|size| Size(size).to_string());
        assert_eq!(sizes, ["10239 bytes", "10 KiB", "10239 KiB", "10 MiB"]);
        assert_eq!(Ms(Duration::from_micros(1_049)).to_string(), "1.0 ms");
    }
}
