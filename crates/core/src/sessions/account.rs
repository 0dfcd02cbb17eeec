//! The account as a session sees it.

use crate::ids::AccountId;
use crate::time::Timestamp;

/// An account without its secrets: plain data, cached for at most 60 s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The identifier, the `sub` of tokens.
    pub id: AccountId,
    /// The number that existing clients' contracts show as `id`.
    pub number: i64,
    /// The address as typed.
    pub email: Option<String>,
    /// When the address was proven.
    pub email_verified_at: Option<Timestamp>,
    /// The name as typed.
    pub username: Option<String>,
    /// One of the configured roles.
    pub role: String,
    /// May use the operator's console.
    pub is_staff: bool,
    /// Has every permission.
    pub is_superuser: bool,
    /// Names of the groups it belongs to, sorted.
    pub groups: Vec<String>,
    /// Its own permissions and those of its groups, sorted, each once.
    pub permissions: Vec<String>,
    /// The application's own fields, JSON object as text.
    pub custom_fields: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The last sign-in.
    pub last_sign_in_at: Option<Timestamp>,
    /// When an operator disabled it.
    pub disabled_at: Option<Timestamp>,
    /// When it was closed.
    pub deleted_at: Option<Timestamp>,
    /// Rises with every change of password, factor, identity, address, role or state.
    pub security_version: i64,
    /// The identities that sign in to it, in the order they were connected.
    pub identities: Vec<AccountIdentity>,
}

/// A provider's word that signs in to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountIdentity {
    /// The provider's configured name.
    pub provider: String,
    /// Who it is there.
    pub subject: String,
}
