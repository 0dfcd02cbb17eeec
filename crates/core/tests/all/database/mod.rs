//! The store: batches stand or fall together and stay, on both engines, whatever breaks.

mod batches;
mod broken_connections;
mod group_commit;
mod migrations;
mod postgres;
mod power_loss;
mod proxy;
mod recording;
mod restart;
mod tls;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use ironlatch_core::database::{Database, DatabaseUrl, Row, Statement, WriteError};
use ironlatch_core::error::InternalError;
use ironlatch_core::ports::{SystemClock, SystemRandom};
use uuid::Uuid;

async fn try_open(url: &str) -> Result<Database, InternalError> {
    let url = DatabaseUrl(url.to_owned());
    Database::open(&url, Arc::new(SystemClock), Arc::new(SystemRandom)).await
}

async fn open(url: &str) -> Database {
    try_open(url).await.unwrap()
}

/// A row of `groups`, a table with a unique name and nothing else to it.
fn insert(name: &str) -> Statement {
    let mut hasher = std::hash::DefaultHasher::new();
    name.hash(&mut hasher);
    let id = Uuid::from_u64_pair(hasher.finish(), 0);
    let sql = "INSERT INTO groups (id, name, name_key) VALUES ($1, $2, $3)";
    Statement::new(sql, [id.into(), name.into(), name.into()])
}

/// Gives a group another name.
fn rename(name: &str, to: &str) -> Statement {
    let sql = "UPDATE groups SET name = $2 WHERE name_key = $1";
    Statement::new(sql, [name.into(), to.into()])
}

/// Adds one to the only number every migrated database has.
fn count_up() -> Statement {
    Statement::new("UPDATE revocation_feed SET n = n + 1 WHERE id = 1", [])
}

async fn count(database: &Database) -> i64 {
    let row = database.read_one(Statement::new("SELECT n FROM revocation_feed", [])).await;
    row.unwrap().unwrap().int(0).unwrap()
}

async fn names(database: &Database) -> Vec<String> {
    let rows = database.read(Statement::new("SELECT name FROM groups ORDER BY name", [])).await;
    rows.unwrap().iter().map(|row| row.text(0).unwrap()).collect()
}

#[track_caller]
fn assert_conflict(outcome: &Result<Vec<Row>, WriteError>) {
    assert!(
        matches!(outcome, Err(WriteError::Conflict { index: None })),
        "a must-change statement changed nothing, yet: {outcome:?}"
    );
}

#[track_caller]
fn assert_unavailable(outcome: &Result<Vec<Row>, WriteError>) {
    assert!(
        matches!(outcome, Err(WriteError::Internal(InternalError::Unavailable(_)))),
        "not \"unavailable\": {outcome:?}"
    );
}
