//! The configuration: defaults ← preset ← file ← environment ← flags, read into plain values
//! here and resolved once into validated settings.

mod layers;
mod mail;
mod resolve;
mod sms;
mod social;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use ironlatch_core::settings::{
    AccountSettings, DoorsSettings, LimitSettings, PasswordSettings, SignUpSettings, TokenSettings,
    TotpSettings, WhenBlind,
};
use serde::{Deserialize, Serialize};

pub(crate) use layers::{Layers, Mistakes};
use mail::Mail;
pub(crate) use resolve::ServerSettings;
use sms::Sms;
use social::Social;

/// Everything that can be configured; the names are the keys of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Configuration {
    /// Address and port of the public listener.
    pub(crate) listen: String,
    /// Where the embedded database and the master key live.
    pub(crate) data_dir: PathBuf,
    /// `sqlite:PATH` or `postgres://…`; a file in the data directory where not given.
    database_url: Option<String>,
    /// Where people reach the server; derived from `listen` on loopback only.
    public_url: Option<String>,
    /// `aud` of access tokens; the public URL where not given.
    audience: Option<String>,
    /// Origins whose scripts may call the API with cookies.
    allowed_origins: Vec<String>,
    /// Networks of proxies whose forwarding headers count.
    trusted_proxies: Vec<String>,
    /// The master key's file; `master.key` in the data directory for the embedded database.
    pub(crate) master_key_file: Option<PathBuf>,
    /// Where `/metrics` is answered; off where not given.
    metrics_listen: Option<String>,
    /// A named set of stricter defaults.
    preset: Option<Preset>,
    /// What is logged: a level, or `level,target=level`.
    log: String,
    accounts: AccountSettings,
    sign_up: SignUpSettings,
    passwords: PasswordSettings,
    limits: LimitSettings,
    tokens: TokenSettings,
    mail: Mail,
    sms: Sms,
    http: Http,
    checks: Checks,
    doors: DoorsSettings,
    totp: TotpSettings,
    social: Social,
}

/// Named sets of defaults.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Preset {
    /// Argon2id 47104/1/1 and passwords of 15 characters (NIST SP 800-63B-4 §3.1.1.2).
    Strict,
}

/// `[http]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Http {
    documents: bool,
    access_log: bool,
    /// Hosts that are answered for besides the public URL's.
    hosts: Vec<String>,
    max_connections: usize,
    /// Of one IPv4 address or IPv6 /64 that is no trusted proxy.
    max_connections_per_network: usize,
}

/// `[checks]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Checks {
    when_blind: WhenBlind,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8000".to_owned(),
            data_dir: "./ironlatch-data".into(),
            database_url: None,
            public_url: None,
            audience: None,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            master_key_file: None,
            metrics_listen: None,
            preset: None,
            log: "info".to_owned(),
            accounts: AccountSettings::default(),
            sign_up: SignUpSettings::default(),
            passwords: PasswordSettings::default(),
            limits: LimitSettings::default(),
            tokens: TokenSettings::default(),
            mail: Mail::default(),
            sms: Sms::default(),
            http: Http {
                documents: true,
                access_log: true,
                hosts: Vec::new(),
                max_connections: 16_384,
                max_connections_per_network: 256,
            },
            checks: Checks::default(),
            doors: DoorsSettings::default(),
            totp: TotpSettings::default(),
            social: Social::new(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Configuration::default().http
    }
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
