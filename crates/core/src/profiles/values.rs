//! What the fields of a profile may hold.

use time::OffsetDateTime;
use time::macros::format_description;

use crate::time::Timestamp;

/// Longest bio, in characters.
const LONGEST_BIO: usize = 2_000;
/// Longest telephone number as typed, in characters (the contract's).
const LONGEST_PHONE: usize = 20;
/// What a telephone number has of digits: E.164 §6 allows 15; shorter than 7 reaches nobody.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Why a value cannot stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueProblem {
    /// More characters than it may have.
    TooLong {
        /// How many it may have.
        most: usize,
    },
    /// Control characters, or ones that turn the direction of the text around them.
    Unprintable,
    /// No telephone number.
    NotAPhone,
    /// Not `YYYY-MM-DD`, or no day of any calendar.
    NotADate,
    /// A day that is still to come.
    InTheFuture,
}

/// One line of text of at most `MOST` characters, without outer blanks; may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<const MOST: usize>(String);

/// A whole name.
pub type FullName = Line<255>;

impl<const MOST: usize> Line<MOST> {
    /// Reads a line.
    pub fn parse(text: &str) -> Result<Self, ValueProblem> {
        let text = text.trim();
        if text.chars().any(disturbs) {
            return Err(ValueProblem::Unprintable);
        }
        bounded(text, MOST).map(|text| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A few words about oneself, in several lines perhaps; may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bio(String);

impl Bio {
    /// Reads a bio; every kind of line end becomes `\n`.
    pub fn parse(text: &str) -> Result<Self, ValueProblem> {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let text = text.trim();
        if text.chars().any(|c| disturbs(c) && c != '\n' && c != '\t') {
            return Err(ValueProblem::Unprintable);
        }
        bounded(text, LONGEST_BIO).map(|text| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A telephone number as somebody typed it; may be empty. It is shown and proves nothing: what
/// signs in is an [`accounts::Phone`](crate::accounts::Phone).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactPhone(String);

impl ContactPhone {
    /// Reads a number: digits with the usual marks between them, a `+` at most in front.
    pub fn parse(text: &str) -> Result<Self, ValueProblem> {
        let text = bounded(text.trim(), LONGEST_PHONE)?;
        let rest = text.strip_prefix('+').unwrap_or(text);
        let digits = rest.chars().filter(char::is_ascii_digit).count();
        let is_usual = |c: char| c.is_ascii_digit() || " -.()/".contains(c);
        if text.is_empty() || (rest.chars().all(is_usual) && PHONE_DIGITS.contains(&digits)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ValueProblem::NotAPhone)
        }
    }

    /// The number as typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A day of birth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BirthDate(String);

impl BirthDate {
    /// Reads `YYYY-MM-DD`: a day that exists, and not one after `now`'s.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, ValueProblem> {
        let text = text.trim();
        let form = format_description!("[year]-[month]-[day]");
        let date = time::Date::parse(text, form).ok().filter(|_| text.len() == 10);
        let date = date.ok_or(ValueProblem::NotADate)?;
        let today = OffsetDateTime::from_unix_timestamp(now.seconds()).map(OffsetDateTime::date);
        if today.is_ok_and(|today| date > today) {
            return Err(ValueProblem::InTheFuture);
        }
        Ok(Self(text.to_owned()))
    }

    /// `YYYY-MM-DD`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn bounded(text: &str, most: usize) -> Result<&str, ValueProblem> {
    // Bytes first: a hostile megabyte is not counted through.
    if text.len() > most * 4 || text.chars().count() > most {
        return Err(ValueProblem::TooLong { most });
    }
    Ok(text)
}

/// Whether a character does something to the text around it: controls, line and paragraph
/// separators, and the marks by which text is shown in another order than it is stored.
fn disturbs(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_in_characters_and_printable() {
        assert_eq!(Line::<3>::parse("  äöü ").unwrap().as_str(), "äöü");
        assert_eq!(Line::<3>::parse("").unwrap().as_str(), "");
        assert_eq!(Line::<3>::parse("abcd"), Err(ValueProblem::TooLong { most: 3 }));
        assert_eq!(Line::<3>::parse("\u{1f600}\u{1f600}\u{1f600}").unwrap().as_str().len(), 12);
        for bad in ["a\0b", "a\nb", "a\u{7f}b", "a\u{202e}b", "a\u{2028}b", "a\u{85}b"] {
            assert_eq!(Line::<50>::parse(bad), Err(ValueProblem::Unprintable), "{bad:?}");
        }
    }

    #[test]
    fn a_bio_has_lines_of_one_kind() {
        assert_eq!(Bio::parse("a\r\nb\rc\td\n").unwrap().as_str(), "a\nb\nc\td");
        assert_eq!(Bio::parse("a\0"), Err(ValueProblem::Unprintable));
        assert!(Bio::parse(&"x".repeat(2_000)).is_ok());
        assert_eq!(Bio::parse(&"x".repeat(2_001)), Err(ValueProblem::TooLong { most: 2_000 }));
    }

    #[test]
    fn numbers_are_digits_with_the_usual_marks() {
        for good in ["", "+49 30 123456", "(030) 123-456", "030/123.4567", "5550100"] {
            assert!(ContactPhone::parse(good).is_ok(), "{good}");
        }
        for bad in ["123456", "12+3456789", "call me", "+", "0123456789012345", "１２３４５６７８"]
        {
            assert_eq!(ContactPhone::parse(bad), Err(ValueProblem::NotAPhone), "{bad}");
        }
        let long = ContactPhone::parse("+49 30 1234 5678 - 9 - 0");
        assert_eq!(long, Err(ValueProblem::TooLong { most: 20 }));
    }

    #[test]
    fn dates_exist_and_are_not_to_come() {
        let now = Timestamp::from_micros(1_000_000_000_000_000); // 2001-09-09
        assert_eq!(BirthDate::parse("2001-09-09", now).unwrap().as_str(), "2001-09-09");
        assert!(BirthDate::parse("2000-02-29", now).is_ok());
        assert_eq!(BirthDate::parse("2001-09-10", now), Err(ValueProblem::InTheFuture));
        for bad in [
            "1999-02-29",
            "1999-13-01",
            "99-01-01",
            "+1999-01-1",
            "1999-1-1",
            "1999-01-01T",
            "x",
            "-199-01-01",
        ] {
            assert_eq!(BirthDate::parse(bad, now), Err(ValueProblem::NotADate), "{bad}");
        }
    }
}
