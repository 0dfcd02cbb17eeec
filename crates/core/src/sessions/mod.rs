//! Who is here: sessions start, refresh, are checked and revoked; the account cache.
//!
//! A session is one sign-in, and everything that lets somebody act hangs on one. Checking a
//! token reads no database: signatures, revocations and accounts are remembered, and a feed
//! tells every node within half a second what is no longer true.
//!
//! Owns the tables `sessions`, `session_chains`, `revocation_feed` and `revocations`.

mod account;
mod cache;
mod check;
mod cookie;
mod feed;
mod last_use;
mod new_network;
mod refresh;
mod revoke;
mod rotation;
mod start;
mod store;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use account::{Account, AccountIdentity};
pub(crate) use cache::Reading;

use crate::Auth;
use crate::database::Batch;
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::ports::Token;
pub use crate::settings::{Door, Lifetimes};
use crate::time::Timestamp;
use crate::tokens::{AccessClaims, TokenError};

/// Evidence that a person has passed every step a sign-in asked of them.
///
/// Made only by `sign_in::complete`; the architecture test counts the callers.
pub struct Proof {
    pub(crate) account: AccountId,
    pub(crate) number: i64,
    /// `amr` values (RFC 8176), e.g. `pwd`.
    pub(crate) methods: Vec<&'static str>,
    pub(crate) proven_at: Timestamp,
    /// The account's `security_version` as read together with the credential; tokens carry it,
    /// and "end all" revokes what is below the one it raised it to.
    pub(crate) security_version: i64,
    /// What must be true in the session's batch (the account unchanged since it was read) and
    /// what is written with it (audit, notices). Begins with a must-change statement.
    pub(crate) batch: Batch,
}

/// A session just opened, with its secrets in the clear.
#[derive(Debug, Clone)]
pub struct Started {
    /// The session.
    pub session: SessionId,
    /// A first access token.
    pub access: Token,
    /// The first token of the cookie chain.
    pub refresh_cookie: Token,
    /// The first token of the body chain.
    pub refresh_body: Token,
    /// How long the cookie may be kept: the idle limit.
    pub refresh_lifetime: Duration,
    /// How long the access token may be kept in a cookie.
    pub access_lifetime: Duration,
    /// The session's own cookie, on the door where sessions are cookies, and how long it may be
    /// kept.
    pub cookie: Option<(Token, Duration)>,
}

/// What a refresh gives.
#[derive(Debug, Clone)]
pub struct Refreshed {
    /// A new access token.
    pub access: Token,
    /// The refresh token to keep from now on; sometimes the presented one.
    pub refresh: Token,
    /// How long a cookie with it may be kept.
    pub refresh_lifetime: Duration,
}

/// Why a refresh is refused.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Malformed, forged, of the other chain, or of a session nobody knows.
    #[error("the refresh token is invalid")]
    Invalid,
    /// The token, or its session's idle or absolute time, has run out.
    #[error("the refresh token is expired")]
    Expired,
    /// An access token was presented.
    #[error("the token has the wrong type")]
    WrongType,
    /// Its session has ended, or it was superseded and its session has now been ended.
    #[error("the refresh token was revoked")]
    Revoked,
    /// The account is disabled or closed.
    #[error("no active account for the token")]
    Inactive,
    /// The store failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// Somebody whose access token passed every check.
#[derive(Debug, Clone)]
pub struct Present {
    /// What the token says.
    pub claims: Arc<AccessClaims>,
    /// The account, at most 60 s old.
    pub account: Arc<Account>,
}

/// Why an access token does not let its bearer in.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The token itself is refused. A revoked session answers [`TokenError::Invalid`].
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The account is disabled.
    #[error("the account is disabled")]
    AccountDisabled,
    /// The account is closed or was never there.
    #[error("there is no such account")]
    AccountGone,
    /// This node has not heard of revocations for 5 s and does not guess.
    #[error("revocations cannot be checked now")]
    Blind,
    /// The store failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// Why sessions end, as stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Its owner signed out.
    SignedOut,
    /// Ended by its owner from the list, or with all others.
    EndedByOwner,
    /// A refresh token came back after its successor was used.
    TokenTheft,
    /// A refresh token newer than the database.
    TokenFromTheFuture,
    /// The password was changed or reset.
    PasswordChanged,
    /// An authenticator app was enrolled or removed.
    SecondFactorChanged,
    /// The address or number was changed, or a change of it taken back.
    AddressChanged,
    /// The first proof of the address was somebody else's.
    FirstProof,
    /// The account was disabled or closed.
    AccountClosed,
    /// More than 100 live sessions.
    TooMany,
    /// Another sign-in in the same browser.
    Replaced,
    /// An operator's act, `restore` included.
    Operator,
}

impl EndReason {
    /// The stored word; stable over releases.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::EndedByOwner => "ended_by_owner",
            Self::TokenTheft => "token_theft",
            Self::TokenFromTheFuture => "token_from_the_future",
            Self::PasswordChanged => "password_changed",
            Self::SecondFactorChanged => "second_factor_changed",
            Self::AddressChanged => "address_changed",
            Self::FirstProof => "first_proof",
            Self::AccountClosed => "account_closed",
            Self::TooMany => "too_many",
            Self::Replaced => "replaced",
            Self::Operator => "operator",
        }
    }
}

/// A live session as its owner sees it in a list.
#[derive(Debug, Clone)]
pub struct SessionEntry {
    /// The session.
    pub id: SessionId,
    /// The `User-Agent` it began with.
    pub user_agent: String,
    /// The network it began in.
    pub network: String,
    /// How it was proven.
    pub amr: Vec<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// Last use, at most a minute behind.
    pub last_used_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
}

/// Sessions of an `Auth`.
pub struct Sessions<'a> {
    pub(crate) auth: &'a Auth,
}

impl<'a> Sessions<'a> {
    fn state(&self) -> &'a State {
        &self.auth.inner.sessions
    }
}

/// What an `Auth` keeps in memory about sessions.
pub(crate) struct State {
    feed: feed::Feed,
    accounts: cache::Accounts,
    cookies: cookie::CookieSessions,
    last_use: last_use::LastUse,
    /// When a token of an unknown key last made this node ask the feed.
    asked_for_keys: tokio::sync::Mutex<Option<Timestamp>>,
}

impl State {
    /// Nothing known yet.
    pub(crate) fn new() -> Self {
        Self {
            feed: feed::Feed::new(),
            accounts: cache::Accounts::new(),
            cookies: cookie::CookieSessions::new(),
            last_use: last_use::LastUse::default(),
            asked_for_keys: tokio::sync::Mutex::default(),
        }
    }
}

/// Whatever tokens a sign-out request brought along.
#[derive(Clone, Copy, Default)]
pub struct PresentedTokens<'a> {
    /// From the `Authorization` header.
    pub bearer: Option<&'a str>,
    /// From the `refresh_token` cookie.
    pub cookie: Option<&'a str>,
    /// From the body's `refresh`.
    pub body: Option<&'a str>,
    /// A session's own cookie.
    pub session: Option<&'a Token>,
}

/// Says only which ones came: refused requests may end in a log.
impl fmt::Debug for PresentedTokens<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PresentedTokens")
            .field("bearer", &self.bearer.is_some())
            .field("cookie", &self.cookie.is_some())
            .field("body", &self.body.is_some())
            .field("session", &self.session.is_some())
            .finish()
    }
}
