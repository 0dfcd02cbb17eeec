//! `GET /users/who_am_i/`.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::signed_in::BySession;
use crate::api::answer::{self, User};

#[derive(Serialize)]
struct WhoAmI<'a> {
    username: &'a str,
    email: &'a str,
}

/// Name and address of whoever is signed in.
pub(crate) async fn show(BySession(present): BySession) -> Response {
    let user = User::of(&present.account);
    answer::json(StatusCode::OK, &WhoAmI { username: user.username, email: &user.email })
}
