//! What a problem looks like in each dialect: paths under a contract answer in the contract's
//! shapes; everything else, an application's own routes included, in
//! `application/problem+json` (RFC 9457).

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Problem;
use super::dialect::{Dialect, Shape, Told};

impl Problem {
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
                | Self::UnsupportedProvider
                | Self::SocialAddressTaken
        )
    }

    /// The body under a contract, key order included.
    pub(super) fn contract_body(&self) -> Value {
        let sentence = self.sentence();
        match self {
            Self::Fields(errors) => json!(errors),
            Self::NoPicture => json!({ "error": sentence }),
            Self::SocialRefused { detail, error, .. } => {
                json!({ "detail": detail, "error": error })
            }
            Self::InvalidCode => json!({ "success": false, "error": sentence }),
            Self::CodesThrottled { seconds, code } => json!({
                "success": false,
                "error": sentence,
                "error_code": code,
                "retry_after": seconds,
            }),
            Self::InvalidCredentials | Self::NoData | Self::NotADictionary(_) => {
                json!({ "non_field_errors": [sentence] })
            }
            Self::TokenInvalid => self.token_body("Token is invalid"),
            Self::TokenExpired => self.token_body("Token is expired"),
            Self::TokenWrongType => self.token_body("Token has wrong type"),
            Self::SecondFactorRequired(challenge) => {
                let methods: Vec<_> = challenge.methods.iter().map(|one| one.word()).collect();
                json!({
                    "detail": sentence,
                    "code": self.code(),
                    "challenge": challenge.token.reveal(),
                    "methods": methods,
                })
            }
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
}

/// Answers in the shape of our own API; around the routes of a door it is said anew.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.answer_in(Dialect::Api);
        response.extensions_mut().insert(Told(Arc::new(self)));
        response
    }
}

/// The same problem on paths that stand under no contract.
#[derive(Debug)]
pub struct ProblemJson(pub Problem);

impl IntoResponse for ProblemJson {
    fn into_response(self) -> Response {
        let shape = Shape { status: self.0.status(), body: self.0.problem_json_body() };
        self.0.answer(&shape, "application/problem+json", true)
    }
}

impl From<Problem> for ProblemJson {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;
    use ironlatch_core::error::InternalError;
    use ironlatch_core::sessions::RefreshError;
    use ironlatch_core::sign_in::SignUpError;
    use ironlatch_core::time::Timestamp;

    use super::*;
    use crate::problem::{Explain, refresh_by_body, refresh_by_cookie};

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
