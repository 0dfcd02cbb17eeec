//! Who exists: accounts, their addresses and names, roles, groups and permissions.
//!
//! Addresses and names are unique in their canonical form (`…_key`). `security_version` rises
//! with every change of password, factor, address, role or state.
//!
//! Owns the tables `accounts`, `groups`, `account_groups`, `group_permissions`,
//! `account_permissions` and `application_tokens`.

mod application_token;
mod email;
mod identifier;
mod phone;
mod store;
mod username;

pub use email::{Email, EmailProblem, NOWHERE};
pub use identifier::{Contact, Identifier};
pub use phone::{Phone, PhoneProblem};
pub use username::{Username, UsernameProblem};

pub(crate) use store::{
    NewRow, changed, changed_while_unproven, close, insert, mark_email_verified,
    mark_phone_verified, release_email, release_phone, remove_application_token, set_email,
    set_phone, signed_in, still_open, taken, unchanged,
};

use std::time::Duration;

use crate::Auth;
use crate::audit::{Entry, Event};
use crate::database::{Batch, Statement, WriteError};
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::sessions::EndReason;
pub use crate::sessions::{Account, AccountIdentity};
use crate::time::{Timestamp, days};

/// How long a closed account's row is kept.
const CLOSED_KEPT: Duration = days(30);
/// How long an account waits for somebody to prove its address or sign in.
const NEVER_PROVEN_KEPT: Duration = days(30);

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
    /// A token that is empty or too long to be kept.
    #[error("the token must have 1 to {most} bytes")]
    TokenLength {
        /// How many it may have.
        most: usize,
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
        let id = match account {
            AccountRef::Id(id) => *id,
            AccountRef::Email(email) => {
                let found = self.auth.database().read_one(store::find_id(email.key())).await?;
                match found {
                    Some(row) => row.id(0)?,
                    None => return Ok(None),
                }
            }
        };
        Ok(self.auth.sessions().account(id).await?.map(|account| (*account).clone()))
    }

    /// Disables an account and ends its sessions; nothing happens to one already disabled.
    pub async fn disable(&self, account: &AccountRef) -> Result<Account, AccountError> {
        let found = self.existing(account).await?;
        let now = self.auth.clock().now();
        let mut batch = Batch::new();
        batch.add(store::disable(found.id, now));
        batch.add(self.entry(Event::AccountDisabled, found.id, now));
        let ended =
            self.auth.sessions().end_all_statements(found.id, None, EndReason::AccountClosed, now);
        batch.append(ended);
        self.write_and_read(found.id, batch).await
    }

    /// Enables a disabled account; nothing happens to one that is not disabled.
    pub async fn enable(&self, account: &AccountRef) -> Result<Account, AccountError> {
        let found = self.existing(account).await?;
        let now = self.auth.clock().now();
        let mut batch = Batch::new();
        batch.add(store::enable(found.id));
        batch.add(self.entry(Event::AccountEnabled, found.id, now));
        batch.append(self.auth.sessions().changed_statements(found.id, now));
        self.write_and_read(found.id, batch).await
    }

    /// Gives an account another role.
    pub async fn set_role(
        &self,
        account: &AccountRef,
        role: &str,
    ) -> Result<Account, AccountError> {
        let known = &self.auth.settings().accounts.roles;
        if !known.iter().any(|one| one == role) {
            return Err(AccountError::UnknownRole { known: known.join(", ") });
        }
        let found = self.existing(account).await?;
        let now = self.auth.clock().now();
        let mut batch = Batch::new();
        batch.add(store::set_role(found.id, role));
        batch.add(self.entry(Event::RoleChanged, found.id, now));
        batch.append(self.auth.sessions().changed_statements(found.id, now));
        self.write_and_read(found.id, batch).await
    }

    /// Removes accounts whose address nobody has proven and that nobody has signed in to for
    /// 30 days; at most `limit`. Answers how many went.
    pub async fn sweep_never_proven(&self, limit: i64) -> Result<usize, InternalError> {
        let before = self.auth.clock().now().minus(NEVER_PROVEN_KEPT);
        let swept =
            self.auth.database().write_returning(store::sweep_never_proven(before, limit)).await;
        Ok(swept.map_err(WriteError::unexpected)?.len())
    }

    /// Removes accounts that were closed more than 30 days ago; at most `limit`. Answers how many
    /// went.
    pub async fn sweep_closed(&self, limit: i64) -> Result<usize, InternalError> {
        let before = self.auth.clock().now().minus(CLOSED_KEPT);
        let swept = self.auth.database().write_returning(store::sweep_closed(before, limit)).await;
        Ok(swept.map_err(WriteError::unexpected)?.len())
    }

    async fn existing(&self, account: &AccountRef) -> Result<Account, AccountError> {
        let found = self.find(account).await?.filter(|found| found.deleted_at.is_none());
        found.ok_or(AccountError::Unknown)
    }

    fn entry(&self, event: Event, account: AccountId, now: Timestamp) -> Statement {
        Entry::new(event).account(account).statement(now, self.auth.random())
    }

    /// Writes; a conflict means that the account already was as wished.
    async fn write_and_read(&self, id: AccountId, batch: Batch) -> Result<Account, AccountError> {
        match self.auth.database().write(batch).await {
            Ok(_) | Err(WriteError::Conflict { .. }) => {}
            Err(WriteError::Internal(error)) => return Err(error.into()),
        }
        self.auth.sessions().catch_up().await?;
        let account = self.auth.sessions().account(id).await?;
        account.map(|account| (*account).clone()).ok_or(AccountError::Unknown)
    }
}
