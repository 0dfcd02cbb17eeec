//! Changing a profile.

use super::{Bio, BirthDate, ContactPhone, FullName, Line, Profile, Profiles, avatar, store};
use crate::accounts;
use crate::database::Batch;
use crate::error::InternalError;
use crate::ids::AccountId;

/// What somebody changes about themselves; a field that is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The whole name.
    pub name: Option<FullName>,
    /// First name.
    pub first_name: Option<Line<50>>,
    /// Last name.
    pub last_name: Option<Line<50>>,
    /// Company.
    pub company: Option<Line<100>>,
    /// Position in it.
    pub position: Option<Line<100>>,
    /// A few words.
    pub bio: Option<Bio>,
    /// A number to be called on.
    pub phone: Option<ContactPhone>,
    /// Day of birth; `Some(None)` takes it back.
    pub date_of_birth: Option<Option<BirthDate>>,
}

/// Why a profile was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The account was closed or disabled meanwhile.
    #[error("there is no such account any more")]
    Gone,
    /// The store failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl Profiles<'_> {
    /// Changes what is told and answers the whole profile.
    pub async fn update(
        &self,
        account: AccountId,
        change: &ProfileChange,
    ) -> Result<Profile, ProfileError> {
        if *change == ProfileChange::default() {
            return self.find(account).await?.ok_or(ProfileError::Gone);
        }
        let mut batch = Batch::new();
        batch.add(accounts::still_open(account));
        batch.add(store::update(account, change, self.auth.clock().now()));
        avatar::write(self.auth, batch).await?;
        self.find(account).await?.ok_or(ProfileError::Gone)
    }
}
