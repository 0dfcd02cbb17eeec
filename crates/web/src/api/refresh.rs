//! `POST /api/auth/token/refresh`: a refresh token for a new access token.
//!
//! Two contracts share the path. A key `refresh` in the body means that token and the body's
//! chain, and no cookie is read, set or cleared; otherwise the cookie counts.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ironlatch_core::tokens::Chain;
use serde::Serialize;

use super::{ApiResult, answer};
use crate::app::App;
use crate::problem::{Problem, refresh_by_body, refresh_by_cookie};
use crate::request::caller::Caller;
use crate::request::cookies::Cookie;
use crate::request::fields::Fields;

#[derive(Serialize)]
struct ByCookie<'a> {
    access: &'a str,
}

#[derive(Serialize)]
struct ByBody<'a> {
    access: &'a str,
    refresh: &'a str,
}

/// Chooses the chain by what came along.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    fields: Fields,
) -> ApiResult {
    if fields.has("refresh") {
        return by_body(&app, &caller, fields).await;
    }
    match app.cookies().read(&headers, Cookie::Refresh) {
        Some(token) => by_cookie(&app, &caller, token).await,
        None if fields.body_was_empty() => Err(Problem::NoRefreshToken),
        None => by_body(&app, &caller, fields).await,
    }
}

/// The token in the body for both new ones.
pub(crate) async fn by_body(app: &App, caller: &Caller, mut fields: Fields) -> ApiResult {
    let token = fields.secret("refresh");
    let token = fields.finish(token)?;
    let refreshed = app.auth().sessions().refresh(token.reveal(), Chain::Body, &caller.0).await;
    let refreshed = refreshed.map_err(refresh_by_body)?;
    let body = ByBody { access: refreshed.access.reveal(), refresh: refreshed.refresh.reveal() };
    Ok(answer::json(StatusCode::OK, &body))
}

async fn by_cookie(app: &App, caller: &Caller, token: &str) -> ApiResult {
    let refreshed = app.auth().sessions().refresh(token, Chain::Cookie, &caller.0).await;
    let refreshed = refreshed.map_err(refresh_by_cookie)?;
    let body = ByCookie { access: refreshed.access.reveal() };
    let mut response = answer::json(StatusCode::OK, &body);
    let line = app.cookies().set(
        Cookie::Refresh,
        refreshed.refresh.reveal(),
        refreshed.refresh_lifetime,
        app.now(),
    );
    answer::add_token_cookie(&mut response, line)?;
    Ok(response)
}
