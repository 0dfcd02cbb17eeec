//! Phone numbers: as typed, and in the one form that makes them equal.

/// A number that passed the checks of its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    typed: String,
    key: String,
}

/// Why a text is not a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneProblem {
    /// Letters, or signs that no number has.
    Malformed,
    /// Fewer than the ten digits that the contract asks for, country code included.
    TooShort,
    /// More than fifteen digits (ITU-T E.164 §6.2.1).
    TooLong,
}

/// What people write between digits.
const SEPARATORS: [char; 5] = [' ', '-', '.', '(', ')'];

impl Phone {
    /// Reads a number in international form; `+` or `00` before the country code may be missing.
    pub fn parse(text: &str) -> Result<Self, PhoneProblem> {
        let typed = text.trim();
        let rest = typed.strip_prefix('+').or_else(|| typed.strip_prefix("00")).unwrap_or(typed);
        if typed.len() > 64 || !rest.chars().all(|c| c.is_ascii_digit() || SEPARATORS.contains(&c))
        {
            return Err(PhoneProblem::Malformed);
        }
        let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
        match digits.len() {
            ..10 => Err(PhoneProblem::TooShort),
            10..=15 if digits.starts_with('0') => Err(PhoneProblem::Malformed),
            10..=15 => Ok(Self { typed: typed.to_owned(), key: format!("+{digits}") }),
            16.. => Err(PhoneProblem::TooLong),
        }
    }

    /// The number as typed.
    #[must_use]
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    /// The canonical form (E.164 with `+`): what is unique, and where SMS goes.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_number_share_a_key() {
        for typed in ["+49 (170) 123-4567", "0049 170 1234567", " 491701234567 ", "+49.170.1234567"]
        {
            assert_eq!(Phone::parse(typed).map(|phone| phone.key), Ok("+491701234567".to_owned()));
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        use PhoneProblem::{Malformed, TooLong, TooShort};
        for (text, problem) in [
            ("", TooShort),
            ("12345", TooShort),
            ("+1234567890123456", TooLong),
            ("+49170123456x", Malformed),
            ("ada@example.com", Malformed),
            ("+4917012345\n67", Malformed),
            ("0170 1234567", Malformed),
            ("++491701234567", Malformed),
            ("٤٩١٧٠١٢٣٤٥٦٧", Malformed),
        ] {
            assert_eq!(Phone::parse(text), Err(problem), "{text:?}");
        }
    }
}
