//! The dialects: each contract says the same problem in words of its own.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::Value;

use super::{Problem, accounts, cfg, otp_session, users};

/// Whose words an answer is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Our own API's.
    #[default]
    Api,
    /// Those of `/api/users/*`.
    Users,
    /// Those of `/users/*`.
    OtpSession,
    /// Those of `/accounts/*`.
    Accounts,
    /// Those of `/cfg/accounts/*`.
    Cfg,
}

impl Dialect {
    /// What answers in it differ by, the caller's origin aside.
    pub(crate) const fn varies_by(self) -> &'static str {
        match self {
            Self::OtpSession => "Accept, Cookie",
            Self::Api | Self::Users | Self::Accounts | Self::Cfg => "Accept",
        }
    }

    /// The same where answers depend on the caller's origin, too.
    pub(crate) const fn varies_by_with_origin(self) -> &'static str {
        match self {
            Self::OtpSession => "Accept, Cookie, Origin",
            Self::Api | Self::Users | Self::Accounts | Self::Cfg => "Accept, Origin",
        }
    }

    /// Whether a 401 names the scheme that would help (RFC 9110 §11.6.1); one contract's clients
    /// never saw it.
    const fn names_the_scheme(self) -> bool {
        !matches!(self, Self::OtpSession)
    }
}

/// A problem as a contract says it.
pub(super) struct Shape {
    pub(super) status: StatusCode,
    /// The body, key order included.
    pub(super) body: Value,
}

/// The problem behind an answer: what surrounds a door's routes says it anew in the door's
/// words, so that extractors and handlers need not know where they are.
#[derive(Clone)]
pub(crate) struct Told(pub(crate) Arc<Problem>);

impl Problem {
    /// The answer of a contract.
    pub(crate) fn answer_in(&self, dialect: Dialect) -> Response {
        let shape = match dialect {
            Dialect::Api => Shape { status: self.status(), body: self.contract_body() },
            Dialect::Users => users::shape(self),
            Dialect::OtpSession => otp_session::shape(self),
            Dialect::Accounts => accounts::shape(self),
            Dialect::Cfg => cfg::shape(self),
        };
        self.answer(&shape, "application/json", dialect.names_the_scheme())
    }

    pub(super) fn answer(
        &self,
        shape: &Shape,
        content_type: &'static str,
        names_the_scheme: bool,
    ) -> Response {
        let mut response = Response::new(Body::from(shape.body.to_string()));
        *response.status_mut() = shape.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if shape.status == StatusCode::UNAUTHORIZED && names_the_scheme {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"api\""));
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
