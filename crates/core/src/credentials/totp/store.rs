//! The rows of `totp_credentials`.

use crate::database::{Row, Statement, Value};
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::time::Timestamp;

/// An account's app as stored.
pub(super) struct Stored {
    pub(super) session: SessionId,
    pub(super) sealed_secret: Vec<u8>,
    pub(super) last_step: i64,
    pub(super) created_at: Timestamp,
    pub(super) confirmed_at: Option<Timestamp>,
}

/// An account's app, pending or confirmed.
pub(super) fn find(account: AccountId) -> Statement {
    Statement::new(
        "SELECT session_id, sealed_secret, last_step, created_at, confirmed_at
           FROM totp_credentials
          WHERE account_id = $1",
        [account.into()],
    )
}

/// Reads a row of [`find`].
pub(super) fn stored(row: &Row) -> Result<Stored, InternalError> {
    Ok(Stored {
        session: row.id(0)?,
        sealed_secret: row.bytes(1)?,
        last_step: row.int(2)?,
        created_at: row.time(3)?,
        confirmed_at: row.optional_time(4)?,
    })
}

/// Stores a pending secret in place of an earlier pending one; changes nothing where one is
/// confirmed.
pub(super) fn begin(
    account: AccountId,
    session: SessionId,
    sealed_secret: Vec<u8>,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "INSERT INTO totp_credentials
                (account_id, session_id, sealed_secret, last_step, created_at)
         VALUES ($1, $2, $3, 0, $4)
         ON CONFLICT (account_id) DO UPDATE
            SET session_id = excluded.session_id,
                sealed_secret = excluded.sealed_secret,
                last_step = 0,
                created_at = excluded.created_at
          WHERE totp_credentials.confirmed_at IS NULL",
        [Value::from(account), session.into(), sealed_secret.into(), now.into()],
    )
    .must_change()
}

/// Confirms the very secret whose code was compared: sealing the same twice gives other bytes.
pub(super) fn confirm(
    account: AccountId,
    sealed_secret: Vec<u8>,
    step: i64,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "UPDATE totp_credentials
            SET confirmed_at = $4, last_step = $3
          WHERE account_id = $1 AND sealed_secret = $2 AND confirmed_at IS NULL",
        [Value::from(account), sealed_secret.into(), step.into(), now.into()],
    )
    .must_change()
}

/// Accepts a step; changes nothing when it or a later one was accepted before.
pub(super) fn use_step(account: AccountId, step: i64) -> Statement {
    Statement::new(
        "UPDATE totp_credentials
            SET last_step = $2
          WHERE account_id = $1 AND last_step < $2 AND confirmed_at IS NOT NULL",
        [account.into(), step.into()],
    )
    .must_change()
}

/// Takes an account's app away.
pub(super) fn delete(account: AccountId) -> Statement {
    Statement::new("DELETE FROM totp_credentials WHERE account_id = $1", [account.into()])
}
