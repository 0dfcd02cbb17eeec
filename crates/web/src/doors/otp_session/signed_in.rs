//! Who is signed in on this door: whoever holds the session's cookie.

use axum::extract::FromRequestParts;
use http::request::Parts;
use ironlatch_core::sessions::Present;

use crate::app::App;
use crate::problem::Problem;
use crate::request::cookies::Cookie;
use crate::request::still::StillHere;

/// Somebody whose session cookie passed every check.
pub(crate) struct BySession(pub(crate) Present);

impl FromRequestParts<App> for BySession {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let cookie = app.cookies().read_secret(&parts.headers, Cookie::Session);
        let cookie = cookie.ok_or(Problem::NotAuthenticated)?;
        let present = app.auth().sessions().check_cookie(&cookie).await?;
        StillHere::remember(parts, app, &present);
        Ok(Self(present))
    }
}
