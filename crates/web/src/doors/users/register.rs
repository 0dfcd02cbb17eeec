//! `POST /api/users/register/`.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Arrival, SignUp};

use super::Message;
use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::doors::arrival;
use crate::problem::Explain;
use crate::request::body::JsonFields;
use crate::request::caller::Caller;
use crate::request::fields::{Fields, password_sentence};
use crate::request::source::CameFrom;

/// Makes an account. Its front end signs in right after, so no cookie is set.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    came_from: CameFrom,
    JsonFields(mut fields): JsonFields,
) -> ApiResult {
    let source = came_from.hint(&mut fields);
    let name = fields.full_name("name");
    let email = fields.email("email");
    let password = fields.secret("password");
    if let Some(password) = &password {
        // Asked here as well, so that one answer names every mistake.
        let about = [email.as_ref().map_or("", |email| email.as_typed())];
        if let Err(problem) = app.auth().passwords().check_new(password, &about) {
            fields.mistake("password", password_sentence(problem));
        }
    }
    refuse_other_roles(&app, &mut fields);
    let ((name, email), password) = fields.finish(name.zip(email).zip(password))?;

    let arrival = Arrival { source, ..arrival(&app, Door::Users, &headers, caller) };
    let wish = SignUp { username: None, email, name: Some(name), password, arrival };
    app.auth().sign_in().sign_up(wish).await.map_err(|error| error.explain(app.now()))?;
    Ok(answer::json(StatusCode::CREATED, &Message { message: "User created successfully" }))
}

/// The contract has a field for the role. The door's own is the only one it gives: people who
/// choose theirs would choose `admin`.
fn refuse_other_roles(app: &App, fields: &mut Fields) {
    let given = app.auth().settings().default_role(Door::Users);
    match fields.optional_text("role") {
        Some(role) if role == given => {}
        Some(role) => {
            let role: String = role.chars().take(20).collect();
            fields.mistake("role", format!("\"{role}\" is not a valid choice."));
        }
        None if fields.has("role") => fields.mistake("role", "This field may not be null."),
        None => {}
    }
}
