//! `GET /accounts/sessions/` and `DELETE /accounts/sessions/<id>/`.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use http::StatusCode;
use ironlatch_core::ids::SessionId;
use ironlatch_core::sessions::SessionEntry;
use serde::Serialize;

use crate::api::sessions::rfc_3339;
use crate::api::{ApiResult, answer};
use crate::app::App;
use crate::problem::Problem;
use crate::request::caller::{Bearer, Caller};

/// A session as the contract's serializer shows it.
#[derive(Serialize)]
struct Session {
    id: String,
    device_name: Option<String>,
    ip_address: String,
    created_at: String,
    expires_at: String,
    is_revoked: bool,
}

/// The live sessions of the bearer, the newest first; those that are over are in no list.
pub(crate) async fn list(State(app): State<App>, Bearer(present): Bearer) -> ApiResult {
    let entries = app.auth().sessions().list(present.account.id).await?;
    let sessions: Vec<_> = entries.into_iter().map(session).collect();
    Ok(answer::json(StatusCode::OK, &sessions))
}

fn session(entry: SessionEntry) -> Session {
    Session {
        id: entry.id.to_string(),
        device_name: Some(entry.user_agent).filter(|name| !name.is_empty()),
        // Of an IPv6 address the network is all that is kept; clients expect an address.
        ip_address: entry.network.trim_end_matches("/64").to_owned(),
        created_at: rfc_3339(entry.created_at),
        expires_at: rfc_3339(entry.ends_at),
        is_revoked: false,
    }
}

/// Ends one. Other people's sessions are as unknown as none.
pub(crate) async fn end(
    State(app): State<App>,
    Bearer(present): Bearer,
    caller: Caller,
    Path(id): Path<String>,
) -> ApiResult {
    let id = SessionId::parse(&id).ok_or(Problem::NotFound)?;
    if app.auth().sessions().end(present.account.id, id, &caller.0).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(Problem::NotFound)
    }
}
