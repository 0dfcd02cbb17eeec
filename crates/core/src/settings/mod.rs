//! Settings of the core: defaults, then whatever the application or the operator says.
//!
//! Plain values that read and write as sections of a configuration file, validated once by
//! [`Settings::check`]; every mistake is reported together, by its key in the file.

mod check;
mod doors;
mod social;
mod spelled;

pub use check::Mistake;
pub use doors::{Door, DoorSettings, DoorsSettings, reset_lifetime, verification_lifetime};
pub use social::{Endpoints, ProviderKind, ProviderSettings, SocialSettings};

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
    /// `social.*`, by the name in paths: `[social.google]`.
    pub social: SocialSettings,
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
    /// Accounts that identities of providers make for a network in an hour.
    pub identity_accounts_per_network_hour: u32,
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
            social: SocialSettings::new(),
            when_blind: WhenBlind::Refuse,
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
            identity_accounts_per_network_hour: 60,
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
    /// What OWASP's Password Storage Cheat Sheet asks for at least: passes, and KiB of memory
    /// for so many. The rows are equally strong.
    pub const OWASP_LEAST: [(u32, u32); 5] =
        [(1, 47_104), (2, 19_456), (3, 12_288), (4, 9_216), (5, 7_168)];

    /// Whether hashing costs a guesser what OWASP asks for.
    fn is_strong_enough(&self) -> bool {
        Self::OWASP_LEAST.iter().any(|(passes, memory_kib)| {
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

impl Settings {
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
