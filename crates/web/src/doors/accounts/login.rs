//! `POST /accounts/login/`.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Arrival, PasswordAttempt, SignedIn, Step};
use serde::Serialize;

use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::doors::arrival;
use crate::problem::{Explain, Problem};
use crate::request::caller::Caller;
use crate::request::fields::Fields;
use crate::request::source::CameFrom;

#[derive(Serialize)]
struct LoggedIn<'a> {
    access_token: &'a str,
    refresh_token: &'a str,
    message: &'static str,
}

/// Checks the password. The contract has no place for a second step: an account with an
/// authenticator app is refused here.
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
        arrival: Arrival { source, ..arrival(&app, Door::Accounts, &headers, caller) },
    };
    let step = app.auth().sign_in().with_password(attempt).await;
    match step.map_err(|error| error.explain(app.now()))? {
        Step::SignedIn(signed_in) => signed_in_answer(&app, &signed_in),
        Step::SecondFactor(challenge) => Err(Problem::SecondFactorRequired(challenge)),
    }
}

fn signed_in_answer(app: &App, signed_in: &SignedIn) -> ApiResult {
    let body = LoggedIn {
        access_token: signed_in.started.access.reveal(),
        refresh_token: signed_in.started.refresh_body.reveal(),
        message: "Login successful",
    };
    let mut response = answer::json(StatusCode::OK, &body);
    answer::add_device(&mut response, app, signed_in)?;
    Ok(response)
}
