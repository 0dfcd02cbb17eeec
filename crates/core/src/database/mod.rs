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

mod migrations;
mod sqlite;
mod statement;
mod value;

use std::sync::Arc;

pub use statement::{Batch, Statement};
pub use value::{Cell, Row, Value};

use crate::error::InternalError;
use crate::ports::{Clock, Random};
use sqlite::Sqlite;

/// Why a batch was not written. Nothing of it remains.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A must-change statement changed nothing, or a unique index refused a row. Read again
    /// and decide anew; the engines name different indexes, so the name is only for the log.
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
#[derive(Debug, Clone)]
pub struct DatabaseUrl(pub String);

/// A handle on the store; cheap to clone.
#[derive(Clone)]
pub struct Database {
    engine: Engine,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

#[derive(Clone)]
enum Engine {
    Sqlite(Arc<Sqlite>),
}

impl Database {
    /// Opens (creating an embedded one where missing), migrates, and checks the engine's settings.
    pub async fn open(
        url: &DatabaseUrl,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, InternalError> {
        let now = clock.now();
        let engine = match url.0.split_once(':') {
            Some(("sqlite", address)) => {
                Engine::Sqlite(Arc::new(Sqlite::open(address, now, &*random).await?))
            }
            _ => {
                return Err(InternalError::fault(
                    "the database URL must begin with `sqlite:` or `postgres://`",
                ));
            }
        };
        Ok(Self { engine, clock, random })
    }

    /// Runs one `SELECT`.
    pub async fn read(&self, statement: Statement) -> Result<Vec<Row>, InternalError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.read(statement).await,
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
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.write(batch).await,
        }
    }

    /// Writes one statement and answers its `RETURNING` rows.
    pub async fn write_returning(&self, statement: Statement) -> Result<Vec<Row>, WriteError> {
        let mut batch = Batch::new();
        batch.add_returning(statement);
        self.write(batch).await
    }
}
