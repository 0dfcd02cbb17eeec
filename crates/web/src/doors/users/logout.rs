//! `POST /api/users/logout/`.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ironlatch_core::sessions::PresentedTokens;

use super::Message;
use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;

/// Ends the cookie's session. Answers 200 also when nobody is signed in, or the client would
/// show somebody as signed in for ever.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> ApiResult {
    let bearer = app.cookies().read(&headers, Cookie::Access);
    let tokens = PresentedTokens { bearer, ..PresentedTokens::default() };
    app.auth().sessions().sign_out(&tokens, &caller.0).await?;
    let mut response =
        answer::json(StatusCode::OK, &Message { message: "Logged out successfully" });
    answer::add_cookie(&mut response, app.cookies().clear(Cookie::Access));
    Ok(response)
}
