//! Checking an access token: the hot path, on which nothing is read from the database.

use super::{CheckError, Present, Sessions};
use crate::tokens::TokenError;

/// Seconds within which a token's further uses are not noted again.
const NOTED_EVERY: i64 = 10;

impl Sessions<'_> {
    /// Checks a bearer token: `exp`, key, session, account. Reads no database while its account
    /// is cached.
    pub async fn check(&self, access_token: &str) -> Result<Present, CheckError> {
        let now = self.auth.clock().now();
        let verified = self.auth.tokens().check_access(access_token, now)?;
        if self.must_refuse() {
            return Err(CheckError::Blind);
        }
        let claims = &verified.claims;
        let state = self.state();
        let standing = state.feed.with(|live| live.standing(claims));
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
        if verified.is_use_worth_noting(now, NOTED_EVERY) {
            state.last_use.note(claims.session, now);
        }
        Ok(Present { claims: std::sync::Arc::clone(claims), account })
    }
}
