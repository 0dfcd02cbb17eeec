//! `/accounts/*`: addresses proven by link before the first sign-in, tokens in the body,
//! sessions that one can list and end.

pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod password;
pub(crate) mod protected;
pub(crate) mod refresh;
pub(crate) mod sessions;
pub(crate) mod signup;
pub(crate) mod verify_email;

use ironlatch_core::ports::Token;
use serde::Serialize;

use crate::problem::Problem;
use crate::request::fields::Fields;

/// The contract's answer to most acts.
#[derive(Serialize)]
pub(crate) struct Message {
    pub(crate) message: &'static str,
}

/// The body's refresh token; what is no text, and a blank, is as good as none.
fn refresh_token(mut fields: Fields) -> Result<Token, Problem> {
    let token = fields.optional_text("refresh_token").filter(|token| !token.is_empty());
    token.map(Token::new).ok_or(Problem::NoRefreshToken)
}
