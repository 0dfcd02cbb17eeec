//! Many requests on one refresh token (attack F09), and what ends a session.

use std::collections::HashSet;

use ironlatch_core::sessions::RefreshError;
use ironlatch_core::time::{days, minutes, seconds};
use ironlatch_core::tokens::{Chain, RefreshClaims};
use ironlatch_testkit::TestAuth;

use super::{ADA, count, is_in, refresh, sign_in, with_ada};

const MANY: usize = 50;

#[tokio::test]
async fn of_fifty_requests_on_one_token_each_gets_its_own_until_one_is_used() {
    with_ada(async |test| {
        for chain in [Chain::Cookie, Chain::Body] {
            let started = sign_in(&test).await.started;
            let parent = match chain {
                Chain::Cookie => started.refresh_cookie,
                Chain::Body => started.refresh_body,
            };
            test.clock.advance(minutes(3));
            let requests = (0..MANY).map(|_| refresh(&test, &parent, chain));
            let answers = futures_util::future::join_all(requests).await;
            let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("F09")).collect();

            let different: HashSet<_> =
                answers.iter().map(|answer| answer.refresh.reveal()).collect();
            assert_eq!(different.len(), MANY, "no two holders get the same token");
            let generations: HashSet<_> = answers
                .iter()
                .map(|answer| {
                    let read = test.auth.tokens().read_refresh(answer.refresh.reveal(), test.now());
                    read.expect("the token is good").generation
                })
                .collect();
            let last = i64::try_from(MANY).unwrap() + 1;
            assert_eq!(generations, (2..=last).collect(), "no UPDATE was lost or made twice");

            for answer in &answers {
                assert!(is_in(&test, &answer.access).await);
                let again = refresh(&test, &answer.refresh, chain).await.expect("it works");
                assert_eq!(again.refresh, answer.refresh, "within the burst it stays the same");
            }
            test.clock.advance(seconds(31));
            let used = refresh(&test, &answers[7].refresh, chain).await.expect("one is used");
            let sibling = refresh(&test, &answers[8].refresh, chain).await;
            assert!(matches!(sibling, Err(RefreshError::Revoked)), "the others are dead");
            assert!(!is_in(&test, &used.access).await, "and end the session");
            let winner = refresh(&test, &used.refresh, chain).await;
            assert!(matches!(winner, Err(RefreshError::Revoked)));
        }
    })
    .await;
}

#[tokio::test]
async fn fifty_uses_of_siblings_at_once_let_one_through_and_end_the_session() {
    with_ada(async |test| {
        let started = sign_in(&test).await.started;
        test.clock.advance(minutes(3));
        let mut siblings = Vec::new();
        for _ in 0..10 {
            siblings.push(refresh(&test, &started.refresh_body, Chain::Body).await.unwrap());
        }
        test.clock.advance(seconds(31));
        let uses = siblings.iter().map(|sibling| refresh(&test, &sibling.refresh, Chain::Body));
        let answers = futures_util::future::join_all(uses).await;
        assert!(answers.iter().filter(|answer| answer.is_ok()).count() <= 1);
        for answer in &answers {
            assert!(matches!(answer, Ok(_) | Err(RefreshError::Revoked)), "{answer:?}");
            if let Ok(answer) = answer {
                assert!(!is_in(&test, &answer.access).await);
            }
        }
        test.deliver().await;
        let notices = test.inbox.to(ADA).len();
        let recorded = "SELECT count(*) FROM audit_entries WHERE event = 'token_theft_suspected'";
        assert_eq!(count(&test, recorded).await, 1, "recorded once");
        let ended = "SELECT count(*) FROM messages WHERE template = 'token_theft'";
        assert_eq!(count(&test, ended).await, 1, "told once, among {notices} mails");
    })
    .await;
}

#[tokio::test]
async fn the_chains_of_a_session_know_nothing_of_each_other() {
    with_ada(async |test| {
        let started = sign_in(&test).await.started;
        let crossed = refresh(&test, &started.refresh_cookie, Chain::Body).await;
        assert!(matches!(crossed, Err(RefreshError::Invalid)));
        let crossed = refresh(&test, &started.refresh_body, Chain::Cookie).await;
        assert!(matches!(crossed, Err(RefreshError::Invalid)));
        for _ in 0..3 {
            test.clock.advance(minutes(3));
            let body = refresh(&test, &started.refresh_body, Chain::Body).await.unwrap();
            assert_ne!(body.refresh, started.refresh_body);
        }
        let cookie = refresh(&test, &started.refresh_cookie, Chain::Cookie).await.unwrap();
        assert!(is_in(&test, &cookie.access).await);
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_when_it_lies_idle_and_in_any_case_after_ninety_days() {
    with_ada(async |test| {
        let idle = sign_in(&test).await.started;
        test.clock.advance(days(14).saturating_sub(seconds(1)));
        let fresh = refresh(&test, &idle.refresh_body, Chain::Body).await.unwrap();
        assert_eq!(fresh.refresh_lifetime, days(14));
        test.clock.advance(days(14));
        let over = refresh(&test, &fresh.refresh, Chain::Body).await;
        assert!(matches!(over, Err(RefreshError::Expired)));

        let mut kept = sign_in(&test).await.started.refresh_body;
        for _ in 0..8 {
            test.clock.advance(days(11));
            kept = refresh(&test, &kept, Chain::Body).await.unwrap().refresh;
        }
        test.clock.advance(days(1));
        let last = refresh(&test, &kept, Chain::Body).await.unwrap();
        assert_eq!(last.refresh_lifetime, days(1), "no token outlives its session");
        test.clock.advance(days(1));
        let over = refresh(&test, &last.refresh, Chain::Body).await;
        assert!(matches!(over, Err(RefreshError::Expired)));
    })
    .await;
}

#[tokio::test]
async fn a_token_newer_than_the_database_ends_the_session_without_a_notice_of_theft() {
    with_ada(async |test| {
        let started = sign_in(&test).await.started;
        let read = test.auth.tokens().read_refresh(started.refresh_body.reveal(), test.now());
        let newer = RefreshClaims { generation: 9, ..read.unwrap() };
        let newer = test.auth.tokens().write_refresh(&newer).unwrap();
        let refused = refresh(&test, &newer, Chain::Body).await;
        assert!(matches!(refused, Err(RefreshError::Revoked)));
        assert!(!is_in(&test, &started.access).await);
        let recorded = "SELECT count(*) FROM audit_entries WHERE event = 'token_from_the_future'";
        assert_eq!(count(&test, recorded).await, 1);
        let told = "SELECT count(*) FROM messages WHERE template = 'token_theft'";
        assert_eq!(count(&test, told).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_account_gets_nothing_from_its_refresh_tokens() {
    with_ada(async |test: TestAuth| {
        let ada = test.account(ADA).await.id;
        let started = sign_in(&test).await.started;
        let operator = ironlatch_core::accounts::AccountRef::Id(ada);
        test.auth.accounts().disable(&operator).await.unwrap();
        for (token, chain) in
            [(&started.refresh_cookie, Chain::Cookie), (&started.refresh_body, Chain::Body)]
        {
            let refused = refresh(&test, token, chain).await;
            assert!(matches!(refused, Err(RefreshError::Inactive)), "C14: {refused:?}");
        }
        test.auth.accounts().enable(&operator).await.unwrap();
        let refused = refresh(&test, &started.refresh_body, Chain::Body).await;
        assert!(matches!(refused, Err(RefreshError::Revoked)), "it does not come back");
    })
    .await;
}
