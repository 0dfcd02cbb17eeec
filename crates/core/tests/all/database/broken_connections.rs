//! A connection that breaks in a batch: the batch is written exactly once or not at all, and
//! its writer is told the truth.

use std::time::Duration;

use ironlatch_core::database::{Batch, Database, Statement};
use ironlatch_testkit::PostgresDatabase;
use tokio_postgres::NoTls;

use super::proxy::{Fault, Proxy};
use super::{assert_conflict, assert_unavailable, count, count_up, insert, names, open, rename};

struct Network {
    proxy: Proxy,
    /// The store as the product sees it, through the proxy.
    database: Database,
    /// The same store, by a way that does not break.
    beside: Database,
    kept: PostgresDatabase,
}

impl Network {
    async fn new() -> Option<Self> {
        let kept = ironlatch_testkit::postgres().await?;
        let port = kept.url.rsplit(':').next().unwrap().split('/').next().unwrap();
        let proxy = Proxy::new(port.parse().unwrap()).await;
        let database = open(&proxy.through(&kept.url)).await;
        let beside = open(&kept.url).await;
        Some(Self { proxy, database, beside, kept })
    }

    /// Has every statement of a batch prepared, so that the next thing sent is the batch.
    async fn warm(&self, batch: &Batch) {
        self.database.write(batch.clone()).await.unwrap();
    }
}

/// One statement, and several.
fn batches() -> [Batch; 2] {
    let mut several = Batch::from(count_up().must_change());
    several.add(rename("nobody", "x"));
    [Batch::from(count_up().must_change()), several]
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_commit_was_sent_writes_once() {
    let Some(network) = Network::new().await else { return };
    for batch in batches() {
        network.warm(&batch).await;
        let before = count(&network.beside).await;
        network.proxy.break_next(Fault::LoseAnswer);
        assert!(network.database.write(batch).await.unwrap().is_empty());
        assert!(network.proxy.has_broken());
        assert_eq!(count(&network.beside).await, before + 1);
    }
}

#[tokio::test]
async fn a_batch_that_never_arrived_is_sent_again() {
    let Some(network) = Network::new().await else { return };
    for batch in batches() {
        network.warm(&batch).await;
        let before = count(&network.beside).await;
        network.proxy.break_next(Fault::LoseQuestion);
        network.database.write(batch).await.unwrap();
        assert!(network.proxy.has_broken());
        assert_eq!(count(&network.beside).await, before + 1);
    }
}

#[tokio::test]
async fn rows_that_got_lost_are_not_made_up() {
    let Some(network) = Network::new().await else { return };
    let sql = "UPDATE revocation_feed SET n = n + 1 RETURNING n";
    let counting = || Statement::new(sql, []).must_change();
    network.database.write_returning(counting()).await.unwrap();
    let before = count(&network.beside).await;
    network.proxy.break_next(Fault::LoseAnswer);
    assert_unavailable(&network.database.write_returning(counting()).await);
    assert_eq!(count(&network.beside).await, before + 1, "it was written, once");
}

/// The earlier attempt's own change makes the later one's must-change statement fail.
#[tokio::test]
async fn an_attempt_that_trips_over_its_own_predecessor_is_no_conflict() {
    let Some(network) = Network::new().await else { return };
    let use_up = |code: &str| {
        let sql = "UPDATE groups SET name = 'used' WHERE name_key = $1 AND name = $1";
        Statement::new(sql, [code.into()]).must_change()
    };
    network.database.write(insert("other").into()).await.unwrap();
    network.database.write(insert("code").into()).await.unwrap();
    assert_conflict(&network.database.write(rename("nobody", "x").must_change().into()).await);

    // Somebody holds the row, so that the first attempt is still under way when the second
    // one looks for it.
    let (mut holder, connection) = tokio_postgres::connect(&network.kept.url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let lock = holder.transaction().await.unwrap();
    lock.execute("SELECT 1 FROM groups WHERE name_key = 'code' FOR UPDATE", &[]).await.unwrap();
    network.database.write(use_up("other").into()).await.unwrap();

    network.proxy.break_next(Fault::BreakAfterQuestion);
    let (database, write) = (network.database.clone(), use_up("code"));
    let writing = tokio::spawn(async move { database.write(write.into()).await });
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(network.proxy.has_broken());
    lock.rollback().await.unwrap();
    assert!(writing.await.unwrap().is_ok(), "it is written, by its first attempt");
    assert_eq!(names(&network.beside).await, ["used", "used"]);
}

#[tokio::test]
async fn reading_survives_a_connection_that_broke() {
    let Some(network) = Network::new().await else { return };
    network.database.write(insert("a").into()).await.unwrap();
    assert_eq!(names(&network.database).await, ["a"]);
    for fault in [Fault::LoseAnswer, Fault::LoseQuestion] {
        network.proxy.break_next(fault);
        assert_eq!(names(&network.database).await, ["a"]);
        assert!(network.proxy.has_broken());
    }
}
