//! `POST /api/users/login/`: with a password, and with a code as well where an authenticator
//! app is enrolled.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ironlatch_core::accounts::Email;
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{
    Arrival, Challenge, PasswordAttempt, SecondFactor, SecondFactorAttempt, SecondFactorError,
    SignInError, SignedIn, Step,
};
use serde::Serialize;

use super::refused;
use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::doors::arrival;
use crate::problem::{Explain, Problem};
use crate::request::body::JsonFields;
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;
use crate::request::fields::Fields;
use crate::request::source::CameFrom;

/// No password of the contract's system was shorter.
const SHORTEST_PASSWORD: usize = 6;

/// How somebody signs in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Traditional,
    TwoFactor,
}

/// What somebody signs in with.
struct Credentials {
    email: Email,
    password: Token,
    /// With [`Method::TwoFactor`] alone.
    code: Option<Token>,
}

#[derive(Serialize)]
struct LoggedIn<'a> {
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<&'a str>,
}

/// Checks the password, and the code if the client has asked its user for one.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    came_from: CameFrom,
    JsonFields(mut fields): JsonFields,
) -> ApiResult {
    let source = came_from.hint(&mut fields);
    let method = method(&mut fields)?;
    let credentials = credentials(fields.inner("credentials")?, method)?;
    let arrival = Arrival { source, ..arrival(&app, Door::Users, &headers, caller) };
    let attempt = PasswordAttempt {
        identifier: credentials.email.into(),
        password: credentials.password,
        expects_second_factor: method == Method::TwoFactor,
        arrival: arrival.clone(),
    };
    let step = app.auth().sign_in().with_password(attempt).await;
    let step = step.map_err(|error| match error {
        SignInError::NoSecondFactor => refused("User doesn't require 2FA!"),
        error => error.explain(app.now()),
    })?;
    match (step, credentials.code) {
        (Step::SignedIn(signed_in), _) => signed_in_answer(&app, &signed_in),
        (Step::SecondFactor(challenge), Some(code)) => {
            second_step(&app, challenge, code, arrival).await
        }
        (Step::SecondFactor(challenge), None) => Err(Problem::SecondFactorRequired(challenge)),
    }
}

/// The contract's further methods, and any other, are refused by name.
fn method(fields: &mut Fields) -> Result<Method, Problem> {
    let named = fields.optional_text("method");
    match named.as_deref() {
        None if !fields.has("method") => Ok(Method::Traditional),
        Some("traditional") => Ok(Method::Traditional),
        Some("2fa") => Ok(Method::TwoFactor),
        other => {
            let other: String = other.unwrap_or("None").chars().take(50).collect();
            Err(refused(format!("Unsupported login method: {other}")))
        }
    }
}

fn credentials(mut fields: Fields, method: Method) -> Result<Credentials, Problem> {
    let email = fields.email("email");
    let password = fields.secret("password");
    if password.as_ref().is_some_and(|text| text.reveal().chars().count() < SHORTEST_PASSWORD) {
        let sentence = format!("Ensure this field has at least {SHORTEST_PASSWORD} characters.");
        fields.mistake("password", sentence);
    }
    let code = match method {
        Method::Traditional => Some(None),
        Method::TwoFactor => fields.secret("code").map(Some),
    };
    let ((email, password), code) = fields.finish(email.zip(password).zip(code))?;
    Ok(Credentials { email, password, code })
}

/// Answers the challenge within the same request: the client sends everything at once.
async fn second_step(app: &App, challenge: Challenge, code: Token, arrival: Arrival) -> ApiResult {
    // The client has one field for either.
    let is_of_the_app = code.reveal().trim().len() == 6;
    let method = if is_of_the_app { SecondFactor::Totp } else { SecondFactor::RecoveryCode };
    let attempt = SecondFactorAttempt { challenge: challenge.token, method, code, arrival };
    match app.auth().sign_in().second_factor(attempt).await {
        Ok(signed_in) => signed_in_answer(app, &signed_in),
        Err(SecondFactorError::WrongCode) => Err(refused("Wrong Authentication Code!")),
        // The account was changed in this very moment.
        Err(SecondFactorError::InvalidChallenge) => Err(Problem::InvalidCredentials),
        Err(error) => Err(error.explain(app.now())),
    }
}

fn signed_in_answer(app: &App, signed_in: &SignedIn) -> ApiResult {
    let started = &signed_in.started;
    let shows_refresh = app.auth().settings().doors.users_refresh_in_body;
    let body = LoggedIn {
        message: "Login successful",
        refresh: shows_refresh.then(|| started.refresh_body.reveal()),
    };
    let mut response = answer::json(StatusCode::OK, &body);
    let (access, lifetime) = (started.access.reveal(), started.access_lifetime);
    let line = app.cookies().set(Cookie::Access, access, lifetime, app.now());
    answer::add_token_cookie(&mut response, line)?;
    answer::add_device(&mut response, app, signed_in)?;
    Ok(response)
}
