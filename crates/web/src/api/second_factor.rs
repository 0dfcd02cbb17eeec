//! `/api/auth/2fa`: the second step of a sign-in, and what owners do with their second factor.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Confirmation, RECENT, SecondFactorAttempt};
use serde::Serialize;

use super::login::{arrival, signed_in_answer};
use super::{ApiResult, answer, otp};
use crate::app::App;
use crate::doors::cfg;
use crate::problem::Explain;
use crate::qr;
use crate::request::caller::{Bearer, Caller};
use crate::request::fields::Fields;

#[derive(Serialize)]
struct Status {
    enrolled: bool,
    recovery_codes_left: u32,
}

#[derive(Serialize)]
struct Begun<'a> {
    secret: &'a str,
    otpauth_uri: &'a str,
    qr_code: String,
    expires_in: u64,
}

#[derive(Serialize)]
struct RecoveryCodes<'a> {
    recovery_codes: Vec<&'a str>,
}

/// Answers a challenge; the answer is the one that the first step would have had without it.
pub(crate) async fn verify(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    mut fields: Fields,
) -> ApiResult {
    let challenge = fields.secret("challenge");
    let method = fields.second_factor("method");
    let code = fields.secret("code");
    fields.refuse_unknown();
    let ((challenge, method), code) = fields.finish(challenge.zip(method).zip(code))?;
    let arrival = arrival(&app, &headers, caller);
    let attempt = SecondFactorAttempt { challenge, method, code, arrival };
    let signed_in = app.auth().sign_in().second_factor(attempt).await;
    let signed_in = signed_in.map_err(|error| error.explain(app.now()))?;
    match signed_in.door {
        Door::Codes => otp::signed_in_answer(&app, &signed_in).await,
        Door::Cfg => cfg::otp::signed_in_answer(&app, &signed_in).await,
        _ => signed_in_answer(&app, &signed_in),
    }
}

/// Whether the bearer has a second factor.
pub(crate) async fn status(State(app): State<App>, Bearer(present): Bearer) -> ApiResult {
    let account = present.account.id;
    let status = Status {
        enrolled: app.auth().totp().is_enrolled(account).await?,
        recovery_codes_left: app.auth().recovery_codes().left(account).await?,
    };
    Ok(answer::json(StatusCode::OK, &status))
}

/// Begins to enrol an authenticator app.
pub(crate) async fn begin(
    State(app): State<App>,
    Bearer(present): Bearer,
    fields: Fields,
) -> ApiResult {
    fields.expect_none()?;
    let begun = app.auth().sign_in().begin_totp(&present, RECENT).await;
    let begun = begun.map_err(|error| error.explain(app.now()))?;
    let body = Begun {
        secret: begun.secret.reveal(),
        otpauth_uri: begun.uri.reveal(),
        qr_code: qr::data_url(begun.uri.reveal())?,
        expires_in: begun.lifetime.as_secs(),
    };
    Ok(answer::json(StatusCode::OK, &body))
}

/// Confirms it with a first code, and shows the recovery codes this once.
pub(crate) async fn confirm(
    State(app): State<App>,
    Bearer(present): Bearer,
    caller: Caller,
    mut fields: Fields,
) -> ApiResult {
    let code = fields.secret("code");
    fields.refuse_unknown();
    let confirmation = Confirmation { code: fields.finish(code)?, wants_recovery_codes: true };
    let codes = app.auth().sign_in().confirm_totp(&present, &confirmation, &caller.0).await;
    Ok(shown(&codes.map_err(|error| error.explain(app.now()))?))
}

/// Removes the app and the recovery codes.
pub(crate) async fn remove(
    State(app): State<App>,
    Bearer(present): Bearer,
    caller: Caller,
    fields: Fields,
) -> ApiResult {
    fields.expect_none()?;
    let removed = app.auth().sign_in().remove_totp(&present, RECENT, &caller.0).await;
    removed.map_err(|error| error.explain(app.now()))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Makes ten new recovery codes and shows them this once.
pub(crate) async fn replace_recovery_codes(
    State(app): State<App>,
    Bearer(present): Bearer,
    caller: Caller,
    fields: Fields,
) -> ApiResult {
    fields.expect_none()?;
    let codes = app.auth().sign_in().replace_recovery_codes(&present, RECENT, &caller.0).await;
    Ok(shown(&codes.map_err(|error| error.explain(app.now()))?))
}

fn shown(codes: &[Token]) -> Response {
    let recovery_codes = codes.iter().map(Token::reveal).collect();
    answer::json(StatusCode::OK, &RecoveryCodes { recovery_codes })
}
