//! What the ways in read, an account together with its credential, and their own tables.

use super::candidate::{Candidate, Plain};
use super::second_factor::Stored;
use super::step_up::Proven;
use crate::database::{Row, Statement};
use crate::error::InternalError;
use crate::ids::{AccountId, ChallengeId, SessionId};
use crate::sessions::{Door, Reading};
use crate::time::Timestamp;

/// The account an address belongs to.
pub(super) fn find_by_email(email_key: &str, network: &str) -> Statement {
    Statement::new(
        "SELECT a.id, a.number, a.email, a.email_key, a.email_verified_at, a.username,
                a.phone_key, a.phone_verified_at, a.security_version, a.created_at,
                a.created_from, a.last_sign_in_at, a.disabled_at, a.deleted_at,
                p.sealed_hash, p.changed_at,
                EXISTS (SELECT 1 FROM totp_credentials t
                         WHERE t.account_id = a.id AND t.confirmed_at IS NOT NULL),
                EXISTS (SELECT 1 FROM sessions s
                         WHERE s.account_id = a.id AND s.network = $2),
                a.role, a.is_staff, a.is_superuser, a.custom_fields,
                EXISTS (SELECT 1 FROM account_groups m WHERE m.account_id = a.id)
                OR EXISTS (SELECT 1 FROM account_permissions m WHERE m.account_id = a.id)
                OR EXISTS (SELECT 1 FROM identities m WHERE m.account_id = a.id)
           FROM accounts a
           LEFT JOIN passwords p ON p.account_id = a.id
          WHERE a.email_key = $1",
        [email_key.into(), network.into()],
    )
}

/// The account a number belongs to.
pub(super) fn find_by_phone(phone_key: &str, network: &str) -> Statement {
    Statement::new(
        "SELECT a.id, a.number, a.email, a.email_key, a.email_verified_at, a.username,
                a.phone_key, a.phone_verified_at, a.security_version, a.created_at,
                a.created_from, a.last_sign_in_at, a.disabled_at, a.deleted_at,
                p.sealed_hash, p.changed_at,
                EXISTS (SELECT 1 FROM totp_credentials t
                         WHERE t.account_id = a.id AND t.confirmed_at IS NOT NULL),
                EXISTS (SELECT 1 FROM sessions s
                         WHERE s.account_id = a.id AND s.network = $2),
                a.role, a.is_staff, a.is_superuser, a.custom_fields,
                EXISTS (SELECT 1 FROM account_groups m WHERE m.account_id = a.id)
                OR EXISTS (SELECT 1 FROM account_permissions m WHERE m.account_id = a.id)
                OR EXISTS (SELECT 1 FROM identities m WHERE m.account_id = a.id)
           FROM accounts a
           LEFT JOIN passwords p ON p.account_id = a.id
          WHERE a.phone_key = $1",
        [phone_key.into(), network.into()],
    )
}

/// The account a name belongs to.
pub(super) fn find_by_username(username_key: &str, network: &str) -> Statement {
    Statement::new(
        "SELECT a.id, a.number, a.email, a.email_key, a.email_verified_at, a.username,
                a.phone_key, a.phone_verified_at, a.security_version, a.created_at,
                a.created_from, a.last_sign_in_at, a.disabled_at, a.deleted_at,
                p.sealed_hash, p.changed_at,
                EXISTS (SELECT 1 FROM totp_credentials t
                         WHERE t.account_id = a.id AND t.confirmed_at IS NOT NULL),
                EXISTS (SELECT 1 FROM sessions s
                         WHERE s.account_id = a.id AND s.network = $2),
                a.role, a.is_staff, a.is_superuser, a.custom_fields,
                EXISTS (SELECT 1 FROM account_groups m WHERE m.account_id = a.id)
                OR EXISTS (SELECT 1 FROM account_permissions m WHERE m.account_id = a.id)
                OR EXISTS (SELECT 1 FROM identities m WHERE m.account_id = a.id)
           FROM accounts a
           LEFT JOIN passwords p ON p.account_id = a.id
          WHERE a.username_key = $1",
        [username_key.into(), network.into()],
    )
}

/// The account an identity belongs to, and which identity it is.
pub(super) fn find_by_identity(issuer: &str, subject: &str, network: &str) -> Statement {
    Statement::new(
        "SELECT a.id, a.number, a.email, a.email_key, a.email_verified_at, a.username,
                a.phone_key, a.phone_verified_at, a.security_version, a.created_at,
                a.created_from, a.last_sign_in_at, a.disabled_at, a.deleted_at,
                p.sealed_hash, p.changed_at,
                EXISTS (SELECT 1 FROM totp_credentials t
                         WHERE t.account_id = a.id AND t.confirmed_at IS NOT NULL),
                EXISTS (SELECT 1 FROM sessions s
                         WHERE s.account_id = a.id AND s.network = $3),
                i.id
           FROM identities i
           JOIN accounts a ON a.id = i.account_id
           LEFT JOIN passwords p ON p.account_id = a.id
          WHERE i.issuer = $1 AND i.subject = $2",
        [issuer.into(), subject.into(), network.into()],
    )
}

/// The account of a link, of a challenge, or that an operator names.
pub(super) fn find_by_id(id: AccountId) -> Statement {
    Statement::new(
        "SELECT a.id, a.number, a.email, a.email_key, a.email_verified_at, a.username,
                a.phone_key, a.phone_verified_at, a.security_version, a.created_at,
                a.created_from, a.last_sign_in_at, a.disabled_at, a.deleted_at,
                p.sealed_hash, p.changed_at,
                EXISTS (SELECT 1 FROM totp_credentials t
                         WHERE t.account_id = a.id AND t.confirmed_at IS NOT NULL),
                FALSE
           FROM accounts a
           LEFT JOIN passwords p ON p.account_id = a.id
          WHERE a.id = $1",
        [id.into()],
    )
}

/// The account of somebody signed in, while their session lives: read together, so that what
/// rests on the account's `security_version` rests on the session as well.
pub(super) fn find_present(id: AccountId, session: SessionId, now: Timestamp) -> Statement {
    Statement::new(
        "SELECT a.id, a.number, a.email, a.email_key, a.email_verified_at, a.username,
                a.phone_key, a.phone_verified_at, a.security_version, a.created_at,
                a.created_from, a.last_sign_in_at, a.disabled_at, a.deleted_at,
                p.sealed_hash, p.changed_at,
                EXISTS (SELECT 1 FROM totp_credentials t
                         WHERE t.account_id = a.id AND t.confirmed_at IS NOT NULL),
                FALSE
           FROM accounts a
           LEFT JOIN passwords p ON p.account_id = a.id
          WHERE a.id = $1
            AND EXISTS (SELECT 1 FROM sessions s
                         WHERE s.id = $2 AND s.account_id = a.id
                           AND s.revoked_at IS NULL AND s.ends_at > $3)",
        [id.into(), session.into(), now.into()],
    )
}

/// How a session was proven.
pub(super) fn find_proof(account: AccountId, session: SessionId) -> Statement {
    Statement::new(
        "SELECT auth_time, amr FROM sessions WHERE id = $1 AND account_id = $2",
        [session.into(), account.into()],
    )
}

/// Reads a row of [`find_proof`].
pub(super) fn proof(row: &Row) -> Result<Proven, InternalError> {
    let is_strong = row.text(1)?.split(' ').any(|method| method == "mfa");
    Ok(Proven { at: row.time(0)?, is_strong })
}

/// Reads a row of any of them.
pub(super) fn candidate(row: &Row) -> Result<Candidate, InternalError> {
    Ok(Candidate {
        id: row.id(0)?,
        number: row.int(1)?,
        email: row.optional_text(2)?,
        email_key: row.optional_text(3)?,
        email_verified_at: row.optional_time(4)?,
        username: row.optional_text(5)?,
        phone_key: row.optional_text(6)?,
        phone_verified_at: row.optional_time(7)?,
        security_version: row.int(8)?,
        created_at: row.time(9)?,
        created_from: row.text(10)?,
        last_sign_in_at: row.optional_time(11)?,
        disabled_at: row.optional_time(12)?,
        deleted_at: row.optional_time(13)?,
        sealed_hash: row.optional_bytes(14)?,
        password_changed_at: row.optional_time(15)?,
        has_second_factor: row.bool(16)?,
        is_known_network: row.bool(17)?,
        plain: None,
    })
}

/// What else its sessions see of an account, from a row of `find_by_email`, `find_by_phone` or
/// `find_by_username`; `None` where groups, permissions or identities belong to it.
pub(super) fn plain(row: &Row, reading: Reading) -> Result<Option<Plain>, InternalError> {
    if row.bool(22)? {
        return Ok(None);
    }
    Ok(Some(Plain {
        role: row.text(18)?,
        is_staff: row.bool(19)?,
        is_superuser: row.bool(20)?,
        custom_fields: row.text(21)?,
        reading,
    }))
}

/// A challenge about to be written.
pub(super) struct NewChallenge<'a> {
    pub(super) id: ChallengeId,
    pub(super) account: AccountId,
    pub(super) digest: [u8; 32],
    pub(super) door: &'static str,
    pub(super) amr: &'a str,
    pub(super) federated: Option<&'a str>,
    pub(super) proven_at: Timestamp,
    pub(super) security_version: i64,
    pub(super) expires_at: Timestamp,
}

/// One challenge.
pub(super) fn insert_challenge(new: &NewChallenge<'_>) -> Statement {
    Statement::new(
        "INSERT INTO second_factor_challenges
                (id, account_id, digest, door, amr, federated, proven_at, security_version,
                 created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7, $9)",
        [
            new.id.into(),
            new.account.into(),
            new.digest.into(),
            new.door.into(),
            new.amr.into(),
            new.federated.into(),
            new.proven_at.into(),
            new.security_version.into(),
            new.expires_at.into(),
        ],
    )
}

/// An open challenge by its digest.
pub(super) fn find_challenge(digest: [u8; 32], now: Timestamp) -> Statement {
    Statement::new(
        "SELECT id, account_id, door, amr, proven_at, security_version, federated
           FROM second_factor_challenges
          WHERE digest = $1 AND consumed_at IS NULL AND expires_at > $2",
        [digest.into(), now.into()],
    )
}

/// Whether an account was challenged through a door a moment ago.
pub(super) fn find_open_challenge(account: AccountId, door: Door, now: Timestamp) -> Statement {
    Statement::new(
        "SELECT 1 FROM second_factor_challenges
          WHERE account_id = $1 AND door = $2 AND expires_at > $3 LIMIT 1",
        [account.into(), door.word().into(), now.into()],
    )
}

/// Reads a row of [`find_challenge`].
pub(super) fn challenge(row: &Row) -> Result<Stored, InternalError> {
    let door = row.text(2)?;
    Ok(Stored {
        id: row.id(0)?,
        account: row.id(1)?,
        door: Door::of_word(&door).ok_or_else(|| InternalError::fault("an unknown door"))?,
        methods: row.text(3)?.split(' ').map(str::to_owned).collect(),
        proven_at: row.time(4)?,
        security_version: row.int(5)?,
        federated: row.optional_text(6)?,
    })
}

/// Uses a challenge up; changes nothing when it was used or has expired.
pub(super) fn consume_challenge(id: ChallengeId, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE second_factor_challenges
            SET consumed_at = $2
          WHERE id = $1 AND consumed_at IS NULL AND expires_at > $2",
        [id.into(), now.into()],
    )
    .must_change()
}

/// Uses every open challenge up.
pub(super) fn void_challenges(now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE second_factor_challenges SET consumed_at = $1 WHERE consumed_at IS NULL",
        [now.into()],
    )
}

/// Removes challenges past their expiry.
pub(super) fn sweep_challenges(now: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "DELETE FROM second_factor_challenges
          WHERE id IN (SELECT id FROM second_factor_challenges WHERE expires_at <= $1 LIMIT $2)
            AND expires_at <= $1
      RETURNING 1",
        [now.into(), limit.into()],
    )
}

/// What an account's owner is called.
pub(super) fn find_name(account: AccountId) -> Statement {
    Statement::new("SELECT name FROM profiles WHERE account_id = $1", [account.into()])
}
