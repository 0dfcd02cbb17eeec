//! `POST /api/auth/logout`: end whatever session is presented.

use axum::extract::State;
use http::HeaderMap;
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::PresentedTokens;

use super::{ApiResult, answer};
use crate::app::App;
use crate::problem::Problem;
use crate::request::bearer;
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;
use crate::request::fields::Fields;

/// Ends the sessions of the bearer token, the cookie and the body's `refresh`. Answers 200 even
/// when nobody is signed in, and whatever the body looks like.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    fields: Result<Fields, Problem>,
) -> ApiResult {
    let body = fields.ok().and_then(|mut fields| fields.secret("refresh"));
    let tokens = PresentedTokens {
        bearer: bearer::token(&headers).ok(),
        cookie: app.cookies().read(&headers, Cookie::Refresh),
        body: body.as_ref().map(Token::reveal),
        session: None,
    };
    app.auth().sessions().sign_out(&tokens, &caller.0).await?;
    let mut response = answer::detail("Logged out");
    answer::add_cookie(&mut response, app.cookies().clear(Cookie::Refresh));
    Ok(response)
}
