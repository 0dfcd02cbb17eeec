//! Touches of accounts: the first, later ones, and races for a new source.

use ironlatch_core::ports::Token;
use ironlatch_core::sign_in::{Arrival, PasswordAttempt, SignUp, Step};
use ironlatch_core::sources::{Day, SourceCount, SourceHint, Wish};
use ironlatch_core::time::{days, seconds};
use ironlatch_testkit::{PASSWORD, TestAuth, address, each_auth};

const PAGE: &str = "https://news.example/a";

fn arrival(test: &TestAuth, url: &str) -> Arrival {
    let source = SourceHint { source_url: Some(url.to_owned()), ..SourceHint::default() };
    Arrival { source, ..Arrival::new(test.stranger()) }
}

fn wish(test: &TestAuth, email: &str, url: &str) -> SignUp {
    SignUp {
        username: None,
        email: address(email),
        name: None,
        password: Token::new(PASSWORD.to_owned()),
        arrival: arrival(test, url),
    }
}

async fn sign_in(test: &TestAuth, email: &str, url: &str) {
    let attempt = PasswordAttempt {
        identifier: address(email).into(),
        password: Token::new(PASSWORD.to_owned()),
        expects_second_factor: false,
        arrival: arrival(test, url),
    };
    let step = test.auth.sign_in().with_password(attempt).await.unwrap();
    assert!(matches!(step, Step::SignedIn(_)));
}

async fn top(test: &TestAuth) -> Vec<SourceCount> {
    let wish = Wish { limit: Some(1_000), ..Wish::default() };
    test.auth.sources().top(&wish).await.unwrap().rows
}

async fn counts(test: &TestAuth, wish: &Wish) -> Vec<(String, i64, i64)> {
    let rows = test.auth.sources().over_period(wish).await.unwrap().rows.into_iter();
    rows.map(|row| (row.source.url, row.users, row.sign_ups)).collect()
}

#[tokio::test]
async fn fifty_who_come_first_from_one_page_share_one_source() {
    each_auth(async |test| {
        let all = (0..50).map(|n| {
            let (auth, email) = (test.auth.clone(), format!("p{n}@example.com"));
            let wish = wish(&test, &email, PAGE);
            tokio::spawn(async move { auth.sign_in().sign_up(wish).await })
        });
        for answer in futures_util::future::join_all(all).await {
            answer.unwrap().unwrap();
        }
        let top = top(&test).await;
        assert_eq!(top.len(), 1);
        assert_eq!((top[0].users, top[0].sign_ups), (50, 50));
    })
    .await;
}

#[tokio::test]
async fn the_first_touch_stays_and_later_ones_come_once_each() {
    each_auth(async |test| {
        test.auth.sign_in().sign_up(wish(&test, "ada@example.com", PAGE)).await.unwrap();
        test.clock.advance(days(1));
        for url in [PAGE, "https://b.example", PAGE, "https://b.example/", "javascript:1"] {
            sign_in(&test, "ada@example.com", url).await;
        }
        let all = counts(&test, &Wish::default()).await;
        assert_eq!(all, [(PAGE.to_owned(), 1, 1), ("https://b.example".to_owned(), 1, 0)]);
        // A period's day begins at its first moment and ends with its last.
        let today = Day::of(test.now());
        let day = |day| Wish { from: Some(day), to: Some(day), ..Wish::default() };
        assert_eq!(counts(&test, &day(today.plus(-1))).await, [(PAGE.to_owned(), 1, 1)]);
        assert_eq!(counts(&test, &day(today)).await, [("https://b.example".to_owned(), 1, 0)]);
        assert_eq!(counts(&test, &day(today.plus(1))).await, []);
        for n in 0..30 {
            sign_in(&test, "ada@example.com", &format!("https://{n}.example")).await;
        }
        let linked: i64 = top(&test).await.iter().map(|row| row.users).sum();
        assert_eq!(linked, 20, "H10: of one account");
    })
    .await;
}

#[tokio::test]
async fn days_end_at_midnight_utc() {
    each_auth(async |test| {
        let day = Day::of(test.now());
        test.clock.set(day.plus(1).begins_at().minus(seconds(1)));
        test.auth.sign_in().sign_up(wish(&test, "a@example.com", PAGE)).await.unwrap();
        test.clock.set(day.plus(1).begins_at());
        test.auth.sign_in().sign_up(wish(&test, "b@example.com", PAGE)).await.unwrap();
        let daily = test.auth.sources().daily(&Wish::default()).await.unwrap();
        let daily: Vec<_> = daily.rows.iter().map(|row| (row.day, row.sign_ups)).collect();
        assert_eq!(daily, [(day, 1), (day.plus(1), 1)]);
    })
    .await;
}

#[tokio::test]
async fn a_source_goes_after_the_accounts_it_brought() {
    each_auth(async |test| {
        test.auth.sign_in().sign_up(wish(&test, "never@example.com", PAGE)).await.unwrap();
        test.clock.advance(days(91));
        assert_eq!(test.auth.sources().sweep(100).await.unwrap(), 0, "an account is linked");
        assert_eq!(test.auth.accounts().sweep_never_proven(100).await.unwrap(), 1);
        assert_eq!(test.auth.sources().sweep(100).await.unwrap(), 1);
        assert_eq!(top(&test).await, []);
    })
    .await;
}
