//! `POST /users/logout/`: ours; the contract's system never ended a session.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ironlatch_core::sessions::PresentedTokens;
use serde::Serialize;

use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;

#[derive(Serialize)]
struct LoggedOut {
    success: bool,
    detail: &'static str,
}

/// Ends the cookie's session; 200 also when there is none.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> ApiResult {
    let cookie = app.cookies().read_secret(&headers, Cookie::Session);
    let tokens = PresentedTokens { session: cookie.as_ref(), ..PresentedTokens::default() };
    app.auth().sessions().sign_out(&tokens, &caller.0).await?;
    let body = LoggedOut { success: true, detail: "logged out" };
    let mut response = answer::json(StatusCode::OK, &body);
    answer::add_cookie(&mut response, app.cookies().clear(Cookie::Session));
    Ok(response)
}
