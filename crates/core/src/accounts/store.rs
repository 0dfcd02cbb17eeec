//! The SQL of `accounts` and its groups and permissions.

use crate::database::Statement;
use crate::ids::AccountId;
use crate::time::Timestamp;

/// An account about to be made.
pub(crate) struct NewRow<'a> {
    pub(crate) id: AccountId,
    /// Random, below 2^53, so that it fits a JavaScript number and tells nothing.
    pub(crate) number: i64,
    pub(crate) email: Option<(&'a str, &'a str)>,
    pub(crate) email_verified_at: Option<Timestamp>,
    pub(crate) username: Option<(&'a str, &'a str)>,
    pub(crate) phone: Option<(&'a str, &'a str)>,
    pub(crate) phone_verified_at: Option<Timestamp>,
    pub(crate) last_sign_in_at: Option<Timestamp>,
    pub(crate) role: &'a str,
    pub(crate) is_staff: bool,
    pub(crate) is_superuser: bool,
    pub(crate) created_at: Timestamp,
    /// Network and browser in words, for the address's owner to judge.
    pub(crate) created_from: &'a str,
}

/// One account; unique indexes decide who gets a name or an address.
pub(crate) fn insert(new: &NewRow<'_>) -> Statement {
    Statement::new(
        "INSERT INTO accounts
                (id, number, email, email_key, email_verified_at, username, username_key, phone,
                 phone_key, phone_verified_at, role, is_staff, is_superuser, custom_fields,
                 security_version, created_at, created_from, last_sign_in_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, '{}', 1, $14, $15, $16)",
        [
            new.id.into(),
            new.number.into(),
            new.email.map(|(typed, _)| typed).into(),
            new.email.map(|(_, key)| key).into(),
            new.email_verified_at.into(),
            new.username.map(|(typed, _)| typed).into(),
            new.username.map(|(_, key)| key).into(),
            new.phone.map(|(typed, _)| typed).into(),
            new.phone.map(|(_, key)| key).into(),
            new.phone_verified_at.into(),
            new.role.into(),
            new.is_staff.into(),
            new.is_superuser.into(),
            new.created_at.into(),
            new.created_from.into(),
            new.last_sign_in_at.into(),
        ],
    )
}

/// Whether a name belongs to somebody, and an address as its owner typed it if it does: one row.
pub(crate) fn taken(username_key: Option<&str>, email_key: &str) -> Statement {
    Statement::new(
        "SELECT EXISTS (SELECT 1 FROM accounts WHERE username_key = $1),
                (SELECT email FROM accounts WHERE email_key = $2)",
        [username_key.into(), email_key.into()],
    )
}

/// Notes a sign-in, if the account still is what it was when its credential was read: the
/// first statement of every session's batch.
pub(crate) fn signed_in(id: AccountId, security_version: i64, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET last_sign_in_at = $3
          WHERE id = $1 AND security_version = $2
            AND disabled_at IS NULL AND deleted_at IS NULL",
        [id.into(), security_version.into(), now.into()],
    )
    .must_change()
}

/// Changes nothing, if the account still is what it was when its credential was read: what the
/// first of two steps rests on.
pub(crate) fn unchanged(id: AccountId, security_version: i64) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET security_version = security_version
          WHERE id = $1 AND security_version = $2
            AND disabled_at IS NULL AND deleted_at IS NULL",
        [id.into(), security_version.into()],
    )
    .must_change()
}

/// Changes nothing, if the account is open: what is told about an account that is being closed
/// must not outlive it.
pub(crate) fn still_open(id: AccountId) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET security_version = security_version
          WHERE id = $1 AND disabled_at IS NULL AND deleted_at IS NULL",
        [id.into()],
    )
    .must_change()
}

/// Raises `security_version`, if nobody else has since it was read.
pub(crate) fn changed(id: AccountId, security_version: i64) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET security_version = security_version + 1
          WHERE id = $1 AND security_version = $2 AND deleted_at IS NULL",
        [id.into(), security_version.into()],
    )
    .must_change()
}

/// Proves the address, if it still is the account's; one already proven keeps its date.
pub(crate) fn mark_email_verified(id: AccountId, email_key: &str, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET email_verified_at = COALESCE(email_verified_at, $3)
          WHERE id = $1 AND email_key = $2 AND deleted_at IS NULL",
        [id.into(), email_key.into(), now.into()],
    )
    .must_change()
}

/// Proves the number, if it still is the account's; one already proven keeps its date.
pub(crate) fn mark_phone_verified(id: AccountId, phone_key: &str, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET phone_verified_at = COALESCE(phone_verified_at, $3)
          WHERE id = $1 AND phone_key = $2 AND deleted_at IS NULL",
        [id.into(), phone_key.into(), now.into()],
    )
    .must_change()
}

/// Raises `security_version` of an account whose address nobody has proven yet: what the first
/// proof decides, no second link may decide again.
pub(crate) fn changed_while_unproven(id: AccountId, security_version: i64) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET security_version = security_version + 1
          WHERE id = $1 AND security_version = $2
            AND email_verified_at IS NULL AND phone_verified_at IS NULL
            AND deleted_at IS NULL",
        [id.into(), security_version.into()],
    )
    .must_change()
}

/// Closes an account: its three keys are free for a new one at once.
pub(crate) fn close(id: AccountId, security_version: i64, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET deleted_at = $3, email_key = NULL, username_key = NULL, phone_key = NULL,
                security_version = security_version + 1
          WHERE id = $1 AND security_version = $2 AND deleted_at IS NULL",
        [id.into(), security_version.into(), now.into()],
    )
    .must_change()
}

/// Gives an account another address, or none; the unique index decides who gets one.
pub(crate) fn set_email(
    id: AccountId,
    security_version: i64,
    email: Option<(&str, &str)>,
    verified_at: Option<Timestamp>,
) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET email = $3, email_key = $4, email_verified_at = $5,
                security_version = security_version + 1
          WHERE id = $1 AND security_version = $2
            AND disabled_at IS NULL AND deleted_at IS NULL",
        [
            id.into(),
            security_version.into(),
            email.map(|(typed, _)| typed).into(),
            email.map(|(_, key)| key).into(),
            verified_at.into(),
        ],
    )
    .must_change()
}

/// Gives an account another number, or none; the unique index decides who gets one.
pub(crate) fn set_phone(
    id: AccountId,
    security_version: i64,
    phone: Option<(&str, &str)>,
    verified_at: Option<Timestamp>,
) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET phone = $3, phone_key = $4, phone_verified_at = $5,
                security_version = security_version + 1
          WHERE id = $1 AND security_version = $2
            AND disabled_at IS NULL AND deleted_at IS NULL",
        [
            id.into(),
            security_version.into(),
            phone.map(|(typed, _)| typed).into(),
            phone.map(|(_, key)| key).into(),
            verified_at.into(),
        ],
    )
    .must_change()
}

/// Takes from an account an address that it never proved.
pub(crate) fn release_email(id: AccountId, security_version: i64) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET email = NULL, email_key = NULL, security_version = security_version + 1
          WHERE id = $1 AND security_version = $2
            AND email_verified_at IS NULL AND deleted_at IS NULL",
        [id.into(), security_version.into()],
    )
    .must_change()
}

/// Takes from an account a number that it never proved.
pub(crate) fn release_phone(id: AccountId, security_version: i64) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET phone = NULL, phone_key = NULL, security_version = security_version + 1
          WHERE id = $1 AND security_version = $2
            AND phone_verified_at IS NULL AND deleted_at IS NULL",
        [id.into(), security_version.into()],
    )
    .must_change()
}

/// Whose address this is.
pub(super) fn find_id(email_key: &str) -> Statement {
    Statement::new("SELECT id FROM accounts WHERE email_key = $1", [email_key.into()])
}

/// Disables an account; changes nothing when it is.
pub(super) fn disable(id: AccountId, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET disabled_at = $2, security_version = security_version + 1
          WHERE id = $1 AND disabled_at IS NULL AND deleted_at IS NULL",
        [id.into(), now.into()],
    )
    .must_change()
}

/// Enables an account; changes nothing when it is.
pub(super) fn enable(id: AccountId) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET disabled_at = NULL, security_version = security_version + 1
          WHERE id = $1 AND disabled_at IS NOT NULL AND deleted_at IS NULL",
        [id.into()],
    )
    .must_change()
}

/// Sets the role; changes nothing when it is that one.
pub(super) fn set_role(id: AccountId, role: &str) -> Statement {
    Statement::new(
        "UPDATE accounts
            SET role = $2, security_version = security_version + 1
          WHERE id = $1 AND role <> $2 AND deleted_at IS NULL",
        [id.into(), role.into()],
    )
    .must_change()
}

/// Removes accounts nobody ever proved nor used since `before`. The conditions stand outside the
/// sub-select as well, so that a row proven or signed in to meanwhile stays. An identity proves
/// an account; one that has a password and claims nobody's address had one once.
pub(super) fn sweep_never_proven(before: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "DELETE FROM accounts
          WHERE id IN (SELECT id
                         FROM accounts
                        WHERE email_verified_at IS NULL AND phone_verified_at IS NULL
                          AND deleted_at IS NULL AND disabled_at IS NULL
                          AND is_staff = FALSE AND is_superuser = FALSE
                          AND created_at < $1
                          AND (last_sign_in_at IS NULL OR last_sign_in_at < $1)
                          AND NOT EXISTS (SELECT 1 FROM identities o WHERE o.account_id = accounts.id)
                          AND NOT (email_key IS NULL AND phone_key IS NULL
                                   AND EXISTS (SELECT 1 FROM passwords p
                                                WHERE p.account_id = accounts.id))
                          AND NOT EXISTS (SELECT 1
                                            FROM sessions s
                                           WHERE s.account_id = accounts.id
                                             AND s.revoked_at IS NULL
                                             AND s.last_used_at >= $1)
                        LIMIT $2)
            AND email_verified_at IS NULL AND phone_verified_at IS NULL
            AND deleted_at IS NULL AND disabled_at IS NULL
            AND is_staff = FALSE AND is_superuser = FALSE
            AND created_at < $1
            AND (last_sign_in_at IS NULL OR last_sign_in_at < $1)
            AND NOT EXISTS (SELECT 1 FROM identities o WHERE o.account_id = accounts.id)
            AND NOT (email_key IS NULL AND phone_key IS NULL
                     AND EXISTS (SELECT 1 FROM passwords p
                                  WHERE p.account_id = accounts.id))
      RETURNING 1",
        [before.into(), limit.into()],
    )
}

/// Removes accounts closed before a moment, with everything that hangs on them.
pub(super) fn sweep_closed(before: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "DELETE FROM accounts
          WHERE id IN (SELECT id FROM accounts WHERE deleted_at < $1 LIMIT $2)
            AND deleted_at < $1
      RETURNING 1",
        [before.into(), limit.into()],
    )
}

/// Keeps a sealed token with an account.
pub(super) fn set_application_token(id: AccountId, sealed: Vec<u8>, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO application_tokens (account_id, sealed_token, updated_at)
         VALUES ($1, $2, $3)
         ON CONFLICT (account_id) DO UPDATE
            SET sealed_token = excluded.sealed_token, updated_at = excluded.updated_at",
        [id.into(), sealed.into(), now.into()],
    )
}

/// The sealed token kept with an account.
pub(super) fn find_application_token(id: AccountId) -> Statement {
    Statement::new("SELECT sealed_token FROM application_tokens WHERE account_id = $1", [id.into()])
}

/// Forgets it.
pub(crate) fn remove_application_token(id: AccountId) -> Statement {
    Statement::new("DELETE FROM application_tokens WHERE account_id = $1", [id.into()])
}
