//! `POST /accounts/signup/`.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Arrival, SignUp};

use super::Message;
use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::doors::arrival;
use crate::problem::Explain;
use crate::request::caller::Caller;
use crate::request::fields::{Fields, password_sentence};
use crate::request::source::CameFrom;

/// Makes an account and mails the verification link. Taken addresses get the same answer.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    came_from: CameFrom,
    mut fields: Fields,
) -> ApiResult {
    let source = came_from.hint(&mut fields);
    let email = fields.email("email");
    let password = fields.secret("password");
    if let Some(password) = &password {
        // Asked here as well, so that one answer names every mistake.
        let about = [email.as_ref().map_or("", |email| email.as_typed())];
        if let Err(problem) = app.auth().passwords().check_new(password, &about) {
            fields.mistake("password", password_sentence(problem));
        }
    }
    let (email, password) = fields.finish(email.zip(password))?;

    let arrival = Arrival { source, ..arrival(&app, Door::Accounts, &headers, caller) };
    let wish = SignUp { username: None, email, name: None, password, arrival };
    let made = app.auth().sign_in().sign_up(wish).await;
    let made = made.map_err(|error| error.explain(app.now()))?;

    let body = Message { message: "Signup successful. Please verify your email." };
    let mut response = answer::json(StatusCode::CREATED, &body);
    answer::add_sign_up(&mut response, &app, &made)?;
    Ok(response)
}
