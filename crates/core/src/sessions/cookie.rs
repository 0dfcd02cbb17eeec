//! Sessions that are a cookie themselves: 256 random bits, of which only a digest is stored.

use super::{Sessions, store};
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::ports::Token;
use crate::time::Timestamp;

impl Sessions<'_> {
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
