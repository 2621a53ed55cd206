//! Arguments that many commands have, and how they are read.

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use nerite::{Key, Timestamp};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

/// Of every command.
#[derive(Args, Debug)]
pub(crate) struct Image {
    /// The image: a file, or a block device
    #[arg(value_name = "IMG")]
    pub(crate) image: PathBuf,
}

/// Any bytes, and not only text: what the shell hands over is the key.
pub(super) fn key_parser() -> impl TypedValueParser<Value = Key> {
    OsStringValueParser::new().try_map(|text| {
        if text.is_empty() {
            // In a script this is a variable that was not set, and `rm` of the root removes all.
            return Err("it is empty; the root is /".to_owned());
        }
        Key::new(text.as_bytes()).map_err(|error| error.to_string())
    })
}

/// Parses a time in RFC 3339; `T` may be a space, and `Z` may be left out.
pub(super) fn parse_time(text: &str) -> Result<Timestamp, String> {
    let time = humantime::parse_rfc3339_weak(text)
        .map_err(|_| "expected a time in UTC as 2026-01-02T03:04:05Z".to_owned())?;
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| "it is before 1970".to_owned())?;
    let nanos = u64::try_from(since.as_nanos()).map_err(|_| "it is after 2554".to_owned())?;
    Ok(Timestamp(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_from_1970_to_2554() {
        assert_eq!(parse_time("1970-01-01T00:00:01Z"), Ok(Timestamp(1_000_000_000)));
        assert_eq!(parse_time("1970-01-01 00:00:00.000000007"), Ok(Timestamp(7)));
        for text in ["", "now", "2026", "2026-13-01T00:00:00Z", "1969-12-31T00:00:00Z"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
        assert!(parse_time("2555-01-01T00:00:00Z").is_err());
    }
}
