//! `POST /api/auth/email/…`, `phone/…` and `address/undo`: another address or number.

use axum::extract::State;

use super::{ApiResult, answer};
use crate::app::App;
use crate::problem::Explain;
use crate::request::caller::{Bearer, Caller};
use crate::request::fields::Fields;

/// Mails a link to the bearer's new address. The answer is the same for every address.
pub(crate) async fn change_email(
    State(app): State<App>,
    Bearer(present): Bearer,
    caller: Caller,
    mut fields: Fields,
) -> ApiResult {
    let email = fields.email("email");
    fields.refuse_unknown();
    let email = fields.finish(email)?;
    let asked = app.auth().sign_in().change_email(&present, &email, &caller.0).await;
    asked.map_err(|error| error.explain(app.now()))?;
    Ok(answer::detail("A mail is on its way to the new address. The present one stays until then."))
}

/// Gives the account the address that the link was mailed to.
pub(crate) async fn confirm_email(
    State(app): State<App>,
    caller: Caller,
    mut fields: Fields,
) -> ApiResult {
    let token = fields.secret("token");
    fields.refuse_unknown();
    let token = fields.finish(token)?;
    let sign_in = app.auth().sign_in();
    let confirmed = sign_in.confirm_email_change(token.reveal(), &caller.0).await;
    confirmed.map_err(|error| error.explain(app.now()))?;
    Ok(answer::detail("The address has been changed. All other sessions have ended."))
}

/// Sends a code to the bearer's new number.
pub(crate) async fn change_phone(
    State(app): State<App>,
    Bearer(present): Bearer,
    caller: Caller,
    mut fields: Fields,
) -> ApiResult {
    let phone = fields.phone("phone");
    fields.refuse_unknown();
    let phone = fields.finish(phone)?;
    let asked = app.auth().sign_in().change_phone(&present, &phone, &caller.0).await;
    asked.map_err(|error| error.explain(app.now()))?;
    Ok(answer::detail("A code is on its way to the new number."))
}

/// Gives the bearer's account the number that the code was sent to.
pub(crate) async fn confirm_phone(
    State(app): State<App>,
    Bearer(present): Bearer,
    caller: Caller,
    mut fields: Fields,
) -> ApiResult {
    let phone = fields.phone("phone");
    let code = fields.secret("code");
    fields.refuse_unknown();
    let (phone, code) = fields.finish(phone.zip(code))?;
    let sign_in = app.auth().sign_in();
    let changed = sign_in.confirm_phone_change(&present, &phone, &code, &caller.0).await;
    changed.map_err(|error| error.explain(app.now()))?;
    Ok(answer::detail("The number has been changed. All other sessions have ended."))
}

/// Takes a change back, with the link that the old address got.
pub(crate) async fn undo(State(app): State<App>, caller: Caller, mut fields: Fields) -> ApiResult {
    let token = fields.secret("token");
    fields.refuse_unknown();
    let token = fields.finish(token)?;
    let undone = app.auth().sign_in().undo_address_change(token.reveal(), &caller.0).await;
    undone.map_err(|error| error.explain(app.now()))?;
    Ok(answer::detail(
        "The change has been taken back. Choose a new password with the mailed link.",
    ))
}
