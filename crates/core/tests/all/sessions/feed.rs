//! The revocation feed: nothing is missed, whoever writes and whenever it commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ironlatch_core::accounts::AccountRef;
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::PresentedTokens;
use ironlatch_testkit::{PASSWORD, TestAuth, each_engine};

use super::{ADA, count, is_in, sign_in, with_ada};

const WRITERS: usize = 16;
const ROUNDS: usize = 6;

/// One writer: its own account, several sessions, ended in different ways on this node.
async fn revoke_in_turn(node: Arc<TestAuth>, number: usize) -> Vec<Token> {
    let email = format!("writer{number}@example.com");
    let account = node.account(&email).await.id;
    let mut ended = Vec::new();
    for round in 0..ROUNDS {
        let started = node.sign_in(&email, PASSWORD).await.started;
        let client = node.stranger();
        match round % 3 {
            0 => {
                let tokens = PresentedTokens {
                    body: Some(started.refresh_body.reveal()),
                    ..Default::default()
                };
                node.auth.sessions().sign_out(&tokens, &client).await.unwrap();
            }
            1 => {
                assert!(node.auth.sessions().end(account, started.session, &client).await.unwrap());
            }
            _ => {
                node.auth.accounts().disable(&AccountRef::Id(account)).await.unwrap();
                node.auth.accounts().enable(&AccountRef::Id(account)).await.unwrap();
            }
        }
        ended.push(started.access);
    }
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_misses_none_of_what_sixteen_writers_revoke_at_once() {
    each_engine(async |url| {
        let first = Arc::new(TestAuth::on(&url).await);
        let second = Arc::new(first.second_node().await);
        let listener = Arc::new(first.second_node().await);
        for number in 0..WRITERS {
            first.verified_account(&format!("writer{number}@example.com")).await;
        }
        first.verified_account(ADA).await;
        let bystander = sign_in(&first).await.started.access;

        let stop = Arc::new(AtomicBool::new(false));
        let polling = tokio::spawn({
            let (listener, stop) = (Arc::clone(&listener), Arc::clone(&stop));
            async move {
                let mut polls = 0;
                while !stop.load(Ordering::SeqCst) {
                    listener.auth.sessions().poll_feed().await.unwrap();
                    polls += 1;
                }
                polls
            }
        });
        let writers = (0..WRITERS).map(|number| {
            let node = if number % 2 == 0 { &first } else { &second };
            tokio::spawn(revoke_in_turn(Arc::clone(node), number))
        });
        let mut ended = Vec::new();
        for writer in futures_util::future::join_all(writers).await {
            ended.extend(writer.unwrap());
        }
        stop.store(true, Ordering::SeqCst);
        let polls: i32 = polling.await.unwrap();
        assert!(polls > 1, "the listener polled between commits");
        listener.auth.sessions().poll_feed().await.unwrap();

        assert_eq!(ended.len(), WRITERS * ROUNDS);
        for token in &ended {
            let answer = listener.auth.sessions().check(token.reveal()).await;
            assert!(answer.is_err(), "a revocation was missed");
        }
        assert!(listener.auth.sessions().check(bystander.reveal()).await.is_ok());
        let numbered = "SELECT n - (SELECT count(*) FROM revocations) FROM revocation_feed";
        assert_eq!(count(&first, numbered).await, 0, "every number has its row");
    })
    .await;
}

#[tokio::test]
async fn a_node_that_starts_later_knows_what_was_revoked_before() {
    with_ada(async |test| {
        let gone = sign_in(&test).await.started;
        let kept = sign_in(&test).await.started;
        let tokens = PresentedTokens { bearer: Some(gone.access.reveal()), ..Default::default() };
        test.auth.sessions().sign_out(&tokens, &test.stranger()).await.unwrap();
        let late = test.second_node().await;
        assert!(late.auth.sessions().check(gone.access.reveal()).await.is_err());
        assert!(late.auth.sessions().check(kept.access.reveal()).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn ending_all_others_spares_the_one_and_those_that_begin_later() {
    with_ada(async |test| {
        let other = test.second_node().await;
        let first = sign_in(&test).await.started;
        let mine = sign_in(&test).await;
        let present = test.auth.sessions().check(mine.started.access.reveal()).await.unwrap();
        let client = test.stranger();
        test.auth.sign_in().end_other_sessions(&present, &client).await.unwrap();
        // At the same microsecond: no clock tells them apart.
        let later = sign_in(&test).await;
        for node in [&test, &other] {
            assert!(!is_in(node, &first.access).await);
            assert!(is_in(node, &mine.started.access).await);
            assert!(is_in(node, &later.started.access).await);
        }
        let present = test.auth.sessions().check(later.started.access.reveal()).await.unwrap();
        test.auth.sign_in().end_other_sessions(&present, &client).await.unwrap();
        for node in [&test, &other] {
            assert!(!is_in(node, &mine.started.access).await, "an exception holds once");
            assert!(is_in(node, &later.started.access).await);
        }
    })
    .await;
}

#[tokio::test]
async fn a_database_that_went_back_is_read_anew() {
    with_ada(async |test| {
        let kept = sign_in(&test).await.started;
        let gone = sign_in(&test).await.started;
        let tokens = PresentedTokens { bearer: Some(gone.access.reveal()), ..Default::default() };
        test.auth.sessions().sign_out(&tokens, &test.stranger()).await.unwrap();
        assert!(!is_in(&test, &gone.access).await);
        let statements = [
            "DELETE FROM revocations",
            "UPDATE revocation_feed SET n = 0",
            "UPDATE sessions SET revoked_at = NULL",
        ];
        for sql in statements {
            let statement = ironlatch_core::database::Statement::new(sql, []);
            test.auth.database().write(statement.into()).await.unwrap();
        }
        assert!(is_in(&test, &kept.access).await);
        assert!(is_in(&test, &gone.access).await, "the older database does not know of it");
        let tokens = PresentedTokens { bearer: Some(kept.access.reveal()), ..Default::default() };
        test.auth.sessions().sign_out(&tokens, &test.stranger()).await.unwrap();
        assert!(!is_in(&test, &kept.access).await, "what is revoked from now on is heard");
    })
    .await;
}

#[tokio::test]
async fn a_node_whose_clock_is_not_the_databases_is_not_ready() {
    each_engine(async |url| {
        let right = TestAuth::builder().database(&url).real_clock().build().await;
        assert!(right.auth.sessions().is_ready());
        // The moved clock stands at the beginning of a year.
        let wrong = TestAuth::on(&url).await;
        let is_embedded = wrong.auth.database().engine() == "sqlite";
        assert_eq!(wrong.auth.sessions().is_ready(), is_embedded, "one machine has one clock");
    })
    .await;
}
