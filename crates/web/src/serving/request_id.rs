//! Request ids: one for each request, in its answer, its access line and every log line about it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use ironlatch_core::ports::Random;

/// The header that carries it.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    /// The id of the request that the present task is answering.
    pub(super) static CURRENT: HeaderValue;
}

/// The id of the request that the present task is answering, for log lines about it.
#[must_use]
pub fn current_request_id() -> Option<String> {
    CURRENT.try_with(|id| id.to_str().ok().map(str::to_owned)).ok().flatten()
}

/// Makes ids: a prefix drawn at start, so that nodes and restarts differ, and a number.
pub(super) struct RequestIds {
    prefix: u32,
    next: AtomicU64,
}

impl RequestIds {
    /// Draws the prefix.
    pub(super) fn new(random: &dyn Random) -> Self {
        Self { prefix: u32::from_ne_bytes(random.bytes()), next: AtomicU64::new(1) }
    }

    /// The id of a request: a trusted proxy's own, else a new one. Anybody else's could make
    /// their requests look like somebody's in the log.
    pub(super) fn of(&self, peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> HeaderValue {
        if let Some(given) = headers.get(X_REQUEST_ID)
            && is_well_formed(given.as_bytes())
            && trusted.iter().any(|network| network.contains(&peer.to_canonical()))
        {
            return given.clone();
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let text = format!("{:08x}-{number:x}", self.prefix);
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("none"))
    }
}

/// Letters, digits, `-`, `_` and `.`; at most 64 of them.
fn is_well_formed(id: &[u8]) -> bool {
    let fine = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    !id.is_empty() && id.len() <= 64 && id.iter().all(fine)
}

#[cfg(test)]
mod tests {
    use ironlatch_core::ports::SystemRandom;

    use super::*;

    #[test]
    fn only_a_trusted_proxy_names_requests() {
        let ids = RequestIds::new(&SystemRandom);
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let with = |value| HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_static(value))]);
        let of = |peer: &str, value| ids.of(peer.parse().unwrap(), &with(value), &trusted);
        assert_eq!(of("10.1.2.3", "abc-1"), "abc-1");
        assert_eq!(of("::ffff:10.1.2.3", "abc-1"), "abc-1");
        assert_ne!(of("192.0.2.1", "abc-1"), "abc-1");
        assert_ne!(of("10.1.2.3", "a b\"}"), "a b\"}");
        assert_ne!(of("192.0.2.1", "x"), of("192.0.2.1", "x"));
    }
}
