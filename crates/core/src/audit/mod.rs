//! What happened: one entry for every act that matters to security, in the batch of the act.
//!
//! Entries name accounts and sessions, never secrets. Owns the table `audit_entries`; entries
//! are kept for 400 days.

use crate::client::Network;
use crate::database::{Database, Statement, WriteError};
use crate::error::InternalError;
use crate::ids::{AccountId, AuditEntryId, SessionId};
use crate::ports::Random;
use crate::time::{Timestamp, days};

/// How long entries are kept.
const KEPT: std::time::Duration = days(400);

/// What happened, in the words stored in the `event` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An account was made.
    SignedUp,
    /// An address was proven.
    EmailVerified,
    /// A session began.
    SignedIn,
    /// A session was ended by its owner.
    SignedOut,
    /// Several sessions were ended at once.
    SessionsEnded,
    /// A refresh token came back after its successor had been used.
    TokenTheftSuspected,
    /// A refresh token from the future: the database went back in time.
    TokenFromTheFuture,
    /// A mail to choose a new password was asked for.
    PasswordResetRequested,
    /// A new password was set through a mailed link.
    PasswordReset,
    /// The password was changed by its owner.
    PasswordChanged,
    /// An authenticator app was enrolled.
    SecondFactorAdded,
    /// The authenticator app was removed by its owner.
    SecondFactorRemoved,
    /// The authenticator app was removed by an operator.
    SecondFactorReset,
    /// Ten new recovery codes took the place of the old ones.
    RecoveryCodesReplaced,
    /// A recovery code was used in place of the authenticator app.
    RecoveryCodeUsed,
    /// An identity of a provider was connected to the account.
    IdentityConnected,
    /// An identity was removed by its owner.
    IdentityRemoved,
    /// Another address was to be proven for an account.
    EmailChangeRequested,
    /// The account has another address.
    EmailChanged,
    /// Another number was to be proven for an account.
    PhoneChangeRequested,
    /// The account has another number.
    PhoneChanged,
    /// Changes of address or number were taken back through a mailed link.
    AddressChangeUndone,
    /// The account was closed by its owner or by "not me".
    AccountClosed,
    /// The account was disabled by an operator.
    AccountDisabled,
    /// The account was enabled again by an operator.
    AccountEnabled,
    /// The role was changed by an operator.
    RoleChanged,
    /// A registration source was named or set aside by an operator.
    SourceChanged,
    /// The signing key was changed.
    KeysRotated,
    /// An operator stopped SMS on every node.
    SmsStopped,
    /// An operator let SMS go again.
    SmsStarted,
    /// All sessions ended and codes voided after a restore.
    Restored,
}

impl Event {
    /// The stored word; stable over releases.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SignedUp => "signed_up",
            Self::EmailVerified => "email_verified",
            Self::SignedIn => "signed_in",
            Self::SignedOut => "signed_out",
            Self::SessionsEnded => "sessions_ended",
            Self::TokenTheftSuspected => "token_theft_suspected",
            Self::TokenFromTheFuture => "token_from_the_future",
            Self::PasswordResetRequested => "password_reset_requested",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::SecondFactorAdded => "second_factor_added",
            Self::SecondFactorRemoved => "second_factor_removed",
            Self::SecondFactorReset => "second_factor_reset",
            Self::RecoveryCodesReplaced => "recovery_codes_replaced",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::IdentityConnected => "identity_connected",
            Self::IdentityRemoved => "identity_removed",
            Self::EmailChangeRequested => "email_change_requested",
            Self::EmailChanged => "email_changed",
            Self::PhoneChangeRequested => "phone_change_requested",
            Self::PhoneChanged => "phone_changed",
            Self::AddressChangeUndone => "address_change_undone",
            Self::AccountClosed => "account_closed",
            Self::AccountDisabled => "account_disabled",
            Self::AccountEnabled => "account_enabled",
            Self::RoleChanged => "role_changed",
            Self::SourceChanged => "source_changed",
            Self::KeysRotated => "keys_rotated",
            Self::SmsStopped => "sms_stopped",
            Self::SmsStarted => "sms_started",
            Self::Restored => "restored",
        }
    }
}

/// An entry before it is written.
#[derive(Debug, Clone)]
pub struct Entry {
    event: Event,
    account: Option<AccountId>,
    session: Option<SessionId>,
    network: Option<Network>,
    details: serde_json::Value,
}

impl Entry {
    /// An entry about nobody in particular yet.
    #[must_use]
    pub const fn new(event: Event) -> Self {
        Self {
            event,
            account: None,
            session: None,
            network: None,
            details: serde_json::Value::Null,
        }
    }

    /// Whose account it is about.
    #[must_use]
    pub fn account(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    /// Which session it is about.
    #[must_use]
    pub fn session(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// Where the act came from.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = Some(network);
        self
    }

    /// More facts; never secrets.
    #[must_use]
    pub fn details(mut self, details: serde_json::Value) -> Self {
        self.details = details;
        self
    }

    /// The statement that writes the entry; add it to the batch of the act.
    #[must_use]
    pub fn statement(self, now: Timestamp, random: &dyn Random) -> Statement {
        let details =
            if self.details.is_null() { "{}".to_owned() } else { self.details.to_string() };
        store::insert(&self, details, AuditEntryId::new(now, random), now)
    }
}

/// Removes up to `limit` entries that were kept long enough; answers how many.
pub(crate) async fn sweep(
    database: &Database,
    now: Timestamp,
    limit: i64,
) -> Result<usize, InternalError> {
    let swept = database.write_returning(store::delete_expired(now, limit)).await;
    Ok(swept.map_err(WriteError::unexpected)?.len())
}

mod store {
    //! The SQL of `audit_entries`.

    use super::{AuditEntryId, Entry, KEPT, Statement, Timestamp};

    /// One entry.
    pub(super) fn insert(
        entry: &Entry,
        details: String,
        id: AuditEntryId,
        now: Timestamp,
    ) -> Statement {
        Statement::new(
            "INSERT INTO audit_entries
                    (id, at, event, account_id, session_id, network, details, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            [
                id.into(),
                now.into(),
                entry.event.word().into(),
                entry.account.into(),
                entry.session.into(),
                entry.network.map(|network| network.to_string()).into(),
                details.into(),
                now.plus(KEPT).into(),
            ],
        )
    }

    /// Entries kept long enough, the oldest first.
    pub(super) fn delete_expired(now: Timestamp, limit: i64) -> Statement {
        Statement::new(
            "DELETE FROM audit_entries
              WHERE id IN (SELECT id FROM audit_entries WHERE expires_at <= $1
                            ORDER BY expires_at LIMIT $2)
          RETURNING id",
            [now.into(), limit.into()],
        )
    }
}
