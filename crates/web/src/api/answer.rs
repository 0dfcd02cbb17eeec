//! Answers in JSON, as the contract writes them: `application/json` without a charset.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use ironlatch_core::accounts::{Email, NOWHERE};
use ironlatch_core::error::InternalError;
use ironlatch_core::sessions::Account;
use ironlatch_core::sign_in::{SignedIn, SignedUp};
use serde::Serialize;

use crate::app::App;
use crate::problem::Problem;
use crate::request::cookies::Cookie;

/// A value as the body.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    // Plain structs of text, numbers and lists always serialise; an empty body would show it.
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    // Room for what `edge` and the server add, so that the map is laid out once.
    headers.reserve(12);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// 200 with one sentence.
pub(crate) fn detail(sentence: &'static str) -> Response {
    #[derive(Serialize)]
    struct Detail {
        detail: &'static str,
    }
    json(StatusCode::OK, &Detail { detail: sentence })
}

/// Adds a `Set-Cookie` line to an answer.
pub(crate) fn add_cookie(response: &mut Response, line: HeaderValue) {
    response.headers_mut().append(SET_COOKIE, line);
}

/// Adds a cookie that holds a token of ours, which can always be written.
pub(crate) fn add_token_cookie(
    response: &mut Response,
    line: Option<HeaderValue>,
) -> Result<(), Problem> {
    let line = line.ok_or_else(|| InternalError::fault("a token does not fit into a cookie"))?;
    add_cookie(response, line);
    Ok(())
}

/// The address, or something of its form: existing clients expect one where there may be none.
/// It is made up for each answer, never stored, and nobody gets mail there (RFC 2606 §2).
pub(crate) fn shown_email(account: &Account) -> Cow<'_, str> {
    if let Some(email) = &account.email {
        return email.as_str().into();
    }
    let of_provider = account.identities.first().and_then(|identity| {
        let name = format!("{}_{}", identity.provider, identity.subject);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        Email::nowhere(&name).filter(|_| name.bytes().all(is_plain))
    });
    of_provider.unwrap_or_else(|| format!("{}@{NOWHERE}", account.number)).into()
}

/// Lets the browser keep what tells it from strangers at its next sign-in.
pub(crate) fn add_device(
    response: &mut Response,
    app: &App,
    signed_in: &SignedIn,
) -> Result<(), Problem> {
    let (device, lifetime) = (signed_in.device.reveal(), signed_in.device_lifetime);
    let line = app.cookies().set(Cookie::Device, device, lifetime, app.now());
    add_token_cookie(response, line)
}

/// The session's refresh token of the cookie chain, for front ends in a browser.
pub(crate) fn add_refresh(
    response: &mut Response,
    app: &App,
    signed_in: &SignedIn,
) -> Result<(), Problem> {
    let (token, lifetime) =
        (signed_in.started.refresh_cookie.reveal(), signed_in.started.refresh_lifetime);
    let line = app.cookies().set(Cookie::Refresh, token, lifetime, app.now());
    add_token_cookie(response, line)
}

/// Lets the verification page know the browser that signed up.
pub(crate) fn add_sign_up(
    response: &mut Response,
    app: &App,
    made: &SignedUp,
) -> Result<(), Problem> {
    let (browser, lifetime) = (made.browser.reveal(), made.browser_lifetime);
    let line = app.cookies().set(Cookie::SignUp, browser, lifetime, app.now());
    add_token_cookie(response, line)
}

/// The account as the contract shows it after a sign-in, in this order of keys.
#[derive(Serialize)]
pub(crate) struct User<'a> {
    pub(crate) id: i64,
    pub(crate) username: &'a str,
    pub(crate) email: Cow<'a, str>,
    pub(crate) email_verified: bool,
}

impl<'a> User<'a> {
    pub(crate) fn of(account: &'a Account) -> Self {
        Self {
            id: account.number,
            username: account.username.as_deref().unwrap_or_default(),
            email: shown_email(account),
            email_verified: account.email_verified_at.is_some(),
        }
    }
}
