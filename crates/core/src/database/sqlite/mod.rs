//! The embedded engine: one writer thread that commits in groups, a few readers.

mod connection;
mod failure;
mod queue;
mod readers;
mod session;
pub(super) mod text;
mod writer;

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::migrations::{self, Migration};
use super::{Batch, Row, Statement, WriteError};
use crate::error::InternalError;
use crate::ports::Random;
use crate::time::Timestamp;
use queue::Job;
use readers::Readers;
use writer::Writer;

/// An open embedded database.
pub(super) struct Sqlite {
    path: PathBuf,
    /// `None` only while it is being closed.
    jobs: Option<queue::Sender>,
    writer: Option<JoinHandle<()>>,
    /// `None` only while it is being closed.
    readers: Option<Readers>,
}

impl Sqlite {
    /// Opens or creates the file named by what follows `sqlite:`, and migrates it.
    pub(super) async fn open(
        address: &str,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<Self, InternalError> {
        let path = connection::path_of(address)?;
        let prefix = random.bytes();
        let opening = tokio::task::spawn_blocking(move || Self::start(path, now, prefix));
        opening.await.map_err(InternalError::fault)?
    }

    fn start(path: PathBuf, now: Timestamp, prefix: [u8; 8]) -> Result<Self, InternalError> {
        connection::create(&path)?;
        let connection = connection::open(&path)?;
        migrate(&connection, now)?;
        let connection = connection::writer(connection)?;
        let readers = Readers::start(&path)?;
        let (jobs, waiting) = queue::channel();
        let worker = Writer::new(path.clone(), waiting, prefix);
        let writer = std::thread::Builder::new()
            .name("database-writer".to_owned())
            .spawn(move || worker.run(connection))
            .map_err(InternalError::unavailable)?;
        Ok(Self { path, jobs: Some(jobs), writer: Some(writer), readers: Some(readers) })
    }

    pub(super) async fn read(&self, statement: Statement) -> Result<Vec<Row>, InternalError> {
        match &self.readers {
            Some(readers) => readers.read(statement).await,
            None => Err(InternalError::unavailable("the database is closed")),
        }
    }

    pub(super) async fn write(&self, batch: Batch) -> Result<Vec<Row>, WriteError> {
        let closed = || InternalError::unavailable("the database is closed");
        let (answer, answered) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(closed)?;
        jobs.send(Job { batch, answer }).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// A consistent copy in a new file only we can read, synchronised before this answers.
    pub(super) async fn backup(&self, target: &Path) -> Result<(), InternalError> {
        let (source, target) = (self.path.clone(), target.to_owned());
        let copying = tokio::task::spawn_blocking(move || connection::copy(&source, &target));
        copying.await.map_err(InternalError::fault)?
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // The last connection to close moves the log into the database and removes it, which
        // one that may not write cannot do.
        drop(self.readers.take());
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// All that is missing in one transaction: one synchronisation at the first start. The
/// transaction also keeps a second process out until it ends.
fn migrate(connection: &rusqlite::Connection, now: Timestamp) -> Result<(), InternalError> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| failure::internal(&error))?;
    let migrated = migrate_within(connection, now);
    let end = if matches!(migrated, Ok(true)) { "COMMIT" } else { "ROLLBACK" };
    let ended = connection.execute_batch(end).map_err(|error| failure::internal(&error));
    migrated.and(ended)
}

/// Whether anything was changed.
fn migrate_within(
    connection: &rusqlite::Connection,
    now: Timestamp,
) -> Result<bool, InternalError> {
    let explain = |error: rusqlite::Error| failure::internal(&error);
    connection.execute_batch(migrations::SQLITE_TABLE).map_err(explain)?;
    let mut applied = Vec::new();
    {
        let mut found = connection.prepare(migrations::LIST).map_err(explain)?;
        let mut rows = found.query([]).map_err(explain)?;
        while let Some(row) = rows.next().map_err(explain)? {
            applied.push((row.get(0).map_err(explain)?, row.get(1).map_err(explain)?));
        }
    }
    let missing = migrations::missing(&migrations::SQLITE, &applied)?;
    for Migration { version, name, sql } in &missing {
        let checksum = migrations::checksum(sql);
        connection
            .execute(&text::numbered(migrations::INSERT), (version, name, checksum, now.micros()))
            .and_then(|_| connection.execute_batch(sql))
            .map_err(|error| {
                InternalError::fault(format_args!("migration {version} ({name}) failed: {error}"))
            })?;
    }
    Ok(!missing.is_empty())
}
