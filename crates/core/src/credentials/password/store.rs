//! The rows of `passwords`.

use crate::database::{Database, Statement, Value};
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::time::Timestamp;

/// Stores an account's sealed hash, in place of the one before.
pub(super) fn upsert(
    account: AccountId,
    sealed_hash: Vec<u8>,
    kind: String,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "INSERT INTO passwords (account_id, sealed_hash, kind, changed_at)
              VALUES ($1, $2, $3, $4)
         ON CONFLICT (account_id) DO UPDATE
                 SET sealed_hash = excluded.sealed_hash,
                     kind = excluded.kind,
                     changed_at = excluded.changed_at",
        [Value::from(account), sealed_hash.into(), kind.into(), now.into()],
    )
}

/// Takes an account's password away.
pub(super) fn delete(account: AccountId) -> Statement {
    Statement::new("DELETE FROM passwords WHERE account_id = $1", [account.into()])
}

/// How many passwords there are of each kind; read from the index alone.
pub(super) async fn list_kinds(database: &Database) -> Result<Vec<(String, u64)>, InternalError> {
    let mix = Statement::new("SELECT kind, COUNT(*) FROM passwords GROUP BY kind", []);
    let rows = database.read(mix).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?.max(0).cast_unsigned()))).collect()
}
