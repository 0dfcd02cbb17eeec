//! Problems in the words of `/api/users/*`. Its client takes the first key of whatever it gets
//! and joins it as a list, so the first value is a list in every case.

use http::StatusCode;
use serde_json::{Value, json};

use super::Problem;
use super::dialect::Shape;

pub(super) fn shape(problem: &Problem) -> Shape {
    let sentence = problem.sentence();
    let status = problem.status();
    match problem {
        Problem::Fields(errors) => Shape { status, body: json!(errors) },
        Problem::NoData | Problem::NotADictionary(_) => about_all_fields(&sentence),
        Problem::InvalidLink => about_all_fields("Invalid or expired token"),
        Problem::InvalidCredentials => refused("Incorrect email or password."),
        Problem::AlreadyEnrolled => refused("2FA is already enabled."),
        // The client compares this one.
        Problem::SecondFactorRequired(_) => refused("Requires 2FA Code."),
        Problem::Throttled { seconds } => {
            let said = format!("Too many attempts. Try again in {seconds} seconds.");
            Shape { status, body: with_detail(&said, &sentence) }
        }
        // Whoever is not let in hears the same in every case.
        Problem::NotAuthenticated
        | Problem::BadAuthorizationHeader
        | Problem::TokenInvalid
        | Problem::TokenExpired
        | Problem::TokenWrongType
        | Problem::UserInactive
        | Problem::UserNotFound
        | Problem::NoActiveAccount => {
            let said = Problem::NotAuthenticated.sentence();
            Shape { status, body: with_detail(&said, &said) }
        }
        Problem::ReauthenticationRequired => Shape { status, body: json!({ "error": [sentence] }) },
        Problem::PermissionDenied
        | Problem::AddressTaken
        | Problem::NotVerified
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
        | Problem::InvalidChallenge
        | Problem::NotEnrolled
        | Problem::NothingPending
        | Problem::NoRefreshToken
        | Problem::RefreshRefused(_)
        | Problem::Unavailable { .. }
        | Problem::Internal => Shape { status, body: with_detail(&sentence, &sentence) },
    }
}

fn with_detail(sentence: &str, detail: &str) -> Value {
    json!({ "error": [sentence], "detail": detail })
}

fn refused(sentence: &str) -> Shape {
    Shape { status: StatusCode::BAD_REQUEST, body: json!({ "error": [sentence] }) }
}

fn about_all_fields(sentence: &str) -> Shape {
    Shape { status: StatusCode::BAD_REQUEST, body: json!({ "non_field_errors": [sentence] }) }
}
