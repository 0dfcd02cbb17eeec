//! Somebody, as a provider tells of them; and as much of it as is believed and kept.

use serde_json::{Map, Value};

use super::exchange::Tokens;
use super::{Desk, Failure, Vouched};
use crate::accounts::Email;

/// Members of a profile that are kept, by their names in OpenID Connect Core §5.1 where it has
/// one. Pictures are addresses that nobody here ever asks (attack H20).
const KEPT: [&str; 10] = [
    "name",
    "given_name",
    "family_name",
    "nickname",
    "preferred_username",
    "login",
    "picture",
    "avatar_url",
    "locale",
    "hd",
];
/// Of one member, in characters.
const LONGEST: usize = 500;
/// Of a name that an account begins with.
const LONGEST_NAME: usize = 150;

/// Somebody, as a provider tells of them.
pub(super) struct Person {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) email: Option<String>,
    pub(super) is_email_verified: bool,
    pub(super) name: Option<String>,
    /// All it told.
    pub(super) told: Map<String, Value>,
}

impl Person {
    /// What standard claims say of somebody (OpenID Connect Core §5.1). Verified is what is
    /// `true`: not the text "true", and not what is missing (attack C02).
    pub(super) fn of_claims(issuer: String, subject: String, claims: Map<String, Value>) -> Self {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            issuer,
            subject,
            email: text("email"),
            is_email_verified: claims.get("email_verified") == Some(&Value::Bool(true)),
            name: text("name"),
            told: claims,
        }
    }

    /// What the rest of the house may believe.
    pub(super) fn vouched(self, desk: &Desk<'_>, tokens: &Tokens) -> Vouched {
        let email = self.email.as_deref().and_then(|text| Email::parse(text).ok());
        let counts = email.as_ref().is_some_and(|email| has_word(desk, email));
        let is_email_verified = self.is_email_verified && counts;
        let mut profile = kept(&self.told);
        if let Some(email) = &email {
            profile.insert("email".to_owned(), email.as_typed().into());
            profile.insert("email_verified".to_owned(), is_email_verified.into());
        }
        Vouched {
            provider: desk.name.to_owned(),
            issuer: self.issuer,
            subject: self.subject,
            email,
            is_email_verified,
            name: self.name.as_deref().and_then(name),
            profile: Value::Object(profile).to_string(),
            tokens: if desk.settings.store_tokens { tokens.kept() } else { None },
        }
    }
}

/// Whether the provider's word counts for this address.
fn has_word(desk: &Desk<'_>, email: &Email) -> bool {
    let domains = &desk.settings.email_domains;
    let (_, domain) = email.key().rsplit_once('@').unwrap_or_default();
    let is_it = |one: &String| idna::domain_to_ascii(one).is_ok_and(|one| one == domain);
    domains.is_empty() || domains.iter().any(is_it)
}

/// One line without control characters, if anything is left.
fn name(text: &str) -> Option<String> {
    let line: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

fn kept(told: &Map<String, Value>) -> Map<String, Value> {
    let is_picture = |name: &str| matches!(name, "picture" | "avatar_url");
    let members = KEPT.iter().filter_map(|name| {
        let text = told.get(*name)?.as_str()?;
        let fits = text.chars().count() <= LONGEST;
        // An address that somebody may show one day: not `javascript:` (attack F03).
        let is_fine = fits && (!is_picture(name) || text.starts_with("https://"));
        is_fine.then(|| ((*name).to_owned(), text.into()))
    });
    members.collect()
}

/// A subject that is no claim of an ID token: a number or a text that can be stored.
pub(super) fn subject(value: Option<&Value>) -> Result<String, Failure> {
    let text = match value {
        Some(Value::Number(number)) if number.is_u64() => number.to_string(),
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let is_fine = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    is_fine.then_some(text).ok_or_else(|| Failure::because("there is no subject"))
}
