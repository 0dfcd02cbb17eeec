//! The SQL of `address_changes`.

use super::AddressKind;
use super::undo::{Before, Change};
use crate::database::{Row, Statement};
use crate::error::InternalError;
use crate::ids::{AccountId, AddressChangeId};
use crate::time::Timestamp;

/// A change that was just made and can be taken back.
pub(super) struct NewChange<'a> {
    pub(super) id: AddressChangeId,
    pub(super) account: AccountId,
    pub(super) kind: AddressKind,
    /// As typed and as compared; none where there was none.
    pub(super) old: Option<(&'a str, &'a str)>,
    pub(super) old_verified_at: Option<Timestamp>,
    /// The account's, after the change.
    pub(super) security_version: i64,
    pub(super) undo_digest: [u8; 32],
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// One change.
pub(super) fn insert(new: &NewChange<'_>) -> Statement {
    Statement::new(
        "INSERT INTO address_changes
                (id, account_id, kind, old_address, old_key, old_verified_at, security_version,
                 undo_digest, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        [
            new.id.into(),
            new.account.into(),
            new.kind.word().into(),
            new.old.map(|(typed, _)| typed).into(),
            new.old.map(|(_, key)| key).into(),
            new.old_verified_at.into(),
            new.security_version.into(),
            new.undo_digest.into(),
            new.created_at.into(),
            new.expires_at.into(),
        ],
    )
}

/// A change that can still be taken back, by its link's digest.
pub(super) fn find(undo_digest: [u8; 32], now: Timestamp) -> Statement {
    Statement::new(
        "SELECT id, account_id, kind, security_version, created_at
           FROM address_changes
          WHERE undo_digest = $1 AND expires_at > $2 AND undone_at IS NULL",
        [undo_digest.into(), now.into()],
    )
}

/// Reads a row of [`find`].
pub(super) fn change(row: &Row) -> Result<Change, InternalError> {
    Ok(Change {
        id: row.id(0)?,
        account: row.id(1)?,
        kind: kind(&row.text(2)?)?,
        security_version: row.int(3)?,
        created_at: row.time(4)?,
    })
}

/// What stood before a change and before each later one, the earliest first.
pub(super) fn list_since(account: AccountId, security_version: i64) -> Statement {
    Statement::new(
        "SELECT kind, old_address, old_key, old_verified_at
           FROM address_changes
          WHERE account_id = $1 AND security_version >= $2 AND undone_at IS NULL
          ORDER BY security_version",
        [account.into(), security_version.into()],
    )
}

/// Reads a row of [`list_since`].
pub(super) fn before(row: &Row) -> Result<(AddressKind, Before), InternalError> {
    let (typed, key) = (row.optional_text(1)?, row.optional_text(2)?);
    let before = Before { address: typed.zip(key), verified_at: row.optional_time(3)? };
    Ok((kind(&row.text(0)?)?, before))
}

/// Marks a change as taken back; changes nothing when it was, or is too old.
pub(super) fn mark_undone(id: AddressChangeId, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE address_changes
            SET undone_at = $2
          WHERE id = $1 AND undone_at IS NULL AND expires_at > $2",
        [id.into(), now.into()],
    )
    .must_change()
}

/// Marks the changes after one as taken back with it: their links are worthless.
pub(super) fn mark_later_undone(
    account: AccountId,
    security_version: i64,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "UPDATE address_changes
            SET undone_at = $3
          WHERE account_id = $1 AND security_version > $2 AND undone_at IS NULL",
        [account.into(), security_version.into(), now.into()],
    )
}

/// Removes changes that nobody can take back any more.
pub(super) fn sweep(now: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "DELETE FROM address_changes
          WHERE id IN (SELECT id FROM address_changes WHERE expires_at <= $1 LIMIT $2)
            AND expires_at <= $1
      RETURNING 1",
        [now.into(), limit.into()],
    )
}

fn kind(word: &str) -> Result<AddressKind, InternalError> {
    AddressKind::of_word(word).ok_or_else(|| InternalError::fault("an unknown kind of address"))
}
