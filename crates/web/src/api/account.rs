//! `DELETE /api/auth/account`: leave.

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;

use super::{ApiResult, answer};
use crate::app::App;
use crate::problem::Explain;
use crate::request::caller::{Bearer, Caller};
use crate::request::cookies::Cookie;
use crate::request::fields::Fields;

/// Closes the account of the bearer, after their password, if it has one.
pub(crate) async fn close(
    State(app): State<App>,
    Bearer(present): Bearer,
    caller: Caller,
    mut fields: Fields,
) -> ApiResult {
    let current = fields.secret_or_none("current_password");
    fields.refuse_unknown();
    let current = fields.finish(current)?;
    let closed = app.auth().sign_in().close_account(&present, current.as_ref(), &caller.0).await;
    closed.map_err(|error| error.explain(app.now()))?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    for cookie in [Cookie::Refresh, Cookie::Device] {
        answer::add_cookie(&mut response, app.cookies().clear(cookie));
    }
    Ok(response)
}
