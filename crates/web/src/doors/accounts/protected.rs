//! `GET /accounts/protected/`: something to see only with an access token.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use crate::api::answer::{self, User};
use crate::request::caller::Bearer;

#[derive(Serialize)]
struct Hello {
    message: String,
}

/// Greets whoever is signed in.
pub(crate) async fn show(Bearer(present): Bearer) -> Response {
    let message = format!("Hello {}", User::of(&present.account).email);
    answer::json(StatusCode::OK, &Hello { message })
}
