//! Who is signed in on this door: whoever holds the cookie with an access token.

use axum::extract::FromRequestParts;
use http::request::Parts;
use ironlatch_core::sessions::Present;

use crate::app::App;
use crate::problem::Problem;
use crate::request::cookies::Cookie;
use crate::request::still::StillHere;

/// Somebody whose cookie holds an access token that passed every check. The `Authorization`
/// header counts for nothing here, as in the contract.
pub(crate) struct ByCookie(pub(crate) Present);

impl FromRequestParts<App> for ByCookie {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = app.cookies().read(&parts.headers, Cookie::Access);
        let token = token.ok_or(Problem::NotAuthenticated)?;
        let present = app.auth().sessions().check(token).await?;
        StillHere::remember(parts, app, &present);
        Ok(Self(present))
    }
}
