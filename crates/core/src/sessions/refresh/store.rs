//! The SQL of refreshes: reading a chain and moving it on.

use crate::database::{Database, Row, Statement};
use crate::error::InternalError;
use crate::ids::SessionId;
use crate::time::Timestamp;
use crate::tokens::Chain;

/// What a refresh that wrote something answers with.
pub(super) struct Rotated {
    pub(super) generation: i64,
    pub(super) idle_for: i64,
    pub(super) ends_at: Timestamp,
    /// Where the session began and where else it was used, separated by blanks.
    pub(super) networks: String,
}

/// What a presented refresh token is measured by.
#[derive(Clone, Copy)]
pub(super) struct Presented {
    pub(super) session: SessionId,
    pub(super) chain: Chain,
    pub(super) generation: i64,
    /// Young enough that its holder may still be inside the burst that got it.
    pub(super) is_young: bool,
    pub(super) now: Timestamp,
    /// A latest token issued before this is no longer recent.
    pub(super) recent_since: Timestamp,
}

/// The one statement that decides a refresh: rotates when an unused child comes, gives the
/// parent's holder a child of its own, and changes nothing in every other case.
pub(super) fn rotate(presented: &Presented) -> Statement {
    Statement::new(
        "UPDATE session_chains
            SET parent      = CASE WHEN $3 >= first_child THEN $3 ELSE parent END,
                first_child = CASE WHEN $3 >= first_child THEN generation + 1
                                   ELSE first_child END,
                generation  = generation + 1,
                rotated_at  = $4
          WHERE session_id = $1 AND kind = $2
            AND ($3 = parent
                 OR ($3 >= first_child AND $3 <= generation AND (rotated_at < $5 OR $6 = 0)))
            AND EXISTS (SELECT 1 FROM sessions s JOIN accounts a ON a.id = s.account_id
                         WHERE s.id = session_chains.session_id
                           AND s.revoked_at IS NULL AND s.ends_at > $4
                           AND (s.last_used_at + s.idle_for > $4
                                OR session_chains.rotated_at + s.idle_for > $4)
                           AND a.disabled_at IS NULL AND a.deleted_at IS NULL)
      RETURNING generation,
                (SELECT idle_for FROM sessions WHERE id = session_chains.session_id),
                (SELECT ends_at FROM sessions WHERE id = session_chains.session_id),
                (SELECT network || ' ' || later_networks FROM sessions
                  WHERE id = session_chains.session_id)",
        [
            presented.session.into(),
            presented.chain.word().into(),
            presented.generation.into(),
            presented.now.into(),
            presented.recent_since.into(),
            i64::from(presented.is_young).into(),
        ],
    )
}

impl Rotated {
    pub(super) fn from_row(row: &Row) -> Result<Self, InternalError> {
        Ok(Self {
            generation: row.int(0)?,
            idle_for: row.int(1)?,
            ends_at: row.time(2)?,
            networks: row.text(3)?,
        })
    }
}

/// A chain with its session and account, as a refused or unwritten refresh found them.
pub(super) struct Found {
    pub(super) generation: i64,
    pub(super) parent: i64,
    pub(super) first_child: i64,
    pub(super) rotated_at: Timestamp,
    pub(super) is_revoked: bool,
    pub(super) last_used_at: Timestamp,
    pub(super) idle_for: i64,
    pub(super) ends_at: Timestamp,
    pub(super) is_account_active: bool,
    pub(super) email: Option<String>,
}

/// Says which row of the table a token that changed nothing belongs to.
pub(super) async fn find_chain(
    database: &Database,
    session: SessionId,
    chain: Chain,
) -> Result<Option<Found>, InternalError> {
    let row = database
        .read_one(Statement::new(
            "SELECT c.generation, c.parent, c.first_child, c.rotated_at, s.revoked_at,
                    s.last_used_at, s.idle_for, s.ends_at, a.disabled_at, a.deleted_at,
                    CASE WHEN a.email_verified_at IS NOT NULL THEN a.email END
               FROM session_chains c
               JOIN sessions s ON s.id = c.session_id
               JOIN accounts a ON a.id = s.account_id
              WHERE c.session_id = $1 AND c.kind = $2",
            [session.into(), chain.word().into()],
        ))
        .await?;
    row.map(|row| {
        Ok(Found {
            generation: row.int(0)?,
            parent: row.int(1)?,
            first_child: row.int(2)?,
            rotated_at: row.time(3)?,
            is_revoked: row.optional_time(4)?.is_some(),
            last_used_at: row.time(5)?,
            idle_for: row.int(6)?,
            ends_at: row.time(7)?,
            is_account_active: row.optional_time(8)?.is_none() && row.optional_time(9)?.is_none(),
            email: row.optional_text(10)?,
        })
    })
    .transpose()
}
