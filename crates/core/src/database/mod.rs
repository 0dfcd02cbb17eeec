//! The database: batches, not conversations.
//!
//! Two verbs. **Read** is one `SELECT`. **Write** takes a [`Batch`]: statements decided
//! beforehand, run atomically, durable when the call returns. No transaction is ever open
//! while the application thinks. Isolation is that of READ COMMITTED, so no rule rests on a
//! read: it rests on a unique index or on a must-change statement.
//!
//! The only room that knows there are two engines: an embedded SQLite with one writer that
//! commits in groups, and PostgreSQL. Owns the tables `schema_migrations`, `batches`
//! (PostgreSQL) and `commit_marker` (SQLite).

#[cfg(test)]
mod every_text;
mod migrations;
mod postgres;
mod sqlite;
mod statement;
mod value;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use statement::{Batch, Statement};
pub use value::{Cell, Row, Value};

use crate::error::InternalError;
use crate::ports::{Clock, Random};
use postgres::Postgres;
use sqlite::Sqlite;

/// Why a batch was not written. Nothing of it remains.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A must-change statement changed nothing, or a unique index or a reference refused a
    /// row. Read again and decide anew; the engines name different indexes, so the name is only for the log.
    #[error("the batch conflicts with what is stored ({index:?})")]
    Conflict {
        /// The violated index as the engine names it; `None` for a must-change statement.
        index: Option<String>,
    },
    /// The engine failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl WriteError {
    /// For writers whose batch cannot conflict: a conflict is then a fault of ours.
    #[must_use]
    pub fn unexpected(self) -> InternalError {
        match self {
            Self::Conflict { index } => {
                InternalError::fault(format_args!("a batch conflicted unexpectedly ({index:?})"))
            }
            Self::Internal(error) => error,
        }
    }
}

/// Where to find the database: `sqlite:PATH` or `postgres://…`.
#[derive(Clone)]
pub struct DatabaseUrl(pub String);

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may hold a password.
        let scheme = self.0.split_once(':').map_or("", |(scheme, _)| scheme);
        write!(out, "DatabaseUrl({scheme}:…)")
    }
}

/// A handle on the store; cheap to clone.
#[derive(Clone)]
pub struct Database {
    engine: Engine,
}

#[derive(Clone)]
enum Engine {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

impl Database {
    /// Opens (creating an embedded one where missing), migrates, and checks the engine's settings.
    pub async fn open(
        url: &DatabaseUrl,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, InternalError> {
        let engine = match url.0.split_once(':') {
            Some(("sqlite", path)) => {
                Engine::Sqlite(Arc::new(Sqlite::open(path, clock.now(), &*random).await?))
            }
            Some(("postgres" | "postgresql", _)) => {
                Engine::Postgres(Arc::new(Postgres::open(&url.0, clock, random).await?))
            }
            _ => {
                return Err(InternalError::fault(
                    "the database URL must begin with `sqlite:` or `postgres://`",
                ));
            }
        };
        Ok(Self { engine })
    }

    /// Runs one `SELECT`.
    pub async fn read(&self, statement: Statement) -> Result<Vec<Row>, InternalError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.read(statement).await,
            Engine::Postgres(postgres) => postgres.read(&statement).await,
        }
    }

    /// Runs a `SELECT` that finds one row or none.
    pub async fn read_one(&self, statement: Statement) -> Result<Option<Row>, InternalError> {
        Ok(self.read(statement).await?.into_iter().next())
    }

    /// Writes a batch: all of it, durably, or nothing. Answers the rows of the statement added
    /// with [`Batch::add_returning`].
    pub async fn write(&self, batch: Batch) -> Result<Vec<Row>, WriteError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let batch = batch.in_order();
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.write(batch).await,
            Engine::Postgres(postgres) => postgres.write(&batch).await,
        }
    }

    /// Writes one statement and answers its `RETURNING` rows.
    pub async fn write_returning(&self, statement: Statement) -> Result<Vec<Row>, WriteError> {
        let mut batch = Batch::new();
        batch.add_returning(statement);
        self.write(batch).await
    }

    /// The engine's name, `sqlite` or `postgres`, for logs and metrics.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => "sqlite",
            Engine::Postgres(_) => "postgres",
        }
    }

    /// How far the database server's clock and ours are apart; `None` where both are the same
    /// machine's. A node that differs by more than 5 s must not serve.
    pub async fn clock_skew(&self) -> Result<Option<Duration>, InternalError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(None),
            Engine::Postgres(postgres) => postgres.clock_skew().await.map(Some),
        }
    }

    /// Removes what past batches left for looking them up, a bounded number a call, and answers
    /// how many; call again until it answers 0.
    pub async fn delete_old_batches(&self) -> Result<u64, InternalError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(0),
            Engine::Postgres(postgres) => postgres.delete_old_batches().await,
        }
    }

    /// Copies an embedded database into a new file, while it is in use. PostgreSQL has tools of
    /// its own for that.
    pub async fn backup(&self, target: &Path) -> Result<(), InternalError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.backup(target).await,
            Engine::Postgres(_) => Err(InternalError::fault(
                "back up PostgreSQL with its own tools, e.g. pg_dump or pg_basebackup",
            )),
        }
    }

    /// Whether the database answers.
    pub async fn is_alive(&self) -> bool {
        self.read(Statement::new("SELECT 1", [])).await.is_ok()
    }

    /// The engine and the settings that durability rests on, for the operator.
    pub async fn describe(&self) -> Result<Vec<(&'static str, String)>, InternalError> {
        let questions = match &self.engine {
            Engine::Sqlite(_) => [
                ("SQLite", "SELECT sqlite_version()"),
                ("journal_mode", "SELECT journal_mode FROM pragma_journal_mode"),
                ("synchronous", "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous"),
            ],
            Engine::Postgres(_) => [
                ("PostgreSQL", "SELECT current_setting('server_version')"),
                ("fsync", "SELECT current_setting('fsync')"),
                ("synchronous_commit", "SELECT current_setting('synchronous_commit')"),
            ],
        };
        let mut facts = Vec::new();
        for (name, sql) in questions {
            let row = self.read_one(Statement::new(sql, [])).await?;
            facts.push((name, row.map_or(Ok(String::new()), |row| row.text(0))?));
        }
        Ok(facts)
    }
}
