//! `POST /api/users/password/{forgot,reset}/`.

use axum::extract::State;
use http::StatusCode;
use ironlatch_core::credentials::password::PasswordProblem;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{LinkError, SignIn};

use super::Message;
use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::problem::{Explain, FieldErrors, Problem};
use crate::request::body::JsonFields;
use crate::request::caller::Caller;
use crate::request::fields::password_sentence;

/// Mails a reset link; the answer is the same for every address.
pub(crate) async fn forgot(
    State(app): State<App>,
    caller: Caller,
    JsonFields(mut fields): JsonFields,
) -> ApiResult {
    let email = fields.email("email");
    let email = fields.finish(email)?;
    let sent = app.auth().sign_in().forgot_password(&email, Door::Users, &caller.0).await;
    sent.map_err(|error| error.explain(app.now()))?;
    Ok(answer::json(StatusCode::OK, &Message { message: "Password reset email sent" }))
}

/// Sets a new password with a mailed link, and ends every session.
pub(crate) async fn reset(
    State(app): State<App>,
    caller: Caller,
    JsonFields(mut fields): JsonFields,
) -> ApiResult {
    let uid = fields.text("uid");
    let token = fields.secret("token");
    let password = fields.secret("new_password");
    let ((uid, token), password) = fields.finish(uid.zip(token).zip(password))?;
    app.auth().passwords().check_new(&password, &[]).map_err(password_refused)?;
    let number = SignIn::number_in_link(&uid)
        .ok_or_else(|| Problem::about("non_field_errors", "Invalid user identifier"))?;
    let sign_in = app.auth().sign_in();
    let outcome = sign_in.reset_password_of(number, token.reveal(), &password, &caller.0).await;
    outcome.map_err(|error| match error {
        LinkError::Password(problem) => password_refused(problem),
        error => error.explain(app.now()),
    })?;
    Ok(answer::json(StatusCode::OK, &Message { message: "Password has been reset" }))
}

/// Said twice: the page of this client shows what is not about a field, and nothing else.
fn password_refused(problem: PasswordProblem) -> Problem {
    let sentence = password_sentence(problem);
    let mut errors = FieldErrors::new();
    errors.add("new_password", sentence.clone());
    errors.add("non_field_errors", sentence);
    Problem::Fields(errors)
}
