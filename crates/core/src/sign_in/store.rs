//! What the ways in read: an account together with its credential.

use crate::database::{Row, Statement};
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::limits::DeviceOwner;
use crate::time::Timestamp;

/// An account that somebody claims to be, with what its proof is compared with.
pub(super) struct Candidate {
    pub(super) id: AccountId,
    pub(super) number: i64,
    pub(super) email: Option<String>,
    pub(super) email_key: Option<String>,
    pub(super) email_verified_at: Option<Timestamp>,
    pub(super) username: Option<String>,
    pub(super) security_version: i64,
    pub(super) created_at: Timestamp,
    pub(super) created_from: String,
    pub(super) last_sign_in_at: Option<Timestamp>,
    pub(super) disabled_at: Option<Timestamp>,
    pub(super) deleted_at: Option<Timestamp>,
    pub(super) sealed_hash: Option<Vec<u8>>,
    pub(super) password_changed_at: Option<Timestamp>,
    /// Whether a session of this account began in the asking network; only by address.
    pub(super) is_known_network: bool,
}

impl Candidate {
    /// Whether it may sign in at all.
    pub(super) fn is_active(&self) -> bool {
        self.disabled_at.is_none() && self.deleted_at.is_none()
    }

    /// The account as its known-device cookies are bound to it.
    pub(super) fn device_owner(&self) -> DeviceOwner {
        DeviceOwner { account: self.id, password_changed_at: self.password_changed_at }
    }

    /// What its owner is called in mails.
    pub(super) fn name(&self) -> String {
        self.username.clone().or_else(|| self.email.clone()).unwrap_or_default()
    }

    /// What a new password must not be.
    pub(super) fn about(&self) -> Vec<&str> {
        self.email.iter().chain(self.username.iter()).map(String::as_str).collect()
    }
}

/// The account an address belongs to.
pub(super) fn find_by_email(email_key: &str, network: &str) -> Statement {
    Statement::new(
        "SELECT a.id, a.number, a.email, a.email_key, a.email_verified_at, a.username,
                a.security_version, a.created_at, a.created_from, a.last_sign_in_at,
                a.disabled_at, a.deleted_at, p.sealed_hash, p.changed_at,
                EXISTS (SELECT 1 FROM sessions s
                         WHERE s.account_id = a.id AND s.network = $2)
           FROM accounts a
           LEFT JOIN passwords p ON p.account_id = a.id
          WHERE a.email_key = $1",
        [email_key.into(), network.into()],
    )
}

/// The account of somebody signed in, or of a link.
pub(super) fn find_by_id(id: AccountId) -> Statement {
    Statement::new(
        "SELECT a.id, a.number, a.email, a.email_key, a.email_verified_at, a.username,
                a.security_version, a.created_at, a.created_from, a.last_sign_in_at,
                a.disabled_at, a.deleted_at, p.sealed_hash, p.changed_at, FALSE
           FROM accounts a
           LEFT JOIN passwords p ON p.account_id = a.id
          WHERE a.id = $1",
        [id.into()],
    )
}

/// Reads a row of either.
pub(super) fn candidate(row: &Row) -> Result<Candidate, InternalError> {
    Ok(Candidate {
        id: row.id(0)?,
        number: row.int(1)?,
        email: row.optional_text(2)?,
        email_key: row.optional_text(3)?,
        email_verified_at: row.optional_time(4)?,
        username: row.optional_text(5)?,
        security_version: row.int(6)?,
        created_at: row.time(7)?,
        created_from: row.text(8)?,
        last_sign_in_at: row.optional_time(9)?,
        disabled_at: row.optional_time(10)?,
        deleted_at: row.optional_time(11)?,
        sealed_hash: row.optional_bytes(12)?,
        password_changed_at: row.optional_time(13)?,
        is_known_network: row.bool(14)?,
    })
}
