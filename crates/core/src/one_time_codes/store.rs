//! The SQL of `one_time_codes`.

use super::Link;
use super::codes::{CodeLink, LiveCode};
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

/// A code's row about to be written.
pub(super) struct NewCodeRow<'a> {
    pub(super) id: CodeId,
    pub(super) purpose: &'static str,
    pub(super) account: Option<AccountId>,
    pub(super) target_key: &'a str,
    pub(super) name_key: &'a str,
    pub(super) digest: [u8; 32],
    pub(super) link_digest: Option<[u8; 32]>,
    pub(super) flow_digest: Option<[u8; 32]>,
    pub(super) network: &'a str,
    pub(super) sealed_secret: Vec<u8>,
    pub(super) details: &'a str,
    pub(super) attempts: i64,
    pub(super) others_attempts: i64,
    pub(super) resends: i64,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// One code, with the link in its mail.
pub(super) fn insert_code(new: &NewCodeRow<'_>) -> Statement {
    Statement::new(
        "INSERT INTO one_time_codes
                (id, purpose, account_id, target_key, digest, link_digest, flow_digest, network,
                 sealed_secret, details, attempts_left, others_attempts_left, resends_left,
                 created_at, expires_at, name_key)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        [
            new.id.into(),
            new.purpose.into(),
            new.account.into(),
            new.target_key.into(),
            new.digest.into(),
            new.link_digest.map(|digest| digest.to_vec()).into(),
            new.flow_digest.map(|digest| digest.to_vec()).into(),
            new.network.into(),
            new.sealed_secret.clone().into(),
            new.details.into(),
            new.attempts.into(),
            new.others_attempts.into(),
            new.resends.into(),
            new.created_at.into(),
            new.expires_at.into(),
            new.name_key.into(),
        ],
    )
}

/// The code that a guess from a network is compared with: its own before others', the latest
/// first.
pub(super) fn find_live_code(
    target_key: &str,
    purpose: &'static str,
    network: &str,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "SELECT id, network, sealed_secret, expires_at, details
           FROM one_time_codes
          WHERE target_key = $1 AND purpose = $2 AND expires_at > $4
            AND attempts_left > 0 AND matched_by IS NULL AND consumed_at IS NULL
          ORDER BY CASE WHEN network = $3 THEN 0 ELSE 1 END, created_at DESC, id DESC
          LIMIT 1",
        [target_key.into(), purpose.into(), network.into(), now.into()],
    )
}

/// Reads a row of [`find_live_code`].
pub(super) fn live_code(row: &Row) -> Result<LiveCode, InternalError> {
    Ok(LiveCode {
        id: row.id(0)?,
        network: row.text(1)?,
        sealed_secret: row.bytes(2)?,
        expires_at: row.time(3)?,
        details: row.text(4)?,
    })
}

/// Allows a live code to be sent once more.
pub(super) fn send_again(id: CodeId, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE one_time_codes
            SET resends_left = resends_left - 1
          WHERE id = $1 AND resends_left > 0 AND expires_at > $2
            AND matched_by IS NULL AND consumed_at IS NULL",
        [id.into(), now.into()],
    )
    .must_change()
}

/// Counts a comparison and makes it: the attempt that gives the right code is remembered, and
/// after it nobody compares again. `others` is 1 for a network that did not ask for the code.
pub(super) fn compare(
    id: CodeId,
    digest: [u8; 32],
    matched_by: uuid::Uuid,
    others: i64,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "UPDATE one_time_codes
            SET attempts_left = attempts_left - 1,
                others_attempts_left = others_attempts_left - $4,
                matched_by = CASE WHEN digest = $2 THEN $3 ELSE matched_by END
          WHERE id = $1 AND attempts_left > 0 AND others_attempts_left >= $4
            AND matched_by IS NULL AND consumed_at IS NULL AND expires_at > $5
      RETURNING matched_by IS NOT NULL",
        [id.into(), digest.into(), matched_by.into(), others.into(), now.into()],
    )
}

/// Uses a code up that this very attempt gave; its secret is not needed any more.
pub(super) fn consume_matched(id: CodeId, matched_by: uuid::Uuid, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE one_time_codes
            SET consumed_at = $3, sealed_secret = NULL
          WHERE id = $1 AND matched_by = $2 AND consumed_at IS NULL",
        [id.into(), matched_by.into(), now.into()],
    )
    .must_change()
}

/// An unexpired code by its link's digest, which is bound to the purpose.
pub(super) fn find_code_link(digest: [u8; 32], now: Timestamp) -> Statement {
    Statement::new(
        "SELECT id, target_key, details, flow_digest,
                matched_by IS NOT NULL OR consumed_at IS NOT NULL
           FROM one_time_codes
          WHERE link_digest = $1 AND expires_at > $2",
        [digest.into(), now.into()],
    )
}

/// Reads a row of [`find_code_link`].
pub(super) fn code_link(row: &Row) -> Result<CodeLink, InternalError> {
    Ok(CodeLink {
        id: row.id(0)?,
        target_key: row.text(1)?,
        details: row.text(2)?,
        flow_digest: row.optional_bytes(3)?,
        is_used: row.bool(4)?,
    })
}

/// Uses a code up by its link; changes nothing when either was used.
pub(super) fn consume_code_link(id: CodeId, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE one_time_codes
            SET consumed_at = $2, sealed_secret = NULL
          WHERE id = $1 AND matched_by IS NULL AND consumed_at IS NULL AND expires_at > $2",
        [id.into(), now.into()],
    )
    .must_change()
}

/// Removes a target's unused codes of one purpose, whoever asked for them.
pub(super) fn void_codes(target_key: &str, purpose: &'static str) -> Statement {
    Statement::new(
        "DELETE FROM one_time_codes
          WHERE target_key = $1 AND purpose = $2 AND consumed_at IS NULL",
        [target_key.into(), purpose.into()],
    )
}

/// Removes a target's unused codes of one purpose, and for one name, that one network asked for.
pub(super) fn void_codes_of(
    (target_key, name_key): (&str, &str),
    purpose: &'static str,
    network: &str,
) -> Statement {
    Statement::new(
        "DELETE FROM one_time_codes
          WHERE target_key = $1 AND purpose = $2 AND network = $3 AND name_key = $4
            AND consumed_at IS NULL",
        [target_key.into(), purpose.into(), network.into(), name_key.into()],
    )
}

/// Removes the unused codes of one purpose for a wished name, whatever their target.
pub(super) fn void_codes_for_name(name_key: &str, purpose: &'static str) -> Statement {
    Statement::new(
        "DELETE FROM one_time_codes
          WHERE name_key = $1 AND name_key <> '' AND purpose = $2 AND consumed_at IS NULL",
        [name_key.into(), purpose.into()],
    )
}

/// The unused code for a target and a name, dead ones too, and whether it lives: a live one
/// before dead ones, the network's own before others', the latest first.
pub(super) fn find_code_for_name(
    (target_key, name_key): (&str, &str),
    purpose: &'static str,
    network: &str,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "SELECT id, network, sealed_secret, expires_at, details,
                expires_at > $5 AND attempts_left > 0 AND matched_by IS NULL
           FROM one_time_codes
          WHERE target_key = $1 AND purpose = $2 AND name_key = $3 AND consumed_at IS NULL
          ORDER BY CASE WHEN expires_at > $5 AND attempts_left > 0 AND matched_by IS NULL
                        THEN 0 ELSE 1 END,
                   CASE WHEN network = $4 THEN 0 ELSE 1 END, created_at DESC, id DESC
          LIMIT 1",
        [target_key.into(), purpose.into(), name_key.into(), network.into(), now.into()],
    )
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
