//! `GET /accounts/verify-email/?token=`.

use axum::extract::State;
use http::{HeaderMap, Method, StatusCode, Uri};
use ironlatch_core::sign_in::{Evidence, Verification};
use serde::Serialize;

use super::Message;
use crate::api::verify_email::{to_the_page, token_in};
use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::problem::{Explain, Problem};
use crate::request::accept::names_json;
use crate::request::caller::Caller;

#[derive(Serialize)]
struct Refused {
    error: &'static str,
}

/// Consumes the token for a client that asks for JSON by name; whoever does not (a browser, a
/// mail scanner) is sent to the page, where a person decides.
pub(crate) async fn consume(
    State(app): State<App>,
    caller: Caller,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> ApiResult {
    // HEAD is a question about an answer, never the act.
    if method == Method::HEAD || !names_json(&headers) {
        return Ok(to_the_page(&uri, 1));
    }
    let Some(token) = token_in(&uri).filter(|token| !token.is_empty()) else {
        let refused = Refused { error: "Token is required." };
        return Ok(answer::json(StatusCode::BAD_REQUEST, &refused));
    };
    let sign_in = app.auth().sign_in();
    let outcome = sign_in.verify_email(&token, Evidence::ContractJson, &caller.0).await;
    match outcome.map_err(|error| error.explain(app.now()))? {
        Verification::Verified => {
            let body = Message { message: "Email verified successfully." };
            Ok(answer::json(StatusCode::OK, &body))
        }
        Verification::Ready { .. } | Verification::NeedsMore(_) => Err(Problem::InvalidLink),
    }
}
