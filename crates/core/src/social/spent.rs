//! Proofs that work once and have no row of their own: the state of a way to a provider, an ID
//! token that a client brought. What is used is written; writing it twice is refused.

use std::time::Duration;

use super::{Social, store};
use crate::database::WriteError;
use crate::error::InternalError;

/// What is used up; each kind is digested apart.
#[derive(Clone, Copy)]
pub(super) enum Proof<'a> {
    /// `state` of a way to a provider.
    State(&'a str),
    /// What an ID token's signature is over. Not the whole token: of one signature there may be
    /// another that verifies as well, and then the token would look new.
    IdToken(&'a str),
}

impl Social<'_> {
    /// Uses a proof up that is good for `lifetime` at most; `false` when it was used before, here
    /// or on another node.
    pub(super) async fn spend(
        &self,
        proof: Proof<'_>,
        lifetime: Duration,
    ) -> Result<bool, InternalError> {
        let (purpose, text) = match proof {
            Proof::State(state) => ("social.state", state),
            Proof::IdToken(signed) => ("social.id_token", signed),
        };
        let digest = self.auth.secrets().digest(purpose, text.as_bytes());
        let expires_at = self.auth.clock().now().plus(lifetime);
        match self.auth.database().write(store::spend(digest, expires_at).into()).await {
            Ok(_) => Ok(true),
            Err(WriteError::Conflict { .. }) => Ok(false),
            Err(WriteError::Internal(error)) => Err(error),
        }
    }

    /// Removes what no longer needs remembering, at most so many rows; answers how many.
    pub(crate) async fn sweep(&self, limit: i64) -> Result<usize, InternalError> {
        let old = store::sweep(self.auth.clock().now(), limit);
        let rows = self.auth.database().write_returning(old).await;
        Ok(rows.map_err(WriteError::unexpected)?.len())
    }
}
