//! The client-driven way: the contract's client went to the provider itself, and brings what it
//! got there.

use super::flow::is_verifier;
use super::providers::{Desk, LONGEST_AGE, Nonce};
use super::spent::Proof;
use super::{Grant, Social, SocialError, Vouched};
use crate::ports::Token;
use crate::time::minutes;

impl Social<'_> {
    /// Asks the provider who brings this.
    ///
    /// A code needs its verifier, the one binding to the browser that we can check, as `state`
    /// never reaches us. An ID token is taken once. An access token is never taken: it may have
    /// been made for another client (RFC 9700 §4.9, token substitution).
    pub(crate) async fn vouch(&self, provider: &str, grant: Grant) -> Result<Vouched, SocialError> {
        let desk = self.desk(provider)?;
        let given = |token: Option<Token>| token.filter(|token| !token.reveal().is_empty());
        if let Some(code) = given(grant.code) {
            return self.vouch_by_code(&desk, &code, given(grant.verifier)).await;
        }
        if let Some(id_token) = given(grant.id_token) {
            return self.vouch_by_id_token(&desk, &id_token).await;
        }
        match given(grant.access_token) {
            Some(_) => Err(SocialError::AccessTokenBrought),
            None => Err(SocialError::NothingBrought),
        }
    }

    async fn vouch_by_code(
        &self,
        desk: &Desk<'_>,
        code: &Token,
        verifier: Option<Token>,
    ) -> Result<Vouched, SocialError> {
        let verifier = if desk.dialect.has_pkce {
            let fine = verifier.filter(|verifier| is_verifier(verifier.reveal()));
            Some(fine.ok_or(SocialError::BadVerifier)?)
        } else {
            // The contract's client sends one to all; this one would refuse it.
            None
        };
        let callback = desk.callback();
        let redirect_uri = desk.settings.redirect_uri.as_ref().unwrap_or(&callback);
        let tokens = desk.exchange(code, verifier.as_ref(), redirect_uri).await?;
        desk.vouched(&tokens, Nonce::Unknown).await
    }

    async fn vouch_by_id_token(
        &self,
        desk: &Desk<'_>,
        id_token: &Token,
    ) -> Result<Vouched, SocialError> {
        let vouched = desk.vouched_by_id_token(id_token).await?;
        let (signed, _) = id_token.reveal().rsplit_once('.').unwrap_or_default();
        let lifetime = LONGEST_AGE + minutes(5);
        if !self.spend(Proof::IdToken(signed), lifetime).await? {
            tracing::warn!(provider = desk.name, "an ID token was brought a second time");
            return Err(SocialError::NotVouched);
        }
        Ok(vouched)
    }
}
