//! `/api/users/*`: an access token in a cookie, two-step sign-in, and a client that reads the
//! first key of every error as a list.

pub(crate) mod around;
pub(crate) mod logout;
pub(crate) mod signed_in;

use serde::Serialize;

/// The contract's answer to most acts.
#[derive(Serialize)]
pub(crate) struct Message {
    pub(crate) message: &'static str,
}
