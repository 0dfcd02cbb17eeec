//! `/users/*` and `/user/*`: a code before the account exists, a session that is a cookie, and
//! an envelope around every answer.

pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod signed_in;
pub(crate) mod signup;
pub(crate) mod verification;
pub(crate) mod who_am_i;

use axum::response::Response;
use http::StatusCode;
use ironlatch_core::accounts::Username;
use serde::Serialize;

use crate::api::answer;
use crate::problem::Problem;
use crate::request::fields::Fields;

/// The contract's column for names.
const LONGEST_NAME: usize = 50;

/// What every answer of the contract is in.
#[derive(Serialize)]
struct Envelope {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
}

/// It worked, and there is nothing to say.
fn done() -> Response {
    answer::json(StatusCode::OK, &Envelope { success: true, detail: None })
}

/// A refusal that only this contract knows; its clients look at `success`, whatever the status.
fn refused(status: StatusCode, detail: &'static str) -> Response {
    answer::json(status, &Envelope { success: false, detail: Some(detail) })
}

/// The values of a body. Lists, `null` and nothing at all hold none.
fn values(fields: Result<Fields, Problem>) -> Result<Fields, Problem> {
    match fields {
        Err(Problem::NoData | Problem::NotADictionary(_)) => Ok(Fields::empty()),
        fields => fields,
    }
}

/// A name as the contract has them.
fn username(fields: &mut Fields) -> Option<Username> {
    let username = fields.username("username")?;
    if username.as_typed().chars().count() > LONGEST_NAME {
        let sentence = format!("Ensure this field has no more than {LONGEST_NAME} characters.");
        fields.mistake("username", sentence);
        return None;
    }
    Some(username)
}
