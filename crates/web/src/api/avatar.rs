//! `/api/profile/avatar`: the bearer's picture; `/avatars/{id}`: a picture, for everybody.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use ironlatch_core::error::InternalError;
use ironlatch_core::ids::AvatarId;
use ironlatch_core::profiles::PictureFormat;

use super::user_object::UserObject;
use super::{ApiResult, answer};
use crate::app::App;
use crate::problem::{Explain, Problem, ProblemJson};
use crate::request::caller::Bearer;
use crate::request::fields::Fields;
use crate::request::file;

/// Takes a picture in. Leave is asked for before the file is read.
pub(crate) async fn upload(
    State(app): State<App>,
    Bearer(present): Bearer,
    request: Request,
) -> ApiResult {
    let leave = app.auth().profiles().begin_upload(present.account.id).await;
    let leave = leave.map_err(|error| error.explain(app.now()))?;
    let file = file::read(request, "avatar").await?;
    leave.store(file).await.map_err(|error| error.explain(app.now()))?;
    Ok(answer::json(StatusCode::OK, &UserObject::of_bearer(&app, &present).await?))
}

/// Removes the picture; having none is as good.
pub(crate) async fn remove(
    State(app): State<App>,
    Bearer(present): Bearer,
    fields: Fields,
) -> ApiResult {
    fields.expect_none()?;
    app.auth().profiles().delete_avatar(present.account.id).await?;
    Ok(answer::json(StatusCode::OK, &UserObject::of_bearer(&app, &present).await?))
}

/// Shows a picture. Its address is random and ends with it, so whoever has seen it may keep it
/// (`edge`).
pub(crate) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ProblemJson> {
    let id = AvatarId::parse(&id).ok_or(Problem::NotFound)?;
    let picture = app.auth().profiles().picture(id).await.map_err(Problem::from)?;
    let picture = picture.ok_or(Problem::NotFound)?;
    let tag = HeaderValue::try_from(format!("\"{id}\""));
    let tag = tag.map_err(|error| Problem::from(InternalError::fault(error)))?;
    let known = headers.get(IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let mut response = if known.is_some_and(|known| names(known, &id.to_string())) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(picture.bytes))
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, tag);
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(match picture.format {
            PictureFormat::Jpeg => "image/jpeg",
            PictureFormat::Png => "image/png",
        }),
    );
    Ok(response)
}

/// Whether `If-None-Match` names this tag, compared weakly (RFC 9110 §13.1.2).
fn names(known: &str, tag: &str) -> bool {
    known.split(',').map(str::trim).any(|one| {
        let one = one.strip_prefix("W/").unwrap_or(one);
        one == "*" || one.trim_matches('"') == tag
    })
}
