//! What somebody signed in does to their own account. Changing the password and closing the
//! account ask for the password again (ASVS 7.5.1), counted like a sign-in.

use std::time::Duration;

use super::store::Candidate;
use super::with_password::Compared;
use super::{LinkError, START_AGAIN, SignIn, SignInError};
use crate::accounts;
use crate::audit::{Entry, Event};
use crate::client::Client;
use crate::credentials::password::PasswordProblem;
use crate::database::{Batch, WriteError};
use crate::error::InternalError;
use crate::messages::Message;
use crate::one_time_codes::Purpose;
use crate::ports::Token;
use crate::sessions::{EndReason, Present};
use crate::time::Timestamp;

/// Why an owner's act on their own account failed.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// The current password is missing or wrong; counted like a failed sign-in.
    #[error("the current password is not right")]
    WrongPassword,
    /// The new password breaks a rule.
    #[error("the password cannot be used")]
    Password(PasswordProblem),
    /// Too many attempts.
    #[error("too many attempts, try again at {retry_at:?}")]
    TooManyAttempts {
        /// When trying again makes sense.
        retry_at: Timestamp,
    },
    /// The server is busy, or the account changed meanwhile.
    #[error("busy, try again in {retry_after:?}")]
    Busy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Something of ours failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl SignIn<'_> {
    /// Changes the password of somebody signed in; ends their other sessions and makes mailed
    /// reset links worthless.
    pub async fn change_password(
        &self,
        present: &Present,
        current: &Token,
        new: &Token,
        client: &Client,
    ) -> Result<(), OwnerError> {
        let account = self.myself(present).await?;
        // First what costs nothing: a refused wish must not count as a failed attempt.
        let about = account.about();
        self.auth.passwords().check_new(new, &about).map_err(OwnerError::Password)?;
        let right = self.prove_again(&account, current, client).await?;
        let hash = match self.new_hash(&account, new, client).await {
            Ok(hash) => hash,
            Err(error) => {
                self.auth.limits().take_back(right.reserved).await?;
                return Err(error.into());
            }
        };
        let now = self.auth.clock().now();
        let mut batch = Batch::new();
        batch.add(accounts::changed(account.id, account.security_version));
        batch.add(self.auth.limits().give_back(right.reserved));
        batch.add(self.auth.passwords().store(account.id, &hash, now)?);
        batch.add(self.auth.one_time_codes().void(account.id, Purpose::ResetPassword));
        batch.extend(self.password_changed_notice(&account, client, now)?);
        let entry = Entry::new(Event::PasswordChanged).account(account.id);
        batch.add(entry.network(client.network()).statement(now, self.auth.random()));
        let except = Some(present.claims.session);
        let sessions = self.auth.sessions();
        let reason = EndReason::PasswordChanged;
        batch.append(sessions.end_all_statements(account.id, except, reason, now));
        self.write_proven_act(batch, &right).await
    }

    /// Ends all other sessions of somebody signed in. Sign-ins that are still hashing do not
    /// survive it: `security_version` rises.
    pub async fn end_other_sessions(
        &self,
        present: &Present,
        client: &Client,
    ) -> Result<(), OwnerError> {
        let account = self.myself(present).await?;
        let now = self.auth.clock().now();
        let mut batch = Batch::new();
        batch.add(accounts::changed(account.id, account.security_version));
        let entry = Entry::new(Event::SessionsEnded).account(account.id);
        batch.add(entry.network(client.network()).statement(now, self.auth.random()));
        let except = Some(present.claims.session);
        let sessions = self.auth.sessions();
        let reason = EndReason::EndedByOwner;
        batch.append(sessions.end_all_statements(account.id, except, reason, now));
        self.write_act(batch).await
    }

    /// Closes the account of somebody signed in, after their password; its address and name
    /// can register again at once.
    pub async fn close_account(
        &self,
        present: &Present,
        password: &Token,
        client: &Client,
    ) -> Result<(), OwnerError> {
        let account = self.myself(present).await?;
        let right = self.prove_again(&account, password, client).await?;
        let now = self.auth.clock().now();
        let mut batch = self.closing(&account, account.security_version, now);
        batch.add(self.auth.limits().give_back(right.reserved));
        batch.extend(self.notice(&account, &Message::AccountClosed { at: now }, now)?);
        let entry = Entry::new(Event::AccountClosed).account(account.id);
        batch.add(entry.network(client.network()).statement(now, self.auth.random()));
        let sessions = self.auth.sessions();
        batch.append(sessions.end_all_statements(account.id, None, EndReason::AccountClosed, now));
        self.write_proven_act(batch, &right).await
    }

    async fn prove_again(
        &self,
        account: &Candidate,
        password: &Token,
        client: &Client,
    ) -> Result<Compared, OwnerError> {
        let identifier = account.email_key.clone().unwrap_or_else(|| account.id.to_string());
        self.auth.passwords().admit(client.network()).map_err(SignInError::from)?;
        let right = self.check_password(Some(account), &identifier, password, client).await?;
        right.ok_or(OwnerError::WrongPassword)
    }

    /// Writes an act after a right password; one that is overtaken does not count as a failure.
    async fn write_proven_act(&self, batch: Batch, right: &Compared) -> Result<(), OwnerError> {
        let written = self.write_act(batch).await;
        if written.is_err() {
            self.auth.limits().take_back(right.reserved).await?;
        }
        written
    }

    async fn myself(&self, present: &Present) -> Result<Candidate, OwnerError> {
        let found = self.find_by_id(present.account.id).await?;
        found.filter(Candidate::is_active).ok_or(OwnerError::Busy { retry_after: START_AGAIN })
    }

    async fn write_act(&self, batch: Batch) -> Result<(), OwnerError> {
        match self.auth.database().write(batch).await {
            Ok(_) => {}
            Err(WriteError::Conflict { .. }) => {
                return Err(OwnerError::Busy { retry_after: START_AGAIN });
            }
            Err(WriteError::Internal(cause)) => return Err(cause.into()),
        }
        self.auth.sessions().catch_up().await?;
        self.auth.messages().wake();
        Ok(())
    }
}

impl From<SignInError> for OwnerError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::WrongCredentials
            | SignInError::NotVerified
            | SignInError::NoSecondFactor => Self::WrongPassword,
            SignInError::TooManyAttempts { retry_at } => Self::TooManyAttempts { retry_at },
            SignInError::Busy { retry_after } => Self::Busy { retry_after },
            SignInError::Internal(cause) => Self::Internal(cause),
        }
    }
}

impl From<LinkError> for OwnerError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Invalid | LinkError::WrongPassword => Self::WrongPassword,
            LinkError::Password(problem) => Self::Password(problem),
            LinkError::TooManyAttempts { retry_at } => Self::TooManyAttempts { retry_at },
            LinkError::Busy { retry_after } => Self::Busy { retry_after },
            LinkError::Internal(cause) => Self::Internal(cause),
        }
    }
}
