//! Which countries' numbers may be written to (attack B22).

use std::collections::{HashMap, HashSet};

use crate::settings::{Mistake, SmsSettings};

/// Countries and the beginnings of their numbers.
const CALLING_CODES: &str = include_str!("calling_codes.txt");
/// No beginning in the table has more digits.
const LONGEST_BEGINNING: usize = 7;
/// Stands in the table for numbers of no country, which nobody may write to.
const NOWHERE: &str = "--";
/// Stands in the settings for every country.
const EVERYWHERE: &str = "*";

/// The countries an operator allows.
pub(super) struct Countries {
    /// Beginning of a number, without `+`, to country.
    beginnings: HashMap<&'static str, &'static str>,
    allowed: HashSet<&'static str>,
}

impl Countries {
    /// Reads the allow-list; names what is no country of ours.
    pub(super) fn read(settings: &SmsSettings, development: bool) -> Result<Self, Mistake> {
        let beginnings: HashMap<_, _> = CALLING_CODES.lines().flat_map(beginnings).collect();
        let known: HashSet<_> = beginnings.values().copied().filter(|it| *it != NOWHERE).collect();
        let mut allowed = HashSet::new();
        for wish in &settings.countries {
            match known.get(wish.trim().to_ascii_uppercase().as_str()) {
                Some(country) => drop(allowed.insert(*country)),
                None if wish == EVERYWHERE && development => allowed.clone_from(&known),
                None => return Err(mistake(wish)),
            }
        }
        Ok(Self { beginnings, allowed })
    }

    /// Whether a number (E.164) may be written to.
    pub(super) fn allow(&self, number: &str) -> bool {
        self.country_of(number).is_some_and(|country| self.allowed.contains(country))
    }

    /// Whose number it is: the longest beginning that fits decides.
    fn country_of(&self, number: &str) -> Option<&'static str> {
        let digits = number.strip_prefix('+')?;
        let found = (1..=LONGEST_BEGINNING)
            .rev()
            .find_map(|length| self.beginnings.get(digits.get(..length)?).copied());
        found.filter(|country| *country != NOWHERE)
    }
}

/// The beginnings on a line of the table, each with the line's country.
fn beginnings(line: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut words = line.split_ascii_whitespace();
    let country = words.next().filter(|word| !word.starts_with('#'));
    country.into_iter().flat_map(move |country| words.clone().map(move |it| (it, country)))
}

fn mistake(wish: &str) -> Mistake {
    let sentence = if wish == EVERYWHERE {
        "* is for development: name the countries you want to pay SMS to, e.g. [\"DE\", \"AT\"]"
            .to_owned()
    } else {
        format!("{wish:?} is no country; give ISO 3166-1 codes of two letters, e.g. \"DE\"")
    };
    Mistake { key: "sms.countries".into(), sentence }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowing(countries: &[&str]) -> Countries {
        let countries = countries.iter().map(|it| (*it).to_owned()).collect();
        let settings = SmsSettings { countries, ..SmsSettings::default() };
        Countries::read(&settings, false).map_err(|mistake| mistake.sentence).unwrap()
    }

    #[test]
    fn the_table_is_sound() {
        let mut seen = HashSet::new();
        for (beginning, country) in CALLING_CODES.lines().flat_map(beginnings) {
            assert!(seen.insert(beginning), "{beginning} twice");
            assert!(beginning.len() <= LONGEST_BEGINNING, "{beginning}");
            assert!(beginning.bytes().all(|byte| byte.is_ascii_digit()), "{beginning}");
            let is_code = country.len() == 2 && country.bytes().all(|it| it.is_ascii_uppercase());
            assert!(is_code || country == NOWHERE, "{country}");
        }
    }

    #[test]
    fn numbers_belong_to_the_country_of_their_longest_beginning() {
        let countries = allowing(&[]);
        for (number, country) in [
            ("+491701234567", Some("DE")),
            ("+12125550123", Some("US")),
            ("+14165550123", Some("CA")),
            ("+18765550123", Some("JM")),
            ("+16585550123", Some("JM")),
            ("+18095550123", Some("DO")),
            ("+12425550123", Some("BS")),
            ("+17875550123", Some("PR")),
            ("+19005550123", None),
            ("+15005550006", None),
            ("+18885550123", None),
            ("+12115550123", None),
            ("+11235550123", None),
            ("+447700900123", Some("GB")),
            ("+447797123456", Some("JE")),
            ("+447624123456", Some("IM")),
            ("+447012345678", None),
            ("+4990012345678", None),
            ("+491371234567", None),
            ("+4317012345678", Some("AT")),
            ("+43900123456", None),
            ("+33899123456", None),
            ("+77011234567", Some("KZ")),
            ("+79161234567", Some("RU")),
            ("+3906698123456", Some("VA")),
            ("+393331234567", Some("IT")),
            ("+881612345678", None),
            ("+882161234567", None),
            ("+979123456789", None),
            ("+00123456789", None),
            ("491701234567", None),
            ("", None),
        ] {
            assert_eq!(countries.country_of(number), country, "{number}");
        }
    }

    #[test]
    fn b22_only_named_countries_are_allowed() {
        let none = allowing(&[]);
        assert!(!none.allow("+491701234567"));
        let some = allowing(&["us", "DE "]);
        for (number, allowed) in [
            ("+491701234567", true),
            ("+12125550123", true),
            ("+14165550123", false),
            ("+18765550123", false),
            ("+19005550123", false),
            ("+431701234567", false),
        ] {
            assert_eq!(some.allow(number), allowed, "{number}");
        }
    }

    #[test]
    fn what_is_no_country_is_named() {
        for wish in ["Germany", "+49", "ZZ", "--", "", "*"] {
            let settings =
                SmsSettings { countries: vec![wish.to_owned()], ..SmsSettings::default() };
            let mistake = Countries::read(&settings, false).err().unwrap();
            assert_eq!(mistake.key, "sms.countries", "{wish}");
        }
        let settings = SmsSettings { countries: vec!["*".to_owned()], ..SmsSettings::default() };
        let everywhere = Countries::read(&settings, true).ok().unwrap();
        assert!(everywhere.allow("+18765550123") && !everywhere.allow("+19005550123"));
    }
}
