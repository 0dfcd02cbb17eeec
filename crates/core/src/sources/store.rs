//! The SQL of `sources`.

use super::{Day, Registration, Source, SourceChange};
use crate::database::{Row, Statement};
use crate::error::InternalError;
use crate::ids::{AccountId, SourceId};
use crate::time::Timestamp;

/// A touch about to be written.
pub(super) struct NewTouch {
    pub(super) account: AccountId,
    pub(super) is_first: bool,
}

/// What a day's row rises by.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    pub(super) requested: i64,
    pub(super) verified: i64,
}

/// A span of time and how many rows of it are wanted.
pub(super) struct Span {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    pub(super) include_inactive: bool,
    pub(super) rows: i64,
}

/// A source, unless it is there or too many are. `CASE` keeps the count for new ones alone.
pub(super) fn insert(id: SourceId, source: &Source, most: u32, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO registration_sources (id, url, category, created_at, updated_at)
         SELECT $1, $2, $3, $4, $4
          WHERE CASE WHEN EXISTS (SELECT 1 FROM registration_sources WHERE url = $2) THEN FALSE
                     ELSE (SELECT count(*)
                             FROM (SELECT 1 FROM registration_sources LIMIT $5) AS counted) < $5
                END
             ON CONFLICT (url) DO NOTHING",
        [
            id.into(),
            source.url().into(),
            source.category().into(),
            now.into(),
            i64::from(most).into(),
        ],
    )
}

/// Links an account to the source, or to its host where the source could not be made.
pub(super) fn touch(new: &NewTouch, source: &Source, now: Timestamp, most: i64) -> Statement {
    Statement::new(
        "INSERT INTO account_sources (account_id, source_id, is_first, created_at)
         SELECT $1, id, $2, $3
           FROM registration_sources
          WHERE id = COALESCE((SELECT id FROM registration_sources WHERE url = $4),
                              (SELECT id FROM registration_sources WHERE url = $5))
            AND (SELECT count(*) FROM account_sources WHERE account_id = $1) < $6
             ON CONFLICT (account_id, source_id) DO NOTHING",
        [
            new.account.into(),
            new.is_first.into(),
            now.into(),
            source.url().into(),
            source.host_url().into(),
            most.into(),
        ],
    )
}

/// Adds to a day of the source, or of its host.
pub(super) fn count(source: &Source, day: Day, counted: Counted) -> Statement {
    Statement::new(
        "INSERT INTO source_days (source_id, day, requested, verified)
         SELECT id, $1, $2, $3
           FROM registration_sources
          WHERE id = COALESCE((SELECT id FROM registration_sources WHERE url = $4),
                              (SELECT id FROM registration_sources WHERE url = $5))
             ON CONFLICT (source_id, day) DO UPDATE
            SET requested = source_days.requested + excluded.requested,
                verified = source_days.verified + excluded.verified",
        [
            day.0.into(),
            counted.requested.into(),
            counted.verified.into(),
            source.url().into(),
            source.host_url().into(),
        ],
    )
}

/// Sources by how many accounts they brought; sign-ups apart.
pub(super) fn top(rows: i64, include_inactive: bool) -> Statement {
    Statement::new(
        "SELECT s.id, s.url, s.category, s.name, s.description, s.is_active, s.created_at,
                s.updated_at, count(a.source_id) AS users,
                count(CASE WHEN a.is_first THEN 1 END) AS sign_ups
           FROM registration_sources s
           LEFT JOIN account_sources a ON a.source_id = s.id
          WHERE s.is_active = TRUE OR $1 = TRUE
          GROUP BY s.id
          ORDER BY users DESC, sign_ups DESC, s.url
          LIMIT $2",
        [include_inactive.into(), rows.into()],
    )
}

/// The same over a span of time, by sign-ups.
pub(super) fn over_period(span: &Span) -> Statement {
    Statement::new(
        "SELECT s.id, s.url, s.category, s.name, s.description, s.is_active, s.created_at,
                s.updated_at, count(a.source_id) AS users,
                count(CASE WHEN a.is_first THEN 1 END) AS sign_ups
           FROM registration_sources s
           JOIN account_sources a ON a.source_id = s.id
          WHERE a.created_at >= $1 AND a.created_at < $2 AND (s.is_active = TRUE OR $3 = TRUE)
          GROUP BY s.id
          ORDER BY sign_ups DESC, users DESC, s.url
          LIMIT $4",
        [span.from.into(), span.until.into(), span.include_inactive.into(), span.rows.into()],
    )
}

/// Sign-ups by day and source.
pub(super) fn daily(span: &Span) -> Statement {
    Statement::new(
        "SELECT s.id, s.url, s.category, s.name, s.description, s.is_active, s.created_at,
                s.updated_at, a.created_at / 86400000000 AS day, count(*) AS sign_ups
           FROM registration_sources s
           JOIN account_sources a ON a.source_id = s.id
          WHERE a.is_first = TRUE AND a.created_at >= $1 AND a.created_at < $2
            AND (s.is_active = TRUE OR $3 = TRUE)
          GROUP BY a.created_at / 86400000000, s.id
          ORDER BY day, sign_ups DESC, s.url
          LIMIT $4",
        [span.from.into(), span.until.into(), span.include_inactive.into(), span.rows.into()],
    )
}

/// First code requests and accounts made by them, by source. The sum of numbers is one again:
/// PostgreSQL's own type of it is not.
pub(super) fn conversion(from: Day, to: Day, include_inactive: bool, rows: i64) -> Statement {
    Statement::new(
        "SELECT s.id, s.url, s.category, s.name, s.description, s.is_active, s.created_at,
                s.updated_at, CAST(sum(d.requested) AS BIGINT) AS requested,
                CAST(sum(d.verified) AS BIGINT) AS verified
           FROM registration_sources s
           JOIN source_days d ON d.source_id = s.id
          WHERE d.day >= $1 AND d.day <= $2 AND (d.requested > 0 OR d.verified > 0)
            AND (s.is_active = TRUE OR $3 = TRUE)
          GROUP BY s.id
          ORDER BY CAST(sum(d.requested) AS BIGINT) DESC, CAST(sum(d.verified) AS BIGINT) DESC,
                   s.url
          LIMIT $4",
        [from.0.into(), to.0.into(), include_inactive.into(), rows.into()],
    )
}

/// Changes what operators say of a source; what they do not mention stays.
pub(super) fn change(id: SourceId, change: &SourceChange, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE registration_sources
            SET name = COALESCE($2, name), description = COALESCE($3, description),
                is_active = COALESCE($4, is_active), updated_at = $5
          WHERE id = $1
      RETURNING id, url, category, name, description, is_active, created_at, updated_at",
        [
            id.into(),
            change.name.as_deref().into(),
            change.description.as_deref().into(),
            crate::database::Value::Bool(change.is_active),
            now.into(),
        ],
    )
    .must_change()
}

/// Reads the first eight columns of the statements above.
pub(super) fn registration(row: &Row) -> Result<Registration, InternalError> {
    Ok(Registration {
        id: row.id(0)?,
        url: row.text(1)?,
        category: row.text(2)?,
        name: row.text(3)?,
        description: row.text(4)?,
        is_active: row.bool(5)?,
        created_at: row.time(6)?,
        updated_at: row.time(7)?,
    })
}

/// Removes sources that nobody has come from since: older ones that no account is linked to, no
/// code was asked for from, and no operator wrote anything about.
pub(super) fn sweep(before: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "DELETE FROM registration_sources
          WHERE id IN (SELECT s.id
                         FROM registration_sources s
                        WHERE s.created_at < $1 AND s.updated_at = s.created_at
                          AND NOT EXISTS (SELECT 1
                                            FROM account_sources a
                                           WHERE a.source_id = s.id)
                          AND NOT EXISTS (SELECT 1
                                            FROM source_days d
                                           WHERE d.source_id = s.id AND d.day >= $2)
                        LIMIT $3)
            AND updated_at = created_at
            AND NOT EXISTS (SELECT 1
                              FROM account_sources a
                             WHERE a.source_id = registration_sources.id)
      RETURNING 1",
        [before.into(), Day::of(before).0.into(), limit.into()],
    )
}

/// Removes days that were kept long enough.
pub(super) fn sweep_days(before: Day, limit: i64) -> Statement {
    Statement::new(
        "DELETE FROM source_days
          WHERE (source_id, day) IN (SELECT source_id, day FROM source_days WHERE day < $1
                                      LIMIT $2)
      RETURNING 1",
        [before.0.into(), limit.into()],
    )
}
