//! Sessions and tokens, on both engines.

mod check;
mod cookies;
mod feed;
mod keys;
mod limits;
mod networks;
mod refresh_model;
mod refresh_races;
mod tokens;

use ironlatch_core::ports::Token;
use ironlatch_core::sessions::{RefreshError, Refreshed};
use ironlatch_core::sign_in::SignedIn;
use ironlatch_core::tokens::Chain;
use ironlatch_testkit::{PASSWORD, TestAuth, client, each_engine};

const ADA: &str = "ada@example.com";

/// Runs a test on each engine, with an account to sign in to.
async fn with_ada(test: impl AsyncFn(TestAuth)) {
    each_engine(async |url| {
        let auth = TestAuth::on(&url).await;
        auth.verified_account(ADA).await;
        test(auth).await;
    })
    .await;
}

/// Signs Ada in.
async fn sign_in(test: &TestAuth) -> SignedIn {
    test.sign_in(ADA, PASSWORD).await
}

/// Refreshes as a client does that stays where it is.
async fn refresh(test: &TestAuth, token: &Token, chain: Chain) -> Result<Refreshed, RefreshError> {
    let client = client(std::net::Ipv4Addr::new(192, 0, 2, 9).into());
    test.auth.sessions().refresh(token.reveal(), chain, &client).await
}

/// Whether an access token lets its bearer in.
async fn is_in(test: &TestAuth, access: &Token) -> bool {
    test.auth.sessions().catch_up().await.expect("the feed can be read");
    test.auth.sessions().check(access.reveal()).await.is_ok()
}

/// A number the store has, by a statement without parameters.
async fn count(test: &TestAuth, sql: &'static str) -> i64 {
    let statement = ironlatch_core::database::Statement::new(sql, []);
    let row = test.auth.database().read_one(statement).await.expect("the store answers");
    row.expect("a count is a row").int(0).expect("a count is a number")
}
