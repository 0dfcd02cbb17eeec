//! Who is here: sessions start, refresh, are checked and revoked; the account cache.
//!
//! A session is one sign-in, and everything that lets somebody act hangs on one. Checking a
//! token reads no database: signatures, revocations and accounts are remembered, and a feed
//! tells every node within half a second what is no longer true.
//!
//! Owns the tables `sessions`, `session_chains`, `revocation_feed` and `revocations`.

mod account;

use std::sync::Arc;
use std::time::Duration;

pub use account::Account;

use crate::Auth;
use crate::client::Client;
use crate::database::{Batch, WriteError};
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::ports::Token;
pub use crate::settings::Lifetimes;
use crate::time::Timestamp;
use crate::tokens::{AccessClaims, Chain, TokenError};

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

/// Which way a session was opened through; decides lifetimes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `/api/auth/*`: 15 min · 14 d · 90 d.
    Api,
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

impl Sessions<'_> {
    /// Opens a session for somebody who has passed every step. `Conflict` means that the
    /// account changed while they were proving themselves: they must start again.
    pub async fn start(
        &self,
        proof: Proof,
        door: Door,
        client: &Client,
    ) -> Result<Started, WriteError> {
        let _ = (proof.batch, door, client);
        todo!()
    }

    /// Exchanges a refresh token by the rule of the design, section 5.
    pub async fn refresh(
        &self,
        token: &str,
        chain: Chain,
        client: &Client,
    ) -> Result<Refreshed, RefreshError> {
        todo!("{token} {chain:?} {client:?}")
    }

    /// Checks a bearer token: `exp`, key, session, account. Reads no database while its account
    /// is cached.
    pub async fn check(&self, access_token: &str) -> Result<Present, CheckError> {
        todo!("{access_token}")
    }

    /// The account, from the cache or the store.
    pub async fn account(&self, id: AccountId) -> Result<Option<Arc<Account>>, InternalError> {
        todo!("{id:?}")
    }

    /// Ends whichever sessions the presented tokens belong to; tokens nobody knows are ignored.
    /// Old refresh tokens of the session count, expired access tokens too.
    pub async fn sign_out(
        &self,
        tokens: &PresentedTokens<'_>,
        client: &Client,
    ) -> Result<(), InternalError> {
        todo!("{tokens:?} {client:?}")
    }

    /// The live sessions of an account, the newest first.
    pub async fn list(&self, account: AccountId) -> Result<Vec<SessionEntry>, InternalError> {
        todo!("{account:?}")
    }

    /// Ends one session of an account; `false` when it has no such live session.
    pub async fn end(
        &self,
        account: AccountId,
        session: SessionId,
        client: &Client,
    ) -> Result<bool, InternalError> {
        todo!("{account:?} {session:?} {client:?}")
    }

    /// Ends all sessions of an account except one; answers how many were live. Sign-ins that
    /// are still hashing do not survive it (`security_version` rises in the same batch, by the
    /// `accounts` statement handed in).
    pub async fn end_all(
        &self,
        account: AccountId,
        except: Option<SessionId>,
        reason: EndReason,
        batch: Batch,
    ) -> Result<(), WriteError> {
        todo!("{account:?} {except:?} {reason:?} {batch:?}")
    }

    /// The statements that end all sessions of an account (except one) for somebody else's
    /// batch: the rows, and the feed row, which must come last in it.
    #[must_use]
    pub fn end_all_statements(
        &self,
        account: AccountId,
        except: Option<SessionId>,
        reason: EndReason,
        now: Timestamp,
    ) -> Batch {
        todo!("{account:?} {except:?} {reason:?} {now:?}")
    }

    /// The statements that tell every node to read an account anew; last in the batch.
    #[must_use]
    pub fn changed_statements(&self, account: AccountId, now: Timestamp) -> Batch {
        todo!("{account:?} {now:?}")
    }

    /// Takes in what this node's own batch has just written to the feed, so that it holds here
    /// at once and not after the next poll. Called after every batch with feed rows.
    pub async fn catch_up(&self) -> Result<(), InternalError> {
        todo!()
    }

    /// Whether this node may answer: the live set is loaded, polls succeed, and its clock agrees
    /// with the database's within 5 s.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        todo!()
    }
}

/// Whatever tokens a sign-out request brought along.
#[derive(Debug, Clone, Copy, Default)]
pub struct PresentedTokens<'a> {
    /// From the `Authorization` header.
    pub bearer: Option<&'a str>,
    /// From the `refresh_token` cookie.
    pub cookie: Option<&'a str>,
    /// From the body's `refresh`.
    pub body: Option<&'a str>,
}
