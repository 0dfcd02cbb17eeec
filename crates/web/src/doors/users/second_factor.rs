//! `POST /api/users/2fa-{check,qr,remove}/`: an authenticator app.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use ironlatch_core::ports::Token;
use ironlatch_core::sign_in::{Confirmation, FactorError};
use serde::Serialize;

use super::signed_in::ByCookie;
use super::{RECENT, refused};
use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::problem::Explain;
use crate::qr;
use crate::request::caller::Caller;
use crate::request::fields::Fields;

/// Whether an app is enrolled.
#[derive(Serialize)]
struct Status {
    status: bool,
}

#[derive(Serialize)]
struct Shown {
    qr_code: String,
}

/// Without a code: whether an app is enrolled. With one: confirms the app that is being enrolled.
pub(crate) async fn check(
    State(app): State<App>,
    ByCookie(present): ByCookie,
    caller: Caller,
    mut fields: Fields,
) -> ApiResult {
    let code = fields.optional_text("code").filter(|code| !code.trim().is_empty());
    let Some(code) = code else {
        let status = app.auth().totp().is_enrolled(present.account.id).await?;
        return Ok(status_answer(StatusCode::OK, status));
    };
    // The client has no place to show recovery codes.
    let confirmation = Confirmation { code: Token::new(code), wants_recovery_codes: false };
    match app.auth().sign_in().confirm_totp(&present, &confirmation, &caller.0).await {
        // Enrolled already, as after an answer that was lost, is what was asked for.
        Ok(_) | Err(FactorError::AlreadyEnrolled) => Ok(status_answer(StatusCode::OK, true)),
        Err(FactorError::WrongCode | FactorError::NothingPending) => {
            Ok(status_answer(StatusCode::BAD_REQUEST, false))
        }
        Err(error) => Err(error.explain(app.now())),
    }
}

/// Begins to enrol an app: a picture of its secret. What is enrolled stays until it is removed.
pub(crate) async fn show_qr(State(app): State<App>, ByCookie(present): ByCookie) -> ApiResult {
    let begun = app.auth().sign_in().begin_totp(&present, RECENT).await;
    let enrolment = begun.map_err(|error| match error {
        FactorError::AlreadyEnrolled => refused("2FA is already enabled."),
        error => error.explain(app.now()),
    })?;
    let qr_code = qr::data_url(enrolment.uri.reveal())?;
    Ok(answer::json(StatusCode::OK, &Shown { qr_code }))
}

/// Removes the app; nothing happens where there is none.
pub(crate) async fn remove(
    State(app): State<App>,
    ByCookie(present): ByCookie,
    caller: Caller,
) -> ApiResult {
    match app.auth().sign_in().remove_totp(&present, RECENT, &caller.0).await {
        Ok(()) | Err(FactorError::NotEnrolled) => Ok(status_answer(StatusCode::OK, false)),
        Err(error) => Err(error.explain(app.now())),
    }
}

fn status_answer(code: StatusCode, status: bool) -> Response {
    answer::json(code, &Status { status })
}
