//! What the ways in read, an account together with its credential, and their own tables.

use super::mails::whereabouts;
use super::second_factor::Stored;
use super::step_up::Proven;
use crate::accounts::Contact;
use crate::client::Client;
use crate::database::{Row, Statement};
use crate::error::InternalError;
use crate::ids::{AccountId, ChallengeId, SessionId};
use crate::limits::DeviceOwner;
use crate::sessions::Door;
use crate::time::Timestamp;

/// An account that somebody claims to be, with what its proof is compared with.
pub(super) struct Candidate {
    pub(super) id: AccountId,
    pub(super) number: i64,
    pub(super) email: Option<String>,
    pub(super) email_key: Option<String>,
    pub(super) email_verified_at: Option<Timestamp>,
    pub(super) username: Option<String>,
    /// Where SMS goes: E.164.
    pub(super) phone_key: Option<String>,
    pub(super) phone_verified_at: Option<Timestamp>,
    pub(super) security_version: i64,
    pub(super) created_at: Timestamp,
    pub(super) created_from: String,
    pub(super) last_sign_in_at: Option<Timestamp>,
    pub(super) disabled_at: Option<Timestamp>,
    pub(super) deleted_at: Option<Timestamp>,
    pub(super) sealed_hash: Option<Vec<u8>>,
    pub(super) password_changed_at: Option<Timestamp>,
    /// Whether an authenticator app is enrolled and confirmed.
    pub(super) has_second_factor: bool,
    /// Whether a session of this account began in the asking network; never by identifier.
    pub(super) is_known_network: bool,
}

impl Candidate {
    /// Whether it may sign in at all.
    pub(super) fn is_active(&self) -> bool {
        self.disabled_at.is_none() && self.deleted_at.is_none()
    }

    /// Whether somebody has proven one of its addresses.
    pub(super) fn is_proven(&self) -> bool {
        self.email_verified_at.is_some() || self.phone_verified_at.is_some()
    }

    /// Whether it claims an address or a number and nobody has proven any. An account that claims
    /// nothing was made by an identity, and takes nobody's address.
    pub(super) fn awaits_proof(&self) -> bool {
        !self.is_proven() && (self.email_key.is_some() || self.phone_key.is_some())
    }

    /// Whether nobody else can get its address by proving it: its owner has, or an operator has
    /// disabled the account.
    pub(super) fn keeps_its_address(&self) -> bool {
        self.email_verified_at.is_some() || !self.is_active()
    }

    /// Takes note of a proof that is about to be written.
    pub(super) fn proven_by(&mut self, contact: &Contact, now: Timestamp) {
        match contact {
            Contact::Email(_) => self.email_verified_at = Some(now),
            Contact::Phone(_) => self.phone_verified_at = Some(now),
        }
    }

    /// An account about to be made by a proof: of an address, of a number, or of an identity
    /// without either.
    pub(super) fn new(
        id: AccountId,
        number: i64,
        contact: Option<&Contact>,
        client: &Client,
        now: Timestamp,
    ) -> Self {
        let (mut email, mut phone) = (None, None);
        match contact {
            Some(Contact::Email(it)) => email = Some(it),
            Some(Contact::Phone(it)) => phone = Some(it),
            None => {}
        }
        Self {
            id,
            number,
            email: email.map(|email| email.as_typed().to_owned()),
            email_key: email.map(|email| email.key().to_owned()),
            email_verified_at: email.map(|_| now),
            username: None,
            phone_key: phone.map(|phone| phone.key().to_owned()),
            phone_verified_at: phone.map(|_| now),
            security_version: 1,
            created_at: now,
            created_from: whereabouts(client),
            last_sign_in_at: None,
            disabled_at: None,
            deleted_at: None,
            sealed_hash: None,
            password_changed_at: None,
            has_second_factor: false,
            is_known_network: false,
        }
    }

    /// The account as its known-device cookies are bound to it.
    pub(super) fn device_owner(&self) -> DeviceOwner {
        DeviceOwner { account: self.id, password_changed_at: self.password_changed_at }
    }

    /// How pages name it to whoever holds one of its links.
    pub(super) fn name_shown(&self) -> String {
        let names = [&self.email, &self.username, &self.phone_key];
        names.into_iter().flatten().next().cloned().unwrap_or_default()
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
                a.phone_key, a.phone_verified_at, a.security_version, a.created_at,
                a.created_from, a.last_sign_in_at, a.disabled_at, a.deleted_at,
                p.sealed_hash, p.changed_at,
                EXISTS (SELECT 1 FROM totp_credentials t
                         WHERE t.account_id = a.id AND t.confirmed_at IS NOT NULL),
                EXISTS (SELECT 1 FROM sessions s
                         WHERE s.account_id = a.id AND s.network = $2)
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
                         WHERE s.account_id = a.id AND s.network = $2)
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
                         WHERE s.account_id = a.id AND s.network = $2)
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
    })
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
