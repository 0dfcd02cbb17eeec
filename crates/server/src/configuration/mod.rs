//! The configuration: defaults ← preset ← file ← environment ← flags, read into plain values
//! here and resolved once into validated settings.

mod layers;
mod mail;
mod resolve;
mod values;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use layers::{Layers, Mistakes};
pub(crate) use resolve::ServerSettings;
use values::{List, Span};

/// Everything that can be configured, with its default; the names are the keys of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Configuration {
    /// Address and port of the public listener.
    pub(crate) listen: String,
    /// Where the embedded database and the master key live.
    pub(crate) data_dir: PathBuf,
    /// `sqlite:PATH` or `postgres://…`; a file in the data directory where not given.
    pub(crate) database_url: Option<String>,
    /// Where people reach the server; derived from `listen` on loopback only.
    pub(crate) public_url: Option<String>,
    /// Origins whose scripts may call the API with cookies.
    pub(crate) allowed_origins: List,
    /// Networks of proxies whose forwarding headers count.
    pub(crate) trusted_proxies: List,
    /// The master key's file; `master.key` in the data directory for the embedded database.
    pub(crate) master_key_file: Option<PathBuf>,
    /// Where `/metrics` is answered; off where not given.
    pub(crate) metrics_listen: Option<String>,
    /// A named set of stricter defaults.
    pub(crate) preset: Option<Preset>,
    /// What is logged: a level, or `level,target=level`.
    pub(crate) log: String,
    /// Roles.
    pub(crate) accounts: Accounts,
    /// Sign-up.
    pub(crate) sign_up: SignUp,
    /// Passwords and their hashing.
    pub(crate) passwords: Passwords,
    /// How often.
    pub(crate) limits: Limits,
    /// Tokens and their lifetimes.
    pub(crate) tokens: Tokens,
    /// How mail leaves.
    pub(crate) mail: Mail,
    /// The public listener.
    pub(crate) http: Http,
    /// Checks of tokens.
    pub(crate) checks: Checks,
    /// The ways clients speak to the server.
    pub(crate) doors: Doors,
}

/// Named sets of defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Preset {
    /// Argon2id 47104/1/1 and passwords of 15 characters (NIST SP 800-63B-4 §3.1.1.2).
    Strict,
}

/// `[accounts]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Accounts {
    roles: List,
    default_role: String,
}

/// `[sign_up]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SignUp {
    reveal_taken: bool,
    neutral: bool,
    require_verified: bool,
}

/// `[passwords]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Passwords {
    least_length: usize,
    argon2_memory_kib: u32,
    argon2_passes: u32,
    argon2_lanes: u32,
    slots: usize,
    longest_wait: Span,
    queue: usize,
    allow_weak_hashing_for_tests: bool,
}

/// `[limits]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    sign_ins_per_network_minute: u32,
    sign_ups_per_network_hour: u32,
    mails_per_identifier_and_network_hour: u32,
    mails_per_identifier_hour: u32,
    failures_before_delay: u32,
    failures_before_stop: u32,
}

/// `[tokens]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tokens {
    algorithm: Algorithm,
    audience: Option<String>,
    access: Span,
    idle: Span,
    absolute: Span,
}

/// `tokens.algorithm`, named as in the JWT header (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    #[serde(rename = "EdDSA")]
    EdDsa,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "RS256")]
    Rs256,
}

/// `[mail]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mail {
    transport: Transport,
    from: Option<String>,
    product: Option<String>,
    templates: Option<PathBuf>,
    smtp: Smtp,
    sendgrid: Sendgrid,
}

/// `mail.transport`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    /// That a mail would have gone out is logged; nothing is sent.
    #[default]
    Log,
    Smtp,
    Sendgrid,
}

/// `[mail.smtp]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Smtp {
    host: Option<String>,
    port: Option<u16>,
    security: Security,
    username: Option<String>,
    password_file: Option<PathBuf>,
    authority_file: Option<PathBuf>,
}

/// `mail.smtp.security`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Security {
    /// Port 587, RFC 3207.
    #[default]
    Starttls,
    /// Port 465, RFC 8314 §3.3.
    Tls,
    /// To a mail server on this machine only.
    None,
}

/// `[mail.sendgrid]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sendgrid {
    api_key_file: Option<PathBuf>,
    base_url: Option<String>,
}

/// `[http]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http {
    documents: bool,
    access_log: bool,
    max_connections: usize,
}

/// `[checks]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Checks {
    when_blind: Blind,
}

/// `checks.when_blind`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Blind {
    #[default]
    Refuse,
    Allow,
}

/// `[doors]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Doors {
    api: Door,
}

/// `[doors.<name>]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Door {
    frontend_url: Option<String>,
}

impl Configuration {
    /// Whether the database is the embedded one.
    pub(crate) fn is_embedded(&self) -> bool {
        self.database_url.as_ref().is_none_or(|url| url.starts_with("sqlite:"))
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> String {
        let embedded = || format!("sqlite:{}", self.data_dir.join("ironlatch.db").display());
        self.database_url.clone().unwrap_or_else(embedded)
    }

    /// The embedded database's file.
    pub(crate) fn database_file(&self) -> Option<PathBuf> {
        let url = self.database();
        let path = url.strip_prefix("sqlite:")?;
        Some(path.strip_prefix("//").unwrap_or(path).into())
    }
}
