//! The layers of the configuration, and every mistake in them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::path::Path;

use tempfile::TempDir;
use toml::{Table, Value};

use super::Configuration;
use crate::cli::Place;

/// Where a value came from, in words for people.
type Origin = String;

/// Every value that was given, by its dotted key, the later layers over the earlier ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    values: BTreeMap<String, (Value, Origin)>,
}

/// What is wrong with the configuration: all of it, by key.
#[derive(Debug, Default)]
pub(crate) struct Mistakes(Vec<String>);

impl Mistakes {
    /// Notes a mistake.
    pub(crate) fn add(&mut self, key: &str, sentence: impl fmt::Display) {
        self.0.push(format!("{key}: {sentence}"));
    }

    /// Notes a mistake unless all is well.
    pub(crate) fn unless(&mut self, fine: bool, key: &str, sentence: impl fmt::Display) {
        if !fine {
            self.add(key, sentence);
        }
    }

    /// `Ok` when there are none.
    pub(crate) fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the configuration cannot be used; to be put right:")?;
        self.0.iter().try_for_each(|mistake| write!(out, "\n  {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

impl Layers {
    /// Lays a TOML file over what is there.
    pub(crate) fn add_file(&mut self, path: &Path, mistakes: &mut Mistakes) {
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return mistakes.add("IRONLATCH_CONFIG", format!("{shown}: {error}")),
        };
        match text.parse::<Table>() {
            Ok(table) => self.flatten("", table, &format!("file {shown}")),
            // The parser's full text shows the line, which may hold a secret.
            Err(error) => mistakes.add(
                &shown.to_string(),
                format!("is not TOML: {} ({})", error.message(), place(&text, &error)),
            ),
        }
    }

    fn flatten(&mut self, prefix: &str, table: Table, origin: &str) {
        for (name, value) in table {
            let key = format!("{prefix}{name}");
            match value {
                // Else a provider without a single key would be missing without a word.
                Value::Table(inner) if inner.is_empty() && prefix == "social." => {
                    self.set(&format!("{key}.client_id"), "", origin);
                }
                Value::Table(inner) => self.flatten(&format!("{key}."), inner, origin),
                leaf => self.set(&key, leaf, origin),
            }
        }
    }

    /// Lays the environment over what is there: `IRONLATCH_SECTION__KEY`. Names without `__`
    /// that we do not know are left alone, since container platforms invent some
    /// (`IRONLATCH_PORT`).
    pub(crate) fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) {
        // A name or value that is no text is none of ours.
        let texts = variables
            .filter_map(|(name, text)| name.into_string().ok().zip(text.into_string().ok()));
        for (name, text) in texts {
            let key = match name.strip_prefix("IRONLATCH_") {
                None | Some("CONFIG") => continue,
                Some("MAIL_FROM") => "mail.from".to_owned(),
                Some(rest) => rest.to_ascii_lowercase().replace("__", "."),
            };
            if key.contains('.') || TOP_LEVEL.contains(&key.as_str()) {
                self.set(&key, Value::String(text), &format!("environment {name}"));
            }
        }
    }

    /// Sets one value.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>, origin: &str) {
        self.values.insert(key.to_owned(), (value.into(), origin.to_owned()));
    }

    /// Sets a value that nobody gave, for development.
    fn set_if_absent(&mut self, key: &str, value: impl Into<Value>) {
        let value = || (value.into(), "development".to_owned());
        self.values.entry(key.to_owned()).or_insert_with(value);
    }

    /// Lays the flags over what is there.
    pub(crate) fn add_flags(&mut self, place: &Place) {
        if let Some(folder) = &place.data_dir {
            self.set("data_dir", folder.display().to_string(), "--data-dir");
        }
        if let Some(address) = &place.listen {
            self.set("listen", address.as_str(), "--listen");
        }
    }

    /// What development does where nothing was given: no access log, room for all the sign-ups
    /// and SMS that come from this one machine, SMS to everywhere (the inbox costs nothing), every
    /// door open, and a data directory that goes when the program ends.
    pub(crate) fn add_development(&mut self) -> std::io::Result<Option<TempDir>> {
        self.set_if_absent("http.access_log", false);
        for key in [
            "limits.sign_ups_per_network_hour",
            "limits.identity_accounts_per_network_hour",
            "sms.per_network_hour",
            "sms.per_prefix_hour",
            "sms.daily_budget",
        ] {
            self.set_if_absent(key, 1_000);
        }
        self.set_if_absent("sms.countries", vec![Value::from("*")]);
        for door in ["users", "otp_session", "accounts", "cfg"] {
            self.set_if_absent(&format!("doors.{door}.enabled"), true);
        }
        // The role that the contract of `users` gives; not where the operator has roles of
        // their own.
        let role_keys = ["accounts.roles", "doors.users.default_role"];
        if !role_keys.iter().any(|key| self.values.contains_key(*key)) {
            let roles = ["user", "admin", "business_owner"].map(|role| Value::String(role.into()));
            self.set_if_absent("accounts.roles", roles.to_vec());
            self.set_if_absent("doors.users.default_role", "business_owner");
        }
        if self.values.contains_key("data_dir") {
            return Ok(None);
        }
        let folder = tempfile::Builder::new().prefix("ironlatch-").tempdir()?;
        self.set("data_dir", folder.path().display().to_string(), "a temporary folder");
        Ok(Some(folder))
    }

    /// Lays the named preset under everything.
    fn add_preset(&mut self) {
        let chosen = self.values.get("preset").and_then(|(value, _)| value.as_str());
        if chosen != Some("strict") {
            return;
        }
        let strict = [
            ("passwords.argon2_memory_kib", 47_104),
            ("passwords.argon2_passes", 1),
            ("passwords.argon2_lanes", 1),
            ("passwords.least_length", 15),
        ];
        for (key, value) in strict {
            let below = || (Value::Integer(value), "preset strict".to_owned());
            self.values.entry(key.to_owned()).or_insert_with(below);
        }
    }

    /// Reads all layers. A value that cannot be read is noted and left out, and reading begins
    /// again, until every mistake has been found.
    pub(crate) fn read(&mut self, mistakes: &mut Mistakes) -> Configuration {
        self.add_preset();
        self.drop_misplaced(mistakes);
        let mut first_words = BTreeMap::new();
        loop {
            let error = match serde_path_to_error::deserialize(self.nested()) {
                Ok(configuration) => return configuration,
                Err(error) => error,
            };
            let path = error.path().to_string();
            let reported = path.split('[').next().unwrap_or_default();
            let sentence = error.inner().message().to_owned();
            let Some(key) = self.values.keys().find(|key| within(reported, key)).cloned() else {
                mistakes.add(&path, sentence);
                return Configuration::default();
            };
            let Some((value, origin)) = self.values.remove(&key) else { continue };
            let sentence = first_words.entry(key.clone()).or_insert(sentence);
            match otherwise(&value) {
                Some(value) if origin.starts_with("environment") => {
                    self.values.insert(key, (value, origin));
                }
                _ => mistakes.add(&format!("{key} ({origin})"), sentence),
            }
        }
    }

    /// Notes and leaves out values that lie below a plain value (`mail = 1`, `mail.from`).
    fn drop_misplaced(&mut self, mistakes: &mut Mistakes) {
        let keys: Vec<String> = self.values.keys().cloned().collect();
        let below = |key: &str| keys.iter().any(|above| above != key && within(above, key));
        self.values.retain(|key, (_, origin)| {
            let misplaced = below(key);
            mistakes.unless(!misplaced, &format!("{key} ({origin})"), "lies below a plain value");
            !misplaced
        });
    }

    /// The values as one nested table.
    fn nested(&self) -> Table {
        let mut root = Table::new();
        for (key, (value, _)) in &self.values {
            let (sections, name) = key.rsplit_once('.').unwrap_or(("", key));
            let mut table = Some(&mut root);
            for section in sections.split('.').filter(|section| !section.is_empty()) {
                let empty = || Value::Table(Table::new());
                table = table
                    .and_then(|inside| inside.entry(section).or_insert_with(empty).as_table_mut());
            }
            if let Some(table) = table {
                table.insert(name.to_owned(), value.clone());
            }
        }
        root
    }

    /// The effective configuration as TOML, a line a key, with where each value came from and
    /// without secrets.
    pub(crate) fn print(&self, configuration: &Configuration) -> anyhow::Result<String> {
        let mut effective = Self::default();
        effective.flatten("", Table::try_from(configuration)?, "default");
        let mut text = String::new();
        for (key, (value, default)) in effective.values {
            let origin = self.values.get(&key).map_or(&default, |(_, origin)| origin);
            let value = match (key.as_str(), value) {
                ("database_url", Value::String(url)) => Value::String(without_password(&url)),
                // Gateways' habits: secrets in the query, in headers, in the body.
                ("sms.http.url", Value::String(url)) => Value::String(without_query(&url)),
                (key, Value::String(text)) if !text.is_empty() && is_hidden(key) => "…".into(),
                (_, value) => value,
            };
            writeln!(text, "{key} = {value}  # {origin}")?;
        }
        Ok(text)
    }
}

/// Keys outside any section, as the environment may set them.
const TOP_LEVEL: [&str; 11] = [
    "listen",
    "data_dir",
    "database_url",
    "public_url",
    "audience",
    "allowed_origins",
    "trusted_proxies",
    "master_key_file",
    "metrics_listen",
    "preset",
    "log",
];

/// Whether a stored key is the reported one or lies below it.
fn within(reported: &str, key: &str) -> bool {
    key == reported || key.strip_prefix(reported).is_some_and(|rest| rest.starts_with('.'))
}

/// What else a text from the environment can mean: a number, a switch, a list with commas.
fn otherwise(value: &Value) -> Option<Value> {
    let list = |text: &str| {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
    };
    match value {
        Value::String(text) => {
            let number = text.parse().map(Value::Integer);
            let switch = || text.parse().map(Value::Boolean);
            Some(number.ok().or_else(|| switch().ok()).unwrap_or_else(|| list(text)))
        }
        Value::Array(_) => None,
        other => Some(list(&other.to_string())),
    }
}

/// Line and column of a parse error.
fn place(text: &str, error: &toml::de::Error) -> String {
    let offset = error.span().map_or(0, |span| span.start);
    let before = text.get(..offset).unwrap_or_default();
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
    format!("line {}, column {}", before.matches('\n').count() + 1, column + 1)
}

/// Whether a text is a secret, or the operator's own and may hold one.
fn is_hidden(key: &str) -> bool {
    key == "sms.http.body"
        || key.starts_with("sms.http.headers.")
        || (key.starts_with("social.") && key.ends_with(".client_secret"))
}

/// A URL that can be shown.
fn without_query(url: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, ""), |(base, _)| (base, "?…"));
    format!("{}{query}", without_password(base))
}

/// A database URL that can be shown.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // libpq's URLs carry passwords before the last `@` or as a parameter.
    let (user, hosts) = rest.rsplit_once('@').unwrap_or(("", rest));
    let name = user.split(':').next().unwrap_or_default();
    let user = if user.is_empty() { String::new() } else { format!("{name}:…@") };
    let hosts = hosts.split_once('?').map_or(hosts.to_owned(), |(hosts, parameters)| {
        let shown = parameters.split('&').map(|parameter| match parameter.split_once('=') {
            Some((key, _)) if key.contains("password") => format!("{key}=…"),
            _ => parameter.to_owned(),
        });
        format!("{hosts}?{}", shown.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{user}{hosts}")
}
