//! What surrounds every route: the host check, the cross-site check, CORS, and the headers that
//! every answer carries.
//!
//! One hand-written layer instead of a stack of them, since `GET /api/auth/me` passes through it
//! on every request of every client.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::Route;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderName, HeaderValue, StatusCode};
use tower::{Layer, Service};

use crate::app::App;
use crate::cors::{grant, grant_preflight, is_preflight};
use crate::pages;
use crate::problem::{Dialect, Problem, ProblemJson, Told};
use crate::request::accept::takes_json;

/// What a route is, for the headers around it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Under the contract, with the methods it allows.
    Api {
        /// As `Allow` lists them; nothing where nothing is.
        allow: Option<&'static str>,
    },
    /// Under another system's contract.
    Door {
        /// The words of its answers.
        dialect: Dialect,
        /// As `Allow` lists them; nothing where nothing is.
        allow: Option<&'static str>,
    },
    /// For people.
    Page,
    /// The same for everybody, and theirs to keep for a while.
    Public,
    /// A stranger's picture, drawn anew by us; the same for ever.
    Picture,
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
                Kind::Page | Kind::Picture => None,
                Kind::Api { .. } | Kind::Door { .. } | Kind::Public => {
                    app.cors().allowed_origin(request.headers())
                }
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
        let must_take_json = matches!(self.kind, Kind::Api { .. } | Kind::Door { .. });
        let refused = must_take_json && !takes_json(request.headers());
        refused.then(|| self.refuse(Problem::NotAcceptable))
    }

    fn refuse(&self, problem: Problem) -> Response {
        match self.kind {
            Kind::Api { .. } => problem.answer_in(Dialect::Api),
            Kind::Door { dialect, .. } => problem.answer_in(dialect),
            Kind::Page => pages::problem(&self.app, &problem),
            Kind::Public | Kind::Picture => ProblemJson(problem).into_response(),
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
/// Whatever a picture turned out to be, it could not run (attack H18).
const PICTURE_POLICY: &str = "default-src 'none'; sandbox";
/// A new picture has a new address.
const PICTURE_KEPT: &str = "public, max-age=31536000, immutable";

impl Finish {
    fn vary(&self) -> &'static str {
        let dialect = match self.kind {
            Kind::Door { dialect, .. } => dialect,
            Kind::Api { .. } | Kind::Page | Kind::Public | Kind::Picture => Dialect::Api,
        };
        if self.varies_by_origin { dialect.varies_by_with_origin() } else { dialect.varies_by() }
    }

    fn apply(self, response: &mut Response) {
        let response_status = response.status();
        let is_success = response_status.is_success();
        let vary = self.vary();
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(X_CONTENT_TYPE_OPTIONS, "nosniff");
        if self.https_only {
            set(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
        }
        match self.kind {
            Kind::Api { allow } | Kind::Door { allow, .. } => {
                if let Some(methods) = allow {
                    set(ALLOW, methods);
                }
                set(VARY, vary);
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
            Kind::Picture => {
                let is_kept = is_success || response_status == StatusCode::NOT_MODIFIED;
                set(CACHE_CONTROL, if is_kept { PICTURE_KEPT } else { "no-store" });
                set(CONTENT_SECURITY_POLICY, PICTURE_POLICY);
                // Front ends of other origins show it.
                set(HeaderName::from_static("cross-origin-resource-policy"), "cross-origin");
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
        let Self { state, finish } = &mut *self;
        let kind = finish.as_ref().map(|finish| finish.kind);
        let mut response = match (state, kind) {
            (State::Answered(answer), _) => answer.take().unwrap_or_default(),
            (State::Waiting(future), Some(Kind::Door { dialect, .. })) => {
                ready!(poll_in(dialect, future, context))
            }
            (State::Waiting(future), _) => {
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

/// Polls a door's route. Whatever goes wrong in it is said in the door's words: problems, what
/// the framework refuses before a handler is asked, and panics, of which the panic hook has
/// written the log line.
fn poll_in(
    dialect: Dialect,
    future: &mut (impl Future<Output = Result<Response, Infallible>> + Unpin),
    context: &mut Context<'_>,
) -> Poll<Response> {
    let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(future).poll(context)));
    let mut response = match polled {
        Ok(Poll::Pending) => return Poll::Pending,
        Ok(Poll::Ready(Ok(response))) => response,
        Err(_panic) => return Poll::Ready(Problem::Internal.answer_in(dialect)),
    };
    if let Some(Told(problem)) = response.extensions_mut().remove::<Told>() {
        return Poll::Ready(problem.answer_in(dialect));
    }
    let status = response.status();
    let is_json =
        response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return Poll::Ready(response);
    }
    let refused = if status.is_server_error() { Problem::Internal } else { Problem::NotFound };
    Poll::Ready(refused.answer_in(dialect))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use http_body_util::BodyExt as _;

    use super::*;

    const DOORS: [Dialect; 4] =
        [Dialect::Users, Dialect::OtpSession, Dialect::Accounts, Dialect::Cfg];

    /// Status and body as a door's client gets them.
    async fn through(
        dialect: Dialect,
        route: impl Future<Output = Response>,
    ) -> (StatusCode, serde_json::Value) {
        let mut route = Box::pin(async { Ok(route.await) });
        let polling = std::future::poll_fn(|context| poll_in(dialect, &mut route, context));
        let (parts, body) = polling.await.into_parts();
        assert_eq!(parts.headers[CONTENT_TYPE], "application/json");
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, serde_json::from_slice(&body).unwrap())
    }

    /// Whether a body has the shape of the door's errors, whatever it says.
    fn is_in(dialect: Dialect, body: &serde_json::Value) -> bool {
        match dialect {
            Dialect::Users => body.as_object().unwrap().values().next().unwrap().is_array(),
            Dialect::OtpSession => body["success"] == false && body["detail"].is_string(),
            Dialect::Api | Dialect::Accounts | Dialect::Cfg => body["detail"].is_string(),
        }
    }

    #[tokio::test]
    async fn a_panic_behind_a_door_is_a_500_in_its_words() {
        for dialect in DOORS {
            let route = async { panic!("a fault of the handler") };
            let (status, body) = through(dialect, route).await;
            assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
            assert!(is_in(dialect, &body), "{dialect:?}: {body}");
            assert!(!body.to_string().contains("fault"), "{body}");
        }
    }

    #[tokio::test]
    async fn what_the_framework_refuses_is_said_in_the_doors_words() {
        for dialect in DOORS {
            for (status, said) in
                [(StatusCode::BAD_REQUEST, 404), (StatusCode::INTERNAL_SERVER_ERROR, 500)]
            {
                let route =
                    async { (status, "Invalid URL: text of the framework").into_response() };
                let (status, body) = through(dialect, route).await;
                assert_eq!(status.as_u16(), said);
                assert!(is_in(dialect, &body), "{dialect:?}: {body}");
            }
        }
    }

    #[tokio::test]
    async fn problems_of_handlers_are_said_in_the_doors_words() {
        for dialect in DOORS {
            for problem in [
                Problem::NotAuthenticated,
                Problem::CrossSite,
                Problem::NotFound,
                Problem::Throttled { seconds: 60 },
                Problem::Unavailable { seconds: 1 },
                Problem::Internal,
                Problem::TooLarge,
                Problem::MethodNotAllowed("PUT".to_owned()),
            ] {
                let (_, body) = through(dialect, async { problem.into_response() }).await;
                assert!(is_in(dialect, &body), "{dialect:?}: {body}");
            }
        }
    }

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
