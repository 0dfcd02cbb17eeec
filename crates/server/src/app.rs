//! The routes around the product's own: health, documents, development.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::Html;
use axum::routing::get;
use ironlatch_core::Auth;

use crate::configuration::ServerSettings;
use crate::dev::Development;
use crate::observe::metrics;
use crate::reference;

/// A document's headers and body.
type Document<T> = ([(HeaderName, &'static str); 1], T);

/// Everything on the public listener.
pub(crate) fn router(
    auth: &Auth,
    settings: &ServerSettings,
    development: Option<&Development>,
) -> anyhow::Result<Router> {
    let mut router = Router::new()
        .route("/healthz", get(async || "live\n"))
        .route("/readyz", get(ready))
        .with_state(auth.clone())
        .merge(ironlatch_web::router(auth.clone(), settings.web.clone()));
    if settings.documents {
        router = router.merge(documents()?);
    }
    if let Some(development) = development {
        router = router.merge(development.router());
    }
    router = router.fallback(ironlatch_web::not_found);
    if settings.metrics_listen.is_some() {
        router = router.layer(from_fn(metrics::measure));
    }
    Ok(router)
}

/// Ready: the database answers, revocations are known, the clock is right. Mail is no part of
/// it: it waits in the outbox.
async fn ready(State(auth): State<Auth>) -> (StatusCode, &'static str) {
    if auth.is_ready().await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

/// The API's description, for programs and for people.
fn documents() -> anyhow::Result<Router> {
    let description = serde_json::to_value(ironlatch_web::openapi())?;
    let page: Arc<str> = reference::page(&description)?.into();
    let json: Arc<str> = description.to_string().into();
    let json = move || {
        let answer: Document<String> =
            ([(header::CONTENT_TYPE, "application/json")], json.to_string());
        std::future::ready(answer)
    };
    let page = move || {
        let answer: Document<Html<String>> =
            ([(header::CONTENT_SECURITY_POLICY, reference::POLICY)], Html(page.to_string()));
        std::future::ready(answer)
    };
    Ok(Router::new().route("/openapi.json", get(json)).route("/docs", get(page)))
}
