//! Another address or number for an account.
//!
//! It counts once it is proven. The old one is told, together with a link that takes the change
//! back for seven days, whatever was changed afterwards (attack C10). Who gets an address is
//! decided by the proof and the unique index, never by who asked first (attacks C07, C09): an
//! account that merely claims it gives way, one that has proven it keeps it.

mod email;
mod phone;
mod store;
mod undo;

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
pub use email::EmailChangeFacts;
pub use undo::UndoFacts;

use super::candidate::Candidate;
use super::mails::whereabouts;
use super::step_up::Stale;
use super::{OwnerError, START_AGAIN, SignIn};
use crate::accounts;
use crate::audit::{Entry, Event};
use crate::client::Client;
use crate::database::{Batch, Statement, WriteError};
use crate::error::InternalError;
use crate::ids::AddressChangeId;
use crate::limits::TooMany;
use crate::messages::Message;
use crate::ports::Token;
use crate::sessions::EndReason;
use crate::time::{Timestamp, days};

/// How long a change can be taken back.
const UNDO_LIFETIME: Duration = days(7);

/// What an account can be reached at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
}

impl AddressKind {
    /// The stored word.
    const fn word(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Email, Self::Phone].into_iter().find(|kind| kind.word() == word)
    }
}

/// Why an address or number was not changed, or a change not taken back.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The session was proven too long ago, or without the second factor: sign in again.
    #[error("a recent sign-in with everything that is enrolled is needed")]
    ProveAgain,
    /// It is the account's already.
    #[error("the account has this address already")]
    Unchanged(AddressKind),
    /// The account's e-mail address must be proven first.
    #[error("the address must be verified first")]
    Unproven,
    /// No SMS goes to this number, whenever one asks.
    #[error("no SMS can be sent to this number")]
    NoSms,
    /// The code is wrong, used, expired, or was sent to another number or for another account.
    #[error("the code is not right")]
    WrongCode,
    /// Another account has proven it. Said only to whoever reads its mail or messages.
    #[error("another account has proven this address")]
    Taken,
    /// The link is unknown, used, expired, of another purpose, or the account has changed since.
    #[error("the link is not valid")]
    InvalidLink,
    /// Too many attempts.
    #[error("too many attempts, try again at {retry_at:?}")]
    TooManyAttempts {
        /// When trying again makes sense.
        retry_at: Timestamp,
    },
    /// The account changed meanwhile.
    #[error("busy, try again in {retry_after:?}")]
    Busy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Something of ours failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// A change's undo link and the statement that remembers the change.
struct Undoable {
    token: Token,
    statement: Statement,
    expires_at: Timestamp,
}

impl SignIn<'_> {
    /// Removes changes that nobody can take back any more; at most `limit`. Answers how many
    /// went.
    pub(crate) async fn sweep_address_changes(&self, limit: i64) -> Result<usize, InternalError> {
        let now = self.auth.clock().now();
        let swept = self.auth.database().write_returning(store::sweep(now, limit)).await;
        Ok(swept.map_err(WriteError::unexpected)?.len())
    }

    /// What makes a change of this account, as it was read, one that can be taken back.
    fn undoable(&self, account: &Candidate, kind: AddressKind, now: Timestamp) -> Undoable {
        // 128 bits: the link must fit into an SMS.
        let token = Token::new(BASE64URL_NOPAD.encode(&self.auth.random().bytes::<16>()));
        let expires_at = now.plus(UNDO_LIFETIME);
        let (typed, key, old_verified_at) = match kind {
            AddressKind::Email => (&account.email, &account.email_key, account.email_verified_at),
            AddressKind::Phone => {
                (&account.phone_key, &account.phone_key, account.phone_verified_at)
            }
        };
        let statement = store::insert(&store::NewChange {
            id: AddressChangeId::new(now, self.auth.random()),
            account: account.id,
            kind,
            old: typed.as_deref().zip(key.as_deref()),
            old_verified_at,
            security_version: account.security_version + 1,
            undo_digest: self.undo_digest(token.reveal()),
            created_at: now,
            expires_at,
        });
        Undoable { token, statement, expires_at }
    }

    /// Tells whoever read the account's mails or messages before the change, with a link that
    /// takes it back; nobody asks the session that changes it (ASVS 6.3.7). The e-mail address
    /// before the number; what nobody proved is not written to.
    fn tell_of_change(
        &self,
        account: &Candidate,
        kind: AddressKind,
        client: &Client,
        now: Timestamp,
    ) -> Result<Vec<Statement>, InternalError> {
        let messages = self.auth.messages();
        let email = account.email.as_ref().filter(|_| account.email_verified_at.is_some());
        let phone = account.phone_key.as_ref().filter(|_| account.phone_verified_at.is_some());
        let phone = phone.filter(|phone| messages.reaches(phone).is_ok());
        if email.is_none() && phone.is_none() {
            return Ok(Vec::new());
        }
        let Undoable { token, statement, expires_at } = self.undoable(account, kind, now);
        let (from, undo_link) = (whereabouts(client), self.undo_link(&token));
        let notice = match kind {
            AddressKind::Email => Message::EmailChanged { at: now, from, undo_link },
            AddressKind::Phone => Message::PhoneChanged { at: now, from, undo_link },
        };
        let mut told = vec![statement];
        if let Some(email) = email {
            told.push(messages.queue(email, &notice, now, expires_at)?);
        } else if let Some(phone) = phone {
            // Nothing is changed that its owner cannot be told of: no budget left, no change.
            told.extend(self.auth.limits().count_sms(phone, now));
            told.push(messages.queue_sms(phone, &notice, now, expires_at)?);
        }
        Ok(told)
    }

    fn undo_digest(&self, token: &str) -> [u8; 32] {
        self.auth.secrets().digest("link:undo-address", token.as_bytes())
    }

    /// What takes an address from an account that never proved it: the account is closed, or
    /// keeps what else it has proven. Before the address is given to another, since it must be
    /// free.
    pub(super) fn yielding(&self, holder: &Candidate, kind: AddressKind, now: Timestamp) -> Batch {
        let version = holder.security_version;
        let sessions = self.auth.sessions();
        let release = match kind {
            AddressKind::Email if holder.phone_verified_at.is_none() => None,
            AddressKind::Email => Some(accounts::release_email(holder.id, version)),
            AddressKind::Phone => Some(accounts::release_phone(holder.id, version)),
        };
        if let Some(release) = release {
            let mut batch = Batch::from(release);
            batch.append(sessions.changed_statements(holder.id, now));
            return batch;
        }
        let mut batch = Batch::from(accounts::changed_while_unproven(holder.id, version));
        batch.append(self.closing(holder, version + 1, now));
        let entry = Entry::new(Event::AccountClosed).account(holder.id);
        let entry = entry.details(serde_json::json!({ "because": "address_proven_by_another" }));
        batch.add(entry.statement(now, self.auth.random()));
        let reason = EndReason::AccountClosed;
        batch.append(sessions.end_all_statements(holder.id, None, reason, now));
        batch
    }

    /// Writes a change of an account that its sessions and the outbox are to hear of. `false`:
    /// somebody or something was faster; look again why.
    pub(super) async fn write_change(&self, batch: Batch) -> Result<bool, InternalError> {
        match self.auth.database().write(batch).await {
            Ok(_) => {}
            Err(WriteError::Conflict { .. }) => return Ok(false),
            Err(WriteError::Internal(cause)) => return Err(cause),
        }
        self.auth.sessions().catch_up().await?;
        self.auth.messages().wake();
        Ok(true)
    }

    fn address_entry(
        &self,
        event: Event,
        account: &Candidate,
        client: &Client,
        now: Timestamp,
    ) -> Statement {
        let entry = Entry::new(event).account(account.id).network(client.network());
        entry.statement(now, self.auth.random())
    }
}

impl From<Stale> for AddressError {
    fn from(_: Stale) -> Self {
        Self::ProveAgain
    }
}

impl From<TooMany> for AddressError {
    fn from(refused: TooMany) -> Self {
        Self::TooManyAttempts { retry_at: refused.retry_at }
    }
}

impl From<OwnerError> for AddressError {
    fn from(error: OwnerError) -> Self {
        match error {
            OwnerError::ProveAgain
            | OwnerError::WrongPassword
            | OwnerError::PasswordMissing
            | OwnerError::Password(_) => Self::ProveAgain,
            OwnerError::TooManyAttempts { retry_at } => Self::TooManyAttempts { retry_at },
            OwnerError::Busy { retry_after } => Self::Busy { retry_after },
            OwnerError::Internal(cause) => Self::Internal(cause),
        }
    }
}
