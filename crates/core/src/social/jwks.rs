//! The keys of a provider, and ID tokens checked with them.

use super::directory::Directory;
use super::kept::{FetchError, Lifetimes};
use crate::outbound::{Ask, Line};
use crate::time::minutes;
use crate::tokens::{Expected, IdClaims, IdTokenError, KeySet, verify_id_token};

/// A key that a provider withdraws is refused here after five minutes, and after fifteen where
/// its keys cannot be fetched (attack G09).
pub(super) const LIFETIMES: Lifetimes = Lifetimes { fresh: minutes(5), stale: minutes(15) };
/// Of the document.
const LARGEST: usize = 256 * 1024;

/// Why nobody is vouched for by an ID token.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnverifiedError {
    /// There are no keys to check it with.
    #[error(transparent)]
    NoKeys(#[from] FetchError),
    /// It is refused.
    #[error(transparent)]
    Refused(#[from] IdTokenError),
}

impl Directory {
    /// Checks an ID token with the keys at `jwks_uri`. A key we have not seen is looked for
    /// once more, at most once a minute for each provider, so garbage costs it nothing.
    pub(super) async fn verify(
        &self,
        line: &Line<'_>,
        jwks_uri: &str,
        token: &str,
        expected: Expected<'_>,
    ) -> Result<IdClaims, UnverifiedError> {
        let kept = self.provider(line.name()).keys;
        let keys = kept.current(expected.now, async || fetch(line, jwks_uri).await).await?;
        match verify_id_token(&keys, token, expected) {
            Err(IdTokenError::UnknownKey) => {}
            done => return Ok(done?),
        }
        let newer = kept.newer(&keys, expected.now, async || fetch(line, jwks_uri).await).await;
        let newer = newer.ok_or(IdTokenError::UnknownKey)?;
        Ok(verify_id_token(&newer, token, expected)?)
    }
}

async fn fetch(line: &Line<'_>, jwks_uri: &str) -> Result<KeySet, FetchError> {
    let answer = line.ask(Ask::get(jwks_uri).at_most(LARGEST)).await?;
    if answer.status != 200 {
        return Err(FetchError::Unusable("there are no keys at jwks_uri"));
    }
    let keys = KeySet::read(&answer.body).filter(|keys| keys.len() > 0);
    keys.ok_or(FetchError::Unusable("the keys cannot be read"))
}
