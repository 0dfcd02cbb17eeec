//! Sessions that are used from elsewhere, and what their owner hears of it.

use std::net::{IpAddr, Ipv4Addr};

use ironlatch_core::ports::Token;
use ironlatch_core::sessions::{Refreshed, Started};
use ironlatch_core::sign_in::{Arrival, PasswordAttempt, Step};
use ironlatch_core::time::{minutes, seconds};
use ironlatch_core::tokens::Chain;
use ironlatch_testkit::{PASSWORD, TestAuth, address, client};

use super::{ADA, count, with_ada};

const HOME: u8 = 1;
const CAFE: u8 = 2;
const TRAIN: u8 = 3;
const OFFICE: u8 = 4;

fn place(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, number).into()
}

async fn sign_in_at(test: &TestAuth, email: &str, number: u8) -> Started {
    let attempt = PasswordAttempt {
        identifier: address(email).into(),
        password: Token::new(PASSWORD.to_owned()),
        expects_second_factor: false,
        arrival: Arrival::new(client(place(number))),
    };
    let Step::SignedIn(done) = test.auth.sign_in().with_password(attempt).await.unwrap() else {
        panic!("nobody enrolled a second factor")
    };
    done.started
}

async fn refresh_at(test: &TestAuth, token: &Token, number: u8) -> Refreshed {
    let sessions = test.auth.sessions();
    sessions.refresh(token.reveal(), Chain::Body, &client(place(number))).await.unwrap()
}

async fn notices(test: &TestAuth) -> i64 {
    count(test, "SELECT count(*) FROM messages WHERE template = 'new_network'").await
}

#[tokio::test]
async fn the_owner_is_told_once_of_each_new_network_a_session_is_used_from() {
    with_ada(async |test| {
        let mine = sign_in_at(&test, ADA, HOME).await;
        test.clock.advance(minutes(15));
        let second = refresh_at(&test, &mine.refresh_body, HOME).await;
        assert_eq!(notices(&test).await, 0, "it began here");
        refresh_at(&test, &second.refresh, CAFE).await;
        assert_eq!(notices(&test).await, 0, "answered with itself: nothing is written");

        test.clock.advance(minutes(15));
        let third = refresh_at(&test, &second.refresh, CAFE).await;
        assert_eq!(notices(&test).await, 1);
        test.deliver().await;
        let mail = test.inbox.latest_about(ADA, "network");
        assert!(mail.text.contains("192.0.2.2"), "{}", mail.text);
        // A client that keeps its first token for good is a parent's holder every time.
        refresh_at(&test, &second.refresh, TRAIN).await;
        assert_eq!(notices(&test).await, 2);
        test.clock.advance(seconds(31));
        for number in [CAFE, TRAIN, HOME, TRAIN] {
            refresh_at(&test, &second.refresh, number).await;
        }
        assert_eq!(notices(&test).await, 2, "all of them are known by now");

        let other = sign_in_at(&test, ADA, OFFICE).await;
        test.clock.advance(minutes(15));
        refresh_at(&test, &other.refresh_body, TRAIN).await;
        refresh_at(&test, &third.refresh, OFFICE).await;
        assert_eq!(notices(&test).await, 2, "another session of the account knows them");
    })
    .await;
}

#[tokio::test]
async fn refreshes_from_one_new_network_at_once_tell_of_it_once() {
    with_ada(async |test| {
        let started = sign_in_at(&test, ADA, HOME).await;
        test.clock.advance(minutes(15));
        let all = (0..8).map(|_| refresh_at(&test, &started.refresh_body, CAFE));
        futures_util::future::join_all(all).await;
        assert_eq!(notices(&test).await, 1);
    })
    .await;
}

#[tokio::test]
async fn nobody_is_told_at_an_address_that_was_never_proven() {
    with_ada(async |test| {
        test.sign_up("eve@example.com").await;
        let started = sign_in_at(&test, "eve@example.com", HOME).await;
        test.clock.advance(minutes(15));
        refresh_at(&test, &started.refresh_body, CAFE).await;
        assert_eq!(notices(&test).await, 0);
    })
    .await;
}
