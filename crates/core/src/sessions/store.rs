//! The SQL of `sessions` and `session_chains`.

use std::time::Duration;

use super::account::{Account, AccountIdentity};
use super::{EndReason, SessionEntry};
use crate::database::{Database, Row, Statement};
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::time::{Timestamp, micros_of};

/// A session before it is stored.
pub(super) struct NewSession<'a> {
    pub(super) id: SessionId,
    pub(super) account: AccountId,
    pub(super) door: &'static str,
    pub(super) amr: String,
    pub(super) auth_time: Timestamp,
    pub(super) user_agent: &'a str,
    pub(super) network: String,
    pub(super) cookie_digest: Option<[u8; 32]>,
    pub(super) now: Timestamp,
    pub(super) idle_for: Duration,
    pub(super) ends_at: Timestamp,
}

/// The session's row.
pub(super) fn insert(new: &NewSession<'_>) -> Statement {
    Statement::new(
        "INSERT INTO sessions (id, account_id, door, amr, auth_time, user_agent, network,
                cookie_digest, created_at, last_used_at, idle_for, ends_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11)",
        [
            new.id.into(),
            new.account.into(),
            new.door.into(),
            new.amr.as_str().into(),
            new.auth_time.into(),
            new.user_agent.into(),
            new.network.as_str().into(),
            new.cookie_digest.map(|digest| digest.to_vec()).into(),
            new.now.into(),
            micros_of(new.idle_for).into(),
            new.ends_at.into(),
        ],
    )
}

/// Whose live session a cookie is.
pub(super) fn of_cookie(digest: [u8; 32], now: Timestamp) -> Statement {
    Statement::new(
        "SELECT account_id, id
           FROM sessions
          WHERE cookie_digest = $1 AND revoked_at IS NULL AND ends_at > $2",
        [digest.into(), now.into()],
    )
}

/// A live session that is a cookie, with what of its account its tokens would say.
pub(super) struct CookieSession {
    pub(super) account: AccountId,
    pub(super) session: SessionId,
    pub(super) amr: String,
    pub(super) auth_time: Timestamp,
    pub(super) created_at: Timestamp,
    pub(super) last_used_at: Timestamp,
    pub(super) idle_for: Duration,
    pub(super) ends_at: Timestamp,
    pub(super) number: i64,
    pub(super) security_version: i64,
}

/// The live session of a cookie.
pub(super) async fn find_cookie_session(
    database: &Database,
    digest: [u8; 32],
    now: Timestamp,
) -> Result<Option<CookieSession>, InternalError> {
    let row = database
        .read_one(Statement::new(
            "SELECT s.account_id, s.id, s.amr, s.auth_time, s.created_at, s.last_used_at,
                    s.idle_for, s.ends_at, a.number, a.security_version
               FROM sessions s JOIN accounts a ON a.id = s.account_id
              WHERE s.cookie_digest = $1 AND s.revoked_at IS NULL AND s.ends_at > $2",
            [digest.into(), now.into()],
        ))
        .await?;
    row.map(|row| {
        Ok(CookieSession {
            account: row.id(0)?,
            session: row.id(1)?,
            amr: row.text(2)?,
            auth_time: row.time(3)?,
            created_at: row.time(4)?,
            last_used_at: row.time(5)?,
            idle_for: Duration::from_micros(row.int(6)?.max(0).cast_unsigned()),
            ends_at: row.time(7)?,
            number: row.int(8)?,
            security_version: row.int(9)?,
        })
    })
    .transpose()
}

/// Both chains of a new session: the first token of each is a child nobody has used.
pub(super) fn insert_chains(session: SessionId, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO session_chains
                (session_id, kind, generation, parent, first_child, rotated_at)
         VALUES ($1, 'cookie', 1, 0, 1, $2), ($1, 'body', 1, 0, 1, $2)",
        [session.into(), now.into()],
    )
}

/// Ends the oldest session of an account that has more than `most` live ones.
pub(super) fn end_oldest(account: AccountId, most: i64, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE sessions SET revoked_at = $2, revoked_because = $4, ends_at = $2
          WHERE id = (SELECT id FROM sessions
                       WHERE account_id = $1 AND revoked_at IS NULL AND ends_at > $2
                       ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $3)
            AND revoked_at IS NULL AND ends_at > $2",
        [account.into(), now.into(), most.into(), EndReason::TooMany.word().into()],
    )
}

/// Where a session was used, as far as its owner was told, and how to tell of more.
pub(super) struct Networks {
    pub(super) began_in: String,
    /// Separated by blanks.
    pub(super) later: String,
    /// Whether any session of the account knows the network asked about.
    pub(super) is_known: bool,
    pub(super) proven_email: Option<String>,
}

/// What is known about the networks of a session's account.
pub(super) async fn find_networks(
    database: &Database,
    session: SessionId,
    network: &str,
) -> Result<Option<Networks>, InternalError> {
    let row = database
        .read_one(Statement::new(
            "SELECT s.network, s.later_networks,
                    EXISTS (SELECT 1 FROM sessions o
                             WHERE o.account_id = s.account_id
                               AND (o.network = $2
                                    OR ' ' || o.later_networks || ' ' LIKE '% ' || $2 || ' %')),
                    CASE WHEN a.email_verified_at IS NULL THEN NULL ELSE a.email END
               FROM sessions s JOIN accounts a ON a.id = s.account_id
              WHERE s.id = $1",
            [session.into(), network.into()],
        ))
        .await?;
    row.map(|row| {
        Ok(Networks {
            began_in: row.text(0)?,
            later: row.text(1)?,
            is_known: row.bool(2)?,
            proven_email: row.optional_text(3)?,
        })
    })
    .transpose()
}

/// Notes where a session was used; must change, so that of refreshes which find the same new
/// network at once only one tells of it.
pub(super) fn note_networks(session: SessionId, before: &str, after: &str) -> Statement {
    Statement::new(
        "UPDATE sessions SET later_networks = $3 WHERE id = $1 AND later_networks = $2",
        [session.into(), before.into(), after.into()],
    )
    .must_change()
}

/// Ends one session of an account; must change, so that ending twice is recorded once.
pub(super) fn end(
    account: AccountId,
    session: SessionId,
    reason: EndReason,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "UPDATE sessions
            SET revoked_at = $3, revoked_because = $4,
                ends_at = CASE WHEN ends_at < $3 THEN ends_at ELSE $3 END
          WHERE id = $1 AND account_id = $2 AND revoked_at IS NULL",
        [session.into(), account.into(), now.into(), reason.word().into()],
    )
    .must_change()
}

/// Ends all sessions of an account except one. Their rows go a week after their end, so the
/// end is now.
pub(super) fn end_all(
    account: AccountId,
    except: Option<SessionId>,
    reason: EndReason,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "UPDATE sessions
            SET revoked_at = $3, revoked_because = $4,
                ends_at = CASE WHEN ends_at < $3 THEN ends_at ELSE $3 END
          WHERE account_id = $1 AND revoked_at IS NULL AND ($2 IS NULL OR id <> $2)",
        [account.into(), except.into(), now.into(), reason.word().into()],
    )
}

/// Ends every live session of everybody.
pub(super) fn end_everything(reason: EndReason, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE sessions
            SET revoked_at = $1, revoked_because = $2,
                ends_at = CASE WHEN ends_at < $1 THEN ends_at ELSE $1 END
          WHERE revoked_at IS NULL",
        [now.into(), reason.word().into()],
    )
}

/// The live sessions of an account, the newest first.
pub(super) async fn list(
    database: &Database,
    account: AccountId,
    now: Timestamp,
) -> Result<Vec<SessionEntry>, InternalError> {
    let rows = database
        .read(Statement::new(
            "SELECT s.id, s.user_agent, s.network, s.amr, s.created_at,
                    CASE WHEN s.last_used_at > c.latest THEN s.last_used_at ELSE c.latest END,
                    s.ends_at
               FROM sessions s
               JOIN (SELECT session_id, max(rotated_at) AS latest FROM session_chains
                      WHERE session_id IN (SELECT id FROM sessions
                                            WHERE account_id = $1 AND revoked_at IS NULL)
                      GROUP BY session_id) c ON c.session_id = s.id
              WHERE s.account_id = $1 AND s.revoked_at IS NULL AND s.ends_at > $2
                AND (s.last_used_at + s.idle_for > $2 OR c.latest + s.idle_for > $2)
              ORDER BY s.created_at DESC, s.id DESC",
            [account.into(), now.into()],
        ))
        .await?;
    rows.iter()
        .map(|row| {
            Ok(SessionEntry {
                id: row.id(0)?,
                user_agent: row.text(1)?,
                network: row.text(2)?,
                amr: row.text(3)?.split(' ').map(str::to_owned).collect(),
                created_at: row.time(4)?,
                last_used_at: row.time(5)?,
                ends_at: row.time(6)?,
            })
        })
        .collect()
}

/// When a session was last used; never moves it back.
pub(super) fn touch(session: SessionId, used_at: Timestamp) -> Statement {
    Statement::new(
        "UPDATE sessions SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2",
        [session.into(), used_at.into()],
    )
}

/// Sessions that ended before `ended_before`, at most `limit`; their chains go with them.
pub(super) fn delete_ended(ended_before: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "DELETE FROM sessions
          WHERE id IN (SELECT id FROM sessions WHERE ends_at < $1 ORDER BY ends_at LIMIT $2)
            AND ends_at < $1
      RETURNING 1",
        [ended_before.into(), limit.into()],
    )
}

/// An account with its groups, permissions and identities.
pub(super) async fn find_account(
    database: &Database,
    id: AccountId,
) -> Result<Option<Account>, InternalError> {
    let rows = database
        .read(Statement::new(
            "SELECT a.id, a.number, a.email, a.email_verified_at, a.username, a.role, a.is_staff,
                    a.is_superuser, a.custom_fields, a.created_at, a.last_sign_in_at,
                    a.disabled_at, a.deleted_at, a.security_version, x.kind, x.word,
                    x.subject
               FROM accounts a
               LEFT JOIN (SELECT m.account_id, 'group' AS kind, g.name AS word, '' AS subject,
                                 0 AS since
                            FROM account_groups m JOIN groups g ON g.id = m.group_id
                           WHERE m.account_id = $1
                           UNION ALL
                          SELECT m.account_id, 'permission', p.permission, '', 0
                            FROM account_groups m
                            JOIN group_permissions p ON p.group_id = m.group_id
                           WHERE m.account_id = $1
                           UNION ALL
                          SELECT p.account_id, 'permission', p.permission, '', 0
                            FROM account_permissions p WHERE p.account_id = $1
                           UNION ALL
                          SELECT i.account_id, 'identity', i.provider, i.subject, i.created_at
                            FROM identities i WHERE i.account_id = $1) x
                 ON x.account_id = a.id
              WHERE a.id = $1
              ORDER BY x.since, x.subject",
            [id.into()],
        ))
        .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut account = Account::from_row(first)?;
    for row in &rows {
        match row.optional_text(14)?.as_deref() {
            Some("group") => account.groups.push(row.text(15)?),
            Some("identity") => account
                .identities
                .push(AccountIdentity { provider: row.text(15)?, subject: row.text(16)? }),
            Some(_) => account.permissions.push(row.text(15)?),
            None => {}
        }
    }
    account.groups.sort();
    account.permissions.sort();
    account.permissions.dedup();
    Ok(Some(account))
}

impl Account {
    fn from_row(row: &Row) -> Result<Self, InternalError> {
        Ok(Self {
            id: row.id(0)?,
            number: row.int(1)?,
            email: row.optional_text(2)?,
            email_verified_at: row.optional_time(3)?,
            username: row.optional_text(4)?,
            role: row.text(5)?,
            is_staff: row.bool(6)?,
            is_superuser: row.bool(7)?,
            groups: Vec::new(),
            permissions: Vec::new(),
            custom_fields: row.text(8)?,
            created_at: row.time(9)?,
            last_sign_in_at: row.optional_time(10)?,
            disabled_at: row.optional_time(11)?,
            deleted_at: row.optional_time(12)?,
            security_version: row.int(13)?,
            identities: Vec::new(),
        })
    }
}
