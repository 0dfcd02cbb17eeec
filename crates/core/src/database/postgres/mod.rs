//! PostgreSQL: a pool of connections, batches in one round trip, and the truth about a batch
//! whose connection broke.

mod address;
pub(super) mod failure;
mod migrate;
mod pool;
mod run;
pub(super) mod text;
mod tls;
mod values;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::{Batch, Row, Statement, Value, WriteError};
use crate::error::InternalError;
use crate::ports::{Clock, Random};
use crate::time::Timestamp;
use failure::Failure;
use text::Texts;

/// How often a batch that lost a race, or whose connection broke, is tried.
const ATTEMPTS: u32 = 6;
/// A server that has not answered by then is treated as gone. Its own limit on a statement
/// is lower, so nothing of the batch runs on.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);
/// How long the rows of `batches` are kept: far longer than any doubt lasts.
const NOTES_KEPT: Duration = crate::time::minutes(10);

/// An open PostgreSQL database.
pub(super) struct Postgres {
    pool: Pool,
    texts: Texts,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Postgres {
    /// Connects, checks what the server promises, and migrates.
    pub(super) async fn open(
        url: &str,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, InternalError> {
        let pool = pool::open(&address::parse(url)?)?;
        let mut client = pool::client(&pool).await?;
        let setting = client
            .query_one("SELECT current_setting('fsync') = 'on'", &[])
            .await
            .and_then(|row| row.try_get::<_, bool>(0));
        if !setting.map_err(|error| failure::internal(&error))? {
            tracing::warn!(
                "the database server runs with fsync=off: a power cut can destroy the database"
            );
        }
        migrate::run(&mut client, clock.now()).await?;
        // This connection's settings were changed for the migration.
        pool::discard(client);
        Ok(Self { pool, texts: Texts::default(), clock, random })
    }

    /// Runs one `SELECT`; a second time when the connection turns out to be dead.
    pub(super) async fn read(&self, statement: &Statement) -> Result<Vec<Row>, InternalError> {
        let mut is_second = false;
        loop {
            let client = pool::client(&self.pool).await?;
            match timeout(LONGEST_ANSWER, run::read(&client, statement)).await {
                Ok(Ok(found)) => return values::rows(&found, 0),
                Ok(Err(Failure::Refused(error))) => return Err(error.unexpected()),
                Ok(Err(Failure::Again(why) | Failure::Lost(why))) if is_second => {
                    pool::discard(client);
                    return Err(InternalError::Unavailable(why));
                }
                Ok(Err(_)) => pool::discard(client),
                Err(_) => {
                    pool::discard(client);
                    return Err(InternalError::unavailable("no answer within the deadline"));
                }
            }
            is_second = true;
        }
    }

    /// Writes a batch exactly once, whatever happens to the connection.
    ///
    /// Every attempt carries the same id. While an earlier one is still under way, the later
    /// one waits at the key of `batches` and is refused if the earlier commits.
    pub(super) async fn write(&self, batch: &Batch) -> Result<Vec<Row>, WriteError> {
        let now = self.clock.now();
        let id = self.batch_id();
        let note = [Value::from(id), Value::from(now)];
        let mut is_doubtful = false;
        let mut reason = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                sleep(self.pause(attempt)).await;
            }
            if is_doubtful && self.is_written(id).await? {
                return unseen(batch);
            }
            match self.attempt(batch, &note).await {
                Ok(rows) => return Ok(rows),
                Err(Failure::AlreadyThere) => return unseen(batch),
                // It may be refused because of what an earlier attempt of its own did.
                Err(Failure::Refused(_)) if is_doubtful && self.is_written(id).await? => {
                    return unseen(batch);
                }
                Err(Failure::Refused(error)) => return Err(error),
                Err(Failure::Again(why)) => reason = why,
                Err(Failure::Lost(why)) => {
                    tracing::warn!(why, "a connection broke in a batch; looking it up");
                    reason = why;
                    is_doubtful = true;
                }
            }
        }
        Err(InternalError::Unavailable(reason).into())
    }

    async fn attempt(&self, batch: &Batch, note: &[Value; 2]) -> Result<Vec<Row>, Failure> {
        let refused = |error: InternalError| Failure::Refused(error.into());
        let client = pool::client(&self.pool).await.map_err(refused)?;
        let outcome = timeout(LONGEST_ANSWER, run::write(&client, &self.texts, batch, note)).await;
        let outcome = outcome
            .unwrap_or_else(|_| Err(Failure::Lost("no answer within the deadline".to_owned())));
        if matches!(outcome, Err(Failure::Lost(_) | Failure::Again(_))) {
            pool::discard(client);
        }
        outcome
    }

    /// Looks a batch up after its connection broke, for as long as a new connection may take.
    async fn is_written(&self, id: Uuid) -> Result<bool, InternalError> {
        let look = Statement::new("SELECT 1 FROM batches WHERE id = $1", [id.into()]);
        let deadline = Instant::now() + pool::LONGEST_WAIT;
        loop {
            match self.read(&look).await {
                Ok(rows) => return Ok(!rows.is_empty()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => sleep(self.pause(3)).await,
            }
        }
    }

    /// Random, not ordered by time: neighbouring keys would all fall on one page.
    fn batch_id(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random.bytes()).into_uuid()
    }

    /// Longer with each attempt, and never the same for two that met.
    fn pause(&self, attempt: u32) -> Duration {
        let most = 5_u64 << attempt.min(6);
        let chance = u64::from(u16::from_be_bytes(self.random.bytes()));
        Duration::from_micros(most * 1_000 * (chance + 1) / 65_536)
    }

    /// How far the server's clock and ours are apart.
    pub(super) async fn clock_skew(&self) -> Result<Duration, InternalError> {
        let ask = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)";
        let before = self.clock.now();
        let rows = self.read(&Statement::new(ask, [])).await?;
        let after = self.clock.now();
        let row = rows.first().ok_or_else(|| InternalError::fault("the server tells no time"))?;
        let there = row.time(0)?;
        let here = Timestamp::from_micros(before.micros().midpoint(after.micros()));
        Ok(there.since(here).max(here.since(there)))
    }

    /// Removes notes of batches nobody can still be in doubt about, a bounded number a call.
    pub(super) async fn delete_old_batches(&self) -> Result<u64, InternalError> {
        let limit = self.clock.now().minus(NOTES_KEPT);
        let client = pool::client(&self.pool).await?;
        client
            .execute(
                "DELETE FROM batches WHERE id IN
                     (SELECT id FROM batches WHERE created_at < $1 ORDER BY created_at LIMIT 5000)",
                &[&limit.micros()],
            )
            .await
            .map_err(|error| failure::internal(&error))
    }
}

/// A batch that turned out to be written, by an attempt whose answer was lost. Rows it
/// returned are lost too: their writer must look again, as after any lost answer.
fn unseen(batch: &Batch) -> Result<Vec<Row>, WriteError> {
    if batch.returning.is_none() {
        return Ok(Vec::new());
    }
    let sentence = "the batch is written, but the connection that carried its rows broke";
    Err(InternalError::unavailable(sentence).into())
}
