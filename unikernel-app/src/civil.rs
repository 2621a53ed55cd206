//! Dates of the Gregorian calendar, in UTC.

use core::fmt;

/// Days from 1970-01-01 to a date. `month` counts from 1; it and `day` may be out of their range,
/// which gives some date.
#[must_use]
pub fn days(year: u32, month: u32, day: u32) -> u64 {
    // March is the first month of this year, so that the leap day is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.max(1) - 1, month + 9) };
    let (year, month, day) = (u64::from(year), u64::from(month), u64::from(day));
    let leap_days = year / 4 - year / 100 + year / 400;
    (year * 365 + leap_days + (month * 153 + 2) / 5 + day).saturating_sub(719_469)
}

/// Seconds since 1970, printed as RFC 3339 does: `2026-11-22T01:31:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rfc3339(pub u64);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS_IN_400_YEARS: u64 = 146_097;
        // Days since 0000-03-01: the inverse of `days`.
        let day = self.0 / 86_400 + 719_468;
        let (era, day) = (day / DAYS_IN_400_YEARS, day % DAYS_IN_400_YEARS);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let year = era * 400 + year + u64::from(month >= 10);
        let month = if month < 10 { month + 3 } else { month - 9 };
        let (hour, minute, second) = (self.0 / 3_600 % 24, self.0 / 60 % 60, self.0 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn known_days() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(1970, 3, 1), 59);
        assert_eq!(days(2000, 2, 29), 11_016);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(2026, 11, 22), 20_779);
        assert_eq!(days(0, 0, 0), 0, "nonsense gives some date");
    }

    #[test]
    fn known_times() {
        assert_eq!(Rfc3339(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Rfc3339(951_868_799).to_string(), "2000-02-29T23:59:59Z");
        assert_eq!(Rfc3339(1_795_311_060).to_string(), "2026-11-22T01:31:00Z");
    }

    #[test]
    fn printing_inverts_days_across_400_years() {
        let mut number = days(1999, 12, 31);
        for year in 2000..2401 {
            for month in 1..=12 {
                let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                let last = match month {
                    2 => 28 + u32::from(leap),
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                };
                for day in 1..=last {
                    number += 1;
                    assert_eq!(days(year, month, day), number);
                    let printed = Rfc3339(number * 86_400).to_string();
                    assert_eq!(printed, format!("{year:04}-{month:02}-{day:02}T00:00:00Z"));
                }
            }
        }
    }
}
