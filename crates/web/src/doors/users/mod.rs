//! `/api/users/*`: an access token in a cookie, two-step sign-in, and a client that reads the
//! first key of every error as a list.

pub(crate) mod account;
pub(crate) mod around;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod password;
pub(crate) mod register;
pub(crate) mod second_factor;
pub(crate) mod signed_in;

use std::borrow::Cow;
use std::time::Duration;

use ironlatch_core::time::minutes;
use serde::Serialize;

use crate::problem::Problem;

/// How long ago a sign-in may be for acts that the client asks no password for.
const RECENT: Duration = minutes(10);

/// The contract's answer to most acts.
#[derive(Serialize)]
pub(crate) struct Message {
    pub(crate) message: &'static str,
}

/// A refusal in one sentence, in the contract's form.
fn refused(sentence: impl Into<Cow<'static, str>>) -> Problem {
    Problem::about("error", sentence)
}
