//! `[social.<name>]`: providers that vouch for people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// Domains for whose addresses its word counts; all of them where empty (attack C02).
    pub email_domains: Vec<String>,
    /// Keeps its tokens, sealed, for the application.
    pub store_tokens: bool,
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
