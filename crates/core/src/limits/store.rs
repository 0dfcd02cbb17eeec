//! The SQL of `attempts`.

use super::{FAILURES_KEPT, ONE_FAILURE_KEPT, delay_starts_at};
use crate::database::Statement;
use crate::settings::LimitSettings;
use crate::time::Timestamp;

/// Counts a failure unless the subject is blocked now; returns the block that follows when it
/// was counted. It doubles from one second to an hour (2^12 s, cut at 3,600 s). Where there is
/// none, it is zero and not the present: of two attempts at once, the one that read the clock
/// first may be counted last.
pub(super) fn reserve(subject: [u8; 32], settings: &LimitSettings, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO attempts (subject, failures, blocked_until, last_at, expires_at)
         VALUES ($1, 1, 0, $2, $6)
         ON CONFLICT (subject) DO UPDATE
            SET failures = CASE WHEN attempts.expires_at <= $2 THEN 1
                                ELSE attempts.failures + 1 END,
                blocked_until = CASE
                    WHEN attempts.expires_at <= $2 OR attempts.failures + 1 < $4 THEN 0
                    WHEN attempts.failures + 1 >= $5 THEN $3
                    WHEN attempts.failures + 1 - $4 >= 12 THEN $2 + 3600000000
                    ELSE $2 + 1000000 * (CAST(1 AS BIGINT)
                                         << CAST(attempts.failures + 1 - $4 AS INTEGER)) END,
                last_at = $2,
                expires_at = CASE WHEN attempts.expires_at <= $2 THEN $6 ELSE $3 END
          WHERE attempts.blocked_until <= $2 OR attempts.expires_at <= $2
      RETURNING blocked_until",
        [
            subject.into(),
            now.into(),
            now.plus(FAILURES_KEPT).into(),
            delay_starts_at(settings).into(),
            i64::from(settings.failures_before_stop).into(),
            now.plus(ONE_FAILURE_KEPT).into(),
        ],
    )
}

/// Undoes one [`reserve`], and the block that followed from it unless another attempt has set
/// a block of its own meanwhile.
pub(super) fn take_back(subject: [u8; 32], blocked_until: Timestamp) -> Statement {
    Statement::new(
        "UPDATE attempts
            SET failures = failures - 1,
                blocked_until = CASE WHEN blocked_until = $2 THEN 0 ELSE blocked_until END
          WHERE subject = $1 AND failures > 0",
        [subject.into(), blocked_until.into()],
    )
}

/// Until when a subject is blocked.
pub(super) fn find(subject: [u8; 32]) -> Statement {
    Statement::new("SELECT blocked_until FROM attempts WHERE subject = $1", [subject.into()])
}

/// Forgets a subject's failures.
pub(super) fn forget(subject: [u8; 32]) -> Statement {
    Statement::new("DELETE FROM attempts WHERE subject = $1", [subject.into()])
}

/// Counts once more within a window that begins with the first count; changes nothing when
/// there were `most` already.
pub(super) fn count_within(
    subject: [u8; 32],
    most: i64,
    now: Timestamp,
    window_ends: Timestamp,
) -> Statement {
    Statement::new(
        "INSERT INTO attempts (subject, failures, blocked_until, last_at, expires_at)
         VALUES ($1, 1, $2, $2, $3)
         ON CONFLICT (subject) DO UPDATE
            SET failures = CASE WHEN attempts.expires_at <= $2 THEN 1
                                ELSE attempts.failures + 1 END,
                last_at = $2,
                expires_at = CASE WHEN attempts.expires_at <= $2 THEN $3
                                  ELSE attempts.expires_at END
          WHERE attempts.expires_at <= $2 OR attempts.failures < $4",
        [subject.into(), now.into(), window_ends.into(), most.into()],
    )
    .must_change()
}

/// Removes rows past their expiry.
pub(super) fn sweep(now: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "DELETE FROM attempts
          WHERE subject IN (SELECT subject FROM attempts WHERE expires_at <= $1 LIMIT $2)
            AND expires_at <= $1
      RETURNING 1",
        [now.into(), limit.into()],
    )
}
