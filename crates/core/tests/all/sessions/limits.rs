//! What keeps the tables small.

use std::time::Duration;

use ironlatch_core::sessions::RefreshError;
use ironlatch_core::time::{days, hours, minutes, seconds};
use ironlatch_core::tokens::Chain;
use ironlatch_testkit::TestAuth;
use tokio_postgres::{NoTls, connect};

use super::{ADA, count, is_in, refresh, sign_in, with_ada};

#[tokio::test]
async fn the_hundred_and_first_session_ends_the_oldest() {
    with_ada(async |test| {
        let mut all = Vec::new();
        for _ in 0..100 {
            all.push(sign_in(&test).await.started);
            test.clock.advance(seconds(1));
        }
        assert!(is_in(&test, &all[0].access).await);
        // At the same microsecond, as two sign-ins may be.
        all.push(sign_in(&test).await.started);
        all.push(sign_in(&test).await.started);
        for (n, started) in all.iter().enumerate() {
            assert_eq!(is_in(&test, &started.access).await, n >= 2, "session {n}");
        }
        let refused = refresh(&test, &all[0].refresh_body, Chain::Body).await;
        assert!(matches!(refused, Err(RefreshError::Revoked)));
        let ada = test.account(ADA).await.id;
        assert_eq!(test.auth.sessions().list(ada).await.unwrap().len(), 100);
        let told = "SELECT count(*) FROM revocations WHERE kind = 'session'";
        assert_eq!(count(&test, told).await, 2);
    })
    .await;
}

#[tokio::test]
async fn ended_sessions_and_heard_revocations_are_swept_in_small_batches() {
    with_ada(async |test| {
        let sessions = test.auth.sessions();
        let ada = test.account(ADA).await.id;
        let client = test.stranger();
        let kept = sign_in(&test).await.started;
        for _ in 0..5 {
            let id = sign_in(&test).await.started.session;
            assert!(sessions.end(ada, id, &client).await.unwrap());
        }
        assert_eq!(sessions.sweep(100).await.unwrap(), 0, "nothing is over yet");
        // A cookie of the `users` door holds an access token for a day, and is refused as long.
        test.clock.advance(hours(24));
        assert_eq!(sessions.sweep(100).await.unwrap(), 0, "still to be refused");
        test.clock.advance(minutes(2));
        assert_eq!(sessions.sweep(2).await.unwrap(), 2);
        while sessions.sweep(2).await.unwrap() > 0 {}
        assert_eq!(count(&test, "SELECT count(*) FROM revocations").await, 0);
        assert_eq!(count(&test, "SELECT count(*) FROM sessions").await, 6);
        test.clock.advance(days(7));
        while sessions.sweep(2).await.unwrap() > 0 {}
        assert_eq!(count(&test, "SELECT count(*) FROM sessions").await, 1);
        assert_eq!(count(&test, "SELECT count(*) FROM session_chains").await, 2);
        refresh(&test, &kept.refresh_body, Chain::Body).await.expect("a live one stays");
    })
    .await;
}

/// READ COMMITTED checks a row that somebody else changes meanwhile once more, but only by the
/// conditions outside the sub-select that chose it.
#[tokio::test]
async fn a_sweep_spares_rows_that_change_while_it_waits_for_them() {
    let Some(database) = ironlatch_testkit::postgres().await else { return };
    let test = TestAuth::on(&database.url).await;
    test.verified_account(ADA).await;
    let client = test.stranger();
    let ada = test.account(ADA).await.id;
    for (change, table) in [
        ("UPDATE sessions SET ends_at = ends_at + 1000000000000", "sessions"),
        ("UPDATE revocations SET expires_at = expires_at + 1000000000000", "revocations"),
    ] {
        let over = sign_in(&test).await.started.session;
        assert!(test.auth.sessions().end(ada, over, &client).await.unwrap());
        test.clock.advance(days(8));
        let (mut other, connection) = connect(&database.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let changing = other.transaction().await.unwrap();
        let changed = changing.execute(change, &[]).await.unwrap();
        let auth = test.auth.clone();
        let sweep = tokio::spawn(async move { auth.sessions().sweep(10).await });
        let waiting = "SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while count(&test, waiting).await == 0 {
            assert!(!sweep.is_finished(), "it has something to wait for");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        changing.commit().await.unwrap();
        sweep.await.unwrap().unwrap();
        let left = format!("SELECT count(*) FROM {table}");
        let left: i64 = other.query_one(&left, &[]).await.unwrap().get(0);
        assert_eq!(u64::try_from(left).unwrap(), changed, "{table}");
    }
}
