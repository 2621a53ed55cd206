//! Times in RFC 3339, in and out.

use nerite::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Parses a time in RFC 3339; `T` may be a space, and `Z` may be left out.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    let time = humantime::parse_rfc3339_weak(text)
        .map_err(|_| "expected a time in UTC as 2026-01-02T03:04:05Z".to_owned())?;
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| "it is before 1970".to_owned())?;
    let nanos = u64::try_from(since.as_nanos()).map_err(|_| "it is after 2554".to_owned())?;
    Ok(Timestamp(nanos))
}

/// A time to the nanosecond.
pub(crate) fn shown(time: Timestamp) -> String {
    humantime::format_rfc3339_nanos(system_time(time)).to_string()
}

/// 64 bits of nanoseconds end in 2554, well within what `SystemTime` and RFC 3339 can hold.
pub(crate) fn system_time(time: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(time.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_from_1970_to_2554() {
        assert_eq!(parse("1970-01-01T00:00:01Z"), Ok(Timestamp(1_000_000_000)));
        assert_eq!(parse("1970-01-01 00:00:00.000000007"), Ok(Timestamp(7)));
        for text in ["", "now", "2026", "2026-13-01T00:00:00Z", "1969-12-31T00:00:00Z"] {
            assert!(parse(text).is_err(), "{text}");
        }
        for nanos in [0, 7, 1_767_323_045_000_000_006, u64::MAX] {
            assert_eq!(parse(&shown(Timestamp(nanos))), Ok(Timestamp(nanos)));
        }
        assert!(parse("2555-01-01T00:00:00Z").is_err());
    }
}
