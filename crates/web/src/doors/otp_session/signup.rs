//! `POST /users/signup/`: asks for a code.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Arrival, SignUpCodeRequest, SignUpError};
use serde::Serialize;

use super::{refused, username, values};
use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::doors::arrival;
use crate::problem::{Explain, Problem};
use crate::request::caller::Caller;
use crate::request::fields::Fields;
use crate::request::source::CameFrom;

#[derive(Serialize)]
struct Sent<'a> {
    success: bool,
    detail: &'static str,
    email: &'a str,
}

/// Mails a code that makes the account. A taken address gets the same answer; its owner a mail.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    came_from: CameFrom,
    fields: Result<Fields, Problem>,
) -> ApiResult {
    let mut fields = values(fields)?;
    if fields.is_empty("username") || fields.is_empty("email") {
        return Ok(refused(StatusCode::BAD_REQUEST, "username and email are required"));
    }
    let source = came_from.hint(&mut fields);
    // As sent: what the contract answers with.
    let shown = fields.optional_text("email").unwrap_or_default();
    let username = username(&mut fields);
    let email = fields.email("email");
    let (username, email) = fields.finish(username.zip(email))?;

    let arrival = Arrival { source, ..arrival(&app, Door::OtpSession, &headers, caller) };
    let wish = SignUpCodeRequest { username, email, arrival };
    match app.auth().sign_in().request_sign_up_code(&wish).await {
        Ok(()) => {
            let detail = "user sent for verification";
            Ok(answer::json(StatusCode::OK, &Sent { success: true, detail, email: &shown }))
        }
        Err(SignUpError::Taken { username: true, .. }) => {
            Ok(refused(StatusCode::OK, "username already exist"))
        }
        Err(error) => Err(error.explain(app.now())),
    }
}
