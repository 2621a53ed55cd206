//! The numbers of lumps, in and out.

use nerite::LumpId;

/// Parses a number below 2^128: decimal, or hexadecimal behind `0x`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(text: &str) -> Result<LumpId, String> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    // `from_str_radix` takes a sign as well.
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err("expected a number, decimal or hexadecimal as 0x2a".into());
    }
    u128::from_str_radix(digits, radix)
        .map(LumpId)
        .map_err(|_| "it is too large: numbers have 128 bits".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_range_is_taken_in_both_forms() {
        assert_eq!(parse("0"), Ok(LumpId(0)));
        assert_eq!(parse("42"), parse("0x2A"));
        assert_eq!(parse(&u128::MAX.to_string()), Ok(LumpId(u128::MAX)));
        assert_eq!(parse(&format!("0x{}", LumpId(u128::MAX))), Ok(LumpId(u128::MAX)));
        assert_eq!(parse("0x00000000000000000000000000000000002a"), Ok(LumpId(42)));
    }

    #[test]
    fn nonsense_is_refused() {
        let more = "340282366920938463463374607431768211456";
        for text in ["", "0x", "-1", "+1", "a", "1.0", "0X1", "1_0", "0x-1", more] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
