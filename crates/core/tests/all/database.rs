//! The store: batches stand or fall together, on both engines.

use std::sync::Arc;

use ironlatch_core::database::{Batch, Database, DatabaseUrl, Statement, WriteError};
use ironlatch_core::ports::{SystemClock, SystemRandom};

async fn open(url: &str) -> Database {
    let url = DatabaseUrl(url.to_owned());
    Database::open(&url, Arc::new(SystemClock), Arc::new(SystemRandom)).await.unwrap()
}

fn group(id: u8, name: &str) -> Statement {
    let id = uuid::Uuid::from_bytes([id; 16]);
    Statement::new(
        "INSERT INTO groups (id, name, name_key) VALUES ($1, $2, $2)",
        [id.into(), name.into()],
    )
}

async fn names(database: &Database) -> Vec<String> {
    let rows = database.read(Statement::new("SELECT name FROM groups ORDER BY name", [])).await;
    rows.unwrap().iter().map(|row| row.text(0).unwrap()).collect()
}

#[tokio::test]
async fn a_batch_stands_or_falls_as_a_whole_and_survives_closing() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("a/b/x.db").display());
    let database = open(&url).await;
    database.write(group(1, "a").into()).await.unwrap();
    let mut batch = Batch::new();
    batch.add(group(2, "b"));
    batch.add(group(3, "a"));
    let error = database.write(batch).await.unwrap_err();
    assert!(matches!(error, WriteError::Conflict { index: Some(_) }), "{error:?}");
    assert_eq!(names(&database).await, ["a"]);
    drop(database);
    let database = open(&url).await;
    assert_eq!(names(&database).await, ["a"]);
    let row = database.read_one(Statement::new("SELECT $2, $1", [1_i64.into(), 2_i64.into()]));
    let row = row.await.unwrap().unwrap();
    assert_eq!((row.int(0).unwrap(), row.int(1).unwrap()), (2, 1));
}
