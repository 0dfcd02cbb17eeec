//! `POST /api/auth/register`: make an account and mail the verification link.

use axum::extract::State;
use http::StatusCode;
use ironlatch_core::sign_in::{Arrival, SignUp};
use serde::Serialize;

use super::{ApiResult, answer};
use crate::app::App;
use crate::problem::Explain;
use crate::request::caller::Caller;
use crate::request::fields::{Fields, password_sentence};
use crate::request::source::CameFrom;

#[derive(Serialize)]
struct Registered<'a> {
    message: &'static str,
    verification_token: &'a str,
}

/// Makes the account. Name and address are told as taken only where the core says so.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Caller,
    came_from: CameFrom,
    mut fields: Fields,
) -> ApiResult {
    let source = came_from.hint(&mut fields);
    let username = fields.username("username");
    let email = fields.email("email");
    let password = fields.secret("password");
    if let Some(password) = &password {
        // Asked here as well, so that one answer names every mistake.
        let about = [
            email.as_ref().map_or("", |email| email.as_typed()),
            username.as_ref().map_or("", |username| username.as_typed()),
        ];
        if let Err(problem) = app.auth().passwords().check_new(password, &about) {
            fields.mistake("password", password_sentence(problem));
        }
    }
    let ((username, email), password) = fields.finish(username.zip(email).zip(password))?;

    let arrival = Arrival { source, ..Arrival::new(caller.0) };
    let wish = SignUp { username: Some(username), email, name: None, password, arrival };
    let made =
        app.auth().sign_in().sign_up(wish).await.map_err(|error| error.explain(app.now()))?;

    let body = Registered {
        message: "Registered. Please verify email.",
        verification_token: made.shown_token.reveal(),
    };
    let mut response = answer::json(StatusCode::CREATED, &body);
    answer::add_sign_up(&mut response, &app, &made)?;
    Ok(response)
}
