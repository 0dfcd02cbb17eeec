//! Every public error: its status, code and sentence, and its shape in each dialect.
//!
//! Paths under a contract answer in the contract's shapes; everything else, an application's
//! own routes included, in `application/problem+json` (RFC 9457). Every error of the core is
//! translated here, variant by variant, so a new one cannot be forgotten.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use ironlatch_core::error::InternalError;
use ironlatch_core::sessions::{CheckError, RefreshError};
use ironlatch_core::sign_in::{LinkError, OwnerError, SignInError, SignUpError};
use ironlatch_core::time::Timestamp;
use ironlatch_core::tokens::TokenError;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value, json};

use crate::request::fields::password_sentence;

/// What a client is told when it does not get what it asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum Problem {
    /// No bearer token came along.
    NotAuthenticated,
    /// The `Authorization` header is not `Bearer` and one token.
    BadAuthorizationHeader,
    /// The access token is malformed, forged or revoked.
    TokenInvalid,
    /// The access token is past its time.
    TokenExpired,
    /// A refresh token came in place of an access token.
    TokenWrongType,
    /// The token's account is disabled.
    UserInactive,
    /// The token's account is closed.
    UserNotFound,
    /// Signed in, but not allowed.
    PermissionDenied,
    /// The address must be proven first.
    NotVerified,
    /// A browser calls for another site.
    CrossSite,
    /// The path exists, the method does not.
    MethodNotAllowed(String),
    /// Nothing here.
    NotFound,
    /// The client takes no JSON.
    NotAcceptable,
    /// The request names a host that is not ours.
    Misdirected,
    /// A body of a type nobody reads here.
    UnsupportedMediaType(String),
    /// A body, query or form that cannot be read, and why.
    Unreadable(String),
    /// A JSON body that is `null`.
    NoData,
    /// A JSON body that is no object, by the contract's name for what it is.
    NotADictionary(&'static str),
    /// A body beyond the bound.
    TooLarge,
    /// Values that cannot stand, field by field.
    Fields(FieldErrors),
    /// Unknown identifier or wrong password.
    InvalidCredentials,
    /// A mailed link's token that does not work.
    InvalidLink,
    /// No refresh token came along.
    NoRefreshToken,
    /// A refresh token that is refused, with the contract's sentence.
    RefreshRefused(&'static str),
    /// The refresh token's account is disabled or closed.
    NoActiveAccount,
    /// Too often.
    Throttled {
        /// Whole seconds until trying again makes sense.
        seconds: u64,
    },
    /// The server cannot do it now.
    Unavailable {
        /// Whole seconds until trying again makes sense.
        seconds: u64,
    },
    /// Something of ours failed; the cause is in the log.
    Internal,
}

impl Problem {
    /// The status it is answered with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unreadable(_)
            | Self::NoData
            | Self::NotADictionary(_)
            | Self::Fields(_)
            | Self::InvalidCredentials
            | Self::InvalidLink
            | Self::NoRefreshToken => StatusCode::BAD_REQUEST,
            Self::NotAuthenticated
            | Self::BadAuthorizationHeader
            | Self::TokenInvalid
            | Self::TokenExpired
            | Self::TokenWrongType
            | Self::UserInactive
            | Self::UserNotFound
            | Self::RefreshRefused(_)
            | Self::NoActiveAccount => StatusCode::UNAUTHORIZED,
            Self::PermissionDenied | Self::NotVerified | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The word that programs go by.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAuthenticated => "not_authenticated",
            Self::BadAuthorizationHeader => "bad_authorization_header",
            Self::TokenInvalid
            | Self::TokenExpired
            | Self::TokenWrongType
            | Self::RefreshRefused(_) => "token_not_valid",
            Self::UserInactive => "user_inactive",
            Self::UserNotFound => "user_not_found",
            Self::NoActiveAccount => "no_active_account",
            Self::PermissionDenied => "permission_denied",
            Self::NotVerified => "email_not_verified",
            Self::CrossSite => "csrf_failed",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::NotFound => "not_found",
            Self::NotAcceptable => "not_acceptable",
            Self::Misdirected => "misdirected_request",
            Self::UnsupportedMediaType(_) => "unsupported_media_type",
            Self::Unreadable(_) => "parse_error",
            Self::NoData | Self::NotADictionary(_) | Self::Fields(_) => "invalid",
            Self::TooLarge => "too_large",
            Self::InvalidCredentials => "invalid_credentials",
            Self::InvalidLink => "invalid_token",
            Self::NoRefreshToken => "no_refresh_token",
            Self::Throttled { .. } => "throttled",
            Self::Unavailable { .. } => "unavailable",
            Self::Internal => "internal_error",
        }
    }

    /// The sentence that people read; under a contract, the contract's.
    #[must_use]
    pub fn sentence(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::NotAuthenticated => "Authentication credentials were not provided.",
            Self::BadAuthorizationHeader => {
                "Authorization header must contain two space-delimited values"
            }
            Self::TokenInvalid | Self::TokenExpired | Self::TokenWrongType => {
                "Given token not valid for any token type"
            }
            Self::UserInactive => "User is inactive",
            Self::UserNotFound => "User not found",
            Self::NoActiveAccount => "No active account found for the given token.",
            Self::RefreshRefused(sentence) => sentence,
            Self::PermissionDenied => "You do not have permission to perform this action.",
            Self::NotVerified => "Confirm your e-mail address first.",
            Self::CrossSite => "CSRF Failed: the request does not come from an allowed origin.",
            Self::MethodNotAllowed(method) => {
                return format!("Method \"{method}\" not allowed.").into();
            }
            Self::NotFound => "Not found.",
            Self::NotAcceptable => "Could not satisfy the request Accept header.",
            Self::Misdirected => "This server does not answer for the requested host.",
            Self::UnsupportedMediaType(kind) => {
                return format!("Unsupported media type \"{kind}\" in request.").into();
            }
            Self::Unreadable(why) => return why.clone().into(),
            Self::NoData => "No data provided",
            Self::NotADictionary(kind) => {
                return format!("Invalid data. Expected a dictionary, but got {kind}.").into();
            }
            Self::Fields(_) => "Some fields cannot be accepted.",
            Self::TooLarge => "The request body is too large.",
            Self::InvalidCredentials => "Invalid credentials",
            Self::InvalidLink => "Invalid token",
            Self::NoRefreshToken => "No refresh token",
            Self::Throttled { seconds } => {
                return format!("Request was throttled. Expected available in {seconds} seconds.")
                    .into();
            }
            Self::Unavailable { .. } => "The server is busy. Try again in a moment.",
            Self::Internal => "Internal server error.",
        };
        fixed.into()
    }

    /// How many seconds to wait, where waiting helps.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Throttled { seconds } | Self::Unavailable { seconds } => Some(*seconds),
            _ => None,
        }
    }

    /// Whether the contract's own body has no `code` beside the sentence.
    const fn is_plain_in_the_contract(&self) -> bool {
        matches!(
            self,
            Self::NotAuthenticated
                | Self::PermissionDenied
                | Self::MethodNotAllowed(_)
                | Self::NotFound
                | Self::NotAcceptable
                | Self::UnsupportedMediaType(_)
                | Self::Unreadable(_)
                | Self::InvalidLink
                | Self::NoRefreshToken
                | Self::NoActiveAccount
        )
    }

    /// The body under a contract, key order included.
    fn contract_body(&self) -> Value {
        let sentence = self.sentence();
        match self {
            Self::Fields(errors) => json!(errors),
            Self::InvalidCredentials | Self::NoData | Self::NotADictionary(_) => {
                json!({ "non_field_errors": [sentence] })
            }
            Self::TokenInvalid => self.token_body("Token is invalid"),
            Self::TokenExpired => self.token_body("Token is expired"),
            Self::TokenWrongType => self.token_body("Token has wrong type"),
            plain if plain.is_plain_in_the_contract() => json!({ "detail": sentence }),
            coded => json!({ "detail": sentence, "code": coded.code() }),
        }
    }

    fn token_body(&self, message: &str) -> Value {
        json!({
            "detail": self.sentence(),
            "code": self.code(),
            "messages": [
                { "token_class": "AccessToken", "token_type": "access", "message": message },
            ],
        })
    }

    /// The body elsewhere (RFC 9457 §3).
    fn problem_json_body(&self) -> Value {
        let status = self.status();
        let mut body = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.sentence(),
            "code": self.code(),
        });
        if let (Self::Fields(errors), Some(members)) = (self, body.as_object_mut()) {
            members.insert("errors".to_owned(), json!(errors));
        }
        body
    }

    fn answer(&self, body: &Value, content_type: &'static str) -> Response {
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"api\""));
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Answers in the contract's shape.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.answer(&self.contract_body(), "application/json")
    }
}

/// The same problem on paths that stand under no contract.
#[derive(Debug)]
pub struct ProblemJson(pub Problem);

impl IntoResponse for ProblemJson {
    fn into_response(self) -> Response {
        self.0.answer(&self.0.problem_json_body(), "application/problem+json")
    }
}

impl From<Problem> for ProblemJson {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

/// What is wrong with the values of a body: sentences by field, in the order of the fields.
#[derive(Debug, Default)]
pub struct FieldErrors(Vec<(Cow<'static, str>, Vec<Cow<'static, str>>)>);

impl FieldErrors {
    /// No mistakes yet.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a sentence to a field.
    pub(crate) fn add(&mut self, field: impl Into<Cow<'static, str>>, sentence: Cow<'static, str>) {
        let field = field.into();
        match self.0.iter_mut().find(|(name, _)| *name == field) {
            Some((_, sentences)) => sentences.push(sentence),
            None => self.0.push((field, vec![sentence])),
        }
    }

    /// Whether no mistake was found.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for FieldErrors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, sentences) in &self.0 {
            map.serialize_entry(field, sentences)?;
        }
        map.end()
    }
}

/// One mistake in one field.
fn field(name: &'static str, sentence: impl Into<Cow<'static, str>>) -> Problem {
    let mut errors = FieldErrors::new();
    errors.add(name, sentence.into());
    Problem::Fields(errors)
}

fn throttled(retry_at: Timestamp, now: Timestamp) -> Problem {
    Problem::Throttled { seconds: whole_seconds(retry_at.since(now)) }
}

fn busy(retry_after: std::time::Duration) -> Problem {
    Problem::Unavailable { seconds: whole_seconds(retry_after) }
}

/// Rounded up: whoever comes back after that long must not be early.
fn whole_seconds(span: std::time::Duration) -> u64 {
    span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0)).max(1)
}

/// Errors of the core that speak of moments: `now` turns them into spans.
pub(crate) trait Explain {
    /// The public answer.
    fn explain(self, now: Timestamp) -> Problem;
}

impl Explain for SignInError {
    fn explain(self, now: Timestamp) -> Problem {
        match self {
            Self::WrongCredentials => Problem::InvalidCredentials,
            Self::NotVerified => Problem::NotVerified,
            Self::TooManyAttempts { retry_at } => throttled(retry_at, now),
            Self::Busy { retry_after } => busy(retry_after),
            Self::Internal(cause) => cause.into(),
        }
    }
}

impl Explain for SignUpError {
    fn explain(self, now: Timestamp) -> Problem {
        match self {
            Self::Taken { username, email } => {
                let mut errors = FieldErrors::new();
                if username {
                    errors.add("username", "A user with that username already exists.".into());
                }
                if email {
                    errors.add("email", "user with this email already exists.".into());
                }
                Problem::Fields(errors)
            }
            Self::Password(problem) => field("password", password_sentence(problem)),
            // Only operators choose roles, at the command line.
            Self::UnknownRole { known } => {
                InternalError::fault(format_args!("a role outside of {known}")).into()
            }
            Self::TooManyAttempts { retry_at } => throttled(retry_at, now),
            Self::Busy { retry_after } => busy(retry_after),
            Self::Internal(cause) => cause.into(),
        }
    }
}

impl Explain for LinkError {
    fn explain(self, now: Timestamp) -> Problem {
        match self {
            Self::Invalid => Problem::InvalidLink,
            Self::WrongPassword => field("password", "The password is not right."),
            Self::Password(problem) => field("new_password", password_sentence(problem)),
            Self::TooManyAttempts { retry_at } => throttled(retry_at, now),
            Self::Busy { retry_after } => busy(retry_after),
            Self::Internal(cause) => cause.into(),
        }
    }
}

impl Explain for OwnerError {
    fn explain(self, now: Timestamp) -> Problem {
        match self {
            Self::WrongPassword => field("current_password", "The password is not right."),
            Self::Password(problem) => field("new_password", password_sentence(problem)),
            Self::TooManyAttempts { retry_at } => throttled(retry_at, now),
            Self::Busy { retry_after } => busy(retry_after),
            Self::Internal(cause) => cause.into(),
        }
    }
}

impl From<CheckError> for Problem {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Token(TokenError::Invalid) => Self::TokenInvalid,
            CheckError::Token(TokenError::Expired) => Self::TokenExpired,
            CheckError::Token(TokenError::WrongType) => Self::TokenWrongType,
            CheckError::AccountDisabled => Self::UserInactive,
            CheckError::AccountGone => Self::UserNotFound,
            CheckError::Blind => Self::Unavailable { seconds: 1 },
            CheckError::Internal(cause) => cause.into(),
        }
    }
}

/// A refused refresh by cookie: one sentence for every cause, as the contract has it.
pub(crate) fn refresh_by_cookie(error: RefreshError) -> Problem {
    match error {
        RefreshError::Invalid
        | RefreshError::Expired
        | RefreshError::WrongType
        | RefreshError::Revoked
        | RefreshError::Inactive => Problem::RefreshRefused("Invalid refresh token"),
        RefreshError::Internal(cause) => cause.into(),
    }
}

/// A refused refresh by body: the contract names the cause.
pub(crate) fn refresh_by_body(error: RefreshError) -> Problem {
    match error {
        RefreshError::Invalid => Problem::RefreshRefused("Token is invalid"),
        RefreshError::Expired => Problem::RefreshRefused("Token is expired"),
        RefreshError::WrongType => Problem::RefreshRefused("Token has wrong type"),
        RefreshError::Revoked => Problem::RefreshRefused("Token is blacklisted"),
        RefreshError::Inactive => Problem::NoActiveAccount,
        RefreshError::Internal(cause) => cause.into(),
    }
}

impl From<InternalError> for Problem {
    fn from(cause: InternalError) -> Self {
        match cause {
            InternalError::Unavailable(_) => {
                tracing::warn!(%cause, "answered 503");
                Self::Unavailable { seconds: 1 }
            }
            InternalError::Fault(_) => {
                tracing::error!(%cause, "answered 500");
                Self::Internal
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn contract_bodies_have_the_keys_and_order_of_the_contract() {
        for (problem, body) in [
            (
                Problem::NotAuthenticated,
                r#"{"detail":"Authentication credentials were not provided."}"#,
            ),
            (
                Problem::TokenExpired,
                r#"{"detail":"Given token not valid for any token type","code":"token_not_valid","messages":[{"token_class":"AccessToken","token_type":"access","message":"Token is expired"}]}"#,
            ),
            (
                Problem::BadAuthorizationHeader,
                r#"{"detail":"Authorization header must contain two space-delimited values","code":"bad_authorization_header"}"#,
            ),
            (Problem::UserInactive, r#"{"detail":"User is inactive","code":"user_inactive"}"#),
            (Problem::InvalidCredentials, r#"{"non_field_errors":["Invalid credentials"]}"#),
            (
                Problem::NotADictionary("list"),
                r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}"#,
            ),
            (Problem::InvalidLink, r#"{"detail":"Invalid token"}"#),
            (
                refresh_by_cookie(RefreshError::Revoked),
                r#"{"detail":"Invalid refresh token","code":"token_not_valid"}"#,
            ),
            (
                refresh_by_body(RefreshError::Revoked),
                r#"{"detail":"Token is blacklisted","code":"token_not_valid"}"#,
            ),
            (
                refresh_by_body(RefreshError::Inactive),
                r#"{"detail":"No active account found for the given token."}"#,
            ),
            (
                SignUpError::Taken { username: true, email: true }
                    .explain(Timestamp::from_micros(0)),
                r#"{"username":["A user with that username already exists."],"email":["user with this email already exists."]}"#,
            ),
        ] {
            assert_eq!(problem.contract_body().to_string(), body);
        }
    }

    #[test]
    fn whoever_is_throttled_hears_whole_seconds_rounded_up() {
        let now = Timestamp::from_micros(1_000_000);
        let error = SignInError::TooManyAttempts { retry_at: Timestamp::from_micros(3_500_000) };
        let response = error.explain(now).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "3");
        let busy = SignInError::Busy { retry_after: Duration::ZERO }.explain(now).into_response();
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(busy.headers()[RETRY_AFTER], "1");
    }

    #[test]
    fn a_fault_tells_the_client_nothing() {
        let problem = Problem::from(InternalError::fault("SELECT secret FROM place"));
        assert_eq!(
            problem.contract_body().to_string(),
            r#"{"detail":"Internal server error.","code":"internal_error"}"#
        );
    }

    #[test]
    fn elsewhere_problems_follow_rfc_9457() {
        let response = ProblemJson(Problem::PermissionDenied).into_response();
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(
            Problem::PermissionDenied.problem_json_body().to_string(),
            r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"You do not have permission to perform this action.","code":"permission_denied"}"#
        );
    }
}
