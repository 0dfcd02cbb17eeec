//! `POST /api/auth/reauthenticate`: a fresh proof for acts that need one.

use axum::extract::State;
use http::HeaderMap;
use ironlatch_core::sign_in::{Anew, SecondProof};

use super::ApiResult;
use super::login::{arrival, signed_in_answer};
use crate::app::App;
use crate::problem::Explain;
use crate::request::caller::{Bearer, Caller};
use crate::request::fields::Fields;

/// Takes the password, and a code where an app is enrolled; the answer is a login's. The new
/// session stands in the place of the old one.
pub(crate) async fn submit(
    State(app): State<App>,
    Bearer(present): Bearer,
    caller: Caller,
    headers: HeaderMap,
    mut fields: Fields,
) -> ApiResult {
    let password = fields.secret_or_none("current_password");
    let second = if fields.has("method") || fields.has("code") {
        let method = fields.second_factor("method");
        let code = fields.secret("code");
        method.zip(code).map(|(method, code)| Some(SecondProof { method, code }))
    } else {
        Some(None)
    };
    fields.refuse_unknown();
    let (password, second) = fields.finish(password.zip(second))?;
    let proof = Anew { password, second, arrival: arrival(&app, &headers, caller) };
    let signed_in = app.auth().sign_in().prove_anew(&present, proof).await;
    signed_in_answer(&app, &signed_in.map_err(|error| error.explain(app.now()))?)
}
