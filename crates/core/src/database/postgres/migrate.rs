//! Applies migrations, also when several nodes start at once.

use deadpool_postgres::Client;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::super::migrations::{self, Migration};
use super::failure;
use crate::error::InternalError;
use crate::time::Timestamp;

/// How often a node that met another one looks again.
const ATTEMPTS: usize = 20;

pub(super) async fn run(client: &mut Client, now: Timestamp) -> Result<(), InternalError> {
    // A migration may take longer than any statement of a request.
    client
        .batch_execute("SET statement_timeout = 0")
        .await
        .map_err(|error| failure::internal(&error))?;
    let mut met = None;
    for _ in 0..ATTEMPTS {
        match attempt(client, now).await {
            Ok(()) => return Ok(()),
            Err(Stopped::Met(error)) => met = Some(error),
            Err(Stopped::Failed(error)) => return Err(error),
        }
    }
    Err(InternalError::unavailable(format_args!(
        "another node keeps changing the schema: {}",
        met.map(|error| failure::told(&error)).unwrap_or_default()
    )))
}

enum Stopped {
    /// Another node did the same at the same time: look again.
    Met(Error),
    Failed(InternalError),
}

impl From<InternalError> for Stopped {
    fn from(error: InternalError) -> Self {
        Self::Failed(error)
    }
}

async fn attempt(client: &mut Client, now: Timestamp) -> Result<(), Stopped> {
    let sort = |error: Error| sorted(error, "the table of migrations");
    // `IF NOT EXISTS` alone would ask for the right to create even when there is nothing to do.
    let exists = "SELECT to_regclass('schema_migrations') IS NOT NULL";
    if !client.query_one(exists, &[]).await.and_then(|row| row.try_get(0)).map_err(sort)? {
        client.batch_execute(migrations::POSTGRES_TABLE).await.map_err(sort)?;
    }
    let found = client.query(migrations::LIST, &[]).await.map_err(sort)?;
    let applied = found
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<Vec<_>, Error>>()
        .map_err(sort)?;
    for migration in migrations::missing(&migrations::POSTGRES, &applied)? {
        apply(client, migration, now).await.map_err(|error| sorted(error, migration.name))?;
    }
    Ok(())
}

/// The version's row first: a second node waits at its key, then finds it taken.
async fn apply(client: &mut Client, migration: Migration, now: Timestamp) -> Result<(), Error> {
    let checksum = migrations::checksum(migration.sql);
    let transaction = client.transaction().await?;
    transaction
        .execute(
            migrations::INSERT,
            &[&migration.version, &migration.name, &checksum, &now.micros()],
        )
        .await?;
    transaction.batch_execute(migration.sql).await?;
    transaction.commit().await
}

fn sorted(error: Error, what: &str) -> Stopped {
    let met = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
    ];
    match error.code() {
        Some(code) if met.contains(code) => Stopped::Met(error),
        Some(_) => Stopped::Failed(InternalError::fault(format_args!(
            "migrating {what} failed: {}",
            failure::told(&error)
        ))),
        None => Stopped::Failed(failure::internal(&error)),
    }
}
