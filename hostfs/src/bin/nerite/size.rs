//! Sizes with units, in and out. Units are binary: `K` and `KiB` are 1,024 bytes.

use std::fmt;

const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/// Parses `64M`, `64MiB` or `67108864`.
///
/// # Errors
/// What is wrong with it, to be shown after the argument.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let power = match unit {
        "" => 0,
        "K" | "k" | "KiB" => 1,
        "M" | "m" | "MiB" => 2,
        "G" | "g" | "GiB" => 3,
        "T" | "t" | "TiB" => 4,
        _ => return Err(EXPECTED.into()),
    };
    if number.is_empty() {
        return Err(EXPECTED.into());
    }
    let number = number.parse::<u64>().ok();
    number.and_then(|number| number.checked_mul(1 << (10 * power))).ok_or("it is too large".into())
}

const EXPECTED: &str = "expected a number of bytes, or one with K, M, G, T, KiB, MiB, GiB or TiB";

/// Parses the size of a block: a power of two from 512 to 65,536.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_block(text: &str) -> Result<u32, String> {
    let size = parse(text)?;
    match u32::try_from(size) {
        Ok(size) if size.is_power_of_two() && (512..=65536).contains(&size) => Ok(size),
        _ => Err("expected a power of two from 512 to 65536".into()),
    }
}

/// A number of bytes: exact, and in a unit where that is shorter.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        write!(f, "{bytes} {}", if bytes == 1 { "byte" } else { "bytes" })?;
        let mut unit = 0;
        while unit + 1 < UNITS.len() && bytes >> (10 * (unit + 1)) > 0 {
            unit += 1;
        }
        if unit == 0 {
            return Ok(());
        }
        let whole = bytes >> (10 * unit);
        let rest = bytes - (whole << (10 * unit));
        // Rounded down, so that nothing is called larger than it is.
        let tenths = (u128::from(rest) * 10) >> (10 * unit);
        match tenths {
            0 => write!(f, " ({whole} {})", UNITS[unit]),
            _ => write!(f, " ({whole}.{tenths} {})", UNITS[unit]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_binary() {
        assert_eq!(parse("0"), Ok(0));
        assert_eq!(parse("512"), Ok(512));
        assert_eq!(parse("64K"), Ok(65_536));
        assert_eq!(parse("64k"), parse("64KiB"));
        assert_eq!(parse("3MiB"), Ok(3 << 20));
        assert_eq!(parse("2G"), Ok(2 << 30));
        assert_eq!(parse("1T"), Ok(1 << 40));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "K", "-1", "1.5M", "64MB", "64 M", "0x10", "1KK", "٣", "16777216T"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("99999999999999999999").is_err());
    }

    #[test]
    fn blocks_are_powers_of_two_within_limits() {
        assert_eq!(parse_block("4K"), Ok(4096));
        assert_eq!(parse_block("65536"), Ok(65_536));
        for text in ["0", "256", "1000", "128K", "8G"] {
            assert!(parse_block(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shown_exactly_and_rounded_down() {
        let shown = |bytes| Bytes(bytes).to_string();
        assert_eq!(shown(0), "0 bytes");
        assert_eq!(shown(1), "1 byte");
        assert_eq!(shown(1023), "1023 bytes");
        assert_eq!(shown(1024), "1024 bytes (1 KiB)");
        assert_eq!(shown(2047), "2047 bytes (1.9 KiB)");
        assert_eq!(shown(64 << 20), "67108864 bytes (64 MiB)");
        assert_eq!(shown(u64::MAX), "18446744073709551615 bytes (16777215.9 TiB)");
    }
}
