//! `GET /api/auth/me`: who the bearer is.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::answer::{self, User};
use crate::request::caller::Bearer;

#[derive(Serialize)]
struct Me<'a> {
    #[serde(flatten)]
    user: User<'a>,
    providers: [&'static str; 0],
}

/// Shows the account. No social identity can be linked yet, so the list of providers is empty.
pub(crate) async fn show(Bearer(present): Bearer) -> Response {
    answer::json(StatusCode::OK, &Me { user: User::of(&present.account), providers: [] })
}
