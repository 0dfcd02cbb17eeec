//! Checking an access token: the hot path, on which nothing is read from the database.

use std::sync::Arc;
use std::time::Duration;

use super::{Account, CheckError, Present, Sessions};
use crate::error::InternalError;
use crate::time::{Timestamp, seconds};
use crate::tokens::{AccessClaims, TokenError, Verified};

/// Seconds within which a token's further uses are not noted again.
pub(super) const NOTED_EVERY: i64 = 10;
/// How often tokens of unknown keys may make this node ask the feed; anybody can make them up.
const ASKED_EVERY: Duration = seconds(1);

impl Sessions<'_> {
    /// Checks a bearer token: `exp`, key, session, account. Reads no database while its account
    /// is cached.
    pub async fn check(&self, access_token: &str) -> Result<Present, CheckError> {
        let now = self.auth.clock().now();
        let verified = self.auth.tokens().check_access(access_token, now);
        if self.must_refuse() {
            // What is wrong with a token is said even by a node that hears nothing.
            return Err(verified.err().map_or(CheckError::Blind, CheckError::Token));
        }
        let verified = match verified {
            Err(TokenError::Invalid) => self.check_with_news(access_token, now).await?,
            verified => verified?,
        };
        let claims = &verified.claims;
        let account = self.account_of(claims, now).await?;
        if verified.is_use_worth_noting(now, NOTED_EVERY) {
            self.state().last_use.note(claims.session, now);
        }
        Ok(Present { claims: Arc::clone(claims), account })
    }

    /// Looks again at somebody who was checked a while ago, as when a request's body took its
    /// time: whether session and account still are what they were.
    pub async fn check_again(&self, present: &Present) -> Result<(), CheckError> {
        if self.must_refuse() {
            return Err(CheckError::Blind);
        }
        self.account_of(&present.claims, self.auth.clock().now()).await.map(|_| ())
    }

    /// The account of a session that has not ended, by whatever it was presented.
    pub(super) async fn account_of(
        &self,
        claims: &AccessClaims,
        now: Timestamp,
    ) -> Result<Arc<Account>, CheckError> {
        let standing = self.state().feed.with(|live| live.standing(claims));
        let account = self.account_since(claims.account, standing.account_event, now).await?;
        // Before the session: disabling and closing end sessions too, but say more.
        let account = account.ok_or(CheckError::AccountGone)?;
        if account.deleted_at.is_some() {
            return Err(CheckError::AccountGone);
        }
        if account.disabled_at.is_some() {
            return Err(CheckError::AccountDisabled);
        }
        if standing.is_ended {
            return Err(CheckError::Token(TokenError::Invalid));
        }
        Ok(account)
    }

    /// Looks again at a token whose key this node does not know: another node may have begun to
    /// sign with it less than a poll ago.
    async fn check_with_news(
        &self,
        access_token: &str,
        now: Timestamp,
    ) -> Result<Arc<Verified>, CheckError> {
        let tokens = self.auth.tokens();
        if !tokens.is_of_unknown_key(access_token, now) {
            return Err(TokenError::Invalid.into());
        }
        self.ask_for_keys(now).await?;
        Ok(tokens.check_access(access_token, now)?)
    }

    /// Catches up with the feed, at most once in a while; whoever comes meanwhile waits for it.
    async fn ask_for_keys(&self, now: Timestamp) -> Result<(), InternalError> {
        let mut asked_at = self.state().asked_for_keys.lock().await;
        if asked_at.is_some_and(|then| then <= now && now < then.plus(ASKED_EVERY)) {
            return Ok(());
        }
        *asked_at = Some(now);
        self.catch_up().await
    }
}
