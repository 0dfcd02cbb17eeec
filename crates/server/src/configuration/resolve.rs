//! From what was written to what holds: every value checked once, unsafe ones refused.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::Uri;
use ipnet::IpNet;
use ironlatch_core::ports::MailTransport;
use ironlatch_core::sessions::Lifetimes;
use ironlatch_core::settings::{
    AccountSettings, LimitSettings, MailSettings, PasswordSettings, Settings, SignUpSettings,
    SigningAlgorithm, TokenSettings, WhenBlind,
};
use tracing_subscriber::filter::Targets;

use super::{Algorithm, Blind, Configuration, Mistakes, Passwords};

/// What the program itself needs to know, checked.
#[derive(Clone)]
pub(crate) struct ServerSettings {
    pub(crate) core: Settings,
    pub(crate) listen: SocketAddr,
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Whether `public_url` was given; else it follows the port that was bound.
    pub(crate) has_public_url: bool,
    pub(crate) web: ironlatch_web::Settings,
    pub(crate) mail: Arc<dyn MailTransport>,
    pub(crate) log: Targets,
    pub(crate) documents: bool,
    pub(crate) access_log: bool,
    pub(crate) max_connections: usize,
}

impl Configuration {
    /// Checks everything; `development` allows what `ironlatch dev` is for.
    pub(crate) fn resolve(&self, development: bool, mistakes: &mut Mistakes) -> ServerSettings {
        let listen = self.listen.parse().unwrap_or_else(|_| {
            mistakes.add("listen", "must be ADDRESS:PORT, e.g. 127.0.0.1:8000 or [::1]:8000");
            SocketAddr::from(([127, 0, 0, 1], 8000))
        });
        let local = listen.ip().is_loopback();
        mistakes.unless(
            !development || local,
            "listen",
            "development mode shows mails and tokens to everybody who can connect: listen on \
             127.0.0.1 or [::1], or use `ironlatch serve`",
        );
        self.check_public_url(local || development, mistakes);
        self.check_database(development, mistakes);
        self.passwords.check_hashing(local, mistakes);
        let core = self.core_settings(development, listen);
        let web = self.web_settings(development, mistakes);
        for mistake in core.check().into_iter().chain(web.check()) {
            mistakes.add(mistake.key, mistake.sentence);
        }
        ServerSettings {
            core,
            listen,
            metrics_listen: self.metrics_address(mistakes),
            has_public_url: self.public_url.is_some(),
            web,
            mail: self.mail.transport(mistakes),
            log: self.log.parse().unwrap_or_else(|_| {
                mistakes.add("log", "must be error, warn, info, debug or trace, or target=level");
                Targets::new()
            }),
            documents: self.http.documents,
            access_log: self.http.access_log,
            max_connections: self.http.max_connections.max(1),
        }
    }

    fn core_settings(&self, development: bool, listen: SocketAddr) -> Settings {
        let own = |url: &String| url.trim_end_matches('/').to_owned();
        let passwords = &self.passwords;
        let limits = &self.limits;
        let defaults = Settings::default();
        Settings {
            public_url: self.public_url.as_ref().map_or(format!("http://{listen}"), own),
            frontend_url: self.doors.api.frontend_url.as_ref().map(own),
            audience: self.tokens.audience.clone(),
            development,
            accounts: AccountSettings {
                roles: self.accounts.roles.0.clone(),
                default_role: self.accounts.default_role.clone(),
            },
            sign_up: SignUpSettings {
                reveal_taken: self.sign_up.reveal_taken,
                neutral: self.sign_up.neutral,
                require_verified: self.sign_up.require_verified,
            },
            passwords: PasswordSettings {
                least_length: passwords.least_length,
                argon2_memory_kib: passwords.argon2_memory_kib,
                argon2_passes: passwords.argon2_passes,
                argon2_lanes: passwords.argon2_lanes,
                slots: passwords.slots,
                longest_wait: passwords.longest_wait.0,
                queue: passwords.queue,
            },
            limits: LimitSettings {
                sign_ins_per_network_minute: limits.sign_ins_per_network_minute,
                sign_ups_per_network_hour: limits.sign_ups_per_network_hour,
                mails_per_identifier_and_network_hour: limits.mails_per_identifier_and_network_hour,
                mails_per_identifier_hour: limits.mails_per_identifier_hour,
                failures_before_delay: limits.failures_before_delay,
                failures_before_stop: limits.failures_before_stop,
            },
            tokens: TokenSettings {
                algorithm: match self.tokens.algorithm {
                    Algorithm::EdDsa => SigningAlgorithm::EdDsa,
                    Algorithm::Es256 => SigningAlgorithm::Es256,
                    Algorithm::Rs256 => SigningAlgorithm::Rs256,
                },
                api: Lifetimes {
                    access: self.tokens.access.0,
                    idle: self.tokens.idle.0,
                    absolute: self.tokens.absolute.0,
                },
            },
            mail: MailSettings {
                from: self.mail.from.clone().unwrap_or(defaults.mail.from),
                product: self.mail.product.clone().unwrap_or(defaults.mail.product),
                templates: self.mail.templates.clone(),
            },
            when_blind: match self.checks.when_blind {
                Blind::Refuse => WhenBlind::Refuse,
                Blind::Allow => WhenBlind::Allow,
            },
        }
    }

    fn check_public_url(&self, may_be_unset: bool, mistakes: &mut Mistakes) {
        let Some(url) = &self.public_url else {
            return mistakes.unless(
                may_be_unset,
                "public_url",
                "must be given when the server listens beyond this machine, e.g. \
                 https://auth.example.com: links in mails and the issuer of tokens are made of it",
            );
        };
        check_url("public_url", url, mistakes);
        if let Some(url) = &self.doors.api.frontend_url {
            check_url("doors.api.frontend_url", url, mistakes);
        }
    }

    fn check_database(&self, development: bool, mistakes: &mut Mistakes) {
        let url = self.database();
        let known = ["sqlite:", "postgres://", "postgresql://"];
        mistakes.unless(
            known.iter().any(|scheme| url.starts_with(scheme)),
            "database_url",
            "must be sqlite:PATH or postgres://USER@HOST/DATABASE",
        );
        mistakes.unless(
            !development || self.is_embedded(),
            "database_url",
            "development mode shows everybody's mails and tokens: it uses an embedded database only",
        );
        mistakes.unless(
            self.is_embedded() || self.master_key_file.is_some(),
            "master_key_file",
            "must be given with PostgreSQL, so that the database alone opens nothing: set \
             IRONLATCH_MASTER_KEY_FILE to a file with 32 random bytes \
             (head -c 32 /dev/urandom > master.key; chmod 600 master.key), the same on every node",
        );
    }

    fn web_settings(&self, development: bool, mistakes: &mut Mistakes) -> ironlatch_web::Settings {
        let base = if development {
            ironlatch_web::Settings::development()
        } else {
            ironlatch_web::Settings::default()
        };
        ironlatch_web::Settings {
            allowed_origins: self.allowed_origins.0.clone(),
            trusted_proxies: self.proxies(mistakes),
            ..base
        }
    }

    fn proxies(&self, mistakes: &mut Mistakes) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for text in &self.trusted_proxies.0 {
            let network =
                text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
            match network {
                Some(network) if network.prefix_len() > 0 => networks.push(network),
                Some(_) => mistakes.add(
                    "trusted_proxies",
                    "trusting everybody lets anybody choose their address: name your proxies",
                ),
                None => mistakes.add(
                    "trusted_proxies",
                    format_args!("{text:?} must be an address or a network, e.g. 10.0.0.0/8"),
                ),
            }
        }
        networks
    }

    fn metrics_address(&self, mistakes: &mut Mistakes) -> Option<SocketAddr> {
        let text = self.metrics_listen.as_ref().filter(|text| !text.is_empty())?;
        // A bare port never becomes reachable from outside by accident.
        let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let address = text.parse().ok().or_else(|| text.parse().ok().map(local));
        mistakes.unless(
            address.is_some(),
            "metrics_listen",
            "must be a port (then on loopback) or ADDRESS:PORT",
        );
        address
    }
}

impl Passwords {
    /// Refuses hashing that OWASP's Password Storage Cheat Sheet calls too weak.
    fn check_hashing(&self, local: bool, mistakes: &mut Mistakes) {
        // Least memory in KiB for so many passes; the rows count as equally strong.
        let least =
            [(1, 47_104), (2, 19_456), (3, 12_288), (4, 9_216), (5, 7_168)].into_iter().any(
                |(passes, memory)| self.argon2_passes >= passes && self.argon2_memory_kib >= memory,
            );
        mistakes.unless(
            least || self.allow_weak_hashing_for_tests,
            "passwords.argon2_memory_kib",
            "is below OWASP's least for so many passes: use 19456 with argon2_passes = 2, or 47104 \
             with 1",
        );
        mistakes.unless(
            !self.allow_weak_hashing_for_tests || local,
            "passwords.allow_weak_hashing_for_tests",
            "is for tests only: listen on 127.0.0.1, or remove it",
        );
    }
}

/// Whether a URL is a base that links can be made of, and nothing that can be read on the way.
fn check_url(key: &str, url: &str, mistakes: &mut Mistakes) {
    let shape = "must be like https://auth.example.com, without query";
    let Ok(uri) = url.parse::<Uri>() else { return mistakes.add(key, shape) };
    let host = uri.host().unwrap_or_default();
    let plain = uri.query().is_none() && !url.contains(['#', '@']) && !host.is_empty();
    match uri.scheme_str() {
        Some("https") => mistakes.unless(plain, key, shape),
        Some("http") => mistakes.unless(
            plain && is_local(host),
            key,
            "over http everybody on the way reads passwords and tokens: use https://; http is \
             allowed for localhost, 127.0.0.1 and [::1] only",
        ),
        _ => mistakes.add(key, shape),
    }
}

/// Whether a host name of a URL is this machine.
fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
