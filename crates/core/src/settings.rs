//! Settings of the core: defaults, then whatever the application or the operator says.
//!
//! Plain values that read and write as sections of a configuration file, validated once by [`Settings::check`]; every mistake is reported together,
//! by its key in the configuration file.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{days, hours, minutes, seconds};

/// Everything the core can be told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where people and clients reach this server, e.g. `https://auth.example.com`; the `iss`
    /// of tokens and the base of every link.
    pub public_url: String,
    /// `aud` of access tokens; the public URL where not set.
    pub audience: Option<String>,
    /// Development mode: shows real verification tokens. Refuses public addresses.
    pub development: bool,
    /// `accounts.*`.
    pub accounts: AccountSettings,
    /// `sign_up.*`.
    pub sign_up: SignUpSettings,
    /// `passwords.*`.
    pub passwords: PasswordSettings,
    /// `limits.*`.
    pub limits: LimitSettings,
    /// `tokens.*`.
    pub tokens: TokenSettings,
    /// `mail.*`.
    pub mail: MailSettings,
    /// `sms.*`.
    pub sms: SmsSettings,
    /// `doors.*`.
    pub doors: DoorsSettings,
    /// `totp.*`.
    pub totp: TotpSettings,
    /// `checks.when_blind`: what a node does that has not heard of revocations for 5 s.
    pub when_blind: WhenBlind,
}

/// Roles.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountSettings {
    /// The roles there are.
    pub roles: Vec<String>,
    /// The role of new accounts.
    pub default_role: String,
}

/// Sign-up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignUpSettings {
    /// Tells at sign-up whether a name or address is taken (the contract of `register`).
    pub reveal_taken: bool,
    /// Overrides `reveal_taken` everywhere; password sign-in then waits for verification.
    pub neutral: bool,
    /// Password sign-in waits for verification.
    pub require_verified: bool,
}

/// Passwords and hashing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordSettings {
    /// Least number of code points, 8 or more (NIST SP 800-63B-4 §3.1.1.2; ruling 0.2).
    pub least_length: usize,
    /// Argon2id memory in KiB (`m`), OWASP Password Storage Cheat Sheet.
    pub argon2_memory_kib: u32,
    /// Argon2id passes (`t`).
    pub argon2_passes: u32,
    /// Argon2id lanes (`p`).
    pub argon2_lanes: u32,
    /// Threads that hash at the same time; each keeps `argon2_memory_kib` of memory.
    pub slots: usize,
    /// How long somebody may wait for a slot before they are turned away with 503.
    #[serde(with = "spelled")]
    pub longest_wait: Duration,
    /// Pieces of work that may wait; more are turned away at once.
    pub queue: usize,
    /// Takes hashing weaker than OWASP's least. Never outside tests.
    pub allow_weak_hashing_for_tests: bool,
}

/// How often.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Password sign-ins a network may try in a minute, with a burst of ten times as many.
    pub sign_ins_per_network_minute: u32,
    /// Sign-ups a network may make in an hour.
    pub sign_ups_per_network_hour: u32,
    /// Mails (verification, reset) a network may ask for in an hour, whomever they go to.
    pub mails_per_network_hour: u32,
    /// Mails of one kind (verification, reset) an identifier and network may ask for in an hour.
    pub mails_per_identifier_and_network_hour: u32,
    /// Mails an identifier may ask for in an hour, from anywhere.
    pub mails_per_identifier_hour: u32,
    /// Failures of one identifier before delays begin; each further failure doubles them.
    pub failures_before_delay: u32,
    /// Failures of one identifier before password sign-in stops until a reset
    /// (NIST SP 800-63B-4 §3.2.2).
    pub failures_before_stop: u32,
    /// Registration sources nobody has seen before that a network may bring in an hour.
    pub new_sources_per_network_hour: u32,
    /// Registration sources that are kept in all.
    pub most_sources: u32,
    /// Pictures an account may send in an hour, used or refused.
    pub avatars_per_account_hour: u32,
}

/// The ways clients speak to us: our own API, and translations of other systems' contracts.
/// Each decides lifetimes, the front end that mails link to, and the role of new accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// `/api/auth/*` with addresses, names and passwords.
    Api,
    /// `/api/auth/otp/*`: codes by mail and SMS.
    Codes,
    /// `/api/users/*`.
    Users,
    /// `/users/*`, alias `/user/*`.
    OtpSession,
    /// `/accounts/*`.
    Accounts,
    /// `/cfg/accounts/*`.
    Cfg,
}

impl Door {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Api, Self::Codes, Self::Users, Self::OtpSession, Self::Accounts, Self::Cfg];

    /// The stored word; stable over releases.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Codes => "codes",
            Self::Users => "users",
            Self::OtpSession => "otp_session",
            Self::Accounts => "accounts",
            Self::Cfg => "cfg",
        }
    }

    /// The door of a stored word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|door| door.word() == word)
    }
}

/// `[doors]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoorsSettings {
    /// Whether the answer to a sign-in on `users` holds a refresh token as well. Scripts of the
    /// front end can read it; its cookie they cannot.
    pub users_refresh_in_body: bool,
    /// Our own API (codes included), which is always open.
    pub api: DoorSettings,
    /// `/api/users/*`, `/api/health/`, `/api/dashboard/`.
    pub users: DoorSettings,
    /// `/users/*` and `/user/*`.
    pub otp_session: DoorSettings,
    /// `/accounts/*`.
    pub accounts: DoorSettings,
    /// `/cfg/accounts/*`.
    pub cfg: DoorSettings,
}

/// `[doors.<name>]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoorSettings {
    /// Whether its paths are answered; our own API always is.
    pub enabled: bool,
    /// The front end that its mails link to; our own pages where not given.
    pub frontend_url: Option<String>,
    /// The role of accounts made through it; `accounts.default_role` where not given.
    pub default_role: Option<String>,
}

/// `[totp]`: authenticator apps.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TotpSettings {
    /// The name that apps show beside the account; `mail.product` where not given.
    pub issuer: Option<String>,
}

/// Tokens and keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenSettings {
    /// What access tokens are signed with.
    pub algorithm: SigningAlgorithm,
    /// Lifetimes on `/api/auth/*`.
    pub api: Lifetimes,
    /// Lifetimes of sign-ins by code, and of `/cfg/accounts/*`.
    pub codes: Lifetimes,
    /// Lifetimes on `/api/users/*`; the access token is in a cookie.
    pub users: Lifetimes,
    /// Lifetimes on `/users/*`, where the session is a cookie itself.
    pub otp_session: Lifetimes,
    /// Lifetimes on `/accounts/*`.
    pub accounts: Lifetimes,
}

impl TokenSettings {
    /// How long tokens and sessions of a door live.
    #[must_use]
    pub const fn of(&self, door: Door) -> Lifetimes {
        match door {
            Door::Api => self.api,
            Door::Codes | Door::Cfg => self.codes,
            Door::Users => self.users,
            Door::OtpSession => self.otp_session,
            Door::Accounts => self.accounts,
        }
    }

    /// The longest life of an access token of any door: how long a revocation must be known.
    #[must_use]
    pub fn longest_access(&self) -> Duration {
        let each = Door::ALL.map(|door| self.of(door).access);
        each.into_iter().max().unwrap_or(self.api.access)
    }
}

/// How long the tokens of a door live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lifetimes {
    /// Of an access token.
    #[serde(with = "spelled")]
    pub access: Duration,
    /// Of a session that is not used.
    #[serde(with = "spelled")]
    pub idle: Duration,
    /// Of a session in any case.
    #[serde(with = "spelled")]
    pub absolute: Duration,
}

/// Algorithms for access tokens (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SigningAlgorithm {
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA on P-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSA 3072 with PKCS #1 v1.5 padding.
    #[serde(rename = "RS256")]
    Rs256,
}

/// Mail.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// The sender, e.g. `Ironlatch <noreply@example.com>`.
    pub from: String,
    /// The product's name in subjects and texts.
    pub product: String,
    /// A folder whose templates replace ours.
    pub templates: Option<std::path::PathBuf>,
}

/// SMS: who may get them, and how many. Each costs money, and people earn from numbers that are
/// called or written to (attack B22), so nothing is allowed that nobody asked for.
#[derive(Debug, Clone)]
pub struct SmsSettings {
    /// Countries whose numbers may be written to (ISO 3166-1 alpha-2, e.g. `DE`); none where
    /// empty. `*` means all of them, in development only.
    pub countries: Vec<String>,
    /// SMS queued on one day (UTC), all nodes together.
    pub daily_budget: u32,
    /// SMS an hour to numbers that differ in their last digits only, all nodes together.
    pub per_prefix_hour: u32,
    /// SMS a network may ask for in an hour.
    pub per_network_hour: u32,
    /// A folder whose texts replace ours.
    pub templates: Option<std::path::PathBuf>,
}

impl Default for SmsSettings {
    fn default() -> Self {
        Self {
            countries: Vec::new(),
            daily_budget: 500,
            per_prefix_hour: 30,
            per_network_hour: 10,
            templates: None,
        }
    }
}

/// What a node does that has not heard of revocations for 5 s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenBlind {
    /// Checked requests answer 503.
    #[default]
    Refuse,
    /// Checked requests go on with what is known.
    Allow,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8000".to_owned(),
            audience: None,
            development: false,
            accounts: AccountSettings::default(),
            sign_up: SignUpSettings::default(),
            passwords: PasswordSettings::default(),
            limits: LimitSettings::default(),
            tokens: TokenSettings::default(),
            mail: MailSettings {
                from: "Ironlatch <noreply@localhost>".to_owned(),
                product: "Ironlatch".to_owned(),
                templates: None,
            },
            sms: SmsSettings::default(),
            doors: DoorsSettings::default(),
            totp: TotpSettings::default(),
            when_blind: WhenBlind::Refuse,
        }
    }
}

impl Default for DoorsSettings {
    fn default() -> Self {
        Self {
            users_refresh_in_body: true,
            api: DoorSettings::default(),
            users: DoorSettings::default(),
            otp_session: DoorSettings::default(),
            accounts: DoorSettings::default(),
            cfg: DoorSettings::default(),
        }
    }
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self { roles: vec!["user".to_owned(), "admin".to_owned()], default_role: "user".to_owned() }
    }
}

impl Default for SignUpSettings {
    fn default() -> Self {
        Self { reveal_taken: true, neutral: false, require_verified: false }
    }
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            sign_ins_per_network_minute: 60,
            sign_ups_per_network_hour: 5,
            mails_per_network_hour: 60,
            mails_per_identifier_and_network_hour: 3,
            mails_per_identifier_hour: 10,
            failures_before_delay: 5,
            failures_before_stop: 100,
            new_sources_per_network_hour: 20,
            most_sources: 10_000,
            avatars_per_account_hour: 20,
        }
    }
}

impl Default for TokenSettings {
    fn default() -> Self {
        let month = |access, idle| Lifetimes { access, idle, absolute: days(30) };
        Self {
            algorithm: SigningAlgorithm::EdDsa,
            api: Lifetimes::default(),
            codes: month(minutes(15), days(7)),
            users: month(hours(24), days(7)),
            otp_session: month(minutes(15), days(30)),
            accounts: month(minutes(5), days(7)),
        }
    }
}

impl Default for Lifetimes {
    /// Those of `/api/auth/*`.
    fn default() -> Self {
        Self { access: minutes(15), idle: days(14), absolute: days(90) }
    }
}

impl Default for PasswordSettings {
    fn default() -> Self {
        // One core stays free for everything else.
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            least_length: 8,
            argon2_memory_kib: 19_456,
            argon2_passes: 2,
            argon2_lanes: 1,
            slots: cores.saturating_sub(1).max(1),
            longest_wait: seconds(5),
            queue: 1_024,
            allow_weak_hashing_for_tests: false,
        }
    }
}

impl PasswordSettings {
    /// Whether hashing costs a guesser what OWASP's Password Storage Cheat Sheet asks for: so
    /// much memory for so many passes, the rows being equally strong.
    fn is_strong_enough(&self) -> bool {
        let rows = [(1, 47_104), (2, 19_456), (3, 12_288), (4, 9_216), (5, 7_168)];
        rows.iter().any(|(passes, memory_kib)| {
            self.argon2_passes >= *passes && self.argon2_memory_kib >= *memory_kib
        })
    }
}

/// Lifetime of a verification link.
pub const VERIFICATION_LIFETIME: Duration = hours(24);
/// Lifetime of a reset link.
pub const RESET_LIFETIME: Duration = hours(1);
/// Lifetime of the link that proves an account's new address.
pub const EMAIL_CHANGE_LIFETIME: Duration = hours(1);

/// Lifetime of a verification link of a door: one contract's lives ten minutes.
#[must_use]
pub const fn verification_lifetime(door: Door) -> Duration {
    match door {
        Door::Accounts => minutes(10),
        Door::Api | Door::Codes | Door::Users | Door::OtpSession | Door::Cfg => {
            VERIFICATION_LIFETIME
        }
    }
}

/// Lifetime of a reset link of a door: one contract's mail promises a day.
#[must_use]
pub const fn reset_lifetime(door: Door) -> Duration {
    match door {
        Door::Users => hours(24),
        Door::Api | Door::Codes | Door::OtpSession | Door::Accounts | Door::Cfg => RESET_LIFETIME,
    }
}

/// A setting that cannot stand, by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key in the configuration file, e.g. `passwords.least_length`.
    pub key: &'static str,
    /// What is wrong and what to do.
    pub sentence: String,
}

impl Settings {
    /// Every setting that cannot stand; empty when all is well.
    #[must_use]
    pub fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut unless = |fine: bool, key: &'static str, sentence: &str| {
            if !fine {
                mistakes.push(Mistake { key, sentence: sentence.to_owned() });
            }
        };
        unless(
            !self.development || is_loopback_url(&self.public_url),
            "public_url",
            "development mode shows verification tokens: its host must be localhost, 127.0.0.1 \
             or [::1]",
        );
        let passwords = &self.passwords;
        unless(passwords.least_length >= 8, "passwords.least_length", "must be 8 or more");
        unless(passwords.least_length <= 64, "passwords.least_length", "must be 64 or less");
        unless(passwords.slots >= 1, "passwords.slots", "must be 1 or more");
        unless(passwords.queue >= 1, "passwords.queue", "must be 1 or more");
        unless(passwords.argon2_passes >= 1, "passwords.argon2_passes", "must be 1 or more");
        unless(passwords.argon2_lanes >= 1, "passwords.argon2_lanes", "must be 1 or more");
        unless(passwords.argon2_lanes <= 64, "passwords.argon2_lanes", "must be 64 or less");
        unless(
            passwords.argon2_memory_kib <= 131_072,
            "passwords.argon2_memory_kib",
            "must be 131072 (128 MiB) or less: sign-ins would exhaust the machine",
        );
        unless(
            u64::from(passwords.argon2_memory_kib) * u64::from(passwords.argon2_passes)
                <= 1_048_576,
            "passwords.argon2_passes",
            "times argon2_memory_kib must be 1048576 or less: a sign-in would take seconds",
        );
        unless(
            passwords.argon2_memory_kib >= passwords.argon2_lanes.max(1).saturating_mul(8),
            "passwords.argon2_memory_kib",
            "must be at least 8 KiB for each lane (RFC 9106 §3.1)",
        );
        unless(
            passwords.is_strong_enough() || passwords.allow_weak_hashing_for_tests,
            "passwords.argon2_memory_kib",
            "is below OWASP's least for so many passes: use 19456 with argon2_passes = 2, or \
             47104 with 1",
        );
        mistakes.extend(self.role_and_limit_mistakes());
        mistakes
    }

    fn role_and_limit_mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut unless = |fine: bool, key: &'static str, sentence: &str| {
            if !fine {
                mistakes.push(Mistake { key, sentence: sentence.to_owned() });
            }
        };
        unless(self.sms.daily_budget >= 1, "sms.daily_budget", "must be 1 or more");
        unless(self.sms.per_prefix_hour >= 1, "sms.per_prefix_hour", "must be 1 or more");
        unless(self.sms.per_network_hour >= 1, "sms.per_network_hour", "must be 1 or more");
        let accounts = &self.accounts;
        unless(
            accounts.roles.contains(&accounts.default_role),
            "accounts.default_role",
            "must be one of accounts.roles",
        );
        for (key, door) in [
            ("tokens.api", Door::Api),
            ("tokens.codes", Door::Codes),
            ("tokens.users", Door::Users),
            ("tokens.otp_session", Door::OtpSession),
            ("tokens.accounts", Door::Accounts),
        ] {
            let lives = self.tokens.of(door);
            unless(
                lives.access <= lives.idle && lives.idle <= lives.absolute,
                key,
                "access must not outlive idle, nor idle absolute",
            );
        }
        for (role_key, url_key, door) in [
            ("doors.api.default_role", "doors.api.frontend_url", &self.doors.api),
            ("doors.users.default_role", "doors.users.frontend_url", &self.doors.users),
            (
                "doors.otp_session.default_role",
                "doors.otp_session.frontend_url",
                &self.doors.otp_session,
            ),
            ("doors.accounts.default_role", "doors.accounts.frontend_url", &self.doors.accounts),
            ("doors.cfg.default_role", "doors.cfg.frontend_url", &self.doors.cfg),
        ] {
            let role = door.default_role.as_ref();
            unless(
                role.is_none_or(|role| accounts.roles.contains(role)),
                role_key,
                "must be one of accounts.roles",
            );
            // Its origin may act with people's cookies, and mails carry secrets there.
            unless(
                door.frontend_url.as_deref().is_none_or(is_plain_url),
                url_key,
                "must be like https://app.example.com, without query; http for this machine only",
            );
        }
        mistakes
    }

    /// What a door was told.
    #[must_use]
    pub const fn door(&self, door: Door) -> &DoorSettings {
        match door {
            Door::Api | Door::Codes => &self.doors.api,
            Door::Users => &self.doors.users,
            Door::OtpSession => &self.doors.otp_session,
            Door::Accounts => &self.doors.accounts,
            Door::Cfg => &self.doors.cfg,
        }
    }

    /// The base of links to pages in a door's mails: its front end's URL, else ours, without a
    /// slash at its end.
    #[must_use]
    pub fn pages_url(&self, door: Door) -> &str {
        let frontend = self.door(door).frontend_url.as_deref();
        frontend.unwrap_or(&self.public_url).trim_end_matches('/')
    }

    /// The role of accounts made through a door.
    #[must_use]
    pub fn default_role(&self, door: Door) -> &str {
        self.door(door).default_role.as_deref().unwrap_or(&self.accounts.default_role)
    }

    /// Whether password sign-in through a door waits for verification; the contract of
    /// `accounts` always does.
    #[must_use]
    pub const fn waits_for_verification(&self, door: Door) -> bool {
        matches!(door, Door::Accounts) || self.sign_up.neutral || self.sign_up.require_verified
    }

    /// Whether sign-up through a door tells that an address is taken: two contracts do.
    #[must_use]
    pub const fn reveals_taken(&self, door: Door) -> bool {
        matches!(door, Door::Api | Door::Users)
            && self.sign_up.reveal_taken
            && !self.sign_up.neutral
    }

    /// The name that authenticator apps show.
    #[must_use]
    pub fn totp_issuer(&self) -> &str {
        self.totp.issuer.as_deref().unwrap_or(&self.mail.product)
    }

    /// `aud` of access tokens.
    #[must_use]
    pub fn audience(&self) -> &str {
        self.audience.as_deref().unwrap_or(&self.public_url)
    }
}

/// Spans of time as people write them: `30s`, `15m`, `12h`, `14d`, or a whole number of seconds.
mod spelled {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "must be a time such as 30s, 15m, 12h or 14d")]
    enum Spelling {
        Seconds(u32),
        Text(String),
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = match Spelling::deserialize(from)? {
            Spelling::Seconds(seconds) => return Ok(Duration::from_secs(seconds.into())),
            Spelling::Text(text) => text,
        };
        let unit = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
        let (number, factor) = unit.unwrap_or((&text, &1));
        let number: u32 = number
            .parse()
            .map_err(|_| D::Error::custom("must be a time such as 30s, 15m, 12h or 14d"))?;
        Ok(Duration::from_secs(u64::from(number) * factor))
    }

    pub(super) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        let seconds = span.as_secs();
        let fits = |(_, factor): &&(&str, u64)| seconds > 0 && seconds.is_multiple_of(*factor);
        let (unit, factor) = UNITS.iter().find(fits).unwrap_or(&("s", 1));
        to.collect_str(&format_args!("{}{unit}", seconds / factor))
    }
}

/// Whether a URL's host is this machine by name.
fn is_loopback_url(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a text is the URL of a page over `https`, or over `http` on this machine, to which a
/// path can be added.
fn is_plain_url(url: &str) -> bool {
    let is_safe =
        url.starts_with("https://") || (url.starts_with("http://") && is_loopback_url(url));
    let host = url.split_once("://").map_or("", |(_, rest)| rest);
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\"<>\\".contains(&byte));
    is_safe && is_plain && !host.is_empty() && !host.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_ends_are_plain_urls() {
        let of = |url: &str| {
            let mut settings = Settings::default();
            settings.doors.users.frontend_url = Some(url.to_owned());
            settings.check().first().map(|mistake| mistake.key)
        };
        for fine in
            ["https://app.example.com", "https://a.example:8443/x/", "http://localhost:3000"]
        {
            assert_eq!(of(fine), None, "{fine}");
        }
        for wrong in [
            "",
            "app.example.com",
            "https://",
            "https:///x",
            "http://app.example.com",
            "https://app.example.com/?a=b",
            "https://me@app.example.com",
            "https://app.example.com/ x",
            "javascript:alert(1)",
        ] {
            assert_eq!(of(wrong), Some("doors.users.frontend_url"), "{wrong}");
        }
    }

    #[test]
    fn development_refuses_public_addresses() {
        let with = |url: &str| Settings {
            development: true,
            public_url: url.to_owned(),
            ..Settings::default()
        };
        for url in ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:80/x"] {
            assert_eq!(with(url).check(), [], "{url}");
        }
        for url in [
            "https://auth.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1@evil.example",
            "http://10.0.0.1",
        ] {
            assert_eq!(with(url).check().first().map(|m| m.key), Some("public_url"), "{url}");
        }
    }
}
