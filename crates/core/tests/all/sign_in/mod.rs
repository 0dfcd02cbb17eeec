//! The ways in: password sign-in, sign-up, links, and what the first proof of an address does.

mod address_change;
mod application_calls;
mod ended_meanwhile;
mod first_proof;
mod limits;
mod matrix;
mod owner;
mod phone_change;
mod second_factor;
mod seen;
mod sign_up;
mod sign_up_code;
mod social;
mod with_code;

use std::time::Duration;

use ironlatch_core::accounts::{AccountRef, Username};
use ironlatch_core::client::Client;
use ironlatch_core::credentials::password::PasswordProblem;
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::{CheckError, Door};
use ironlatch_core::sign_in::{
    Arrival, Evidence, LinkError, OwnerError, PasswordAttempt, Previous, SignIn, SignInError,
    SignUp, SignUpError, SignedIn, Step, Verification,
};
use ironlatch_core::time::{Timestamp, days, hours, minutes, seconds};
use ironlatch_core::tokens::Chain;
use ironlatch_testkit::{PASSWORD, TestAuth, address, each_auth, each_engine};

const ADA: &str = "ada@example.com";
const NEW: &str = "a rather different one";

fn secret(text: &str) -> Token {
    Token::new(text.to_owned())
}

async fn attempt(test: &TestAuth, password: &str, client: Client) -> Result<SignedIn, SignInError> {
    let attempt = PasswordAttempt {
        identifier: address(ADA).into(),
        password: secret(password),
        expects_second_factor: false,
        arrival: Arrival::new(client),
    };
    let Step::SignedIn(signed_in) = test.auth.sign_in().with_password(attempt).await? else {
        panic!("nobody enrolled a second factor")
    };
    Ok(*signed_in)
}

async fn change(
    test: &TestAuth,
    mine: &SignedIn,
    current: &str,
    new: &str,
) -> Result<(), OwnerError> {
    let present = test.auth.sessions().check(mine.started.access.reveal()).await.unwrap();
    let (current, new) = (secret(current), secret(new));
    test.auth.sign_in().change_password(&present, Some(&current), &new, &test.stranger()).await
}

async fn works(test: &TestAuth, signed_in: &SignedIn) -> bool {
    test.auth.sessions().check(signed_in.started.access.reveal()).await.is_ok()
}
