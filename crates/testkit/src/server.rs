//! The whole HTTP side without a socket: the router, and clients that call it.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::header::{CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::jar::Jar;
use crate::{Browser, TestAuth};

/// A server to call: the web router over a [`TestAuth`], which it derefs to.
pub struct TestServer {
    test: TestAuth,
    router: Router,
}

impl std::ops::Deref for TestServer {
    type Target = TestAuth;

    fn deref(&self) -> &TestAuth {
        &self.test
    }
}

impl TestServer {
    /// On an embedded database of its own.
    pub async fn new() -> Self {
        Self::over(TestAuth::new().await)
    }

    /// Over an `Auth` that is there already.
    #[must_use]
    pub fn over(test: TestAuth) -> Self {
        Self::with_settings(test, ironlatch_web::Settings::default())
    }

    /// With settings for the HTTP side: trusted proxies, allowed origins.
    #[must_use]
    pub fn with_settings(test: TestAuth, settings: ironlatch_web::Settings) -> Self {
        let router = ironlatch_web::router(test.auth.clone(), settings);
        Self { test, router }
    }

    /// With an application's own router, Ironlatch mounted somewhere in it.
    #[must_use]
    pub fn with_router(test: TestAuth, router: Router) -> Self {
        Self { test, router }
    }

    /// A client without cookies, from a network nobody else in this test is in.
    #[must_use]
    pub fn client(&self) -> TestClient<'_> {
        self.client_at(self.test.stranger().address)
    }

    /// A client without cookies at an address.
    #[must_use]
    pub fn client_at(&self, address: IpAddr) -> TestClient<'_> {
        TestClient { server: self, address, jar: Jar::default(), headers: HeaderMap::new() }
    }

    /// A browser without a screen, scripts or memory.
    #[must_use]
    pub fn browser(&self) -> Browser<'_> {
        Browser::new(self.client())
    }

    /// Scheme, host and port of the public URL, as browsers name the origin.
    #[must_use]
    pub fn origin(&self) -> String {
        let url = &self.test.auth.settings().public_url;
        let authority = url.find("://").map_or(0, |at| at + 3);
        let end = url.split_at(authority).1.find('/').map_or(url.len(), |at| authority + at);
        url.split_at(end).0.to_owned()
    }

    /// Hands a request to the router as it is, but for the peer's address.
    pub async fn call(&self, mut request: Request<Body>, peer: IpAddr) -> Answer {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer, 40_000)));
        let answer = self.router.clone().oneshot(request).await.expect("a router never fails");
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.expect("the body is whole").to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.to_vec() }
    }
}

/// Calls a [`TestServer`]; keeps cookies like a browser.
#[derive(Clone)]
pub struct TestClient<'a> {
    server: &'a TestServer,
    address: IpAddr,
    jar: Jar,
    headers: HeaderMap,
}

impl<'a> TestClient<'a> {
    /// Sends this header with every request from now on, in place of an earlier one.
    pub fn set_header(&mut self, name: &'static str, value: &str) {
        let value = HeaderValue::from_str(value).expect("a header's value");
        self.headers.insert(HeaderName::from_static(name), value);
    }

    /// Sends this header with every request from now on.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.set_header(name, value);
        self
    }

    /// No longer sends a header.
    pub fn unset_header(&mut self, name: &'static str) {
        self.headers.remove(name);
    }

    /// Sends `Authorization: Bearer …` with every request from now on.
    #[must_use]
    pub fn with_bearer(self, token: &str) -> Self {
        self.with_header("authorization", &format!("Bearer {token}"))
    }

    /// Moves to another address, cookies kept.
    pub fn move_to(&mut self, address: IpAddr) {
        self.address = address;
    }

    /// The value of a cookie that has not expired by the test's clock.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.value(name, self.server.now())
    }

    /// Sets a cookie by hand.
    pub fn set_cookie(&mut self, name: &str, value: &str) {
        self.jar.put(name, value);
    }

    /// Forgets a cookie.
    pub fn drop_cookie(&mut self, name: &str) {
        self.jar.remove(name);
    }

    /// The server it calls.
    #[must_use]
    pub const fn server(&self) -> &'a TestServer {
        self.server
    }

    /// `GET`.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, None, Vec::new()).await
    }

    /// `DELETE` without a body.
    pub async fn delete(&mut self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, Vec::new()).await
    }

    /// `DELETE` with JSON.
    pub async fn delete_json(&mut self, path: &str, body: &Value) -> Answer {
        let body = body.to_string().into_bytes();
        self.send(Method::DELETE, path, Some("application/json"), body).await
    }

    /// `POST` without body and content type.
    pub async fn post(&mut self, path: &str) -> Answer {
        self.send(Method::POST, path, None, Vec::new()).await
    }

    /// `POST` of JSON.
    pub async fn post_json(&mut self, path: &str, body: &Value) -> Answer {
        let body = body.to_string().into_bytes();
        self.send(Method::POST, path, Some("application/json"), body).await
    }

    /// `POST` of a form.
    pub async fn post_form(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = encode_form(fields).into_bytes();
        self.send(Method::POST, path, Some("application/x-www-form-urlencoded"), body).await
    }

    /// Any method, any body.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Answer {
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("a path");
        let headers = request.headers_mut();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type.parse().expect("a content type"));
        }
        self.dress(path, headers);
        let answer = self.server.call(request, self.address).await;
        self.jar.take(&answer.headers, self.server.now());
        answer
    }

    fn dress(&self, path: &str, headers: &mut HeaderMap) {
        let origin = self.server.origin();
        let host = origin.split_once("://").map_or(origin.as_str(), |(_, host)| host);
        headers.insert(HOST, host.parse().expect("a host"));
        let path_alone = path.split(['?', '#']).next().unwrap_or(path);
        if let Some(cookies) = self.jar.header(path_alone, self.server.now()) {
            headers.insert(COOKIE, cookies.parse().expect("cookies"));
        }
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
    }
}

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status as a number.
    pub status: u16,
    /// Every header.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }

    /// The body as JSON; keys keep their order.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("no JSON ({error}): {} {}", self.status, self.text()),
        }
    }

    /// A text inside the JSON body, by pointer (RFC 6901), e.g. `/user/email`.
    #[must_use]
    #[track_caller]
    pub fn string(&self, pointer: &str) -> String {
        match self.json().pointer(pointer).and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => panic!("no text at {pointer}: {} {}", self.status, self.text()),
        }
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The `Set-Cookie` headers as they are.
    #[must_use]
    pub fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()).collect()
    }

    /// Fails the test unless the status is this one, and shows the body.
    #[expect(clippy::must_use_candidate, reason = "often only the status matters")]
    #[expect(clippy::return_self_not_must_use, reason = "often only the status matters")]
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

/// `application/x-www-form-urlencoded` (WHATWG URL §5.2).
pub(crate) fn encode_form(fields: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        encode_into(&mut out, name);
        out.push('=');
        encode_into(&mut out, value);
    }
    out
}

fn encode_into(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                out.push(char::from(byte));
            }
            _ => out.extend(["%", &format!("{byte:02X}")]),
        }
    }
}
