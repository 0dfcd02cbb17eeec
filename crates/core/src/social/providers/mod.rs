//! The dialects of providers, each a small file: another one is a file, a line in [`dialect`]
//! and its name in the settings.

mod exchange;
mod facebook;
mod github;
mod google;
mod linkedin;
mod oidc;
mod openid;
mod person;

use std::borrow::Cow;
use std::time::Duration;

use futures_util::future::BoxFuture;
use url::Url;

use super::flow::{Flow, challenge_of};
use super::kept::FetchError;
use super::{Social, SocialError, Vouched};
use crate::Auth;
use crate::outbound::{Line, OutboundError};
use crate::ports::Token;
use crate::settings::{Endpoints, ProviderKind, ProviderSettings};
use crate::time::minutes;

use exchange::Tokens;
use person::Person;

/// How long ago an ID token may have been issued that is used to sign in: it goes from the
/// provider to us without a stop.
pub(super) const LONGEST_AGE: Duration = minutes(10);

/// What a provider speaks.
pub(super) struct Dialect {
    /// What its buttons say.
    pub(super) title: &'static str,
    /// Who it says it is, in every spelling it uses; identities are stored with the first.
    issuers: &'static [&'static str],
    /// Its endpoints.
    home: Home,
    /// What is asked for where nothing is configured: the least that tells who somebody is
    /// (ASVS 10.2.3).
    scopes: &'static [&'static str],
    /// Whether it knows PKCE (RFC 7636).
    pub(super) has_pkce: bool,
    /// Whether its ID tokens bring the nonce back (OpenID Connect Core §3.1.2.1).
    pub(super) has_nonce: bool,
    /// Whether a missing endpoint is found by discovery.
    is_discovered: bool,
    /// How codes become tokens.
    token_request: TokenRequest,
    /// Who the tokens are for.
    person: for<'a> fn(&'a Visit<'a>) -> BoxFuture<'a, Result<Person, Failure>>,
}

/// Where a provider is at home; empty where only its metadata knows.
struct Home {
    authorization: &'static str,
    token: &'static str,
    userinfo: &'static str,
    emails: &'static str,
    jwks: &'static str,
}

/// How a provider wants the code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenRequest {
    /// A form with the secret in it (`client_secret_post`).
    Form,
    /// As its metadata says: Basic, unless it takes the form only (OpenID Connect Core §9).
    ByMetadata,
    /// A query, secret and all.
    Query,
}

/// The dialect of a kind.
const fn dialect(kind: ProviderKind) -> &'static Dialect {
    match kind {
        ProviderKind::Google => &google::DIALECT,
        ProviderKind::Github => &github::DIALECT,
        ProviderKind::Facebook => &facebook::DIALECT,
        ProviderKind::Linkedin => &linkedin::DIALECT,
        ProviderKind::Oidc => &oidc::DIALECT,
    }
}

/// What a kind's buttons say where nothing is configured.
pub(super) const fn title(kind: ProviderKind) -> &'static str {
    dialect(kind).title
}

/// Where one configured provider is.
struct Places {
    /// Who it may say it is; identities are stored with the first.
    issuers: Vec<String>,
    authorization: String,
    token: String,
    userinfo: Option<String>,
    emails: Option<String>,
    jwks: Option<String>,
    /// Whether it promised `iss` with every answer (RFC 9207 §3).
    names_itself: bool,
    /// Whether our secret goes with the form.
    wants_secret_in_form: bool,
}

/// What a nonce in an ID token must be.
#[derive(Clone, Copy)]
pub(super) enum Nonce<'a> {
    /// The one that went with the browser: present and equal (OpenID Connect Core §3.1.3.7, 11;
    /// attack F15).
    Sent(&'a str),
    /// None went with the browser.
    NotSent,
    /// The client went to the provider itself. Whether it sent one is its own matter: the code's
    /// verifier is what binds the token to it (RFC 9700 §2.1.1).
    Unknown,
}

/// A provider, while one person is asked about.
pub(super) struct Desk<'a> {
    pub(super) auth: &'a Auth,
    pub(super) name: &'a str,
    pub(super) settings: &'a ProviderSettings,
    pub(super) dialect: &'static Dialect,
    line: Line<'a>,
}

/// What a dialect has to find out who somebody is.
struct Visit<'a> {
    desk: &'a Desk<'a>,
    places: &'a Places,
    tokens: &'a Tokens,
    nonce: Nonce<'a>,
}

/// Why a provider does not vouch. For the log, so no token is ever in it.
#[derive(Debug)]
enum Failure {
    /// Not asked for now.
    Unavailable(Duration),
    /// Anything else.
    Because(String),
}

impl Failure {
    fn because(reason: impl Into<String>) -> Self {
        Self::Because(reason.into())
    }
}

impl From<OutboundError> for Failure {
    fn from(error: OutboundError) -> Self {
        match error {
            OutboundError::Unavailable { retry_after } => Self::Unavailable(retry_after),
            other => Self::Because(other.to_string()),
        }
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Outbound(error) => error.into(),
            FetchError::Unusable(reason) => Self::because(reason),
        }
    }
}

impl Social<'_> {
    /// The configured provider of this name.
    pub(super) fn desk<'a>(&'a self, name: &'a str) -> Result<Desk<'a>, SocialError> {
        let settings = self.auth.settings().social.get(name).ok_or(SocialError::UnknownProvider)?;
        let line = self.auth.outbound().line(name, settings.allow_private_addresses);
        Ok(Desk { auth: self.auth, name, settings, dialect: dialect(settings.kind), line })
    }
}

impl Desk<'_> {
    /// Where a browser is sent to (RFC 6749 §4.1.1, RFC 7636 §4.3).
    pub(super) async fn authorization_url(&self, flow: &Flow) -> Result<String, SocialError> {
        let places = self.places().await.map_err(|failure| self.not_vouched(failure))?;
        let mut url = Url::parse(&places.authorization)
            .map_err(|error| self.not_vouched(Failure::because(error.to_string())))?;
        let scopes = if self.settings.scopes.is_empty() {
            self.dialect.scopes.join(" ")
        } else {
            self.settings.scopes.join(" ")
        };
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.callback())
            .append_pair("scope", &scopes)
            .append_pair("state", flow.state());
        if let Some(nonce) = &flow.nonce {
            query.append_pair("nonce", nonce);
        }
        if let Some(verifier) = &flow.verifier {
            query
                .append_pair("code_challenge", &challenge_of(verifier))
                .append_pair("code_challenge_method", "S256");
        }
        drop(query);
        Ok(url.into())
    }

    /// `iss` beside a code is the provider's own, and is there where it promised it (RFC 9207
    /// §2.4, mix-up: attack F14).
    pub(super) async fn check_issuer(&self, returned: Option<&str>) -> Result<(), SocialError> {
        let places = self.places().await.map_err(|failure| self.not_vouched(failure))?;
        let fits = match returned {
            Some(issuer) => places.issuers.iter().any(|known| known == issuer),
            None => !places.names_itself,
        };
        if fits { Ok(()) } else { Err(SocialError::ForeignReturn) }
    }

    /// What an error that came back with the browser means (RFC 6749 §4.1.2.1).
    pub(super) fn declined(&self, error: &str) -> SocialError {
        // The last two are LinkedIn's words for it.
        let no = ["access_denied", "user_cancelled_login", "user_cancelled_authorize"];
        if no.contains(&error) {
            return SocialError::Denied;
        }
        let word = exchange::error_word(error);
        tracing::warn!(provider = self.name, error = word, "a provider sent a browser back");
        SocialError::NotVouched
    }

    /// Who the tokens are for, as the rest of the house may believe it.
    pub(super) async fn vouched(
        &self,
        tokens: &Tokens,
        nonce: Nonce<'_>,
    ) -> Result<Vouched, SocialError> {
        let asked = async {
            let places = self.places().await?;
            let visit = Visit { desk: self, places: &places, tokens, nonce };
            (self.dialect.person)(&visit).await
        };
        let person = asked.await.map_err(|failure| self.not_vouched(failure))?;
        Ok(person.vouched(self, tokens))
    }

    /// Who an ID token is about that a client brought.
    pub(super) async fn vouched_by_id_token(
        &self,
        id_token: &Token,
    ) -> Result<Vouched, SocialError> {
        let tokens = Tokens::only_id_token(id_token.clone());
        let asked = async {
            let places = self.places().await?;
            let visit =
                Visit { desk: self, places: &places, tokens: &tokens, nonce: Nonce::Unknown };
            openid::brought(&visit).await
        };
        if !self.dialect.has_nonce {
            // Kinds without ID tokens; nothing else was brought.
            return Err(SocialError::NothingBrought);
        }
        let person = asked.await.map_err(|failure| self.not_vouched(failure))?;
        Ok(person.vouched(self, &tokens))
    }

    async fn places(&self) -> Result<Places, Failure> {
        let (dialect, own) = (self.dialect, &self.settings.endpoints);
        // Somebody else's issuer has nothing to do with the endpoints we know by heart.
        let is_at_home = own.issuer.is_none() || !dialect.is_discovered;
        let home = |ours: &Option<String>, home: &str| {
            let home = (is_at_home && !home.is_empty()).then(|| home.to_owned());
            ours.clone().or(home)
        };
        let mut endpoints = own.clone();
        endpoints.authorization_endpoint =
            home(&own.authorization_endpoint, dialect.home.authorization);
        endpoints.token_endpoint = home(&own.token_endpoint, dialect.home.token);
        endpoints.userinfo_endpoint = home(&own.userinfo_endpoint, dialect.home.userinfo);
        endpoints.jwks_uri = home(&own.jwks_uri, dialect.home.jwks);
        let emails = home(&own.emails_endpoint, dialect.home.emails);
        let mut issuers: Vec<_> = self.settings.issuer().map(Cow::into_owned).into_iter().collect();
        if own.issuer.is_none() {
            let spellings = dialect.issuers.iter().map(|issuer| (*issuer).to_owned());
            issuers.extend(spellings);
            issuers.dedup();
        }
        endpoints.issuer = issuers.first().cloned();
        if dialect.is_discovered {
            return self.discovered(issuers, &endpoints, emails).await;
        }
        Ok(Places {
            issuers,
            authorization: endpoints.authorization_endpoint.unwrap_or_default(),
            token: endpoints.token_endpoint.unwrap_or_default(),
            userinfo: endpoints.userinfo_endpoint,
            emails,
            jwks: endpoints.jwks_uri,
            names_itself: false,
            wants_secret_in_form: true,
        })
    }

    /// With what is not configured from the provider's metadata.
    async fn discovered(
        &self,
        issuers: Vec<String>,
        endpoints: &Endpoints,
        emails: Option<String>,
    ) -> Result<Places, Failure> {
        let social = self.auth.social();
        let now = self.auth.clock().now();
        let error = match social.directory().metadata(&self.line, endpoints, now).await {
            Ok(found) => {
                return Ok(Places {
                    issuers,
                    authorization: found.authorization_endpoint,
                    token: found.token_endpoint,
                    userinfo: found.userinfo_endpoint,
                    emails,
                    jwks: Some(found.jwks_uri),
                    names_itself: found.names_itself,
                    wants_secret_in_form: found.wants_secret_in_form,
                });
            }
            Err(error) => error,
        };
        // Token endpoint and keys are enough for clients that go to the provider themselves. Of
        // what the metadata may have promised nothing is waived.
        let token = endpoints.token_endpoint.clone();
        let Some((token, jwks)) = token.zip(endpoints.jwks_uri.clone()) else {
            return Err(error.into());
        };
        Ok(Places {
            issuers,
            authorization: String::new(),
            token,
            userinfo: endpoints.userinfo_endpoint.clone(),
            emails,
            jwks: Some(jwks),
            names_itself: true,
            wants_secret_in_form: false,
        })
    }

    fn not_vouched(&self, failure: Failure) -> SocialError {
        self.told(failure, SocialError::NotVouched)
    }

    /// Tells the log why, and the caller what.
    fn told(&self, failure: Failure, error: SocialError) -> SocialError {
        match failure {
            Failure::Unavailable(retry_after) => SocialError::Unavailable { retry_after },
            Failure::Because(reason) => {
                tracing::warn!(provider = self.name, reason, "{error}");
                error
            }
        }
    }
}
