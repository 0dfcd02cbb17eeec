//! The SQL of `identities`.

use super::Identity;
use crate::database::{Row, Statement};
use crate::error::InternalError;
use crate::ids::{AccountId, IdentityId};
use crate::time::Timestamp;

/// An identity about to be connected.
pub(super) struct NewIdentity<'a> {
    pub(super) id: IdentityId,
    pub(super) account: AccountId,
    pub(super) provider: &'a str,
    pub(super) issuer: &'a str,
    pub(super) subject: &'a str,
    pub(super) profile: &'a str,
    pub(super) sealed_tokens: Option<Vec<u8>>,
    pub(super) now: Timestamp,
}

/// One identity; the unique index decides whose it is.
pub(super) fn insert(new: &NewIdentity<'_>) -> Statement {
    Statement::new(
        "INSERT INTO identities
                (id, account_id, provider, issuer, subject, profile, sealed_tokens, created_at,
                 last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        [
            new.id.into(),
            new.account.into(),
            new.provider.into(),
            new.issuer.into(),
            new.subject.into(),
            new.profile.into(),
            new.sealed_tokens.clone().into(),
            new.now.into(),
        ],
    )
}

/// A sign-in with an identity; changes nothing when it is gone. Tokens of another section of the
/// same issuer are other tokens: they do not take the place of those that are kept.
pub(super) fn note_use(
    id: IdentityId,
    (provider, sealed_tokens): (&str, Option<Vec<u8>>),
    profile: &str,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "UPDATE identities
            SET profile = $1,
                sealed_tokens = CASE WHEN provider = $2 THEN $3 ELSE sealed_tokens END,
                last_used_at = $4
          WHERE id = $5",
        [profile.into(), provider.into(), sealed_tokens.into(), now.into(), id.into()],
    )
    .must_change()
}

/// Takes an identity from its account; changes nothing when it is none of the account's.
pub(crate) fn disconnect(account: AccountId, id: IdentityId) -> Statement {
    Statement::new(
        "DELETE FROM identities WHERE id = $1 AND account_id = $2",
        [id.into(), account.into()],
    )
    .must_change()
}

/// Takes every identity from an account that is closed or emptied.
pub(crate) fn disconnect_all(account: AccountId) -> Statement {
    Statement::new("DELETE FROM identities WHERE account_id = $1", [account.into()])
}

/// The identities of an account, the oldest first.
pub(super) fn list(account: AccountId) -> Statement {
    Statement::new(
        "SELECT id, provider, issuer, subject, profile, created_at, last_used_at
           FROM identities
          WHERE account_id = $1
          ORDER BY created_at, id",
        [account.into()],
    )
}

/// Reads a row of [`list`].
pub(super) fn identity(row: &Row) -> Result<Identity, InternalError> {
    Ok(Identity {
        id: row.id(0)?,
        provider: row.text(1)?,
        issuer: row.text(2)?,
        subject: row.text(3)?,
        profile: row.text(4)?,
        created_at: row.time(5)?,
        last_used_at: row.time(6)?,
    })
}

/// A provider's sealed tokens, of the identity used last.
pub(super) fn find_tokens(account: AccountId, provider: &str) -> Statement {
    Statement::new(
        "SELECT id, sealed_tokens
           FROM identities
          WHERE account_id = $1 AND provider = $2 AND sealed_tokens IS NOT NULL
          ORDER BY last_used_at DESC, id DESC
          LIMIT 1",
        [account.into(), provider.into()],
    )
}
