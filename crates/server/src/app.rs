//! The routes around the product's own: health, documents, development.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::routing::get;
use ironlatch_core::Auth;

use crate::configuration::ServerSettings;
use crate::dev::Development;
use crate::metrics;

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
        router = router.merge(ironlatch_web::documents()?);
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
