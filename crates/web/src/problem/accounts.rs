//! Problems in the words of `/accounts/*`.

use http::StatusCode;
use serde_json::{Value, json};

use super::Problem;
use super::dialect::Shape;

pub(super) fn shape(problem: &Problem) -> Shape {
    let sentence = problem.sentence();
    let status = problem.status();
    let unauthorized = |detail: &str| (StatusCode::UNAUTHORIZED, json!({ "detail": detail }));
    let (status, body) = match problem {
        Problem::Fields(errors) => (status, json!(errors)),
        Problem::NoData | Problem::NotADictionary(_) => {
            (status, json!({ "non_field_errors": [sentence] }))
        }
        Problem::InvalidCredentials => unauthorized("Invalid credentials."),
        Problem::NotVerified => unauthorized("Email not verified."),
        Problem::NoActiveAccount => unauthorized("User is inactive."),
        Problem::InvalidLink => (status, in_short("Invalid or expired token.")),
        Problem::NoRefreshToken => (status, in_short("Refresh token required")),
        // The original looked for the token's session first: only of a token whose session it
        // knew, and whose time had passed, did it say that the token is at fault.
        Problem::RefreshRefused("Token is expired") => unauthorized("Invalid token"),
        Problem::RefreshRefused(_) => unauthorized("Invalid session"),
        Problem::NotAuthenticated
        | Problem::BadAuthorizationHeader
        | Problem::TokenInvalid
        | Problem::TokenExpired
        | Problem::TokenWrongType
        | Problem::UserInactive
        | Problem::UserNotFound => (status, problem.contract_body()),
        Problem::SecondFactorRequired(_)
        | Problem::InvalidChallenge
        | Problem::AlreadyEnrolled
        | Problem::NotEnrolled
        | Problem::NothingPending
        | Problem::PermissionDenied
        | Problem::ReauthenticationRequired
        | Problem::AddressTaken
        | Problem::CrossSite
        | Problem::MethodNotAllowed(_)
        | Problem::NotFound
        | Problem::NotAcceptable
        | Problem::Misdirected
        | Problem::UnsupportedMediaType(_)
        | Problem::Unreadable(_)
        | Problem::TooLarge
        | Problem::NoPicture
        | Problem::UnsupportedProvider
        | Problem::SocialRefused { .. }
        | Problem::SocialAddressTaken
        | Problem::IdentityTaken
        | Problem::TooManyIdentities
        | Problem::LastWayIn
        | Problem::OtherBrowser
        | Problem::InvalidCode
        | Problem::CodesThrottled { .. }
        | Problem::Throttled { .. }
        | Problem::Unavailable { .. }
        | Problem::Internal => (status, json!({ "detail": sentence })),
    };
    Shape { status, body }
}

fn in_short(sentence: &str) -> Value {
    json!({ "error": sentence })
}
