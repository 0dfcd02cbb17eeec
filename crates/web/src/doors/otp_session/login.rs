//! `POST /users/login/`: a name and a password for a session.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ironlatch_core::accounts::Username;
use ironlatch_core::error::InternalError;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Arrival, PasswordAttempt, SignedIn, Step};

use super::{done, refused, values};
use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::doors::arrival;
use crate::problem::{Explain, Problem};
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;
use crate::request::fields::Fields;
use crate::request::source::CameFrom;

/// Checks the password. The contract has no place for a second step: an account with an
/// authenticator app is refused here.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    came_from: CameFrom,
    fields: Result<Fields, Problem>,
) -> ApiResult {
    let mut fields = values(fields)?;
    if fields.is_empty("username") || fields.is_empty("password") {
        return Ok(refused(StatusCode::BAD_REQUEST, "username and password are required"));
    }
    let source = came_from.hint(&mut fields);
    let username = fields.text("username");
    let password = fields.secret("password");
    let (username, password) = fields.finish(username.zip(password))?;
    // What is no name is nobody's.
    let username = Username::parse(&username).map_err(|_| Problem::InvalidCredentials)?;
    let attempt = PasswordAttempt {
        identifier: username.into(),
        password,
        expects_second_factor: false,
        arrival: Arrival { source, ..arrival(&app, Door::OtpSession, &headers, caller) },
    };
    let step = app.auth().sign_in().with_password(attempt).await;
    match step.map_err(|error| error.explain(app.now()))? {
        Step::SignedIn(signed_in) => signed_in_answer(&app, &signed_in),
        Step::SecondFactor(challenge) => Err(Problem::SecondFactorRequired(challenge)),
    }
}

fn signed_in_answer(app: &App, signed_in: &SignedIn) -> ApiResult {
    let cookie = signed_in.started.cookie.as_ref();
    let (session, lifetime) =
        cookie.ok_or_else(|| InternalError::fault("a session of this door is a cookie"))?;
    let mut response = done();
    let line = app.cookies().set(Cookie::Session, session.reveal(), *lifetime, app.now());
    answer::add_token_cookie(&mut response, line)?;
    answer::add_device(&mut response, app, signed_in)?;
    Ok(response)
}
