//! `GET /.well-known/jwks.json`: the keys that verify access tokens (RFC 7517 §5).

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::answer;
use crate::app::App;

/// Shows the published keys; caches may keep them for five minutes (`edge`).
pub(crate) async fn show(State(app): State<App>) -> Response {
    answer::json(StatusCode::OK, &app.auth().tokens().jwks())
}
