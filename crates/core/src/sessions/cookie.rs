//! Sessions that are a cookie themselves: 256 random bits, of which only a digest is stored.
//!
//! Checked by the same rules as access tokens: what was read is remembered for at most 60 s,
//! and the feed says sooner what has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;

use super::check::NOTED_EVERY;
use super::{CheckError, Present, Sessions, store};
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::ports::Token;
use crate::time::{Timestamp, seconds};
use crate::tokens::{AccessClaims, TokenError};

/// Cookies remembered; each takes some hundred bytes, so this stays below 20 MiB.
const MOST: usize = 20_000;
/// How old what is remembered may get.
const KEPT: Duration = seconds(60);
/// A cookie of ours: 32 bytes in base64url without padding. Others cost no read.
const LENGTH: usize = 43;

/// Live cookie sessions by the cookie's digest.
pub(super) struct CookieSessions(Cache<[u8; 32], Arc<Remembered>>);

/// A session as its row was read.
pub(super) struct Remembered {
    claims: Arc<AccessClaims>,
    idle_for: Duration,
    last_used_at: Timestamp,
    ends_at: Timestamp,
    read_at: Timestamp,
    /// When its use was last noted, whole seconds.
    noted_at: AtomicI64,
}

impl CookieSessions {
    pub(super) fn new() -> Self {
        Self(Cache::new(MOST))
    }

    pub(super) fn clear(&self) {
        self.0.clear();
    }
}

impl Remembered {
    pub(super) fn read(found: &store::CookieSession, now: Timestamp) -> Self {
        let claims = AccessClaims {
            account: found.account,
            number: found.number,
            session: found.session,
            amr: found.amr.split(' ').map(str::to_owned).collect(),
            auth_time: found.auth_time.seconds(),
            // The account's, not that of the session's beginning: the row was live when both
            // were read, so whatever ended sessions below this version has spared it.
            security_version: found.security_version,
            issued_at: found.created_at.seconds(),
            expires_at: found.ends_at.seconds(),
        };
        Self {
            claims: Arc::new(claims),
            idle_for: found.idle_for,
            last_used_at: found.last_used_at,
            ends_at: found.ends_at,
            read_at: now,
            noted_at: AtomicI64::new(i64::MIN),
        }
    }

    fn is_fresh(&self, now: Timestamp, kept: Duration) -> bool {
        // A clock set back makes an entry look unborn; such a one is read again.
        self.read_at <= now && now < self.read_at.plus(kept)
    }

    fn is_use_worth_noting(&self, now: Timestamp) -> bool {
        let now = now.seconds();
        let last = self.noted_at.load(Ordering::Relaxed);
        let due = now < last || now.saturating_sub(last) >= NOTED_EVERY;
        if due {
            self.noted_at.store(now, Ordering::Relaxed);
        }
        due
    }
}

impl Sessions<'_> {
    /// Checks a session's own cookie. Reads no database while its session and account are
    /// cached.
    pub async fn check_cookie(&self, cookie: &Token) -> Result<Present, CheckError> {
        let now = self.auth.clock().now();
        if cookie.reveal().len() != LENGTH {
            return Err(TokenError::Invalid.into());
        }
        if self.must_refuse() {
            return Err(CheckError::Blind);
        }
        let found = self.cookie_session(cookie, now).await?;
        let found = found.ok_or(CheckError::Token(TokenError::Invalid))?;
        let state = self.state();
        let noted = state.last_use.of(found.claims.session).unwrap_or(found.last_used_at);
        let idle_ends_at = noted.max(found.last_used_at).plus(found.idle_for);
        if now >= found.ends_at.min(idle_ends_at) {
            return Err(TokenError::Expired.into());
        }
        let account = self.account_of(&found.claims, now).await?;
        if found.is_use_worth_noting(now) {
            state.last_use.note(found.claims.session, now);
        }
        Ok(Present { claims: Arc::clone(&found.claims), account })
    }

    /// The session of a cookie, from the cache or the store.
    async fn cookie_session(
        &self,
        cookie: &Token,
        now: Timestamp,
    ) -> Result<Option<Arc<Remembered>>, InternalError> {
        let digest = self.cookie_digest(cookie);
        let remembered = &self.state().cookies.0;
        // The feed forgets an ending when the last access token has expired; what is remembered
        // must be gone by then.
        let kept = KEPT.min(self.auth.settings().tokens.longest_access());
        if let Some(found) = remembered.get(&digest).filter(|found| found.is_fresh(now, kept)) {
            return Ok(Some(found));
        }
        let Some(found) = store::find_cookie_session(self.auth.database(), digest, now).await?
        else {
            remembered.remove(&digest);
            return Ok(None);
        };
        let found = Arc::new(Remembered::read(&found, now));
        remembered.insert(digest, Arc::clone(&found));
        Ok(Some(found))
    }

    /// Whose live session a cookie is.
    pub(crate) async fn of_cookie(
        &self,
        cookie: &Token,
        now: Timestamp,
    ) -> Result<Option<(AccountId, SessionId)>, InternalError> {
        let found = store::of_cookie(self.cookie_digest(cookie), now);
        let row = self.auth.database().read_one(found).await?;
        row.map(|row| Ok((row.id(0)?, row.id(1)?))).transpose()
    }

    pub(super) fn cookie_digest(&self, cookie: &Token) -> [u8; 32] {
        self.auth.secrets().digest("session-cookie", cookie.reveal().as_bytes())
    }
}
