//! `/api/auth/sessions`: where one is signed in, and ending that.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ironlatch_core::ids::SessionId;
use ironlatch_core::sessions::SessionEntry;
use ironlatch_core::time::Timestamp;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{ApiResult, answer};
use crate::app::App;
use crate::problem::{Explain, Problem};
use crate::request::caller::{Bearer, Caller};
use crate::request::fields::Fields;

#[derive(Serialize)]
struct Listed {
    sessions: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    id: String,
    current: bool,
    user_agent: String,
    network: String,
    amr: Vec<String>,
    created_at: String,
    last_used_at: String,
    ends_at: String,
}

/// The live sessions of the bearer, the newest first.
pub(crate) async fn list(State(app): State<App>, Bearer(present): Bearer) -> ApiResult {
    let entries = app.auth().sessions().list(present.account.id).await?;
    let entry = |entry: SessionEntry| Entry {
        id: entry.id.to_string(),
        current: entry.id == present.claims.session,
        user_agent: entry.user_agent,
        network: entry.network,
        amr: entry.amr,
        created_at: rfc_3339(entry.created_at),
        last_used_at: rfc_3339(entry.last_used_at),
        ends_at: rfc_3339(entry.ends_at),
    };
    let sessions = entries.into_iter().map(entry).collect();
    Ok(answer::json(StatusCode::OK, &Listed { sessions }))
}

/// Ends one. Other people's sessions are as unknown as none.
pub(crate) async fn end(
    State(app): State<App>,
    Bearer(present): Bearer,
    caller: Caller,
    Path(id): Path<String>,
    fields: Fields,
) -> ApiResult {
    fields.expect_none()?;
    let id = SessionId::parse(&id).ok_or(Problem::NotFound)?;
    if app.auth().sessions().end(present.account.id, id, &caller.0).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(Problem::NotFound)
    }
}

/// Ends all but the one that asks.
pub(crate) async fn end_others(
    State(app): State<App>,
    Bearer(present): Bearer,
    caller: Caller,
    fields: Fields,
) -> Result<Response, Problem> {
    fields.expect_none()?;
    let ended = app.auth().sign_in().end_other_sessions(&present, &caller.0).await;
    ended.map_err(|error| error.explain(app.now()))?;
    Ok(answer::detail("All other sessions have ended."))
}

/// A moment as JSON carries it, to the second.
pub(crate) fn rfc_3339(moment: Timestamp) -> String {
    let date = OffsetDateTime::from_unix_timestamp(moment.seconds()).ok();
    date.and_then(|date| date.format(&Rfc3339).ok()).unwrap_or_default()
}
