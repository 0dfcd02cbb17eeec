//! What a message says: the name of its template, and the variables the template may use.
//!
//! Names and devices are other people's text. They are variables, never templates; what could
//! change the look of a mail is taken out of them, and nothing in them can become a link
//! (attack B16), not even where a mail program makes links of plain text by itself.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

use super::Message;
use crate::time::Timestamp;

/// How moments are written in mails. The reader's time zone is not known.
const MOMENT: StaticFormatDescription =
    format_description!("[day padding:none] [month repr:long] [year] at [hour]:[minute] UTC");

/// The most characters of other people's text that a mail repeats.
const LONGEST_NAME: usize = 150;

impl Message {
    /// The name of its template, as stored.
    pub(super) const fn template(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify_email",
            Self::AlreadyRegistered { .. } => "already_registered",
            Self::SignInCode { .. } => "sign_in_code",
            Self::SignUpCode { .. } => "sign_up_code",
            Self::ResetPassword { .. } => "reset_password",
            Self::Welcome { .. } => "welcome",
            Self::PasswordChanged { .. } => "password_changed",
            Self::NewDevice { .. } => "new_device",
            Self::NewNetwork { .. } => "new_network",
            Self::TokenTheft { .. } => "token_theft",
            Self::AccountClosed { .. } => "account_closed",
            Self::SecondFactorAdded { .. } => "second_factor_added",
            Self::SecondFactorRemoved { .. } => "second_factor_removed",
            Self::SecondFactorMissing { .. } => "second_factor_missing",
            Self::RecoveryCodesReplaced { .. } => "recovery_codes_replaced",
            Self::ChangeEmail { .. } => "change_email",
            Self::EmailChanged { .. } => "email_changed",
            Self::NewEmail { .. } => "new_email",
            Self::ChangePhone { .. } => "change_phone",
            Self::PhoneChanged { .. } => "phone_changed",
            Self::ChangeUndone { .. } => "change_undone",
            Self::AddressTakenBack { .. } => "address_taken_back",
            Self::RecoveryCodeUsed { .. } => "recovery_code_used",
            Self::IdentityConnected { .. } => "identity_connected",
            Self::IdentityRemoved { .. } => "identity_removed",
        }
    }

    /// What its template may use. Times are put into words here, so that a mail held up by an
    /// outage still says what was true when it was queued.
    pub(super) fn variables(&self, now: Timestamp, expires_at: Timestamp) -> Value {
        match self {
            Self::VerifyEmail { link }
            | Self::ChangeEmail { link }
            | Self::ChangeUndone { link } => json!({
                "link": link,
                "valid_for": span(now, expires_at),
                "valid_until": moment(expires_at),
            }),
            Self::ResetPassword { link, name } => json!({
                "link": link,
                "name": name.as_deref().map(harmless),
                "valid_for": span(now, expires_at),
                "valid_until": moment(expires_at),
            }),
            Self::SignInCode { code, link } => json!({
                "code": code,
                "link": link,
                "valid_for": span(now, expires_at),
                "valid_until": moment(expires_at),
            }),
            Self::ChangePhone { code } => json!({ "code": code }),
            Self::SignUpCode { code } => json!({
                "code": code,
                "valid_for": span(now, expires_at),
                "valid_until": moment(expires_at),
            }),
            Self::AlreadyRegistered { reset_link_page } => json!({ "link": reset_link_page }),
            Self::Welcome { name } => json!({ "name": harmless(name) }),
            Self::PasswordChanged { at, from }
            | Self::TokenTheft { at, from }
            | Self::SecondFactorAdded { at, from }
            | Self::SecondFactorRemoved { at, from }
            | Self::SecondFactorMissing { at, from }
            | Self::RecoveryCodesReplaced { at, from }
            | Self::NewEmail { at, from } => {
                json!({ "at": moment(*at), "from": whereabouts(from) })
            }
            Self::EmailChanged { at, from, undo_link }
            | Self::PhoneChanged { at, from, undo_link } => json!({
                "at": moment(*at),
                "from": whereabouts(from),
                "link": undo_link,
                "valid_for": span(now, expires_at),
                "valid_until": moment(expires_at),
            }),
            Self::NewDevice { at, from, device } | Self::NewNetwork { at, from, device } => {
                json!({ "at": moment(*at), "from": whereabouts(from), "device": harmless(device) })
            }
            Self::IdentityConnected { at, from, provider }
            | Self::IdentityRemoved { at, from, provider } => {
                json!({ "at": moment(*at), "from": whereabouts(from), "provider": provider })
            }
            Self::AccountClosed { at } | Self::AddressTakenBack { at } => {
                json!({ "at": moment(*at) })
            }
            Self::RecoveryCodeUsed { at, from, left } => {
                json!({ "at": moment(*at), "from": whereabouts(from), "left": left })
            }
        }
    }

    /// One of each, to try templates on.
    pub(super) fn samples() -> [Self; 27] {
        let at = Timestamp::from_micros(0);
        let link = "https://auth.example.com/page?token=sample".to_owned();
        let from = "192.0.2.1".to_owned();
        let device = "Sample".to_owned();
        [
            Self::VerifyEmail { link: link.clone() },
            Self::AlreadyRegistered { reset_link_page: link.clone() },
            Self::SignInCode { code: "123456".to_owned(), link: None },
            Self::SignInCode { code: "123456".to_owned(), link: Some(link.clone()) },
            Self::SignUpCode { code: "123456".to_owned() },
            Self::ResetPassword { link: link.clone(), name: None },
            Self::ResetPassword { link: link.clone(), name: Some("Sample".to_owned()) },
            Self::ChangeEmail { link: link.clone() },
            Self::EmailChanged { at, from: from.clone(), undo_link: link.clone() },
            Self::NewEmail { at, from: from.clone() },
            Self::ChangePhone { code: "123456".to_owned() },
            Self::PhoneChanged { at, from: from.clone(), undo_link: link.clone() },
            Self::ChangeUndone { link },
            Self::AddressTakenBack { at },
            Self::Welcome { name: "Sample".to_owned() },
            Self::PasswordChanged { at, from: from.clone() },
            Self::NewDevice { at, from: from.clone(), device: device.clone() },
            Self::NewNetwork { at, from: from.clone(), device },
            Self::TokenTheft { at, from: from.clone() },
            Self::AccountClosed { at },
            Self::SecondFactorAdded { at, from: from.clone() },
            Self::SecondFactorRemoved { at, from: from.clone() },
            Self::SecondFactorMissing { at, from: from.clone() },
            Self::RecoveryCodesReplaced { at, from: from.clone() },
            Self::IdentityConnected { at, from: from.clone(), provider: "Sample".to_owned() },
            Self::IdentityRemoved { at, from: from.clone(), provider: "Sample".to_owned() },
            Self::RecoveryCodeUsed { at, from, left: 9 },
        ]
    }
}

/// A moment in words.
fn moment(at: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp(at.seconds())
        .ok()
        .and_then(|at| at.format(MOMENT).ok())
        .unwrap_or_else(|| "an unknown time".to_owned())
}

/// How long something is valid, in the largest unit that fits without a rest worth naming.
fn span(now: Timestamp, until: Timestamp) -> String {
    let minutes = (until.since(now).as_secs() + 30) / 60;
    let (number, unit) = match minutes {
        0..=90 => (minutes.max(1), "minute"),
        91..=2_880 => ((minutes + 30) / 60, "hour"),
        _ => ((minutes + 720) / 1_440, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// A network, which stays as it is so that it can be copied, and what else is said about where
/// somebody is, which is other people's text.
fn whereabouts(from: &str) -> String {
    let (network, rest) = from.split_once(' ').unwrap_or((from, ""));
    if !network.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '/')) {
        return harmless(from);
    }
    let rest = harmless(rest);
    if rest.is_empty() { network.to_owned() } else { format!("{network} {rest}") }
}

/// Other people's text on one line, of bounded length, without characters that turn the
/// reading direction round, and with a break nobody sees (U+200B) wherever a mail program
/// would otherwise see an address or a link.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars().take(LONGEST_NAME) {
        match character {
            '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}' => {}
            c if c.is_control() => safe.push(' '),
            '.' | ':' | '/' | '@' | '。' | '．' | '｡' => {
                safe.push(character);
                safe.push('\u{200B}');
            }
            c => safe.push(c),
        }
    }
    safe.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{days, hours, minutes};

    #[test]
    fn other_peoples_text_stays_on_one_line_and_holds_no_link() {
        let text = harmless("https://evil.example\r\nClick: \u{202E}www.evil.example, a@b.c");
        assert!(!text.contains(['\r', '\n', '\u{202E}']));
        for link in ["https:/", "evil.e", "www.e", "a@b"] {
            assert!(!text.contains(link), "{link} in {text:?}");
        }
        assert_eq!(
            text.replace('\u{200B}', ""),
            "https://evil.example  Click: www.evil.example, a@b.c"
        );
        assert!(harmless(&"a".repeat(5_000)).len() <= LONGEST_NAME);
    }

    #[test]
    fn networks_are_left_as_they_are() {
        assert_eq!(whereabouts("192.0.2.1"), "192.0.2.1");
        assert_eq!(whereabouts("2001:db8::/64 (curl)"), "2001:db8::/64 (curl)");
        assert_eq!(whereabouts("192.0.2.1 (evil.example)"), "192.0.2.1 (evil.\u{200B}example)");
        assert_ne!(whereabouts("evil.example"), "evil.example");
    }

    #[test]
    fn spans_are_said_in_one_unit() {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let cases = [
            (minutes(10), "10 minutes"),
            (hours(1), "60 minutes"),
            (hours(24), "24 hours"),
            (days(3), "3 days"),
            (minutes(0), "1 minute"),
        ];
        for (length, words) in cases {
            assert_eq!(span(now, now.plus(length)), words);
        }
    }

    #[test]
    fn moments_are_said_in_utc() {
        assert_eq!(
            moment(Timestamp::from_micros(1_795_220_580_000_000)),
            "21 November 2026 at 00:23 UTC"
        );
    }
}
