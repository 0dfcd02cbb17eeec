//! Authenticator apps (RFC 6238).

use crate::Auth;
use crate::database::Statement;
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::ports::Token;
use crate::time::Timestamp;

/// Authenticator apps of an `Auth`.
pub struct Totp<'a> {
    pub(crate) auth: &'a Auth,
}

impl Totp<'_> {
    /// The must-change statement that uses a code up: no step is accepted twice, nor one before
    /// it, on whichever node. `None` when the code is wrong or nothing is enrolled.
    pub(crate) async fn use_code(
        &self,
        _account: AccountId,
        _code: &Token,
        _now: Timestamp,
    ) -> Result<Option<Statement>, InternalError> {
        let _ = self.auth;
        Ok(None)
    }
}
