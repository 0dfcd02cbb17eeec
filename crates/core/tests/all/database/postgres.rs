//! What only PostgreSQL can do to a batch: abort it, refuse it, be away, or promise too little.

use std::time::{Duration, Instant};

use ironlatch_core::database::{Batch, Database, DatabaseUrl, Statement, WriteError};
use ironlatch_core::error::InternalError;
use ironlatch_testkit::{MovedClock, PostgresDatabase, PostgresServer};
use tokio_postgres::{Client, NoTls};

use super::{assert_conflict, assert_unavailable, count, count_up, insert, names, open, try_open};

async fn fresh() -> Option<(Database, PostgresDatabase)> {
    let kept = ironlatch_testkit::postgres().await?;
    Some((open(&kept.url).await, kept))
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// COMMIT of an aborted transaction answers ROLLBACK, and the driver reports that as success.
#[tokio::test]
async fn a_commit_that_answers_rollback_is_no_success() {
    let Some((database, kept)) = fresh().await else { return };
    let client = connect(&kept.url).await;
    client.batch_execute("BEGIN").await.unwrap();
    client.batch_execute("SELECT 1 / 0").await.unwrap_err();
    client.batch_execute("COMMIT").await.expect("the trap this test is about");

    database.write(insert("taken").into()).await.unwrap();
    for position in 0..3 {
        let mut batch = Batch::new();
        for index in 0..3 {
            let name = if index == position { "taken".to_owned() } else { format!("{index}") };
            batch.add(insert(&name));
        }
        let refused = database.write(batch).await;
        assert!(matches!(refused, Err(WriteError::Conflict { index: Some(_) })), "{refused:?}");
        assert_eq!(names(&database).await, ["taken"], "the connection is clean again as well");
    }
}

/// Makes every insert of a group fail with the given code for so many times, counted by a
/// sequence because those do not roll back.
async fn fail_inserts(client: &Client, code: &str, times: i64) {
    let sql = format!(
        "DROP SEQUENCE IF EXISTS failures CASCADE;
         CREATE SEQUENCE failures;
         CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF nextval('failures') <= {times} THEN
                 RAISE EXCEPTION 'as the test wishes' USING ERRCODE = '{code}';
             END IF;
             RETURN NEW;
         END $$;
         CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON groups
             FOR EACH ROW EXECUTE FUNCTION fail()"
    );
    client.batch_execute(&sql).await.unwrap();
}

#[tokio::test]
async fn a_lost_race_is_tried_again_as_a_whole_but_not_for_ever() {
    let Some((database, kept)) = fresh().await else { return };
    let client = connect(&kept.url).await;
    let several = |name: &str| {
        let mut batch = Batch::from(count_up());
        batch.add(insert(name));
        batch
    };
    for (round, code) in ["40001", "40P01"].into_iter().enumerate() {
        fail_inserts(&client, code, 3).await;
        database.write(insert(&format!("{round} one")).into()).await.unwrap();
        fail_inserts(&client, code, 3).await;
        let before = count(&database).await;
        database.write(several(&format!("{round} several"))).await.unwrap();
        assert_eq!(count(&database).await, before + 1, "all of it, once");

        fail_inserts(&client, code, i64::MAX).await;
        assert_unavailable(&database.write(several("never")).await);
        assert_eq!(count(&database).await, before + 1);
    }
    assert_eq!(names(&database).await, ["0 one", "0 several", "1 one", "1 several"]);
}

#[tokio::test]
async fn what_the_server_cannot_do_now_is_unavailable_what_it_never_does_is_a_fault() {
    let Some((database, kept)) = fresh().await else { return };
    let client = connect(&kept.url).await;
    for (code, is_passing) in [("53100", true), ("55P03", true), ("58030", true), ("22023", false)]
    {
        fail_inserts(&client, code, 1).await;
        let answer = database.write(insert("a").into()).await;
        let found = matches!(&answer, Err(WriteError::Internal(InternalError::Unavailable(_))));
        assert_eq!(found, is_passing, "{code}: {answer:?}");
    }
    database.write(insert("a").into()).await.unwrap();
}

#[tokio::test]
async fn errors_tell_no_stored_value() {
    let Some((database, kept)) = fresh().await else { return };
    let client = connect(&kept.url).await;
    client.batch_execute("ALTER TABLE groups ADD CHECK (name <> 'ada@example.com')").await.unwrap();
    let error = database.write(insert("ada@example.com").into()).await.unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(told.contains("23514") && !told.contains("ada@"), "{told}");
}

#[tokio::test]
async fn a_server_that_acknowledges_too_early_is_refused() {
    let Some((database, kept)) = fresh().await else { return };
    drop(database);
    let name = kept.url.rsplit('/').next().unwrap().to_owned();
    let set = format!("ALTER DATABASE {name} SET synchronous_commit = off");
    connect(&kept.url).await.batch_execute(&set).await.unwrap();
    let refused = try_open(&kept.url).await.err().unwrap().to_string();
    assert!(refused.contains("synchronous_commit = off"), "{refused}");
}

#[tokio::test]
async fn a_server_that_is_away_is_reported_within_three_seconds() {
    let since = Instant::now();
    // A port where nobody listens, and a host that never answers (RFC 5737).
    for hosts in ["127.0.0.1:1", "192.0.2.1:5432"] {
        let refused = try_open(&format!("postgres://u@{hosts}/d")).await.err().unwrap();
        assert!(matches!(refused, InternalError::Unavailable(_)), "{refused:?}");
    }
    assert!(since.elapsed() < Duration::from_secs(7), "{:?}", since.elapsed());
}

#[tokio::test]
async fn the_host_that_takes_writes_is_found_among_several() {
    let Some(kept) = ironlatch_testkit::postgres().await else { return };
    let Some(standby) =
        PostgresServer::start_with(&["default_transaction_read_only=on", "fsync=off"]).await
    else {
        return;
    };
    let first = format!("127.0.0.1:1,127.0.0.1:{},127.0.0.1:", standby.port);
    let url = kept.url.replace("127.0.0.1:", &first);
    let database = open(&url).await;
    database.write(insert("a").into()).await.unwrap();
    assert_eq!(names(&open(&kept.url).await).await, ["a"]);
}

#[tokio::test]
async fn the_servers_clock_is_compared_with_ours() {
    let Some((database, kept)) = fresh().await else { return };
    let skew = database.clock_skew().await.unwrap().unwrap();
    assert!(skew < Duration::from_secs(2), "{skew:?}");
    assert_eq!(database.engine(), "postgres");

    // The kit's clock stands at the beginning of 2026.
    let random = std::sync::Arc::new(ironlatch_core::ports::SystemRandom);
    let clock = std::sync::Arc::new(MovedClock::new());
    let moved = Database::open(&DatabaseUrl(kept.url.clone()), clock, random).await.unwrap();
    let skew = moved.clock_skew().await.unwrap().unwrap();
    assert!(skew > Duration::from_hours(1), "{skew:?}");
}

#[tokio::test]
async fn notes_of_batches_go_once_nobody_can_doubt_them() {
    let Some(kept) = ironlatch_testkit::postgres().await else { return };
    let random = std::sync::Arc::new(ironlatch_core::ports::SystemRandom);
    let clock = std::sync::Arc::new(MovedClock::new());
    let url = DatabaseUrl(kept.url.clone());
    let database = Database::open(&url, clock.clone(), random).await.unwrap();
    for name in ["a", "b", "c"] {
        database.write(insert(name).into()).await.unwrap();
    }
    assert_eq!(database.delete_old_batches().await.unwrap(), 0);
    clock.advance(Duration::from_secs(601));
    database.write(insert("d").into()).await.unwrap();
    assert_eq!(database.delete_old_batches().await.unwrap(), 3);
    assert_eq!(database.delete_old_batches().await.unwrap(), 0);
    let left = Statement::new("SELECT id FROM batches", []);
    assert_eq!(database.read(left).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_plan_the_server_has_dropped_is_made_anew() {
    let Some((database, kept)) = fresh().await else { return };
    let read = || Statement::new("SELECT name, name_key FROM groups", []);
    database.write(insert("a").into()).await.unwrap();
    assert_eq!(database.read(read()).await.unwrap().len(), 1);
    let change = "ALTER TABLE groups ALTER COLUMN name TYPE varchar(99)";
    connect(&kept.url).await.batch_execute(change).await.unwrap();
    assert_eq!(database.read(read()).await.unwrap().len(), 1);
    assert_conflict(&database.write(super::rename("b", "x").must_change().into()).await);
}
