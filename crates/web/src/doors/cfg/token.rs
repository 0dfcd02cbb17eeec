//! `POST /cfg/accounts/token/{refresh,blacklist}/`.

use axum::extract::State;
use http::StatusCode;
use ironlatch_core::tokens::Chain;
use serde::Serialize;

use crate::api::{ApiResult, answer, refresh};
use crate::app::App;
use crate::problem::refresh_by_body;
use crate::request::caller::Caller;
use crate::request::fields::Fields;

/// New tokens for the one in the body; the client checks that both are there.
pub(crate) async fn submit(State(app): State<App>, caller: Caller, fields: Fields) -> ApiResult {
    refresh::by_body(&app, &caller, fields).await
}

#[derive(Serialize)]
struct Blacklisted {}

/// Ends the session of the token in the body, and says so of one that is over already.
pub(crate) async fn blacklist(
    State(app): State<App>,
    caller: Caller,
    mut fields: Fields,
) -> ApiResult {
    let token = fields.secret("refresh");
    let token = fields.finish(token)?;
    let sessions = app.auth().sessions();
    let ended = sessions.end_by_refresh_token(token.reveal(), Chain::Body, &caller.0).await;
    ended.map_err(refresh_by_body)?;
    Ok(answer::json(StatusCode::OK, &Blacklisted {}))
}
