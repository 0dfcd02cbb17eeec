//! What somebody signed in does to their own account. Changing the password and closing the
//! account ask for the password again (ASVS 7.5.1), counted like a sign-in; where a second
//! factor is enrolled the session must have been opened with it a short while ago as well.

use std::time::Duration;

use super::candidate::Candidate;
use super::step_up::Stale;
use super::store;
use super::with_password::Compared;
use super::{LinkError, RECENT, START_AGAIN, SignIn, SignInError};
use crate::accounts;
use crate::audit::{Entry, Event};
use crate::client::Client;
use crate::credentials::password::PasswordProblem;
use crate::database::{Batch, Statement, WriteError};
use crate::error::InternalError;
use crate::messages::Message;
use crate::one_time_codes::Purpose;
use crate::ports::Token;
use crate::sessions::{EndReason, Present};
use crate::time::Timestamp;

/// Why an owner's act on their own account failed.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// The current password is wrong; counted like a failed sign-in.
    #[error("the current password is not right")]
    WrongPassword,
    /// The account has a password, and the current one was not given.
    #[error("the current password is needed")]
    PasswordMissing,
    /// The session was proven too long ago, or without the second factor: sign in again.
    #[error("a recent sign-in with everything that is enrolled is needed")]
    ProveAgain,
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
    /// Changes the password of somebody signed in, or gives a first one to an account without;
    /// ends their other sessions and makes mailed reset links worthless.
    pub async fn change_password(
        &self,
        present: &Present,
        current: Option<&Token>,
        new: &Token,
        client: &Client,
    ) -> Result<(), OwnerError> {
        let account = self.myself(present).await?;
        // First what costs nothing: a refused wish must not count as a failed attempt.
        let about = account.about();
        self.auth.passwords().check_new(new, &about).map_err(OwnerError::Password)?;
        let right = self.prove_again(present, &account, current, client).await?;
        let hash = match self.new_hash(&account, new, client).await {
            Ok(hash) => hash,
            Err(error) => {
                self.take_back(right.as_ref()).await?;
                return Err(error.into());
            }
        };
        let now = self.auth.clock().now();
        let mut batch = Batch::new();
        batch.add(accounts::changed(account.id, account.security_version));
        batch.extend(self.give_back(right.as_ref()));
        batch.add(self.auth.passwords().store(account.id, &hash, now)?);
        batch.add(self.auth.one_time_codes().void(account.id, Purpose::ResetPassword));
        batch.extend(self.password_changed_notice(&account, client, now)?);
        let entry = Entry::new(Event::PasswordChanged).account(account.id);
        batch.add(entry.network(client.network()).statement(now, self.auth.random()));
        let except = Some(present.claims.session);
        let sessions = self.auth.sessions();
        let reason = EndReason::PasswordChanged;
        batch.append(sessions.end_all_statements(account.id, except, reason, now));
        self.write_proven_act(batch, right.as_ref()).await
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
        current: Option<&Token>,
        client: &Client,
    ) -> Result<(), OwnerError> {
        let account = self.myself(present).await?;
        let right = self.prove_again(present, &account, current, client).await?;
        self.close(&account, right.as_ref(), client).await
    }

    /// Closes the account of somebody who signed in no longer ago than `within`: for clients that
    /// ask for no password.
    pub async fn close_account_after_sign_in(
        &self,
        present: &Present,
        within: Duration,
        client: &Client,
    ) -> Result<(), OwnerError> {
        let account = self.myself(present).await?;
        self.refuse_stale(present, &account, within)?;
        self.close(&account, None, client).await
    }

    async fn close(
        &self,
        account: &Candidate,
        right: Option<&Compared>,
        client: &Client,
    ) -> Result<(), OwnerError> {
        let now = self.auth.clock().now();
        let mut batch = self.closing(account, account.security_version, now);
        batch.extend(self.give_back(right));
        batch.extend(self.notice(account, &Message::AccountClosed { at: now }, now)?);
        let entry = Entry::new(Event::AccountClosed).account(account.id);
        batch.add(entry.network(client.network()).statement(now, self.auth.random()));
        let sessions = self.auth.sessions();
        batch.append(sessions.end_all_statements(account.id, None, EndReason::AccountClosed, now));
        self.write_proven_act(batch, right).await
    }

    /// The step-up of acts that ask for the password: the password typed anew is as good as a
    /// recent sign-in with it, but proves nothing of the second factor. Accounts without a
    /// password sign in again.
    async fn prove_again(
        &self,
        present: &Present,
        account: &Candidate,
        current: Option<&Token>,
        client: &Client,
    ) -> Result<Option<Compared>, OwnerError> {
        if account.has_second_factor || account.sealed_hash.is_none() {
            self.refuse_stale(present, account, RECENT)?;
        }
        if account.sealed_hash.is_none() {
            return Ok(None);
        }
        let password = current.ok_or(OwnerError::PasswordMissing)?;
        let right = self.prove_password(account, password, client).await?;
        right.map(Some).ok_or(OwnerError::WrongPassword)
    }

    /// Compares the password of somebody signed in, counted like a sign-in's.
    pub(super) async fn prove_password(
        &self,
        account: &Candidate,
        password: &Token,
        client: &Client,
    ) -> Result<Option<Compared>, SignInError> {
        let identifier = account.email_key.clone().unwrap_or_else(|| account.id.to_string());
        self.auth.passwords().admit(client.network())?;
        self.check_password(Some(account), &identifier, password, client).await
    }

    /// Writes an act after a right password; one that is overtaken does not count as a failure.
    async fn write_proven_act(
        &self,
        batch: Batch,
        right: Option<&Compared>,
    ) -> Result<(), OwnerError> {
        let written = self.write_act(batch).await;
        if written.is_err() {
            self.take_back(right).await?;
        }
        written
    }

    /// The statement that forgets the failures before a right password.
    fn give_back(&self, right: Option<&Compared>) -> Option<Statement> {
        right.map(|right| self.auth.limits().give_back(right.reserved))
    }

    async fn take_back(&self, right: Option<&Compared>) -> Result<(), InternalError> {
        match right {
            Some(right) => self.auth.limits().take_back(right.reserved).await,
            None => Ok(()),
        }
    }

    /// The account of somebody signed in, as it is now. Their session is looked at again: between
    /// its check and the act a request may have waited for its own body, while the owner ended
    /// the session, or proved an address that its holder had only claimed (attacks C01, D04).
    pub(super) async fn myself(&self, present: &Present) -> Result<Candidate, OwnerError> {
        let (account, session) = (present.account.id, present.claims.session);
        let found = store::find_present(account, session, self.auth.clock().now());
        let row = self.auth.database().read_one(found).await?;
        let found = row.as_ref().map(store::candidate).transpose()?;
        found.filter(Candidate::is_active).ok_or(OwnerError::Busy { retry_after: START_AGAIN })
    }

    /// Writes an owner's act; the account may have changed since it was read.
    pub(super) async fn write_act(&self, batch: Batch) -> Result<(), OwnerError> {
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

impl From<Stale> for OwnerError {
    fn from(_: Stale) -> Self {
        Self::ProveAgain
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
