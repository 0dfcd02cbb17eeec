//! Requests as bytes, prepared before anything is measured.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What every request names as its host; the server and its baseline get the same bytes.
const HOST: &str = "127.0.0.1:8000";

/// Requests that are sent in turn, over and over.
#[derive(Debug)]
pub(crate) struct Requests {
    all: Arc<Vec<Vec<u8>>>,
    next: AtomicUsize,
    /// The status each is expected to get.
    pub(crate) wished: u16,
}

impl Requests {
    /// Requests that should be answered with 200.
    pub(crate) fn new(all: Vec<Vec<u8>>) -> Self {
        Self { all: Arc::new(all), next: AtomicUsize::new(0), wished: 200 }
    }

    /// The same requests from the first on, for somebody who does not use them up.
    pub(crate) fn anew(&self) -> Self {
        Self { all: Arc::clone(&self.all), next: AtomicUsize::new(0), wished: self.wished }
    }

    /// Whether each has been sent, so that they come round again.
    pub(crate) fn are_used_up(&self) -> bool {
        self.next.load(Ordering::Relaxed) >= self.all.len()
    }

    /// The next one, whoever asks.
    pub(crate) fn next(&self) -> &[u8] {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.all.get(turn % self.all.len().max(1)).map_or(&[], Vec::as_slice)
    }
}

/// `GET /api/auth/me/` as its bearer sends it.
pub(crate) fn me(access: &str) -> Vec<u8> {
    format!(
        "GET /api/auth/me/ HTTP/1.1\r\nHost: {HOST}\r\nAccept: application/json\r\n\
         User-Agent: bench/1\r\nAuthorization: Bearer {access}\r\n\r\n"
    )
    .into_bytes()
}

/// A password sign-in that a trusted proxy passes on from one of 64 networks.
pub(crate) fn sign_in(email: &str, password: &str, network: u32) -> Vec<u8> {
    let body = format!(r#"{{"email":"{email}","password":"{password}"}}"#);
    let from = Ipv4Addr::from_bits(0x0A01_0001 + (network % 64) * 256);
    post("/api/auth/login/", &body, &format!("X-Forwarded-For: {from}\r\n"))
}

/// One of sixteen million networks of one address each.
pub(crate) const fn network(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0A00_0000 | (number & 0x00FF_FFFF))
}

/// A request for a code that a trusted proxy passes on.
pub(crate) fn ask_for_code(email: &str, from: Ipv4Addr) -> Vec<u8> {
    let body = format!(r#"{{"identifier":"{email}","channel":"email"}}"#);
    post("/api/auth/otp/request/", &body, &format!("X-Forwarded-For: {from}\r\n"))
}

/// A sign-in with a code that a trusted proxy passes on.
pub(crate) fn verify_code(email: &str, code: &str, from: Ipv4Addr) -> Vec<u8> {
    let body = format!(r#"{{"identifier":"{email}","channel":"email","otp_code":"{code}"}}"#);
    post("/api/auth/otp/verify/", &body, &format!("X-Forwarded-For: {from}\r\n"))
}

/// A refresh on the body chain.
pub(crate) fn refresh(token: &str) -> Vec<u8> {
    post("/api/auth/token/refresh/", &format!(r#"{{"refresh":"{token}"}}"#), "")
}

/// The readiness question.
pub(crate) fn ready() -> Vec<u8> {
    format!("GET /readyz HTTP/1.1\r\nHost: {HOST}\r\n\r\n").into_bytes()
}

fn post(path: &str, body: &str, more: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: application/json\r\n\
         User-Agent: bench/1\r\n{more}Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
