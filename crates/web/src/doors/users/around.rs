//! What the door's front end asks for besides accounts, and is blank without.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::signed_in::ByCookie;
use crate::api::answer;

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

#[derive(Serialize)]
struct Dashboard {
    business: Option<()>,
    linked_platforms: [(); 0],
    posts_summary: Option<()>,
}

/// `GET /api/health/`.
pub(crate) async fn health() -> Response {
    answer::json(StatusCode::OK, &Health { status: "ok" })
}

/// `GET /api/dashboard/`: what the contract shows to whoever has no business yet; businesses are
/// none of ours.
pub(crate) async fn dashboard(_: ByCookie) -> Response {
    let empty = Dashboard { business: None, linked_platforms: [], posts_summary: None };
    answer::json(StatusCode::OK, &empty)
}
