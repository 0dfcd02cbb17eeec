//! Recovery codes: ten, shown once, each for one sign-in without the second factor.

use crate::Auth;
use crate::database::Statement;
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::ports::Token;
use crate::time::Timestamp;

/// Recovery codes of an `Auth`.
pub struct RecoveryCodes<'a> {
    pub(crate) auth: &'a Auth,
}

impl RecoveryCodes<'_> {
    /// The must-change statement that uses a code up; `None` when it is not even one in form.
    pub(crate) async fn use_code(
        &self,
        _account: AccountId,
        _code: &Token,
        _now: Timestamp,
    ) -> Result<Option<Statement>, InternalError> {
        let _ = self.auth;
        Ok(None)
    }

    /// How many are left.
    pub async fn left(&self, _account: AccountId) -> Result<u32, InternalError> {
        Ok(0)
    }
}
