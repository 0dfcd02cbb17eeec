//! The identities connected to an account, as its owner sees and changes them.

use super::{SignIn, SocialSignInError};
use crate::client::Client;
use crate::error::InternalError;
use crate::ids::{AccountId, IdentityId};
use crate::sessions::Present;
use crate::social::Grant;
use crate::time::Timestamp;

/// A connected identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Names it in [`SignIn::disconnect`].
    pub id: IdentityId,
    /// The provider's configured name.
    pub provider: String,
    /// Who it is there.
    pub subject: String,
    /// The address the provider told last.
    pub email: Option<String>,
    /// When it was connected.
    pub created_at: Timestamp,
    /// When somebody signed in with it last.
    pub last_used_at: Timestamp,
}

/// Why an identity stays.
#[derive(Debug, thiserror::Error)]
pub enum DisconnectError {
    /// None of the account's.
    #[error("there is no such connection")]
    Unknown,
    /// Nothing else signs in to the account.
    #[error("it is the last way in")]
    LastWayIn,
    /// The session was proven too long ago, or without the second factor.
    #[error("a recent sign-in is needed")]
    ProveAgain,
    /// The account changed meanwhile: try again.
    #[error("the account changed meanwhile")]
    Changed,
    /// Something of ours failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl SignIn<'_> {
    /// The identities of an account, the oldest first.
    pub async fn connections(&self, account: AccountId) -> Result<Vec<Connection>, InternalError> {
        let _ = account;
        Ok(Vec::new())
    }

    /// Connects what a signed-in person brings from a provider.
    pub async fn connect(
        &self,
        present: &Present,
        provider: &str,
        grant: Grant,
        client: &Client,
    ) -> Result<Connection, SocialSignInError> {
        let _ = (present, provider, grant, client);
        Err(SocialSignInError::ProveAgain)
    }

    /// Removes a connection, unless nothing else signs in to the account.
    pub async fn disconnect(
        &self,
        present: &Present,
        id: IdentityId,
        client: &Client,
    ) -> Result<(), DisconnectError> {
        let _ = (present, id, client);
        Err(DisconnectError::Unknown)
    }
}
