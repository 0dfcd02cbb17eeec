//! A third-party access token kept with an account, e.g. of a network that the application posts
//! to in the person's name. Sealed where it lies; library calls alone read it, and nothing that
//! Ironlatch serves over HTTP ever shows it.

use zeroize::Zeroizing;

use super::{AccountError, Accounts, store};
use crate::database::{Batch, WriteError};
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::ports::Token;
use crate::secrets::Place;

/// Longest token kept, in bytes.
const LONGEST: usize = 8 * 1024;

impl Accounts<'_> {
    /// Keeps a token with an account, in place of an earlier one.
    pub async fn set_application_token(
        &self,
        id: AccountId,
        token: &Token,
    ) -> Result<(), AccountError> {
        let clear = token.reveal().as_bytes();
        if clear.is_empty() || clear.len() > LONGEST {
            return Err(AccountError::TokenLength { most: LONGEST });
        }
        let now = self.auth.clock().now();
        let sealed = self.auth.secrets().seal(place(id.uuid().as_bytes()), clear)?;
        // The account first: one that is being closed must not end up with a token.
        let mut batch = Batch::from(store::still_open(id));
        batch.add(store::set_application_token(id, sealed, now));
        match self.auth.database().write(batch).await {
            Ok(_) => Ok(()),
            Err(WriteError::Conflict { .. }) => Err(AccountError::Unknown),
            Err(WriteError::Internal(cause)) => Err(cause.into()),
        }
    }

    /// The token kept with an account, if there is one.
    pub async fn application_token(&self, id: AccountId) -> Result<Option<Token>, InternalError> {
        let row = self.auth.database().read_one(store::find_application_token(id)).await?;
        let Some(row) = row else { return Ok(None) };
        let clear = self.auth.secrets().open(place(id.uuid().as_bytes()), &row.bytes(0)?)?;
        let clear = Zeroizing::new(clear);
        let text = std::str::from_utf8(&clear).map_err(InternalError::fault)?;
        Ok(Some(Token::new(text.to_owned())))
    }

    /// Forgets the token kept with an account; nothing happens where there is none.
    pub async fn remove_application_token(&self, id: AccountId) -> Result<(), InternalError> {
        let removed = store::remove_application_token(id);
        self.auth.database().write(removed.into()).await.map_err(WriteError::unexpected)?;
        Ok(())
    }
}

/// Where a token lives; the seal opens only there.
const fn place(row: &[u8]) -> Place<'_> {
    Place { table: "application_tokens", column: "sealed_token", row }
}
