//! Checking access tokens: expiry, endings, accounts, and what is never looked up.

use ironlatch_core::accounts::AccountRef;
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::{CheckError, PresentedTokens};
use ironlatch_core::sign_in::{Arrival, PasswordAttempt, Previous};
use ironlatch_core::time::{days, minutes, seconds};
use ironlatch_core::tokens::TokenError;
use ironlatch_testkit::{PASSWORD, address};

use super::{ADA, count, is_in, sign_in, with_ada};

#[tokio::test]
async fn an_access_token_is_good_until_the_second_it_expires_in() {
    with_ada(async |test| {
        let started = sign_in(&test).await.started;
        test.clock.advance(minutes(15).saturating_sub(seconds(1)));
        assert!(is_in(&test, &started.access).await);
        test.clock.advance(seconds(1));
        let over = test.auth.sessions().check(started.access.reveal()).await;
        assert!(matches!(over, Err(CheckError::Token(TokenError::Expired))));
    })
    .await;
}

#[tokio::test]
async fn disabling_is_seen_by_the_next_check_here_and_by_the_next_poll_elsewhere() {
    with_ada(async |test| {
        let other = test.second_node().await;
        let started = sign_in(&test).await.started;
        assert!(is_in(&test, &started.access).await);
        assert!(is_in(&other, &started.access).await);
        let ada = AccountRef::Id(test.account(ADA).await.id);
        test.auth.accounts().disable(&ada).await.unwrap();
        let here = test.auth.sessions().check(started.access.reveal()).await;
        assert!(matches!(here, Err(CheckError::AccountDisabled)), "{here:?}");
        other.auth.sessions().poll_feed().await.unwrap();
        let there = other.auth.sessions().check(started.access.reveal()).await;
        assert!(matches!(there, Err(CheckError::AccountDisabled)), "{there:?}");
        test.auth.accounts().enable(&ada).await.unwrap();
        let after = test.auth.sessions().check(started.access.reveal()).await;
        assert!(matches!(after, Err(CheckError::Token(TokenError::Invalid))), "{after:?}");
    })
    .await;
}

#[tokio::test]
async fn a_change_of_the_account_shows_at_once_here_and_after_a_poll_elsewhere() {
    with_ada(async |test| {
        let other = test.second_node().await;
        let started = sign_in(&test).await.started;
        let role = async |node: &ironlatch_testkit::TestAuth| {
            let present = node.auth.sessions().check(started.access.reveal()).await.unwrap();
            present.account.role.clone()
        };
        assert_eq!((role(&test).await, role(&other).await), ("user".into(), "user".into()));
        let ada = AccountRef::Id(test.account(ADA).await.id);
        test.auth.accounts().set_role(&ada, "admin").await.unwrap();
        assert_eq!(role(&test).await, "admin");
        other.auth.sessions().poll_feed().await.unwrap();
        assert_eq!(role(&other).await, "admin");
    })
    .await;
}

#[tokio::test]
async fn a_check_reads_no_database_while_the_account_is_cached() {
    with_ada(async |test| {
        let started = sign_in(&test).await.started;
        assert!(is_in(&test, &started.access).await);
        // Behind our back, as nothing of ours does it: only a read would notice.
        let behind = ironlatch_core::database::Statement::new(
            "UPDATE accounts SET role = 'admin' WHERE role = 'user'",
            [],
        );
        test.auth.database().write(behind.into()).await.unwrap();
        test.clock.advance(seconds(59));
        let cached = test.auth.sessions().check(started.access.reveal()).await.unwrap();
        assert_eq!(cached.account.role, "user");
        test.clock.advance(seconds(1));
        let anew = test.auth.sessions().check(started.access.reveal()).await.unwrap();
        assert_eq!(anew.account.role, "admin", "a minute is the longest");
    })
    .await;
}

#[tokio::test]
async fn signing_out_ends_the_session_by_whichever_token_comes() {
    with_ada(async |test| {
        for which in 0..3 {
            let started = sign_in(&test).await.started;
            let bystander = sign_in(&test).await.started;
            // Expired access tokens and old refresh tokens of the session count too.
            test.clock.advance(minutes(15) + seconds(30));
            let presented = match which {
                0 => {
                    PresentedTokens { bearer: Some(started.access.reveal()), ..Default::default() }
                }
                1 => PresentedTokens {
                    cookie: Some(started.refresh_cookie.reveal()),
                    ..Default::default()
                },
                _ => PresentedTokens {
                    body: Some(started.refresh_body.reveal()),
                    bearer: Some("nobody's"),
                    cookie: Some("nobody's"),
                    ..Default::default()
                },
            };
            let chain = ironlatch_core::tokens::Chain::Body;
            let fresh = super::refresh(&test, &started.refresh_body, chain).await.unwrap();
            let client = test.stranger();
            test.auth.sessions().sign_out(&presented, &client).await.unwrap();
            assert!(!is_in(&test, &fresh.access).await, "the way {which}");
            let others = super::refresh(&test, &bystander.refresh_body, chain).await;
            assert!(others.is_ok());

            let feed = count(&test, "SELECT n FROM revocation_feed").await;
            let entries = count(&test, "SELECT count(*) FROM audit_entries").await;
            test.auth.sessions().sign_out(&presented, &client).await.unwrap();
            assert_eq!(count(&test, "SELECT n FROM revocation_feed").await, feed, "once");
            assert_eq!(count(&test, "SELECT count(*) FROM audit_entries").await, entries, "once");
        }
    })
    .await;
}

#[test]
fn presented_tokens_are_not_printed() {
    let presented =
        PresentedTokens { bearer: Some("s3cret"), cookie: Some("s3cret"), ..Default::default() };
    let printed = format!("{presented:?}");
    assert_eq!(
        printed,
        "PresentedTokens { bearer: true, cookie: true, body: false, session: false }"
    );
}

#[tokio::test]
async fn the_list_shows_live_sessions_newest_first_and_one_can_be_ended() {
    with_ada(async |test| {
        let ada = test.account(ADA).await.id;
        let old = sign_in(&test).await.started;
        test.clock.advance(minutes(5));
        let new = sign_in(&test).await.started;
        test.clock.advance(minutes(1));
        assert!(is_in(&test, &old.access).await);
        let sessions = test.auth.sessions();
        let listed = sessions.list(ada).await.unwrap();
        let ids: Vec<_> = listed.iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [new.session, old.session]);
        assert_eq!(listed[1].last_used_at, test.now(), "known before it is written");
        assert_eq!(listed[0].amr, ["pwd"]);
        sessions.flush_last_use().await.unwrap();
        let written = "SELECT max(last_used_at) FROM sessions";
        assert_eq!(count(&test, written).await, test.now().micros());

        let eve = test.verified_account("eve@example.com").await.id;
        let client = test.stranger();
        assert!(!sessions.end(eve, old.session, &client).await.unwrap(), "not hers");
        assert!(sessions.end(ada, old.session, &client).await.unwrap());
        assert!(!sessions.end(ada, old.session, &client).await.unwrap());
        assert!(!is_in(&test, &old.access).await);
        assert!(is_in(&test, &new.access).await);
        assert_eq!(sessions.list(ada).await.unwrap().len(), 1);
        test.clock.advance(days(14));
        assert!(sessions.list(ada).await.unwrap().is_empty(), "idle ones are not live");
    })
    .await;
}

#[tokio::test]
async fn a_session_left_for_another_sign_in_says_so() {
    with_ada(async |test| {
        test.verified_account("eve@example.com").await;
        let left = test.sign_in("eve@example.com", PASSWORD).await.started;
        let over = PasswordAttempt {
            identifier: address(ADA).into(),
            password: Token::new(PASSWORD.to_owned()),
            expects_second_factor: false,
            arrival: Arrival {
                previous: Previous::Refresh(left.refresh_cookie.clone()),
                ..Arrival::new(test.stranger())
            },
        };
        test.auth.sign_in().with_password(over).await.expect("Ada gets in");
        assert!(!is_in(&test, &left.access).await);
        let replaced = "SELECT count(*) FROM sessions WHERE revoked_because = 'replaced'";
        assert_eq!(count(&test, replaced).await, 1);
    })
    .await;
}
