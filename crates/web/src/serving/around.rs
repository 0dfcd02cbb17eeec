//! What happens around every request: its id, its peer, its line in the log, and a panic in its
//! handler that must not touch any other request.

use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use ipnet::IpNet;
use ironlatch_core::client::Network;
use tower::Service as _;

use super::access_log::{AccessLog, Line};
use super::connection::{Pace, Phase};
use super::request_id::{CURRENT, RequestIds, X_REQUEST_ID};
use crate::{PeerAddress, client_address};

/// The application with everything around it.
pub(super) struct Around {
    pub(super) router: Router,
    pub(super) ids: RequestIds,
    pub(super) access_log: Option<AccessLog>,
    pub(super) trusted_proxies: Vec<IpNet>,
}

impl Around {
    /// Whether the other end is a proxy of ours.
    pub(super) fn is_trusted(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&peer))
    }

    /// Answers one request, whatever happens.
    pub(super) async fn answer(
        self: Arc<Self>,
        peer: IpAddr,
        pace: Pace,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        pace.enter(Phase::Body);
        let started = Instant::now();
        let mut request = request.map(Body::new);
        let id = self.ids.of(peer, request.headers(), &self.trusted_proxies);
        let peer = PeerAddress(peer);
        request.extensions_mut().insert(peer);
        let seen = self.access_log.as_ref().map(|log| {
            let network = client_address(request.headers(), peer, &self.trusted_proxies);
            (log, request.method().clone(), request.uri().clone(), Network::of(network))
        });
        let handling = AssertUnwindSafe(self.router.clone().call(request)).catch_unwind();
        let mut response = match CURRENT.scope(id.clone(), handling).await {
            Ok(Ok(response)) => response,
            Err(_panic) => after_panic(),
        };
        if let Some((log, method, uri, network)) = seen {
            let (status, took) = (response.status(), started.elapsed());
            log.add(&Line { id: &id, method: &method, path: uri.path(), status, took, network });
        }
        response.headers_mut().insert(X_REQUEST_ID, id);
        pace.enter(Phase::Idle);
        Ok(response)
    }
}

/// The panic hook has written the log line.
fn after_panic() -> Response<Body> {
    let text = r#"{"detail":"Something went wrong on our side.","code":"internal_error"}"#;
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
