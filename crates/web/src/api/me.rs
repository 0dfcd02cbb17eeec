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
    providers: Vec<&'a str>,
}

/// Shows the account, with the providers of its identities in the order they were connected.
pub(crate) async fn show(Bearer(present): Bearer) -> Response {
    let mut providers: Vec<&str> = Vec::new();
    for identity in &present.account.identities {
        if !providers.contains(&identity.provider.as_str()) {
            providers.push(&identity.provider);
        }
    }
    answer::json(StatusCode::OK, &Me { user: User::of(&present.account), providers })
}
