//! The SQL of `one_time_codes`.

use super::Link;
use crate::database::{Row, Statement};
use crate::error::InternalError;
use crate::ids::{AccountId, CodeId};
use crate::time::Timestamp;

/// A row about to be written.
pub(super) struct NewCode<'a> {
    pub(super) id: CodeId,
    pub(super) purpose: &'static str,
    pub(super) account: AccountId,
    pub(super) target_key: &'a str,
    pub(super) digest: [u8; 32],
    pub(super) flow_digest: Option<[u8; 32]>,
    pub(super) details: Option<&'a str>,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// One code or link.
pub(super) fn insert(new: &NewCode<'_>) -> Statement {
    Statement::new(
        "INSERT INTO one_time_codes
                (id, purpose, account_id, target_key, digest, flow_digest, details, created_at,
                 expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            new.id.into(),
            new.purpose.into(),
            new.account.into(),
            new.target_key.into(),
            new.digest.into(),
            new.flow_digest.map(|digest| digest.to_vec()).into(),
            new.details.into(),
            new.created_at.into(),
            new.expires_at.into(),
        ],
    )
}

/// An unexpired link by its digest, which is bound to the purpose.
pub(super) fn find(digest: [u8; 32], now: Timestamp) -> Statement {
    Statement::new(
        "SELECT id, account_id, target_key, consumed_at, flow_digest, details
           FROM one_time_codes
          WHERE digest = $1 AND expires_at > $2",
        [digest.into(), now.into()],
    )
}

/// Reads a row of [`find`].
pub(super) fn link(row: &Row) -> Result<Link, InternalError> {
    Ok(Link {
        id: row.id(0)?,
        account: row.id(1)?,
        target_key: row.text(2)?,
        consumed_at: row.optional_time(3)?,
        flow_digest: row.optional_bytes(4)?,
        details: row.optional_text(5)?,
    })
}

/// Uses a code up; changes nothing when it was used or has expired.
pub(super) fn consume(id: CodeId, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE one_time_codes
            SET consumed_at = $2
          WHERE id = $1 AND consumed_at IS NULL AND expires_at > $2",
        [id.into(), now.into()],
    )
    .must_change()
}

/// Removes an account's unused codes of one purpose.
pub(super) fn void(account: AccountId, purpose: &'static str) -> Statement {
    Statement::new(
        "DELETE FROM one_time_codes
          WHERE account_id = $1 AND purpose = $2 AND consumed_at IS NULL",
        [account.into(), purpose.into()],
    )
}

/// Removes an account's unused codes of every purpose.
pub(super) fn void_all_of(account: AccountId) -> Statement {
    Statement::new(
        "DELETE FROM one_time_codes WHERE account_id = $1 AND consumed_at IS NULL",
        [account.into()],
    )
}

/// Removes every code there is.
pub(super) fn void_everything() -> Statement {
    Statement::new("DELETE FROM one_time_codes", [])
}

/// Removes rows past their expiry.
pub(super) fn sweep(now: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "DELETE FROM one_time_codes
          WHERE id IN (SELECT id FROM one_time_codes WHERE expires_at <= $1 LIMIT $2)
            AND expires_at <= $1
      RETURNING 1",
        [now.into(), limit.into()],
    )
}
