//! Problems in the words of `/users/*`: every one in the envelope `{"success": false, "detail"}`.

use http::StatusCode;
use serde_json::json;

use super::Problem;
use super::dialect::Shape;

pub(super) fn shape(problem: &Problem) -> Shape {
    let sentence = problem.sentence();
    let (status, detail) = match problem {
        Problem::Fields(errors) => (problem.status(), errors.in_one_sentence().into()),
        // The contract's answer to an unknown name and to a wrong password alike.
        Problem::InvalidCredentials => (StatusCode::NOT_FOUND, "user not found".into()),
        // Without a challenge to name, its framework made a 403 of it.
        Problem::NotAuthenticated
        | Problem::BadAuthorizationHeader
        | Problem::TokenInvalid
        | Problem::TokenExpired
        | Problem::TokenWrongType
        | Problem::UserInactive
        | Problem::UserNotFound
        | Problem::NoActiveAccount => (StatusCode::FORBIDDEN, Problem::NotAuthenticated.sentence()),
        Problem::SecondFactorRequired(_)
        | Problem::InvalidChallenge
        | Problem::AlreadyEnrolled
        | Problem::NotEnrolled
        | Problem::NothingPending
        | Problem::PermissionDenied
        | Problem::ReauthenticationRequired
        | Problem::AddressTaken
        | Problem::NotVerified
        | Problem::CrossSite
        | Problem::MethodNotAllowed(_)
        | Problem::NotFound
        | Problem::NotAcceptable
        | Problem::Misdirected
        | Problem::UnsupportedMediaType(_)
        | Problem::Unreadable(_)
        | Problem::NoData
        | Problem::NotADictionary(_)
        | Problem::TooLarge
        | Problem::NoPicture
        | Problem::InvalidLink
        | Problem::UnsupportedProvider
        | Problem::SocialRefused { .. }
        | Problem::SocialAddressTaken
        | Problem::IdentityTaken
        | Problem::TooManyIdentities
        | Problem::LastWayIn
        | Problem::OtherBrowser
        | Problem::InvalidCode
        | Problem::CodesThrottled { .. }
        | Problem::NoRefreshToken
        | Problem::RefreshRefused(_)
        | Problem::Throttled { .. }
        | Problem::Unavailable { .. }
        | Problem::Internal => (problem.status(), sentence),
    };
    Shape { status, body: json!({ "success": false, "detail": detail }) }
}
