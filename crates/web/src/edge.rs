//! What surrounds every route: the host check, the cross-site check, CORS, and the headers that
//! every answer carries.
//!
//! One hand-written layer instead of a stack of them, since `GET /api/auth/me` passes through it
//! on every request of every client.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::Route;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderName, HeaderValue};
use tower::{Layer, Service};

use crate::app::App;
use crate::cors::{grant, grant_preflight, is_preflight};
use crate::pages;
use crate::problem::{Problem, ProblemJson};
use crate::request::accept::takes_json;

/// What a route is, for the headers around it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Under the contract, with the methods it allows.
    Api {
        /// As `Allow` lists them; nothing where nothing is.
        allow: Option<&'static str>,
    },
    /// For people.
    Page,
    /// The same for everybody, and theirs to keep for a while.
    Public,
}

/// Wraps a route.
#[derive(Clone)]
pub(crate) struct Edge {
    pub(crate) app: App,
    pub(crate) kind: Kind,
}

impl Layer<Route> for Edge {
    type Service = Edged;

    fn layer(&self, inner: Route) -> Edged {
        Edged { edge: self.clone(), inner }
    }
}

/// A wrapped route.
#[derive(Clone)]
pub(crate) struct Edged {
    edge: Edge,
    inner: Route,
}

impl Service<Request> for Edged {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.inner, context)
    }

    fn call(&mut self, request: Request) -> Answering {
        let app = &self.edge.app;
        let finish = Finish {
            kind: self.edge.kind,
            https_only: app.cookies().are_secure(),
            varies_by_origin: app.cors().is_configured(),
            origin: match self.edge.kind {
                Kind::Page => None,
                Kind::Api { .. } | Kind::Public => app.cors().allowed_origin(request.headers()),
            },
        };
        let state = match self.edge.before(&request, finish.origin.is_some()) {
            Some(answer) => State::Answered(Some(answer)),
            None => State::Waiting(self.inner.call(request)),
        };
        Answering { state, finish: Some(finish) }
    }
}

impl Edge {
    /// Answers what must not reach the handler.
    fn before(&self, request: &Request, from_listed_origin: bool) -> Option<Response> {
        if !self.answers_for_host(request) {
            warn_once(request);
            return Some(self.refuse(Problem::Misdirected));
        }
        if !request.method().is_safe()
            && let Err(problem) = self.app.origins().check(request.headers())
        {
            return Some(self.refuse(problem));
        }
        if matches!(self.kind, Kind::Page) {
            return None;
        }
        if is_preflight(request.method(), request.headers()) {
            let mut response = Response::default();
            if from_listed_origin {
                grant_preflight(response.headers_mut());
            }
            return Some(response);
        }
        // A document that is the same for everybody is it for every `Accept` as well: caches
        // keep it, and nothing tells them that it varies.
        let must_take_json = matches!(self.kind, Kind::Api { .. });
        let refused = must_take_json && !takes_json(request.headers());
        refused.then(|| self.refuse(Problem::NotAcceptable))
    }

    fn refuse(&self, problem: Problem) -> Response {
        match self.kind {
            Kind::Api { .. } => problem.into_response(),
            Kind::Page => pages::problem(&self.app, &problem),
            Kind::Public => ProblemJson(problem).into_response(),
        }
    }

    fn answers_for_host(&self, request: &Request) -> bool {
        let Some(hosts) = &self.app.settings().hosts else { return true };
        let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let Some(host) = request.uri().authority().map(Authority::as_str).or(header) else {
            return false;
        };
        let name = without_port(host);
        hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Helps an operator whose proxy does not pass on the host that people typed.
fn warn_once(request: &Request) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            host = ?request.headers().get(HOST),
            "a request for a host that is not ours was refused: let your proxy pass on the host \
             of the public URL, or list this one in http.hosts"
        );
    }
}

/// The host of a `Host` header (RFC 9110 §7.2); brackets stay on IPv6 addresses.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The headers that an answer still needs.
struct Finish {
    kind: Kind,
    https_only: bool,
    varies_by_origin: bool,
    origin: Option<HeaderValue>,
}

/// Answers of the API are never rendered, framed or kept.
const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";
/// Pages load one style sheet of their own and nothing else; forms go nowhere else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; \
                           base-uri 'none'; frame-ancestors 'none'";

impl Finish {
    fn apply(self, response: &mut Response) {
        let is_success = response.status().is_success();
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(X_CONTENT_TYPE_OPTIONS, "nosniff");
        if self.https_only {
            set(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
        }
        match self.kind {
            Kind::Api { allow } => {
                if let Some(methods) = allow {
                    set(ALLOW, methods);
                }
                set(VARY, if self.varies_by_origin { "Accept, Origin" } else { "Accept" });
                set(CACHE_CONTROL, "no-store");
                set(CONTENT_SECURITY_POLICY, API_POLICY);
            }
            Kind::Page => {
                set(CACHE_CONTROL, "no-store");
                set(CONTENT_SECURITY_POLICY, PAGE_POLICY);
                set(REFERRER_POLICY, "no-referrer");
                set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
                set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
                set(
                    HeaderName::from_static("permissions-policy"),
                    "camera=(), geolocation=(), microphone=()",
                );
            }
            Kind::Public => {
                set(CACHE_CONTROL, if is_success { "public, max-age=300" } else { "no-store" });
                if self.varies_by_origin {
                    set(VARY, "Origin");
                }
            }
        }
        if let Some(origin) = self.origin {
            grant(headers, origin);
        }
    }
}

/// The future of a wrapped route.
pub(crate) struct Answering {
    state: State,
    finish: Option<Finish>,
}

enum State {
    Answered(Option<Response>),
    Waiting(<Route as Service<Request>>::Future),
}

impl Future for Answering {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = match &mut self.state {
            State::Answered(answer) => answer.take().unwrap_or_default(),
            State::Waiting(future) => {
                let Ok(response) = ready!(Pin::new(future).poll(context));
                response
            }
        };
        if let Some(finish) = self.finish.take() {
            finish.apply(&mut response);
        }
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_without_their_port() {
        for (host, name) in [
            ("localhost:8000", "localhost"),
            ("localhost", "localhost"),
            ("[::1]:8000", "[::1]"),
            ("[::1]", "[::1]"),
            ("127.0.0.1:1", "127.0.0.1"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }
}
