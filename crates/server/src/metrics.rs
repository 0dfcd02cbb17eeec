//! Metrics in Prometheus' text form, on a listener of their own.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

/// Seconds; from an answer out of memory to a wait for the hash gate.
const BUCKETS: [f64; 8] = [0.000_5, 0.002, 0.01, 0.05, 0.1, 0.5, 2.0, 10.0];

/// Begins to count, and answers `/metrics` on `listener`.
pub(crate) fn start(listener: TcpListener) -> anyhow::Result<()> {
    let handle = PrometheusBuilder::new()
        .set_buckets(&BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .context("metrics cannot be counted")?;
    tokio::spawn(keep_small(handle.clone()));
    let answer =
        async move || ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render());
    let router = Router::new().route("/metrics", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// Folds observations together also while nobody asks for them.
async fn keep_small(handle: PrometheusHandle) {
    let mut beat = tokio::time::interval(Duration::from_secs(5));
    loop {
        beat.tick().await;
        handle.run_upkeep();
    }
}

/// Counts and times a request under the pattern of its route, never its path: strangers must not
/// be able to make labels.
pub(crate) async fn measure(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = match *request.method() {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::HEAD => "HEAD",
        _ => "other",
    };
    let response = next.run(request).await;
    let route = route.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let status = response.status().as_u16().to_string();
    let labels = [("method", method.to_owned()), ("route", route), ("status", status)];
    metrics::counter!("ironlatch_http_requests_total", &labels).increment(1);
    metrics::histogram!("ironlatch_http_request_seconds", &labels).record(started.elapsed());
    response
}
