//! What people tell about themselves: names, a few words, and a picture.
//!
//! Nothing here is proven, and nothing here opens anything. Every account has a profile from its
//! first batch on; an account from before profiles existed reads as an empty one, and its first
//! change makes the row. Both go with the account, and at once when it is closed.
//!
//! Owns the tables `profiles` and `avatars`.

mod avatar;
mod change;
mod picture;
mod store;
mod studio;
mod values;
mod webp;

pub use avatar::{AvatarError, AvatarUpload};
pub use change::{ProfileChange, ProfileError};
pub use picture::{LARGEST_FILE, LONGEST_SIDE, Picture, PictureFormat, PictureProblem};
pub use values::{Bio, BirthDate, ContactPhone, FullName, Line, ValueProblem};

pub(crate) use store::{clear, create, erase};
pub(crate) use studio::Studio;

use crate::Auth;
use crate::error::InternalError;
use crate::ids::{AccountId, AvatarId};
use crate::time::Timestamp;

/// A profile as it is stored; an empty text is one nobody has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The whole name, from doors that ask for one.
    pub name: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Company.
    pub company: String,
    /// Position in it.
    pub position: String,
    /// A few words, several lines perhaps.
    pub bio: String,
    /// A number to be called on, proven by nobody; the account's own where none was told.
    pub phone: String,
    /// `YYYY-MM-DD`.
    pub date_of_birth: Option<String>,
    /// The picture's public identifier.
    pub avatar: Option<AvatarId>,
    /// When the profile was made.
    pub created_at: Timestamp,
    /// When it or the picture was last changed.
    pub updated_at: Timestamp,
}

/// Profiles of an `Auth`.
pub struct Profiles<'a> {
    pub(crate) auth: &'a Auth,
}

impl Profiles<'_> {
    /// The profile of an account, an empty one where none was made; `None` when there is no such
    /// account or it is closed.
    pub async fn find(&self, account: AccountId) -> Result<Option<Profile>, InternalError> {
        let row = self.auth.database().read_one(store::find(account)).await?;
        row.map(|row| store::profile(&row)).transpose()
    }
}
