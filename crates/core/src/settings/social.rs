//! `[social.<name>]`: providers that vouch for people.

mod check;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

pub(super) use check::mistakes;

use crate::ports::Token;

/// The providers by the name that paths, `me` and stored identities show.
pub type SocialSettings = BTreeMap<String, ProviderSettings>;

/// One provider.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Which dialect it speaks.
    pub kind: ProviderKind,
    /// What its buttons say; the kind's own name where not given.
    pub title: Option<String>,
    /// Our name there.
    pub client_id: String,
    /// Our secret there; public clients of OpenID providers have none.
    pub client_secret: Option<Token>,
    /// Where the front end receives the code (the contract's way); must equal what the front end
    /// sent the browser away with (RFC 6749 §4.1.3). The server-driven way has its own,
    /// `<public URL>/api/auth/social/<name>/callback`.
    pub redirect_uri: Option<String>,
    /// What is asked for; the kind's least where empty (ASVS 10.2.3).
    pub scopes: Vec<String>,
    /// Where it is; the kind's own where not given.
    pub endpoints: Endpoints,
    /// Takes `http` and addresses of private networks and of this machine.
    pub allow_private_addresses: bool,
    /// Domains for whose addresses its word counts, without those below them; all of them where
    /// empty (attack C02).
    pub email_domains: Vec<String>,
    /// Keeps its tokens, sealed, for the application.
    pub store_tokens: bool,
}

impl ProviderSettings {
    /// A provider with nothing but what each must have.
    #[must_use]
    pub fn new(kind: ProviderKind, client_id: String, client_secret: Option<Token>) -> Self {
        Self {
            kind,
            title: None,
            client_id,
            client_secret,
            redirect_uri: None,
            scopes: Vec::new(),
            endpoints: Endpoints::default(),
            allow_private_addresses: false,
            email_domains: Vec::new(),
            store_tokens: false,
        }
    }

    /// The issuer its identities are stored with. Where a kind that names no issuer itself asks
    /// another server than its own, that server's origin: its numbers are other people's (attack
    /// C03).
    #[must_use]
    pub fn issuer(&self) -> Option<Cow<'_, str>> {
        let Endpoints { issuer, userinfo_endpoint, token_endpoint, .. } = &self.endpoints;
        if let Some(issuer) = issuer {
            return Some(issuer.into());
        }
        let asked = userinfo_endpoint.as_ref().or(token_endpoint.as_ref());
        let asked = asked.and_then(|url| Url::parse(url).ok());
        match asked.filter(|url| !self.kind.has_id_tokens() && !self.kind.is_at_home(url)) {
            Some(elsewhere) => Some(elsewhere.origin().ascii_serialization().into()),
            None => self.kind.issuer().map(Cow::from),
        }
    }
}

/// What providers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// OpenID Connect, and what Google adds.
    Google,
    /// OAuth 2.0 with GitHub's API.
    Github,
    /// OAuth 2.0 with the Graph API.
    Facebook,
    /// OAuth 2.0 with LinkedIn's API.
    Linkedin,
    /// Any OpenID Connect issuer, by discovery.
    Oidc,
}

impl ProviderKind {
    /// The issuer of its identities where none is configured. Kinds that are no OpenID issuers
    /// have their public origin in its place, so that an identity is told from another's with
    /// the same subject.
    #[must_use]
    pub const fn issuer(self) -> Option<&'static str> {
        match self {
            Self::Google => Some("https://accounts.google.com"),
            Self::Github => Some("https://github.com"),
            Self::Facebook => Some("https://www.facebook.com"),
            Self::Linkedin => Some("https://www.linkedin.com"),
            Self::Oidc => None,
        }
    }

    /// Whether its identities are those of ID tokens, which say who issued them.
    const fn has_id_tokens(self) -> bool {
        matches!(self, Self::Google | Self::Oidc)
    }

    /// Whether a URL is one of the kind's own servers.
    fn is_at_home(self, url: &Url) -> bool {
        let home = self.issuer().and_then(|issuer| issuer.split("//").nth(1)).unwrap_or_default();
        let home = home.trim_start_matches("www.");
        let below = |host: &str| host.strip_suffix(home).is_some_and(|rest| rest.ends_with('.'));
        url.scheme() == "https" && url.host_str().is_some_and(|host| host == home || below(host))
    }
}

/// Where a provider is, by the metadata names of RFC 8414 §2 and OpenID Connect Discovery §3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Endpoints {
    /// Who it says it is, `iss`.
    pub issuer: Option<String>,
    /// Where people sign in.
    pub authorization_endpoint: Option<String>,
    /// Where codes become tokens.
    pub token_endpoint: Option<String>,
    /// Who the token's owner is.
    pub userinfo_endpoint: Option<String>,
    /// Which addresses they have (GitHub, LinkedIn).
    pub emails_endpoint: Option<String>,
    /// The keys of its ID tokens.
    pub jwks_uri: Option<String>,
}
