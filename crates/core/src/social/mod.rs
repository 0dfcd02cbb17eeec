//! Who vouches for us: providers, what they say of a person, and the way there and back.
//!
//! Owns the tables `identities` and `spent_proofs`.

mod brought;
mod directory;
mod discovery;
mod flow;
mod identities;
mod jwks;
mod kept;
mod providers;
mod round_trip;
mod spent;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

pub(crate) use directory::Directory;
pub(crate) use identities::{Identity, Joining, MOST_IDENTITIES, disconnect, disconnect_all};

use crate::Auth;
use crate::accounts::Email;
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::ports::Token;
use crate::settings::ProviderSettings;

/// Providers of an `Auth`.
pub struct Social<'a> {
    pub(crate) auth: &'a Auth,
}

/// A provider as buttons show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The name in paths.
    pub name: String,
    /// What the button says.
    pub title: String,
}

/// What a provider says of a person, checked. Made in this room only.
#[derive(Debug, Clone)]
pub struct Vouched {
    /// The configured name of the provider.
    pub(crate) provider: String,
    /// With `subject`, who it is: unique and never given to somebody else (OIDC Core §5.7).
    pub(crate) issuer: String,
    /// At most 255 characters.
    pub(crate) subject: String,
    /// The address, if the provider tells one.
    pub(crate) email: Option<Email>,
    /// Whether the provider says that the address is proven, and its word counts for the domain.
    pub(crate) is_email_verified: bool,
    /// A name to begin with.
    pub(crate) name: Option<String>,
    /// What the contract's `extra_data` holds: a JSON object as text.
    pub(crate) profile: String,
    /// The provider's tokens, only where they are to be kept: a JSON object.
    pub(crate) tokens: Option<Token>,
}

/// What a client brings to prove who vouches for it (the contract's way).
#[derive(Debug, Clone, Default)]
pub struct Grant {
    /// The provider's code.
    pub code: Option<Token>,
    /// The PKCE verifier (RFC 7636 §4.1).
    pub verifier: Option<Token>,
    /// An access token: never taken, as it may have been made for another client.
    pub access_token: Option<Token>,
    /// An ID token; usable once.
    pub id_token: Option<Token>,
}

/// What a way to a provider is for.
#[derive(Debug, Clone)]
pub enum Errand {
    /// To sign in; and where the browser goes afterwards.
    SignIn {
        /// A path of ours or a URL of an allowed origin, as the web crate checked it.
        next: Option<String>,
        /// Where they came from, for the analytics of sign-ups.
        source_url: Option<String>,
    },
    /// To connect the identity to the account of this session.
    Link {
        /// Whose.
        account: AccountId,
        /// The session that asked.
        session: SessionId,
        /// Where the browser goes afterwards.
        next: Option<String>,
    },
}

/// The browser is to go to the provider.
#[derive(Clone)]
pub struct Departure {
    /// Where to (RFC 6749 §4.1.1).
    pub authorization_url: String,
    /// What the browser keeps meanwhile, in a cookie: sealed.
    pub flow: Token,
    /// How long.
    pub flow_lifetime: Duration,
}

/// Nothing of it: `state` and nonce are in the URL.
impl fmt::Debug for Departure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Departure(…)")
    }
}

/// What came back with the browser (RFC 6749 §4.1.2, RFC 9207 §2).
#[derive(Debug, Clone, Default)]
pub struct Returned {
    /// `code`.
    pub code: Option<Token>,
    /// `state`.
    pub state: Option<Token>,
    /// `iss`.
    pub issuer: Option<String>,
    /// `error`, e.g. `access_denied`.
    pub error: Option<String>,
}

/// Why nobody was vouched for. Texts for the client are generic; details are in the log.
#[derive(Debug, thiserror::Error)]
pub enum SocialError {
    /// No provider of that name.
    #[error("there is no such provider")]
    UnknownProvider,
    /// Neither a code nor an ID token was brought.
    #[error("nothing was brought that proves anything")]
    NothingBrought,
    /// An access token was brought.
    #[error("access tokens are not taken")]
    AccessTokenBrought,
    /// No PKCE verifier where one is needed, or none that RFC 7636 §4.1 allows.
    #[error("a PKCE verifier is needed")]
    BadVerifier,
    /// The provider did not take the code.
    #[error("the code could not be exchanged")]
    ExchangeFailed,
    /// The provider did not say who it is, or what it said does not hold.
    #[error("the provider did not say who it is")]
    NotVouched,
    /// The browser's cookie is missing, too old, of another provider or was used already, or
    /// `state` or `iss` is another.
    #[error("the way back does not fit the way there")]
    ForeignReturn,
    /// The person said no (`access_denied`).
    #[error("consent was denied")]
    Denied,
    /// The provider does not answer for now (its breaker is open, or too much is under way).
    #[error("the provider does not answer, try again in {retry_after:?}")]
    Unavailable {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Something of ours failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl Social<'_> {
    /// What providers publish, and ID tokens checked with it.
    fn directory(&self) -> &Directory {
        &self.auth.inner.directory
    }

    /// The providers, as buttons show them.
    #[must_use]
    pub fn offers(&self) -> Vec<Offer> {
        let settings = &self.auth.settings().social;
        let offer = |(name, one): (&String, &ProviderSettings)| Offer {
            name: name.clone(),
            title: one.title.clone().unwrap_or_else(|| providers::title(one.kind).to_owned()),
        };
        settings.iter().map(offer).collect()
    }

    /// What a provider is called; its configured name where it is no longer there.
    pub(crate) fn title(&self, provider: &str) -> String {
        let offers = self.offers().into_iter().find(|offer| offer.name == provider);
        offers.map_or_else(|| provider.to_owned(), |offer| offer.title)
    }
}
