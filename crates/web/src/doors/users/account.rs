//! `GET /api/users/me/` and `DELETE /api/users/delete/`.

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;

use super::signed_in::ByCookie;
use super::{Message, RECENT};
use crate::api::ApiResult;
use crate::api::answer::{self, User};
use crate::app::App;
use crate::problem::Explain;
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;

#[derive(Serialize)]
struct Me<'a> {
    email: &'a str,
    name: &'a str,
    role: &'a str,
    business_id: Option<i64>,
}

/// Whoever holds the cookie. Businesses are none of ours: there is never one to name.
pub(crate) async fn me(State(app): State<App>, ByCookie(present): ByCookie) -> ApiResult {
    let profile = app.auth().profiles().find(present.account.id).await?;
    let body = Me {
        email: &User::of(&present.account).email,
        name: profile.as_ref().map_or("", |profile| &profile.name),
        role: &present.account.role,
        business_id: None,
    };
    Ok(answer::json(StatusCode::OK, &body))
}

/// Closes the account of somebody who signed in a short while ago: the client asks for no
/// password.
pub(crate) async fn delete(
    State(app): State<App>,
    ByCookie(present): ByCookie,
    caller: Caller,
) -> ApiResult {
    let sign_in = app.auth().sign_in();
    let closed = sign_in.close_account_after_sign_in(&present, RECENT, &caller.0).await;
    closed.map_err(|error| error.explain(app.now()))?;
    let mut response =
        answer::json(StatusCode::OK, &Message { message: "Account deleted successfully" });
    for cookie in [Cookie::Access, Cookie::Device] {
        answer::add_cookie(&mut response, app.cookies().clear(cookie));
    }
    Ok(response)
}
