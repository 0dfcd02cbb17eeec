//! `POST /accounts/logout/`.

use axum::extract::State;
use http::StatusCode;
use ironlatch_core::sessions::PresentedTokens;

use super::{Message, refresh_token};
use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::request::caller::Caller;
use crate::request::fields::Fields;

/// Ends the refresh token's session. Whoever has the token may; 200 also when it is over already
/// or was never ours.
pub(crate) async fn submit(State(app): State<App>, caller: Caller, fields: Fields) -> ApiResult {
    let token = refresh_token(fields)?;
    let tokens = PresentedTokens { body: Some(token.reveal()), ..PresentedTokens::default() };
    app.auth().sessions().sign_out(&tokens, &caller.0).await?;
    Ok(answer::json(StatusCode::OK, &Message { message: "Logged out successfully" }))
}
