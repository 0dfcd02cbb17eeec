//! The SQL of `signing_keys`.

use crate::database::{Database, Statement};
use crate::error::InternalError;
use crate::time::Timestamp;

/// A stored key.
pub(super) struct StoredKey {
    pub(super) id: String,
    pub(super) algorithm: String,
    pub(super) sealed_private: Vec<u8>,
    pub(super) public_jwk: String,
    pub(super) signs_from: Timestamp,
    pub(super) retired_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
}

/// The keys that are published now, the latest to sign first.
pub(super) async fn list(
    database: &Database,
    now: Timestamp,
) -> Result<Vec<StoredKey>, InternalError> {
    let rows = database
        .read(Statement::new(
            "SELECT id, algorithm, sealed_private, public_jwk, signs_from, retired_at, expires_at
               FROM signing_keys
              WHERE expires_at IS NULL OR expires_at > $1
              ORDER BY signs_from DESC, id DESC",
            [now.into()],
        ))
        .await?;
    rows.iter()
        .map(|row| {
            Ok(StoredKey {
                id: row.text(0)?,
                algorithm: row.text(1)?,
                sealed_private: row.bytes(2)?,
                public_jwk: row.text(3)?,
                signs_from: row.time(4)?,
                retired_at: row.optional_time(5)?,
                expires_at: row.optional_time(6)?,
            })
        })
        .collect()
}

/// A new key, published from now on.
pub(super) fn insert(key: StoredKey, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO signing_keys
                (id, algorithm, sealed_private, public_jwk, created_at, signs_from,
                 retired_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, NULL, NULL)",
        [
            key.id.into(),
            key.algorithm.into(),
            key.sealed_private.into(),
            key.public_jwk.into(),
            now.into(),
            key.signs_from.into(),
        ],
    )
}

/// Keys that will sign no more, but are published until the last token they sign has expired.
pub(super) fn retire(from: Timestamp, until: Timestamp) -> Statement {
    Statement::new(
        "UPDATE signing_keys SET retired_at = $1, expires_at = $2 WHERE retired_at IS NULL",
        [from.into(), until.into()],
    )
}

/// Every key there is, private halves included.
pub(super) fn delete_all() -> Statement {
    Statement::new("DELETE FROM signing_keys", [])
}

/// Keys that are no longer published.
pub(super) fn delete_expired(now: Timestamp) -> Statement {
    Statement::new("DELETE FROM signing_keys WHERE expires_at <= $1", [now.into()])
}
