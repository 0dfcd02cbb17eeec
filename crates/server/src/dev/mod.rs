//! Development: an inbox instead of a mail server, a clock to move, and nothing for strangers.

mod clock;
mod inbox;
mod pages;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use ironlatch_core::ports::Clock;

use crate::opening::Ways;
use clock::MovedClock;
use inbox::Inbox;

/// What only `ironlatch dev` has.
#[derive(Clone, Default)]
pub(crate) struct Development {
    clock: Arc<MovedClock>,
    inbox: Arc<Inbox>,
}

impl Development {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(MovedClock::default());
        Self { inbox: Arc::new(Inbox::new(Arc::clone(&clock))), clock }
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::<MovedClock>::clone(&self.clock)
    }

    pub(crate) fn inbox(&self) -> Ways {
        let inbox = &self.inbox;
        Ways { mail: Arc::<Inbox>::clone(inbox), sms: Some(Arc::<Inbox>::clone(inbox)) }
    }

    /// `/`, `/dev/inbox`, `/dev/inbox.json` and `/dev/clock`.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/", get(pages::landing))
            .route("/dev/inbox", get(pages::inbox))
            .route("/dev/inbox.json", get(inbox::list))
            .route("/dev/clock", post(clock::advance))
            .layer(from_fn(only_from_here))
            .with_state(self.clone())
    }
}

/// Answers only to this machine's names, against DNS rebinding, and takes changes only from its
/// own pages or from programs: a web page elsewhere could otherwise send them.
async fn only_from_here(request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !is_local_host(headers) {
        return (StatusCode::MISDIRECTED_REQUEST, "Development answers to localhost only.\n")
            .into_response();
    }
    if !request.method().is_safe() && is_cross_site(headers) {
        return (StatusCode::FORBIDDEN, "Other sites may not do this.\n").into_response();
    }
    next.run(request).await
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn is_local_host(headers: &HeaderMap) -> bool {
    let host = text(headers, header::HOST).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name);
    ironlatch_web::LOCAL_HOSTS.contains(&name)
}

fn is_cross_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let foreign = site.is_some_and(|site| site != b"same-origin" && site != b"none");
    let host = text(headers, header::HOST).unwrap_or_default();
    let own = format!("http://{host}");
    foreign || text(headers, header::ORIGIN).is_some_and(|origin| origin != own)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(values: &[(&'static str, &'static str)]) -> HeaderMap {
        let each = values
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        each.collect()
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for fine in ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]", "[::1]:8000"] {
            assert!(is_local_host(&headers(&[("host", fine)])), "{fine}");
        }
        for other in ["evil.example", "localhost.evil.example:80", "[::2]:8000", "", "localhost:x"]
        {
            assert!(!is_local_host(&headers(&[("host", other)])), "{other}");
        }
        assert!(!is_local_host(&HeaderMap::new()));
    }

    #[test]
    fn other_sites_are_told_from_programs_and_own_pages() {
        let host = ("host", "localhost:8000");
        assert!(!is_cross_site(&headers(&[host])));
        assert!(!is_cross_site(&headers(&[host, ("origin", "http://localhost:8000")])));
        assert!(!is_cross_site(&headers(&[host, ("sec-fetch-site", "same-origin")])));
        assert!(is_cross_site(&headers(&[host, ("origin", "http://localhost:3000")])));
        assert!(is_cross_site(&headers(&[host, ("origin", "null")])));
        assert!(is_cross_site(&headers(&[host, ("sec-fetch-site", "same-site")])));
    }
}
