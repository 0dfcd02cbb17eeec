//! Sessions that are a cookie themselves: checked by the rules of access tokens.

use ironlatch_core::accounts::AccountRef;
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::{CheckError, Door, PresentedTokens};
use ironlatch_core::sign_in::{Arrival, PasswordAttempt, Previous, SignedIn, Step};
use ironlatch_core::time::{days, hours, seconds};
use ironlatch_core::tokens::TokenError;
use ironlatch_testkit::{PASSWORD, TestAuth, address};

use super::{ADA, with_ada};

async fn through_the_door(test: &TestAuth, previous: Previous) -> SignedIn {
    let arrival = Arrival { previous, ..Arrival::new(test.stranger()).through(Door::OtpSession) };
    let attempt = PasswordAttempt {
        identifier: address(ADA).into(),
        password: Token::new(PASSWORD.to_owned()),
        expects_second_factor: false,
        arrival,
    };
    match test.auth.sign_in().with_password(attempt).await.unwrap() {
        Step::SignedIn(signed_in) => *signed_in,
        Step::SecondFactor(_) => panic!("no second factor is enrolled"),
    }
}

async fn cookie(test: &TestAuth) -> Token {
    through_the_door(test, Previous::Nothing).await.started.cookie.unwrap().0
}

async fn is_in(test: &TestAuth, cookie: &Token) -> bool {
    test.auth.sessions().check_cookie(cookie).await.is_ok()
}

#[tokio::test]
async fn a_cookie_says_who_is_there_and_how_that_was_proven() {
    with_ada(async |test| {
        let signed_in = through_the_door(&test, Previous::Nothing).await;
        let (cookie, lifetime) = signed_in.started.cookie.unwrap();
        assert_eq!(lifetime, days(30));
        let present = test.auth.sessions().check_cookie(&cookie).await.unwrap();
        assert_eq!(present.account.email.as_deref(), Some(ADA));
        assert_eq!(present.claims.session, signed_in.started.session);
        assert_eq!(present.claims.account, signed_in.account.id);
        assert_eq!(present.claims.number, signed_in.account.number);
        assert_eq!(present.claims.amr, ["pwd"]);
        assert_eq!(present.claims.auth_time, test.now().seconds());
    })
    .await;
}

#[tokio::test]
async fn what_is_no_cookie_of_ours_lets_nobody_in() {
    with_ada(async |test| {
        let real = cookie(&test).await;
        let mut other = real.reveal().to_owned();
        let first = if other.starts_with('A') { "B" } else { "A" };
        other.replace_range(..1, first);
        for wrong in ["", "x", "\u{e4}", &other, &real.reveal().repeat(2)] {
            let refused = test.auth.sessions().check_cookie(&Token::new(wrong.to_owned())).await;
            assert!(matches!(refused, Err(CheckError::Token(TokenError::Invalid))), "{refused:?}");
        }
        // Nor is what the database holds instead of it, or a token of another kind.
        let started = test.sign_in(ADA, PASSWORD).await.started;
        assert!(started.cookie.is_none());
        assert!(!is_in(&test, &started.access).await);
        assert!(is_in(&test, &real).await);
    })
    .await;
}

#[tokio::test]
async fn a_check_reads_no_database_while_its_session_is_cached() {
    with_ada(async |test| {
        let cookie = cookie(&test).await;
        assert!(is_in(&test, &cookie).await);
        // Behind our back, as nothing of ours does it: only a read would notice.
        let behind = ironlatch_core::database::Statement::new("DELETE FROM sessions", []);
        test.auth.database().write(behind.into()).await.unwrap();
        test.clock.advance(seconds(59));
        assert!(is_in(&test, &cookie).await);
        test.clock.advance(seconds(1));
        assert!(!is_in(&test, &cookie).await);
    })
    .await;
}

#[tokio::test]
async fn an_ended_cookie_is_refused_at_once_here_and_after_a_poll_elsewhere() {
    with_ada(async |test| {
        let other = test.second_node().await;
        let ada = test.account(ADA).await.id;
        for way in 0..4 {
            let signed_in = through_the_door(&test, Previous::Nothing).await;
            let (cookie, _) = signed_in.started.cookie.unwrap();
            assert!(is_in(&test, &cookie).await && is_in(&other, &cookie).await);
            let sessions = test.auth.sessions();
            let client = test.stranger();
            match way {
                0 => {
                    let tokens = PresentedTokens { session: Some(&cookie), ..Default::default() };
                    sessions.sign_out(&tokens, &client).await.unwrap();
                }
                1 => {
                    let session = signed_in.started.session;
                    assert!(sessions.end(ada, session, &client).await.unwrap());
                }
                2 => {
                    let present = sessions
                        .check(test.sign_in(ADA, PASSWORD).await.started.access.reveal())
                        .await
                        .unwrap();
                    let sign_in = test.auth.sign_in();
                    sign_in.end_other_sessions(&present, &client).await.unwrap();
                }
                _ => {
                    let ada = AccountRef::Id(ada);
                    test.auth.accounts().disable(&ada).await.unwrap();
                    let refused = sessions.check_cookie(&cookie).await;
                    assert!(matches!(refused, Err(CheckError::AccountDisabled)), "{refused:?}");
                    test.auth.accounts().enable(&ada).await.unwrap();
                }
            }
            assert!(!is_in(&test, &cookie).await, "way {way}");
            other.auth.sessions().poll_feed().await.unwrap();
            assert!(!is_in(&other, &cookie).await, "way {way}, elsewhere");
            // What is forgotten meanwhile is not let in again.
            test.clock.advance(seconds(61));
            assert!(!is_in(&test, &cookie).await && !is_in(&other, &cookie).await, "way {way}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_cached_cookie_is_gone_before_the_feed_forgets_its_end() {
    with_ada(async |test| {
        let brief = |settings: &mut ironlatch_core::settings::Settings| {
            let tokens = &mut settings.tokens;
            for lives in [
                &mut tokens.api,
                &mut tokens.codes,
                &mut tokens.users,
                &mut tokens.otp_session,
                &mut tokens.accounts,
            ] {
                lives.access = seconds(5);
            }
        };
        let node = test.node_with(brief).await;
        let cookie = cookie(&node).await;
        assert!(is_in(&node, &cookie).await);
        let tokens = PresentedTokens { session: Some(&cookie), ..Default::default() };
        node.auth.sessions().sign_out(&tokens, &node.stranger()).await.unwrap();
        for _ in 0..60 {
            node.clock.advance(seconds(1));
            node.auth.sessions().poll_feed().await.unwrap();
            assert!(!is_in(&node, &cookie).await);
        }
    })
    .await;
}

#[tokio::test]
async fn a_cookie_ends_with_its_thirty_days_or_unused_with_its_idle_time() {
    with_ada(async |test| {
        let first = cookie(&test).await;
        for _ in 0..29 {
            test.clock.advance(days(1));
            assert!(is_in(&test, &first).await);
        }
        test.clock.advance(days(1));
        assert!(!is_in(&test, &first).await);

        let node = test.node_with(|settings| settings.tokens.otp_session.idle = days(1)).await;
        let second = cookie(&node).await;
        for _ in 0..3 {
            test.clock.advance(hours(23));
            assert!(is_in(&node, &second).await);
        }
        node.auth.sessions().flush_last_use().await.unwrap();
        test.clock.advance(hours(23));
        assert!(is_in(&test.node_with(|_| ()).await, &second).await, "another node knows");
        test.clock.advance(days(1));
        assert!(!is_in(&node, &second).await);
    })
    .await;
}

#[tokio::test]
async fn every_sign_in_gives_another_cookie_and_ends_somebody_elses() {
    with_ada(async |test| {
        let first = cookie(&test).await;
        let again = through_the_door(&test, Previous::Cookie(first.clone())).await;
        let (second, _) = again.started.cookie.unwrap();
        assert_ne!(first.reveal(), second.reveal());
        assert!(is_in(&test, &first).await, "her own earlier session is hers to end");
        test.verified_account("bob@example.com").await;
        let attempt = PasswordAttempt {
            identifier: address("bob@example.com").into(),
            password: Token::new(PASSWORD.to_owned()),
            expects_second_factor: false,
            arrival: Arrival {
                previous: Previous::Cookie(second.clone()),
                ..Arrival::new(test.stranger()).through(Door::OtpSession)
            },
        };
        test.auth.sign_in().with_password(attempt).await.unwrap();
        assert!(!is_in(&test, &second).await);
    })
    .await;
}
