//! Who exists: accounts, their addresses and names, roles, groups and permissions.
//!
//! Addresses and names are unique in their canonical form (`…_key`). `security_version` rises
//! with every change of password, factor, address, role or state.
//!
//! Owns the tables `accounts`, `groups`, `account_groups`, `group_permissions` and
//! `account_permissions`.

mod email;
mod username;

pub use email::{Email, EmailProblem};
pub use username::{Username, UsernameProblem};

pub use crate::sessions::Account;
use crate::Auth;
use crate::error::InternalError;
use crate::ids::AccountId;

/// How an operator names an account.
#[derive(Debug, Clone)]
pub enum AccountRef {
    /// By identifier.
    Id(AccountId),
    /// By address, in any spelling.
    Email(Email),
}

/// Why an operator's act on an account failed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Nobody of that name.
    #[error("there is no such account")]
    Unknown,
    /// The role is not among the configured ones.
    #[error("the role must be one of: {known}")]
    UnknownRole {
        /// The configured roles, comma separated.
        known: String,
    },
    /// The store failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// Accounts of an `Auth`: what operators do with them.
pub struct Accounts<'a> {
    pub(crate) auth: &'a Auth,
}

impl Accounts<'_> {
    /// Finds an account, closed ones included when named by identifier.
    pub async fn find(&self, account: &AccountRef) -> Result<Option<Account>, InternalError> {
        todo!("{account:?}")
    }

    /// Disables an account and ends its sessions; nothing happens to one already disabled.
    pub async fn disable(&self, account: &AccountRef) -> Result<Account, AccountError> {
        todo!("{account:?}")
    }

    /// Enables a disabled account.
    pub async fn enable(&self, account: &AccountRef) -> Result<Account, AccountError> {
        todo!("{account:?}")
    }

    /// Gives an account another role.
    pub async fn set_role(&self, account: &AccountRef, role: &str) -> Result<Account, AccountError> {
        todo!("{account:?} {role}")
    }
}
