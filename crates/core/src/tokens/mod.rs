//! How tokens are written and read; the signing keys.
//!
//! Access tokens are JWTs (`typ: at+jwt`, RFC 9068) signed with a published key that rotates.
//! Refresh tokens are read only by us, so they carry a MAC and no signature (`typ: rt+jwt`, HS256
//! under a subkey of the master key). Each reader takes exactly one `typ` and one set of
//! algorithms (RFC 8725 §3.1, §3.11), and looks at no claim before the signature.
//!
//! ID tokens of providers are only read here (`verify_id_token`), with their keys.
//!
//! Owns the table `signing_keys`. A change of keys is told to every node through the
//! revocation feed, so `Tokens::rotate` is written in `sessions`, whose table that is.

mod access;
mod compact;
mod id_token;
mod keys;
mod refresh;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use data_encoding::BASE64URL_NOPAD;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use zeroize::Zeroizing;

pub(crate) use id_token::{Expected, IdClaims, IdTokenError, KeySet, verify as verify_id_token};
use keys::{KeyRing, NewKey, PublishedKey, SigningKey};
use refresh::RefreshTokens;
use store::StoredKey;

use crate::Auth;
use crate::database::{Batch, WriteError};
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::ports::Token;
use crate::secrets::{Place, Secrets};
use crate::settings::{Door, Settings, SigningAlgorithm};
use crate::time::{Timestamp, seconds};

/// How long others may keep the JWK Set they were given (`Cache-Control`).
pub const KEY_SET_KEPT: Duration = seconds(300);
/// Until every node in service publishes a new key, and its clock says so too: a node that has
/// heard nothing for 5 s is not ready, nor is one whose clock is 5 s off.
const HEARD_EVERYWHERE: Duration = seconds(10);

/// How much longer than its last token a key or a revocation is kept, for clocks that differ.
pub(crate) const SLACK: Duration = seconds(60);

/// Memory for tokens whose signatures were checked already.
const REMEMBERED_BYTES: u64 = 32 * 1024 * 1024;
/// What such a token costs besides its own text: claims and bookkeeping.
const REMEMBERED_OVERHEAD: u64 = 400;

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
    /// `sv`: the account's `security_version` when the session began; ending all sessions of
    /// an account revokes what is below the one it raised it to.
    pub security_version: i64,
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
    /// `door`: which lifetimes the new tokens have.
    pub door: Door,
    /// `chain`.
    pub chain: Chain,
    /// `g`: which token of the chain it is.
    pub generation: i64,
    /// `iat`, whole seconds.
    pub issued_at: i64,
    /// `exp`: the session's end if it is not used again, whole seconds.
    pub expires_at: i64,
    /// `sub`; this and what follows is what a new access token repeats without a read.
    pub account: AccountId,
    /// `user_id`.
    pub number: i64,
    /// `amr`.
    pub amr: Vec<String>,
    /// `auth_time`.
    pub auth_time: i64,
    /// `sv`.
    pub security_version: i64,
}

impl Chain {
    /// The word in tokens and columns.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Body => "body",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Cookie, Self::Body].into_iter().find(|known| known.word() == word)
    }
}

/// What an `Auth` keeps in memory about tokens.
pub(crate) struct State {
    ring: ArcSwap<KeyRing>,
    refresh: RefreshTokens,
    /// By the whole token, signature included: a signature is checked once.
    remembered: Cache<Box<str>, Arc<Verified>, ByLength>,
}

impl State {
    /// Nothing remembered, no keys loaded.
    pub(crate) fn new(secrets: &Secrets, settings: &Settings) -> Self {
        let key = Zeroizing::new(secrets.subkey("refresh-token"));
        Self {
            ring: ArcSwap::from_pointee(KeyRing::default()),
            refresh: RefreshTokens::new(&key, &settings.public_url),
            remembered: Cache::with_weighter(50_000, REMEMBERED_BYTES, ByLength),
        }
    }
}

/// An access token whose signature was checked.
pub(crate) struct Verified {
    pub(crate) claims: Arc<AccessClaims>,
    key: Arc<str>,
    /// When its use was last noted, whole seconds.
    noted_at: AtomicI64,
}

impl Verified {
    /// Whether its use should be noted again; true at most once in `every` seconds.
    pub(crate) fn is_use_worth_noting(&self, now: Timestamp, every: i64) -> bool {
        let now = now.seconds();
        let last = self.noted_at.load(Ordering::Relaxed);
        let due = now < last || now - last >= every;
        if due {
            self.noted_at.store(now, Ordering::Relaxed);
        }
        due
    }
}

#[derive(Clone)]
struct ByLength;

impl Weighter<Box<str>, Arc<Verified>> for ByLength {
    fn weight(&self, token: &Box<str>, _: &Arc<Verified>) -> u64 {
        token.len() as u64 + REMEMBERED_OVERHEAD
    }
}

/// Tokens and keys of an `Auth`.
pub struct Tokens<'a> {
    pub(crate) auth: &'a Auth,
}

impl Tokens<'_> {
    /// Signs an access token.
    pub fn write_access(&self, claims: &AccessClaims) -> Result<Token, InternalError> {
        let ring = self.state().ring.load();
        let key = ring.signing(self.auth.clock().now());
        let key = key.ok_or_else(|| InternalError::fault("no signing key"))?;
        access::write(claims, self.auth.random().bytes(), key, self.auth.settings())
    }

    /// Reads an access token: signature (remembered, bounded), `typ`, `iss`, `aud`, `exp`, and
    /// that its key is still published. Says nothing about the session or the account.
    pub fn read_access(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<AccessClaims>, TokenError> {
        self.check_access(token, now).map(|verified| Arc::clone(&verified.claims))
    }

    /// As [`Tokens::read_access`], with what is remembered beside the claims.
    pub(crate) fn check_access(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<Verified>, TokenError> {
        match self.genuine_access(token, now) {
            Some(verified) if is_over(verified.claims.expires_at, now) => Err(TokenError::Expired),
            Some(verified) => Ok(verified),
            None => Err(match self.genuine_refresh(token) {
                Some(claims) if is_over(claims.expires_at, now) => TokenError::Expired,
                Some(_) => TokenError::WrongType,
                None => TokenError::Invalid,
            }),
        }
    }

    /// An access token of ours, expired or not, as long as its key is published.
    pub(crate) fn genuine_access(&self, token: &str, now: Timestamp) -> Option<Arc<Verified>> {
        let ring = self.state().ring.load();
        if let Some(verified) = self.state().remembered.get(token) {
            return ring.find(&verified.key, now).is_some().then_some(verified);
        }
        compact::header(token)?;
        let (claims, key) = access::read(token, &ring, now)?;
        let verified =
            Arc::new(Verified { claims: Arc::new(claims), key, noted_at: AtomicI64::new(0) });
        self.state().remembered.insert(token.into(), Arc::clone(&verified));
        Some(verified)
    }

    /// Whether a token says it was signed with a key that is not published here.
    pub(crate) fn is_of_unknown_key(&self, token: &str, now: Timestamp) -> bool {
        let kid = compact::header(token).and_then(|_| access::key_of(token));
        kid.is_some_and(|kid| self.state().ring.load().find(&kid, now).is_none())
    }

    /// MACs a refresh token.
    pub fn write_refresh(&self, claims: &RefreshClaims) -> Result<Token, InternalError> {
        let issuer = &self.auth.settings().public_url;
        self.state().refresh.write(claims, self.auth.random().bytes(), issuer)
    }

    /// Reads a refresh token.
    pub fn read_refresh(&self, token: &str, now: Timestamp) -> Result<RefreshClaims, TokenError> {
        match self.genuine_refresh(token) {
            Some(claims) if is_over(claims.expires_at, now) => Err(TokenError::Expired),
            Some(claims) => Ok(claims),
            None => Err(match self.genuine_access(token, now) {
                Some(other) if is_over(other.claims.expires_at, now) => TokenError::Expired,
                Some(_) => TokenError::WrongType,
                None => TokenError::Invalid,
            }),
        }
    }

    /// A refresh token of ours, expired or not.
    pub(crate) fn genuine_refresh(&self, token: &str) -> Option<RefreshClaims> {
        self.state().refresh.read(token)
    }

    /// The published keys as a JWK Set (RFC 7517 §5).
    #[must_use]
    pub fn jwks(&self) -> serde_json::Value {
        let now = self.auth.clock().now();
        let ring = self.state().ring.load();
        let published = ring.published.iter().filter(|key| ring.find(&key.id, now).is_some());
        serde_json::json!({ "keys": published.map(|key| key.jwk.clone()).collect::<Vec<_>>() })
    }

    /// Loads the keys. Called at start and when the revocation feed tells of a change.
    pub(crate) async fn load(&self) -> Result<(), InternalError> {
        let now = self.auth.clock().now();
        let stored = store::list(self.auth.database(), now).await?;
        let mut ring = KeyRing::default();
        for key in &stored {
            let algorithm = SigningAlgorithm::of(&key.algorithm)
                .ok_or_else(|| InternalError::fault("a signing key of an unknown algorithm"))?;
            if key.retired_at.is_none_or(|from| now < from) {
                let private = self.auth.secrets().open(place(&key.id), &key.sealed_private)?;
                let private = Zeroizing::new(private);
                let from = key.signs_from;
                ring.signing.push(SigningKey::open(&key.id, algorithm, &private, from)?);
            }
            let settings = self.auth.settings();
            let published =
                PublishedKey::new(&key.public_jwk, algorithm, key.expires_at, settings)?;
            ring.published.push(published);
        }
        self.state().ring.store(Arc::new(ring));
        Ok(())
    }

    /// Whether no key signs with the configured algorithm, or will soon.
    pub(crate) fn needs_key(&self) -> bool {
        let wanted = self.auth.settings().tokens.algorithm;
        self.state().ring.load().signing.first().is_none_or(|key| key.algorithm != wanted)
    }

    /// The statements that publish a new key, and when it begins to sign: when every verifier
    /// has had time to learn of it. Until then the others sign; those go at once and for good
    /// when `compromised`.
    pub(crate) async fn rotation(
        &self,
        compromised: bool,
        now: Timestamp,
    ) -> Result<(Batch, Timestamp), InternalError> {
        let algorithm = self.auth.settings().tokens.algorithm;
        let new = tokio::task::spawn_blocking(move || NewKey::generate(algorithm))
            .await
            .map_err(InternalError::fault)??;
        let is_first = self.state().ring.load().signing.is_empty();
        let known_everywhere = now.plus(KEY_SET_KEPT).plus(HEARD_EVERYWHERE);
        let signs_from = if compromised || is_first { now } else { known_everywhere };
        let id = BASE64URL_NOPAD.encode(&self.auth.random().bytes::<12>());
        let stored = StoredKey {
            algorithm: algorithm.word().to_owned(),
            sealed_private: self.auth.secrets().seal(place(&id), &new.private)?,
            public_jwk: new.published_jwk(&id, algorithm).to_string(),
            signs_from,
            retired_at: None,
            expires_at: None,
            id,
        };
        let last_token = signs_from.plus(self.auth.settings().tokens.longest_access()).plus(SLACK);
        let mut batch = Batch::new();
        let old = store::retire(signs_from, last_token);
        batch.add(if compromised { store::delete_all() } else { old });
        batch.add(store::insert(stored, now));
        Ok((batch, signs_from))
    }

    /// Deletes keys that are no longer published; there are never more than a few.
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<(), InternalError> {
        let gone = store::delete_expired(now);
        self.auth.database().write(gone.into()).await.map_err(WriteError::unexpected)?;
        Ok(())
    }

    fn state(&self) -> &State {
        &self.auth.inner.tokens
    }
}

/// `exp` is the first second a token is no longer good in (RFC 7519 §4.1.4).
fn is_over(expires_at: i64, now: Timestamp) -> bool {
    expires_at <= now.seconds()
}

fn place(id: &str) -> Place<'_> {
    Place { table: "signing_keys", column: "sealed_private", row: id.as_bytes() }
}
