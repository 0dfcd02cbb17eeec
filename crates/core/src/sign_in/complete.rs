//! Where every way in ends: the one place that turns a passed proof into a session.

use std::time::Duration;

use super::mails::whereabouts;
use super::store::Candidate;
use super::with_password::Compared;
use super::{PasswordAttempt, START_AGAIN, SignIn, SignInError};
use crate::accounts::{self, Account};
use crate::audit::{Entry, Event};
use crate::database::{Batch, Statement, WriteError};
use crate::error::InternalError;
use crate::limits::DEVICE_LIFETIME;
use crate::messages::Message;
use crate::ports::Token;
use crate::sessions::{Door, Proof, Started};
use crate::time::Timestamp;

/// What a correct proof leads to.
#[derive(Debug, Clone)]
pub enum Step {
    /// Every step is passed.
    SignedIn(Box<SignedIn>),
}

/// A person who is in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Whose account.
    pub account: Account,
    /// The session with its tokens.
    pub started: Started,
    /// The known-device cookie to set: keeps strangers' failures from locking this browser out.
    pub device: Token,
    /// How long that cookie may be kept.
    pub device_lifetime: Duration,
}

impl SignIn<'_> {
    /// Opens a session for an account whose password was right.
    ///
    /// Hashing takes time in which an account can be disabled or reset: the batch begins with a
    /// statement that changes nothing unless the account still is what it was when its
    /// credential was read, and the whole sign-in then starts again.
    pub(super) async fn complete(
        &self,
        mut found: Candidate,
        compared: Compared,
        attempt: &PasswordAttempt,
    ) -> Result<Step, SignInError> {
        let now = self.auth.clock().now();
        let mut batch = Batch::new();
        batch.add(accounts::signed_in(found.id, found.security_version, now));
        batch.add(self.auth.limits().give_back(compared.reserved));
        if compared.upgrade {
            let upgraded = self.upgraded_hash(&found, attempt, now).await;
            if upgraded.is_some() {
                found.password_changed_at = Some(now);
            }
            batch.extend(upgraded);
        }
        batch.extend(self.new_device_notice(&found, attempt, now)?);
        let entry = Entry::new(Event::SignedIn).account(found.id);
        let entry = entry.network(attempt.client.network());
        batch.add(entry.statement(now, self.auth.random()));

        let proof = Proof {
            account: found.id,
            number: found.number,
            methods: vec!["pwd"],
            proven_at: now,
            security_version: found.security_version,
            batch,
        };
        let started = self.auth.sessions().start(proof, Door::Api, &attempt.client).await;
        let started = match started {
            Ok(started) => started,
            Err(WriteError::Conflict { .. }) => {
                self.auth.limits().take_back(compared.reserved).await?;
                return Err(SignInError::Busy { retry_after: START_AGAIN });
            }
            Err(WriteError::Internal(cause)) => return Err(cause.into()),
        };
        self.end_somebody_elses_session(&found, attempt).await?;
        self.auth.messages().wake();
        self.signed_in(&found, started).await
    }

    async fn signed_in(&self, found: &Candidate, started: Started) -> Result<Step, SignInError> {
        let account = self.auth.sessions().account(found.id).await?;
        let account = account.ok_or_else(|| InternalError::fault("a signed-in account is gone"))?;
        Ok(Step::SignedIn(Box::new(SignedIn {
            account: (*account).clone(),
            started,
            device: self.auth.limits().new_device(found.device_owner()),
            device_lifetime: DEVICE_LIFETIME,
        })))
    }

    /// A hash with today's parameters. A gate that is busy just now does not spoil the sign-in:
    /// the next one will upgrade.
    async fn upgraded_hash(
        &self,
        found: &Candidate,
        attempt: &PasswordAttempt,
        now: Timestamp,
    ) -> Option<Statement> {
        let passwords = self.auth.passwords();
        let hash = passwords.hash(&attempt.password, attempt.client.network()).await.ok()?;
        passwords.store(found.id, &hash, now).ok()
    }

    /// Tells the owner of a sign-in from a network and browser the account has never seen
    /// (ASVS 6.3.5). The first sign-in of all is no news.
    fn new_device_notice(
        &self,
        found: &Candidate,
        attempt: &PasswordAttempt,
        now: Timestamp,
    ) -> Result<Option<Statement>, InternalError> {
        let is_known = found.is_known_network
            || found.last_sign_in_at.is_none()
            || found.email_verified_at.is_none()
            || self.auth.limits().knows_device(found.device_owner(), &attempt.client);
        if is_known {
            return Ok(None);
        }
        let notice = Message::NewDevice {
            at: now,
            from: attempt.client.network().to_string(),
            device: whereabouts(&attempt.client),
        };
        self.notice(found, &notice, now)
    }

    /// A browser that signs in over another account's cookie leaves that account first.
    async fn end_somebody_elses_session(
        &self,
        found: &Candidate,
        attempt: &PasswordAttempt,
    ) -> Result<(), InternalError> {
        let Some(cookie) = &attempt.previous_cookie else { return Ok(()) };
        let now = self.auth.clock().now();
        let Ok(claims) = self.auth.tokens().read_refresh(cookie.reveal(), now) else {
            return Ok(());
        };
        if claims.account != found.id {
            let sessions = self.auth.sessions();
            sessions.end_replaced(claims.account, claims.session, &attempt.client).await?;
        }
        Ok(())
    }
}
