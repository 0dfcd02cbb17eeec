//! Who asks, as far as the connection tells.

use axum::extract::FromRequestParts;
use http::HeaderValue;
use http::header::USER_AGENT;
use http::request::Parts;
use ironlatch_core::client::Client;
use ironlatch_core::error::InternalError;
use ironlatch_core::sessions::Present;

use super::address::{PeerAddress, client_address};
use super::bearer;
use super::cookies::Cookie;
use super::still::StillHere;
use crate::app::App;
use crate::problem::Problem;

/// Longer ones say nothing more.
const LONGEST_USER_AGENT: usize = 200;

/// The other end of the request, for limits, lists and notices.
pub(crate) struct Caller(pub(crate) Client);

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let peer = PeerAddress::of(&parts.extensions).ok_or_else(|| {
            // Guessing an address would put everybody into one bucket of the limits.
            Problem::from(InternalError::fault(
                "a request carries no PeerAddress: serve the router with \
                 `into_make_service_with_connect_info::<SocketAddr>()` or insert \
                 `ironlatch_web::PeerAddress`",
            ))
        })?;
        let user_agent = parts.headers.get(USER_AGENT).map(HeaderValue::as_bytes);
        let user_agent = String::from_utf8_lossy(user_agent.unwrap_or_default());
        let printable = user_agent.chars().filter(|c| !c.is_control());
        Ok(Self(Client {
            address: client_address(&parts.headers, peer, &app.settings().trusted_proxies),
            user_agent: printable.take(LONGEST_USER_AGENT).collect(),
            device: app.cookies().read_secret(&parts.headers, Cookie::Device),
        }))
    }
}

/// Somebody whose bearer token passed every check; refuses in the contract's shape.
pub(crate) struct Bearer(pub(crate) Present);

impl FromRequestParts<App> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let present = bearer::check(app.auth(), &parts.headers).await?;
        StillHere::remember(parts, app, &present);
        Ok(Self(present))
    }
}

/// A bearer who may use the operator's console; others get 403.
pub(crate) struct Operator(pub(crate) Present);

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let present = bearer::check(app.auth(), &parts.headers).await?;
        StillHere::remember(parts, app, &present);
        if present.account.is_staff || present.account.is_superuser {
            Ok(Self(present))
        } else {
            Err(Problem::PermissionDenied)
        }
    }
}
