//! `POST /api/auth/password/{forgot,reset,change}`.

use axum::extract::State;
use ironlatch_core::sessions::Door;

use super::{ApiResult, answer};
use crate::app::App;
use crate::problem::Explain;
use crate::request::caller::{Bearer, Caller};
use crate::request::fields::Fields;

/// Mails a reset link. The answer is the same for every address.
pub(crate) async fn forgot(
    State(app): State<App>,
    caller: Caller,
    mut fields: Fields,
) -> ApiResult {
    let email = fields.email("email");
    fields.refuse_unknown();
    let email = fields.finish(email)?;
    let sent = app.auth().sign_in().forgot_password(&email, Door::Api, &caller.0).await;
    sent.map_err(|error| error.explain(app.now()))?;
    Ok(answer::detail("If an account has this address, a mail is on its way."))
}

/// Sets a new password with a mailed link's token and ends every session.
pub(crate) async fn reset(State(app): State<App>, caller: Caller, mut fields: Fields) -> ApiResult {
    let token = fields.secret("token");
    let password = fields.secret("new_password");
    fields.refuse_unknown();
    let (token, password) = fields.finish(token.zip(password))?;
    let sign_in = app.auth().sign_in();
    let outcome = sign_in.reset_password(token.reveal(), &password, &caller.0).await;
    outcome.map_err(|error| error.explain(app.now()))?;
    Ok(answer::detail("The password has been changed. Sign in with it."))
}

/// Changes the password of somebody signed in and ends their other sessions.
pub(crate) async fn change(
    State(app): State<App>,
    Bearer(present): Bearer,
    caller: Caller,
    mut fields: Fields,
) -> ApiResult {
    let current = fields.secret_or_none("current_password");
    let new = fields.secret("new_password");
    fields.refuse_unknown();
    let (current, new) = fields.finish(current.zip(new))?;
    let sign_in = app.auth().sign_in();
    let outcome = sign_in.change_password(&present, current.as_ref(), &new, &caller.0).await;
    outcome.map_err(|error| error.explain(app.now()))?;
    Ok(answer::detail("The password has been changed. All other sessions have ended."))
}
