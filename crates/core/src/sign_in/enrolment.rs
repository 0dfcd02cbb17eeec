//! What owners do with their second factor: enrol an authenticator app, remove it, make new
//! recovery codes. Each tells the owner by mail, and each needs a recent sign-in as strong as
//! what is enrolled (`step_up`).
//!
//! The session that enrols stays what it was: it has not been opened with the app. Acts that need
//! a strong session ask to sign in again, which also shows that the app works.

use std::time::Duration;

use super::candidate::Candidate;
use super::mails::whereabouts;
use super::step_up::Stale;
use super::{OwnerError, SignIn};
use crate::accounts;
use crate::audit::{Entry, Event};
use crate::client::Client;
use crate::credentials::totp::{Enrolment, FirstCode};
use crate::database::Batch;
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::limits::LimitError;
use crate::messages::Message;
use crate::ports::Token;
use crate::sessions::{EndReason, Present};
use crate::time::Timestamp;

/// Where it came from that an operator took an app away, in words.
const OPERATOR: &str = "the operator of this server";

/// The first code of an app that is being enrolled.
#[derive(Debug, Clone)]
pub struct Confirmation {
    /// The code as received.
    pub code: Token,
    /// Whether the client can show recovery codes; without, none are made.
    pub wants_recovery_codes: bool,
}

/// Why an act on one's own second factor failed.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// An authenticator app is enrolled: it must be removed first.
    #[error("an authenticator app is enrolled already")]
    AlreadyEnrolled,
    /// No authenticator app is enrolled.
    #[error("no authenticator app is enrolled")]
    NotEnrolled,
    /// No enrolment waits in this session, or it has waited for too long: begin anew.
    #[error("no enrolment is pending")]
    NothingPending,
    /// The first code is wrong; the enrolment stays pending.
    #[error("the code is not right")]
    WrongCode,
    /// The session was proven too long ago, or without the second factor: sign in again.
    #[error("a recent sign-in with everything that is enrolled is needed")]
    ProveAgain,
    /// Too many wrong codes.
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
    /// Begins to enrol an authenticator app for somebody who signed in no longer ago than
    /// `within` ([`RECENT`](super::RECENT) where no contract says otherwise). An earlier pending
    /// enrolment is replaced; nothing changes at sign-in before [`SignIn::confirm_totp`].
    pub async fn begin_totp(
        &self,
        present: &Present,
        within: Duration,
    ) -> Result<Enrolment, FactorError> {
        let account = self.myself(present).await?;
        if account.has_second_factor {
            return Err(FactorError::AlreadyEnrolled);
        }
        self.refuse_stale(present, &account, within)?;
        let now = self.auth.clock().now();
        let session = present.claims.session;
        let (enrolment, pending) =
            self.auth.totp().begin(account.id, session, &label(&account), now)?;
        let mut batch = Batch::from(accounts::unchanged(account.id, account.security_version));
        batch.add(pending);
        self.write_act(batch).await?;
        Ok(enrolment)
    }

    /// Confirms a pending enrolment with a first code of the app, in the session that began it.
    /// From now on every way in asks for a code. All other sessions end.
    ///
    /// Gives the recovery codes, if wanted; they are shown this once. How recent the sign-in is
    /// was asked when the enrolment began.
    pub async fn confirm_totp(
        &self,
        present: &Present,
        confirmation: &Confirmation,
        client: &Client,
    ) -> Result<Vec<Token>, FactorError> {
        let account = self.myself(present).await?;
        if account.has_second_factor {
            return Err(FactorError::AlreadyEnrolled);
        }
        let now = self.auth.clock().now();
        let limits = self.auth.limits();
        let reserved = limits.reserve(limits.second_factor_subject(account.id)).await?;
        let session = present.claims.session;
        let totp = self.auth.totp();
        let confirmed = match totp.confirm(account.id, session, &confirmation.code, now).await? {
            FirstCode::Right(statement) => statement,
            FirstCode::Wrong => return Err(FactorError::WrongCode),
            FirstCode::NothingPending => {
                limits.take_back(reserved).await?;
                return Err(FactorError::NothingPending);
            }
        };
        let mut batch = Batch::from(accounts::changed(account.id, account.security_version));
        batch.add(confirmed);
        batch.extend(limits.forgive_second_factor(account.id));
        let mut codes = Vec::new();
        if confirmation.wants_recovery_codes {
            let (new, statements) = self.auth.recovery_codes().replace(account.id, now);
            codes = new;
            batch.append(statements);
        }
        let told = Message::SecondFactorAdded { at: now, from: whereabouts(client) };
        self.told((&account, client), Event::SecondFactorAdded, (&told, now), &mut batch)?;
        batch.append(self.other_sessions_end(present, now));
        self.write_act(batch).await?;
        Ok(codes)
    }

    /// Removes the authenticator app, and the recovery codes with it. All other sessions end.
    pub async fn remove_totp(
        &self,
        present: &Present,
        within: Duration,
        client: &Client,
    ) -> Result<(), FactorError> {
        let account = self.enrolled(present, within).await?;
        let now = self.auth.clock().now();
        let mut batch = Batch::from(accounts::changed(account.id, account.security_version));
        batch.append(self.factors_removed(&account));
        let told = Message::SecondFactorRemoved { at: now, from: whereabouts(client) };
        self.told((&account, client), Event::SecondFactorRemoved, (&told, now), &mut batch)?;
        batch.append(self.other_sessions_end(present, now));
        Ok(self.write_act(batch).await?)
    }

    /// Makes ten new recovery codes, shown this once; the old ones are worth nothing any more.
    pub async fn replace_recovery_codes(
        &self,
        present: &Present,
        within: Duration,
        client: &Client,
    ) -> Result<Vec<Token>, FactorError> {
        let account = self.enrolled(present, within).await?;
        let now = self.auth.clock().now();
        let mut batch = Batch::from(accounts::changed(account.id, account.security_version));
        let (codes, statements) = self.auth.recovery_codes().replace(account.id, now);
        batch.append(statements);
        batch.extend(self.auth.limits().forgive_second_factor(account.id));
        let told = Message::RecoveryCodesReplaced { at: now, from: whereabouts(client) };
        self.told((&account, client), Event::RecoveryCodesReplaced, (&told, now), &mut batch)?;
        batch.append(self.auth.sessions().changed_statements(account.id, now));
        self.write_act(batch).await?;
        Ok(codes)
    }

    /// Takes the second factor from an account whose owner has lost it: an operator who knows
    /// them vouches for it (ASVS 6.4.4). All sessions end, and the owner is told.
    pub async fn reset_second_factor(&self, account: AccountId) -> Result<(), FactorError> {
        let found = self.find_by_id(account).await?.filter(|found| found.has_second_factor);
        let account = found.ok_or(FactorError::NotEnrolled)?;
        let now = self.auth.clock().now();
        let mut batch = Batch::from(accounts::changed(account.id, account.security_version));
        batch.append(self.factors_removed(&account));
        let told = Message::SecondFactorRemoved { at: now, from: OPERATOR.to_owned() };
        batch.extend(self.notice(&account, &told, now)?);
        let entry = Entry::new(Event::SecondFactorReset).account(account.id);
        batch.add(entry.statement(now, self.auth.random()));
        let sessions = self.auth.sessions();
        batch.append(sessions.end_all_statements(account.id, None, EndReason::Operator, now));
        Ok(self.write_act(batch).await?)
    }

    /// The statements that leave an account without a second factor: app, recovery codes and
    /// counted failures go. The batch must raise the account's `security_version`.
    pub(super) fn factors_removed(&self, account: &Candidate) -> Batch {
        let mut batch = Batch::from(self.auth.totp().remove(account.id));
        batch.add(self.auth.recovery_codes().remove(account.id));
        batch.extend(self.auth.limits().forgive_second_factor(account.id));
        batch
    }

    /// The account of somebody who may change its second factor.
    async fn enrolled(
        &self,
        present: &Present,
        within: Duration,
    ) -> Result<Candidate, FactorError> {
        let account = self.myself(present).await?;
        if !account.has_second_factor {
            return Err(FactorError::NotEnrolled);
        }
        self.refuse_stale(present, &account, within)?;
        Ok(account)
    }

    /// Adds what every change of factors leaves behind: a notice and an entry.
    fn told(
        &self,
        (account, client): (&Candidate, &Client),
        event: Event,
        (message, now): (&Message, Timestamp),
        batch: &mut Batch,
    ) -> Result<(), InternalError> {
        batch.extend(self.notice(account, message, now)?);
        let entry = Entry::new(event).account(account.id).network(client.network());
        batch.add(entry.statement(now, self.auth.random()));
        Ok(())
    }

    fn other_sessions_end(&self, present: &Present, now: Timestamp) -> Batch {
        let (account, except) = (present.account.id, Some(present.claims.session));
        let reason = EndReason::SecondFactorChanged;
        self.auth.sessions().end_all_statements(account, except, reason, now)
    }
}

/// What the app shows beside the issuer.
fn label(account: &Candidate) -> String {
    let name = account.email.clone().or_else(|| account.username.clone());
    name.or_else(|| account.phone_key.clone()).unwrap_or_else(|| account.number.to_string())
}

impl From<Stale> for FactorError {
    fn from(_: Stale) -> Self {
        Self::ProveAgain
    }
}

impl From<OwnerError> for FactorError {
    fn from(error: OwnerError) -> Self {
        match error {
            OwnerError::WrongPassword
            | OwnerError::PasswordMissing
            | OwnerError::Password(_)
            | OwnerError::ProveAgain => Self::ProveAgain,
            OwnerError::TooManyAttempts { retry_at } => Self::TooManyAttempts { retry_at },
            OwnerError::Busy { retry_after } => Self::Busy { retry_after },
            OwnerError::Internal(cause) => Self::Internal(cause),
        }
    }
}

impl From<LimitError> for FactorError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::TooMany(refused) => Self::TooManyAttempts { retry_at: refused.retry_at },
            LimitError::Internal(cause) => Self::Internal(cause),
        }
    }
}
