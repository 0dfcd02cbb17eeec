//! The SQL of `spent_proofs`.

use crate::database::Statement;
use crate::time::Timestamp;

/// Uses a proof up; a proof that was used already conflicts with its own row.
pub(super) fn spend(digest: [u8; 32], expires_at: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO spent_proofs (digest, expires_at) VALUES ($1, $2)",
        [digest.to_vec().into(), expires_at.into()],
    )
}

/// Removes rows whose proof would be refused by its age anyhow.
pub(super) fn sweep(now: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "DELETE FROM spent_proofs
          WHERE digest IN (SELECT digest FROM spent_proofs WHERE expires_at <= $1 LIMIT $2)
            AND expires_at <= $1
      RETURNING 1",
        [now.into(), limit.into()],
    )
}
