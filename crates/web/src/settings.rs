//! What the operator or the application can say about the HTTP side.

use ipnet::IpNet;
use ironlatch_core::settings::Mistake;

use crate::request::origin::is_origin;

/// The hosts that development mode answers to, and whose pages count as local origins.
pub const LOCAL_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Settings of the HTTP side. The public URL and its scheme come from the core's settings.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Origins of front ends that may call the API with credentials, e.g.
    /// `https://app.example.com`. Compared as a whole; nothing else is ever echoed.
    pub allowed_origins: Vec<String>,
    /// Any origin on this machine may call as well. Development mode only.
    pub any_local_origin: bool,
    /// Networks of proxies whose forwarding headers are believed. Each must append the address it
    /// saw to `X-Forwarded-For`; `Forwarded` is read only where that header is absent.
    pub trusted_proxies: Vec<IpNet>,
    /// If given, requests for another host are refused with 421. Links never depend on it: they
    /// are built from the public URL alone.
    pub hosts: Option<Vec<String>>,
}

impl Settings {
    /// What development mode uses: local origins and local hosts only.
    #[must_use]
    pub fn development() -> Self {
        Self {
            any_local_origin: true,
            hosts: Some(LOCAL_HOSTS.map(str::to_owned).to_vec()),
            ..Self::default()
        }
    }

    /// Every setting that cannot stand; empty when all is well.
    #[must_use]
    pub fn check(&self) -> Vec<Mistake> {
        // A pattern would be compared as it stands and match nobody.
        let fine = |origin: &str| is_origin(origin) && !origin.contains('*');
        let wrong = self.allowed_origins.iter().filter(|origin| !fine(origin));
        wrong
            .map(|origin| Mistake {
                key: "allowed_origins".into(),
                sentence: format!(
                    "\"{origin}\" is not an origin; write scheme, host and port only, in lower \
                     case and without a slash at the end, like https://app.example.com"
                ),
            })
            .collect()
    }
}
