//! How tokens are written and read; the signing keys.
//!
//! Access tokens are JWTs (`typ: at+jwt`, RFC 9068) signed with a published key that rotates.
//! Refresh tokens are read only by us, so they are MACed, not signed (`typ: rt+jwt`, HS256
//! under a subkey of the master key). Each reader takes exactly one `typ` and one set of
//! algorithms (RFC 8725 §3.1, §3.11).
//!
//! Owns the table `signing_keys`.

use std::sync::Arc;

use crate::Auth;
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::ports::Token;
use crate::time::Timestamp;

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessClaims {
    /// `sub`.
    pub account: AccountId,
    /// `user_id`, a string on the wire: the number that existing clients read.
    pub number: i64,
    /// `sid`.
    pub session: SessionId,
    /// `amr` (RFC 8176): how the session was proven.
    pub amr: Vec<String>,
    /// `auth_time`: when the person last proved who they are, in whole seconds.
    pub auth_time: i64,
    /// `iat`, whole seconds.
    pub issued_at: i64,
    /// `exp`, whole seconds.
    pub expires_at: i64,
}

/// Why an access or refresh token is refused; the contract names these three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Malformed, forged, from elsewhere, or signed with a key no longer published.
    #[error("the token is invalid")]
    Invalid,
    /// Genuine, but past its `exp`.
    #[error("the token is expired")]
    Expired,
    /// Genuine, but of the other kind (`token_type`, `typ`).
    #[error("the token has the wrong type")]
    WrongType,
}

/// Which of a session's two refresh chains a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chain {
    /// Handed out in the `refresh_token` cookie.
    Cookie,
    /// Handed out in the body.
    Body,
}

/// What a refresh token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshClaims {
    /// `sid`.
    pub session: SessionId,
    /// `chain`.
    pub chain: Chain,
    /// `g`: which token of the chain it is.
    pub generation: i64,
    /// `iat`, whole seconds.
    pub issued_at: i64,
    /// `exp`: the session's end if it is not used again, whole seconds.
    pub expires_at: i64,
    /// `sub`, `user_id`, `amr`, `auth_time`: what a new access token repeats without a read.
    pub account: AccountId,
    /// `user_id`.
    pub number: i64,
    /// `amr`.
    pub amr: Vec<String>,
    /// `auth_time`.
    pub auth_time: i64,
}

/// Tokens and keys of an `Auth`.
pub struct Tokens<'a> {
    pub(crate) auth: &'a Auth,
}

impl Tokens<'_> {
    /// Signs an access token.
    pub fn write_access(&self, claims: &AccessClaims) -> Result<Token, InternalError> {
        todo!("{claims:?}")
    }

    /// Reads an access token: signature (remembered, bounded), `typ`, `iss`, `aud`, `exp`, and
    /// that its key is still published. Says nothing about the session or the account.
    pub fn read_access(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<AccessClaims>, TokenError> {
        todo!("{token} {now:?}")
    }

    /// MACs a refresh token.
    pub fn write_refresh(&self, claims: &RefreshClaims) -> Result<Token, InternalError> {
        todo!("{claims:?}")
    }

    /// Reads a refresh token.
    pub fn read_refresh(&self, token: &str, now: Timestamp) -> Result<RefreshClaims, TokenError> {
        todo!("{token} {now:?}")
    }

    /// The published keys as a JWK Set (RFC 7517 §5).
    #[must_use]
    pub fn jwks(&self) -> serde_json::Value {
        todo!()
    }

    /// Makes a new signing key the active one. The old one verifies until its last token has
    /// expired, or not at all any more when `compromised`.
    pub async fn rotate(&self, compromised: bool) -> Result<(), InternalError> {
        todo!("{compromised}")
    }

    /// Loads the keys, making the first one where there is none. Called at start and when the
    /// revocation feed tells of a rotation.
    pub(crate) async fn load(&self) -> Result<(), InternalError> {
        todo!()
    }
}
