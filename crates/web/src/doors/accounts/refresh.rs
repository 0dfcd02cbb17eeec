//! `POST /accounts/refresh/`.

use axum::extract::State;
use http::StatusCode;
use ironlatch_core::tokens::Chain;
use serde::Serialize;

use super::refresh_token;
use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::problem::refresh_by_body;
use crate::request::caller::Caller;
use crate::request::fields::Fields;

#[derive(Serialize)]
struct Refreshed<'a> {
    access_token: &'a str,
}

/// A new access token. Clients of the contract keep the refresh token of their sign-in for ever
/// and know no other: a token whose children nobody uses goes on working.
pub(crate) async fn submit(State(app): State<App>, caller: Caller, fields: Fields) -> ApiResult {
    let token = refresh_token(fields)?;
    let refreshed = app.auth().sessions().refresh(token.reveal(), Chain::Body, &caller.0).await;
    let refreshed = refreshed.map_err(refresh_by_body)?;
    let body = Refreshed { access_token: refreshed.access.reveal() };
    Ok(answer::json(StatusCode::OK, &body))
}
