//! `GET /api/auth/verify-email`: the contract's way to prove an address; and the mail again.

use axum::extract::State;
use axum::response::Response;
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Evidence, Verification};
use serde::Serialize;

use super::{ApiResult, answer};
use crate::app::App;
use crate::problem::{Explain, Problem};
use crate::request::accept::names_json;
use crate::request::caller::Caller;
use crate::request::fields::Fields;
use crate::request::query::query_value;

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

/// Consumes the token for a client that asks for JSON by name. Whoever does not (a browser, a
/// mail scanner, `curl`) is sent to the page, where a person decides.
pub(crate) async fn consume(
    State(app): State<App>,
    caller: Caller,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> ApiResult {
    // HEAD is a question about an answer, never the act.
    if method == Method::HEAD || !names_json(&headers) {
        return Ok(to_the_page(&uri, 2));
    }
    let token = token_in(&uri).ok_or(Problem::InvalidLink)?;
    let sign_in = app.auth().sign_in();
    let outcome = sign_in.verify_email(&token, Evidence::ContractJson, &caller.0).await;
    match outcome.map_err(|error| error.explain(app.now()))? {
        Verification::Verified => {
            Ok(answer::json(StatusCode::OK, &Message { message: "Email verified" }))
        }
        Verification::Ready { .. } | Verification::NeedsMore(_) => Err(Problem::InvalidLink),
    }
}

/// Sends the verification mail again. The answer is the same for every address.
pub(crate) async fn resend(
    State(app): State<App>,
    caller: Caller,
    mut fields: Fields,
) -> ApiResult {
    let email = fields.email("email");
    fields.refuse_unknown();
    let email = fields.finish(email)?;
    let sent = app.auth().sign_in().resend_verification(&email, Door::Api, &caller.0).await;
    sent.map_err(|error| error.explain(app.now()))?;
    Ok(answer::detail("If this address waits to be confirmed, a mail is on its way."))
}

/// A 303 from so many folders below the pages to the page, relative, so that it holds under any
/// prefix and behind any proxy.
pub(crate) fn to_the_page(uri: &Uri, folders: usize) -> Response {
    let slash = usize::from(uri.path().ends_with('/'));
    let up = "../".repeat(folders + slash);
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let location = HeaderValue::try_from(format!("{up}verify-email{query}"));
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SEE_OTHER;
    let fallback = HeaderValue::from_static("/verify-email");
    response.headers_mut().insert(LOCATION, location.unwrap_or(fallback));
    response
}

/// The one `token` of a query.
pub(crate) fn token_in(uri: &Uri) -> Option<String> {
    query_value(uri, "token")
}
