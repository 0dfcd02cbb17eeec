//! From what was written to what holds: every value checked once, unsafe ones refused.

use std::net::{IpAddr, SocketAddr};

use axum::http::Uri;
use axum::http::uri::Authority;
use ipnet::IpNet;
use ironlatch_core::messages;
use ironlatch_core::settings::{MailSettings, Settings};
use tracing_subscriber::filter::Targets;

use super::{Configuration, Mistakes, social};
use crate::opening::Ways;

/// What the program itself needs to know, checked.
#[derive(Clone)]
pub(crate) struct ServerSettings {
    pub(crate) core: Settings,
    pub(crate) listen: SocketAddr,
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Whether `public_url` was given; else it follows the port that was bound.
    pub(crate) has_public_url: bool,
    pub(crate) web: ironlatch_web::Settings,
    pub(crate) ways: Ways,
    pub(crate) log: Targets,
    pub(crate) documents: bool,
    pub(crate) access_log: bool,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_network: usize,
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
        mistakes.unless(
            !self.passwords.allow_weak_hashing_for_tests || local,
            "passwords.allow_weak_hashing_for_tests",
            "is for tests only: listen on 127.0.0.1, or remove it",
        );
        let core = Settings {
            social: social::core_settings(&self.social, mistakes),
            ..self.core_settings(development, listen)
        };
        let web = self.web_settings(development, local, mistakes);
        for mistake in core.check().into_iter().chain(messages::check(&core)).chain(web.check()) {
            mistakes.add(&mistake.key, mistake.sentence);
        }
        ServerSettings {
            core,
            listen,
            metrics_listen: self.metrics_address(mistakes),
            has_public_url: self.public_url.is_some(),
            web,
            ways: Ways {
                mail: self.mail.transport(development || self.is_for_this_machine(), mistakes),
                sms: self.sms.transport(mistakes),
            },
            log: self.log.parse().unwrap_or_else(|_| {
                mistakes.add("log", "must be error, warn, info, debug or trace, or target=level");
                Targets::new()
            }),
            documents: self.http.documents,
            access_log: self.http.access_log,
            max_connections: self.http.max_connections.max(1),
            max_connections_per_network: self.http.max_connections_per_network.max(1),
        }
    }

    fn core_settings(&self, development: bool, listen: SocketAddr) -> Settings {
        let own = |url: &String| url.trim_end_matches('/').to_owned();
        let mail = Settings::default().mail;
        Settings {
            public_url: self.public_url.as_ref().map_or(format!("http://{listen}"), own),
            audience: self.audience.clone(),
            development,
            accounts: self.accounts.clone(),
            sign_up: self.sign_up.clone(),
            passwords: self.passwords.clone(),
            limits: self.limits.clone(),
            tokens: self.tokens.clone(),
            mail: MailSettings {
                from: self.mail.from.clone().unwrap_or(mail.from),
                product: self.mail.product.clone().unwrap_or(mail.product),
                templates: self.mail.templates.clone(),
            },
            sms: self.sms.core_settings(),
            doors: self.doors.clone(),
            totp: self.totp.clone(),
            when_blind: self.checks.when_blind,
            ..Settings::default()
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

    /// Whether people reach the server on this machine only.
    fn is_for_this_machine(&self) -> bool {
        let uri = self.public_url.as_ref().map(|url| url.parse::<Uri>());
        uri.is_none_or(|uri| uri.is_ok_and(|uri| uri.host().is_some_and(is_local)))
    }

    fn web_settings(
        &self,
        development: bool,
        local: bool,
        mistakes: &mut Mistakes,
    ) -> ironlatch_web::Settings {
        let hosts = self.hosts(local, mistakes);
        let base = if development {
            ironlatch_web::Settings::development()
        } else {
            ironlatch_web::Settings { hosts, ..ironlatch_web::Settings::default() }
        };
        ironlatch_web::Settings {
            allowed_origins: self.allowed_origins.clone(),
            trusted_proxies: self.proxies(mistakes),
            ..base
        }
    }

    /// The hosts that are answered for: all of them only as long as nobody named one.
    fn hosts(&self, local: bool, mistakes: &mut Mistakes) -> Option<Vec<String>> {
        let own = self.public_url.as_ref().and_then(|url| url.parse::<Uri>().ok());
        let own = own.and_then(|uri| uri.host().map(str::to_owned));
        for host in &self.http.hosts {
            let is_name = host.parse::<Authority>().is_ok_and(|it| it.host() == host);
            mistakes.unless(
                is_name,
                "http.hosts",
                format_args!("{host:?} must be a name alone, e.g. auth.example.com"),
            );
        }
        let mut hosts: Vec<_> = own.into_iter().chain(self.http.hosts.iter().cloned()).collect();
        if hosts.is_empty() {
            return None;
        }
        if local {
            hosts.extend(ironlatch_web::LOCAL_HOSTS.map(str::to_owned));
        }
        Some(hosts)
    }

    fn proxies(&self, mistakes: &mut Mistakes) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for text in &self.trusted_proxies {
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
