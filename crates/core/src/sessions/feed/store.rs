//! The SQL of `revocation_feed` and `revocations`.

use super::{Event, Heard};
use crate::database::{Database, Row, Statement};
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::time::Timestamp;

const SESSION: &str = "session";
const ACCOUNT: &str = "account";
const CHANGED: &str = "changed";
const KEYS: &str = "keys";

/// Takes the next number. The counter's row stays locked until the batch commits, so the order
/// of numbers is the order of commits.
fn take_number() -> Statement {
    Statement::new("UPDATE revocation_feed SET n = n + 1 WHERE id = 1", [])
}

/// The two statements that tell every node; they come last in their batch, so that the
/// counter's row is locked for as short as can be.
pub(super) fn tell(event: Event, now: Timestamp, expires_at: Timestamp) -> [Statement; 2] {
    let (kind, account, session) = match event {
        Event::Session(session) => (SESSION, None, Some(session)),
        Event::AllOf { account, except } => {
            return [take_number(), tell_all_of(account, except, now, expires_at)];
        }
        Event::Changed(account) => (CHANGED, Some(account), None),
        Event::Keys => (KEYS, None, None),
    };
    let row = Statement::new(
        "INSERT INTO revocations (n, kind, account_id, session_id, except_session_id,
                below_version, created_at, expires_at)
         SELECT n, $1, $2, $3, NULL, NULL, $4, $5 FROM revocation_feed WHERE id = 1",
        [kind.into(), account.into(), session.into(), now.into(), expires_at.into()],
    );
    [take_number(), row]
}

/// "All sessions of an account": those that began below the version which the batch has just
/// raised the account to.
fn tell_all_of(
    account: AccountId,
    except: Option<SessionId>,
    now: Timestamp,
    expires_at: Timestamp,
) -> Statement {
    Statement::new(
        "INSERT INTO revocations (n, kind, account_id, session_id, except_session_id,
                below_version, created_at, expires_at)
         SELECT f.n, $1, a.id, NULL, $3, a.security_version, $4, $5
           FROM revocation_feed f JOIN accounts a ON a.id = $2 WHERE f.id = 1",
        [ACCOUNT.into(), account.into(), except.into(), now.into(), expires_at.into()],
    )
}

/// Takes a number if this batch has ended an account's oldest session; comes right after the
/// statement that ends it.
pub(super) fn take_number_if_ended(
    account: AccountId,
    reason: &'static str,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "UPDATE revocation_feed SET n = n + 1
          WHERE id = 1 AND EXISTS (SELECT 1 FROM sessions
                                    WHERE account_id = $1 AND revoked_at = $2
                                      AND revoked_because = $3)",
        [account.into(), now.into(), reason.into()],
    )
    .follows_change()
}

/// Tells of the session that this batch has ended, if it has: of those ended at the same
/// microsecond for the same reason it is the newest, since the oldest goes first.
pub(super) fn tell_if_ended(
    account: AccountId,
    reason: &'static str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Statement {
    Statement::new(
        "INSERT INTO revocations (n, kind, account_id, session_id, except_session_id,
                below_version, created_at, expires_at)
         SELECT f.n, $4, NULL, s.id, NULL, NULL, $2, $5
           FROM revocation_feed f
           JOIN (SELECT id FROM sessions
                  WHERE account_id = $1 AND revoked_at = $2 AND revoked_because = $3
                  ORDER BY created_at DESC, id DESC LIMIT 1) s ON f.id = 1
      RETURNING n",
        [account.into(), now.into(), reason.into(), SESSION.into(), expires_at.into()],
    )
    .follows_change()
}

/// What came after `seen`, in the order of commits, and where the counter stands: one
/// statement, so the two belong together.
pub(super) async fn read(
    database: &Database,
    seen: i64,
    most: usize,
) -> Result<(i64, Vec<Heard>), InternalError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = database
        .read(Statement::new(
            "SELECT f.n, r.n, r.kind, r.account_id, r.session_id, r.except_session_id,
                    r.below_version, r.expires_at
               FROM revocation_feed f LEFT JOIN revocations r ON r.n > $1
              WHERE f.id = 1 ORDER BY r.n LIMIT $2",
            [seen.into(), most.into()],
        ))
        .await?;
    let counter = rows.first().ok_or_else(|| InternalError::fault("the feed has no counter"))?;
    let counter = counter.int(0)?;
    let mut heard = Vec::new();
    for row in &rows {
        if row.optional_int(1)?.is_some() {
            heard.push(Heard::from_row(row)?);
        }
    }
    Ok((counter, heard))
}

impl Heard {
    fn from_row(row: &Row) -> Result<Self, InternalError> {
        let event = match row.text(2)?.as_str() {
            SESSION => Event::Session(row.id(4)?),
            ACCOUNT => Event::AllOf { account: row.id(3)?, except: row.optional_id(5)? },
            CHANGED => Event::Changed(row.id(3)?),
            KEYS => Event::Keys,
            // A newer release's event must not be passed over in silence.
            other => return Err(InternalError::fault(format_args!("feed event {other:?}"))),
        };
        let below_version = row.optional_int(6)?.unwrap_or(0);
        Ok(Self { n: row.int(1)?, event, below_version, expires_at: row.time(7)? })
    }
}

/// Rows whose tokens have all expired, at most `limit`.
pub(super) fn delete_expired(now: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "DELETE FROM revocations
          WHERE n IN (SELECT n FROM revocations
                       WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
            AND expires_at <= $1
      RETURNING 1",
        [now.into(), limit.into()],
    )
}
