//! `POST /accounts/password-reset/` and `…/confirm/`.

use axum::extract::State;
use http::StatusCode;
use ironlatch_core::sessions::Door;

use super::Message;
use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::problem::Explain;
use crate::request::caller::Caller;
use crate::request::fields::Fields;

/// Mails a reset link; the answer is the same for every address.
pub(crate) async fn forgot(
    State(app): State<App>,
    caller: Caller,
    mut fields: Fields,
) -> ApiResult {
    let email = fields.email("email");
    let email = fields.finish(email)?;
    let sent = app.auth().sign_in().forgot_password(&email, Door::Accounts, &caller.0).await;
    sent.map_err(|error| error.explain(app.now()))?;
    let body = Message { message: "If the account exists, a reset link has been sent." };
    Ok(answer::json(StatusCode::OK, &body))
}

/// Sets a new password with a mailed link, and ends every session.
pub(crate) async fn reset(State(app): State<App>, caller: Caller, mut fields: Fields) -> ApiResult {
    let token = fields.secret("token");
    let password = fields.secret("new_password");
    let (token, password) = fields.finish(token.zip(password))?;
    let sign_in = app.auth().sign_in();
    let outcome = sign_in.reset_password(token.reveal(), &password, &caller.0).await;
    outcome.map_err(|error| error.explain(app.now()))?;
    Ok(answer::json(StatusCode::OK, &Message { message: "Password has been reset." }))
}
