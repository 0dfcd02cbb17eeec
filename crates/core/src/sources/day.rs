//! Days as analytics count them: UTC, from midnight to midnight.

use std::fmt;

use ::time::Date;
use ::time::format_description::BorrowedFormatItem;
use ::time::macros::format_description;

use crate::time::Timestamp;

const ISO: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
/// The Julian day of 1970-01-01.
const EPOCH: i64 = 2_440_588;
const SECONDS: i64 = 86_400;

/// A day of the calendar in UTC, as days since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub(super) i64);

impl Day {
    /// The day a moment lies in.
    #[must_use]
    pub const fn of(moment: Timestamp) -> Self {
        Self(moment.seconds().div_euclid(SECONDS))
    }

    /// Reads `2026-07-01` (ISO 8601), years 1970 to 9999.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let date = Date::parse(text, ISO).ok().filter(|_| text.len() == 10)?;
        let day = i64::from(date.to_julian_day()) - EPOCH;
        (day >= 0).then_some(Self(day))
    }

    /// The day so many days later, or earlier.
    #[must_use]
    pub const fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// Its first moment.
    #[must_use]
    pub const fn begins_at(self) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_mul(SECONDS * 1_000_000))
    }
}

/// As [`Day::parse`] reads it.
impl fmt::Display for Day {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let julian = self.0.saturating_add(EPOCH).try_into().unwrap_or(i32::MAX);
        let date = Date::from_julian_day(julian).ok();
        out.write_str(&date.and_then(|date| date.format(ISO).ok()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_as_they_are_read() {
        for text in ["1970-01-01", "2024-02-29", "2026-12-31", "9999-12-31"] {
            assert_eq!(Day::parse(text).unwrap().to_string(), text);
        }
        let day = Day::parse("2026-07-01").unwrap();
        assert_eq!(Day::of(day.begins_at()), day);
        assert_eq!(Day::of(Timestamp::from_micros(day.begins_at().micros() - 1)), day.plus(-1));
        for text in [
            "",
            "2026-7-1",
            "2026-02-30",
            "01.07.2026",
            "2026-07-01T00:00:00Z",
            "-026-07-01",
            "1969-12-31",
            "+2026-07-01",
            "20260-7-01",
        ] {
            assert_eq!(Day::parse(text), None, "{text:?}");
        }
    }
}
