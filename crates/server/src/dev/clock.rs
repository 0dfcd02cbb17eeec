//! A clock that can be moved forward, so that anybody can try expiries without waiting.

use std::sync::atomic::{AtomicI64, Ordering};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ironlatch_core::ports::{Clock, SystemClock};
use ironlatch_core::time::{Timestamp, days, micros_of, seconds};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Development;
use super::inbox::rfc_3339;

/// The machine's clock and how far it was moved, in microseconds.
#[derive(Default)]
pub(super) struct MovedClock(AtomicI64);

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        let moved = self.0.load(Ordering::Relaxed);
        Timestamp::from_micros(SystemClock.now().micros().saturating_add(moved))
    }
}

/// How far to move.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advance {
    advance_seconds: u64,
}

/// `POST /dev/clock`: forward only, at most ten years at a time.
pub(super) async fn advance(
    State(development): State<Development>,
    Json(advance): Json<Advance>,
) -> (StatusCode, Json<Value>) {
    let span = seconds(advance.advance_seconds);
    if span > days(3_660) {
        let detail = "advance_seconds must be ten years or less.";
        return (StatusCode::BAD_REQUEST, Json(json!({ "detail": detail })));
    }
    development.clock.0.fetch_add(micros_of(span), Ordering::Relaxed);
    (StatusCode::OK, Json(json!({ "now": rfc_3339(development.clock.now()) })))
}
