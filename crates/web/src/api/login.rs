//! `POST /api/auth/login`: an address and a password for a session.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ironlatch_core::sign_in::{Arrival, PasswordAttempt, Previous, SignedIn, Step};
use serde::Serialize;

use super::ApiResult;
use super::answer::{self, User};
use crate::app::App;
use crate::problem::{Explain, Problem};
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;
use crate::request::fields::Fields;
use crate::request::source::CameFrom;

#[derive(Serialize)]
struct LoggedIn<'a> {
    access: &'a str,
    refresh: &'a str,
    user: User<'a>,
}

/// Checks the password. The refresh token travels twice, in the body and in a cookie of a chain
/// of its own, since existing clients use either.
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
    let (email, password) = fields.finish(email.zip(password))?;
    let attempt = PasswordAttempt {
        identifier: email.into(),
        password,
        expects_second_factor: false,
        arrival: Arrival { source, ..arrival(&app, &headers, caller) },
    };
    let step = app.auth().sign_in().with_password(attempt).await;
    match step.map_err(|error| error.explain(app.now()))? {
        Step::SignedIn(signed_in) => signed_in_answer(&app, &signed_in),
        Step::SecondFactor(challenge) => Err(Problem::SecondFactorRequired(challenge)),
    }
}

/// How a client of the API comes: with a refresh cookie, if it has one.
pub(crate) fn arrival(app: &App, headers: &HeaderMap, caller: Caller) -> Arrival {
    let cookie = app.cookies().read_secret(headers, Cookie::Refresh);
    let previous = cookie.map_or(Previous::Nothing, Previous::Refresh);
    Arrival { previous, ..Arrival::new(caller.0) }
}

pub(crate) fn signed_in_answer(app: &App, signed_in: &SignedIn) -> ApiResult {
    let started = &signed_in.started;
    let body = LoggedIn {
        access: started.access.reveal(),
        refresh: started.refresh_body.reveal(),
        user: User::of(&signed_in.account),
    };
    let mut response = answer::json(StatusCode::OK, &body);
    answer::add_refresh(&mut response, app, signed_in)?;
    answer::add_device(&mut response, app, signed_in)?;
    Ok(response)
}
