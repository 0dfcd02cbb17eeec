//! Values as people write them, and the defaults of every section.

use std::time::Duration;

use ironlatch_core::settings::Settings;
use serde::{Deserialize, Serialize};

use super::{
    Accounts, Algorithm, Checks, Configuration, Doors, Http, Limits, Mail, Passwords, SignUp,
    Tokens,
};

/// A list, or one text with commas in it (as the environment has it).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "TextOrList")]
pub(crate) struct List(pub(crate) Vec<String>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a list of texts, or one text with commas")]
enum TextOrList {
    Text(String),
    List(Vec<String>),
}

impl From<TextOrList> for List {
    fn from(value: TextOrList) -> Self {
        match value {
            TextOrList::List(list) => Self(list),
            TextOrList::Text(text) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Self(items.map(str::to_owned).collect())
            }
        }
    }
}

/// A span of time: `30s`, `15m`, `12h`, `14d`, or a whole number of seconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "TextOrSeconds", into = "String")]
pub(crate) struct Span(pub(crate) Duration);

#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a time such as 30s, 15m, 12h or 14d")]
enum TextOrSeconds {
    Seconds(u32),
    Text(String),
}

impl TryFrom<TextOrSeconds> for Span {
    type Error = &'static str;

    fn try_from(value: TextOrSeconds) -> Result<Self, Self::Error> {
        let wrong = "must be a time such as 30s, 15m, 12h or 14d";
        let text = match value {
            TextOrSeconds::Seconds(n) => return Ok(Self(Duration::from_secs(n.into()))),
            TextOrSeconds::Text(text) => text,
        };
        let (number, factor) = UNITS
            .iter()
            .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
            .unwrap_or((&text, 1));
        let number: u32 = number.trim().parse().map_err(|_| wrong)?;
        Ok(Self(Duration::from_secs(u64::from(number) * factor)))
    }
}

const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

impl From<Span> for String {
    fn from(span: Span) -> Self {
        let seconds = span.0.as_secs();
        let fits = |(_, factor): &&(&str, u64)| seconds > 0 && seconds.is_multiple_of(*factor);
        let (unit, factor) = UNITS.iter().find(fits).unwrap_or(&("s", 1));
        format!("{}{unit}", seconds / factor)
    }
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8000".to_owned(),
            data_dir: "./ironlatch-data".into(),
            database_url: None,
            public_url: None,
            allowed_origins: List::default(),
            trusted_proxies: List::default(),
            master_key_file: None,
            metrics_listen: None,
            preset: None,
            log: "info".to_owned(),
            accounts: Accounts::default(),
            sign_up: SignUp::default(),
            passwords: Passwords::default(),
            limits: Limits::default(),
            tokens: Tokens::default(),
            mail: Mail::default(),
            http: Http::default(),
            checks: Checks::default(),
            doors: Doors::default(),
        }
    }
}

impl Default for Accounts {
    fn default() -> Self {
        let core = Settings::default().accounts;
        Self { roles: List(core.roles), default_role: core.default_role }
    }
}

impl Default for SignUp {
    fn default() -> Self {
        let core = Settings::default().sign_up;
        Self {
            reveal_taken: core.reveal_taken,
            neutral: core.neutral,
            require_verified: core.require_verified,
        }
    }
}

impl Default for Passwords {
    fn default() -> Self {
        let core = Settings::default().passwords;
        Self {
            least_length: core.least_length,
            argon2_memory_kib: core.argon2_memory_kib,
            argon2_passes: core.argon2_passes,
            argon2_lanes: core.argon2_lanes,
            slots: core.slots,
            longest_wait: Span(core.longest_wait),
            queue: core.queue,
            allow_weak_hashing_for_tests: false,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let core = Settings::default().limits;
        Self {
            sign_ins_per_network_minute: core.sign_ins_per_network_minute,
            sign_ups_per_network_hour: core.sign_ups_per_network_hour,
            mails_per_identifier_and_network_hour: core.mails_per_identifier_and_network_hour,
            mails_per_identifier_hour: core.mails_per_identifier_hour,
            failures_before_delay: core.failures_before_delay,
            failures_before_stop: core.failures_before_stop,
        }
    }
}

impl Default for Tokens {
    fn default() -> Self {
        let api = Settings::default().tokens.api;
        Self {
            algorithm: Algorithm::EdDsa,
            audience: None,
            access: Span(api.access),
            idle: Span(api.idle),
            absolute: Span(api.absolute),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { documents: true, access_log: true, max_connections: 16_384 }
    }
}
