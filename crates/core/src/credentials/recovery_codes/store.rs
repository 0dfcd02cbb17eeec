//! The rows of `recovery_codes`.

use crate::database::Statement;
use crate::ids::{AccountId, RecoveryCodeId};
use crate::time::Timestamp;

/// One code.
pub(super) fn insert(
    id: RecoveryCodeId,
    account: AccountId,
    digest: [u8; 32],
    now: Timestamp,
) -> Statement {
    Statement::new(
        "INSERT INTO recovery_codes (id, account_id, digest, created_at) VALUES ($1, $2, $3, $4)",
        [id.into(), account.into(), digest.into(), now.into()],
    )
}

/// A code nobody has used.
pub(super) fn find(account: AccountId, digest: [u8; 32]) -> Statement {
    Statement::new(
        "SELECT 1 FROM recovery_codes
          WHERE account_id = $1 AND digest = $2 AND consumed_at IS NULL",
        [account.into(), digest.into()],
    )
}

/// Uses a code up; changes nothing when it was.
pub(super) fn consume(account: AccountId, digest: [u8; 32], now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE recovery_codes
            SET consumed_at = $3
          WHERE account_id = $1 AND digest = $2 AND consumed_at IS NULL",
        [account.into(), digest.into(), now.into()],
    )
    .must_change()
}

/// How many nobody has used.
pub(super) fn count(account: AccountId) -> Statement {
    Statement::new(
        "SELECT COUNT(*) FROM recovery_codes WHERE account_id = $1 AND consumed_at IS NULL",
        [account.into()],
    )
}

/// Takes an account's codes away.
pub(super) fn delete(account: AccountId) -> Statement {
    Statement::new("DELETE FROM recovery_codes WHERE account_id = $1", [account.into()])
}
