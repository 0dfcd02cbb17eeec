//! Pictures: taking one in, showing it, removing it.

use std::time::Duration;

use super::picture::{Picture, PictureProblem, redraw};
use super::studio::Place;
use super::{ProfileError, Profiles, store};
use crate::Auth;
use crate::accounts;
use crate::database::{Batch, WriteError};
use crate::error::InternalError;
use crate::ids::{AccountId, AvatarId};
use crate::time::Timestamp;

/// Why a picture was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AvatarError {
    /// The file does not become a picture.
    #[error("the file is no picture that can be used: {0:?}")]
    Picture(PictureProblem),
    /// This account has sent too many.
    #[error("too many pictures, try again at {retry_at:?}")]
    TooManyAttempts {
        /// When trying again makes sense.
        retry_at: Timestamp,
    },
    /// As many pictures are being taken in as the server takes at a time, or one of this account.
    #[error("busy, try again in {retry_after:?}")]
    Busy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The account was closed or disabled meanwhile.
    #[error("there is no such account any more")]
    Gone,
    /// Something of ours failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl From<ProfileError> for AvatarError {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::Gone => Self::Gone,
            ProfileError::Internal(cause) => Self::Internal(cause),
        }
    }
}

/// Leave to send one picture; whoever holds it takes up one of few places.
pub struct AvatarUpload<'a> {
    auth: &'a Auth,
    place: Place,
}

impl<'a> Profiles<'a> {
    /// Asks for leave to send a picture. To be asked before the file is read, so that files in
    /// memory are bounded like everything else.
    pub async fn begin_upload(&self, account: AccountId) -> Result<AvatarUpload<'a>, AvatarError> {
        let place = self.auth.inner.studio.enter(account).await?;
        let counted = self.auth.limits().admit_avatar(account);
        counted.map_err(|refused| AvatarError::TooManyAttempts { retry_at: refused.retry_at })?;
        Ok(AvatarUpload { auth: self.auth, place })
    }

    /// The picture with this identifier, for everybody.
    pub async fn picture(&self, id: AvatarId) -> Result<Option<Picture>, InternalError> {
        let row = self.auth.database().read_one(store::find_avatar(id)).await?;
        row.map(|row| store::picture(&row)).transpose()
    }

    /// Removes an account's picture, if it has one.
    pub async fn delete_avatar(&self, account: AccountId) -> Result<(), ProfileError> {
        let mut batch = Batch::new();
        batch.add(accounts::still_open(account));
        batch.add(store::touch(account, self.auth.clock().now()));
        batch.add(store::delete_avatar(account));
        write(self.auth, batch).await
    }
}

impl AvatarUpload<'_> {
    /// Draws the file's picture anew and puts it in the place of an earlier one.
    pub async fn store(self, file: Vec<u8>) -> Result<AvatarId, AvatarError> {
        let account = self.place.account();
        let studio = &self.auth.inner.studio;
        let drawn = studio.work(self.place, move || redraw(&file)).await?;
        let picture = drawn.map_err(AvatarError::Picture)?;
        let random = uuid::Builder::from_random_bytes(self.auth.random().bytes()).into_uuid();
        let id = AvatarId::from(random);
        let mut batch = Batch::new();
        batch.add(accounts::still_open(account));
        batch.add(store::upsert_avatar(account, id, picture, self.auth.clock().now()));
        write(self.auth, batch).await?;
        Ok(id)
    }
}

/// Writes; a conflict means that the account is gone.
pub(super) async fn write(auth: &Auth, batch: Batch) -> Result<(), ProfileError> {
    match auth.database().write(batch).await {
        Ok(_) => Ok(()),
        Err(WriteError::Conflict { .. }) => Err(ProfileError::Gone),
        Err(WriteError::Internal(cause)) => Err(cause.into()),
    }
}
