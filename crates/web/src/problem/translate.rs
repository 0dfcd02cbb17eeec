//! The core's errors, variant by variant, and the public answer to each.

use std::borrow::Cow;
use std::time::Duration;

use ironlatch_core::error::InternalError;
use ironlatch_core::messages::SmsRefusal;
use ironlatch_core::profiles::{AvatarError, ProfileError};
use ironlatch_core::sessions::{CheckError, RefreshError};
use ironlatch_core::sign_in::{
    AddressError, AddressKind, AnewError, CodeRequestError, CodeSignUpError, FactorError,
    LinkError, OwnerError, SecondFactorError, SignInError, SignUpError,
};
use ironlatch_core::sources::ReportError;
use ironlatch_core::time::{Timestamp, hours};
use ironlatch_core::tokens::TokenError;

use super::{FieldErrors, Problem};
use crate::request::fields::{password_sentence, picture_sentence};

/// One mistake in one field.
fn field(name: &'static str, sentence: impl Into<Cow<'static, str>>) -> Problem {
    Problem::about(name, sentence)
}

fn throttled(retry_at: Timestamp, now: Timestamp) -> Problem {
    Problem::Throttled { seconds: whole_seconds(retry_at.since(now)) }
}

fn busy(retry_after: Duration) -> Problem {
    Problem::Unavailable { seconds: whole_seconds(retry_after) }
}

/// Rounded up: whoever comes back after that long must not be early.
pub(super) fn whole_seconds(span: Duration) -> u64 {
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
            // Only doors that ask for codes with the password hear that none is enrolled.
            Self::WrongCredentials | Self::NoSecondFactor => Problem::InvalidCredentials,
            Self::NotVerified => Problem::NotVerified,
            Self::TooManyAttempts { retry_at } => throttled(retry_at, now),
            Self::Busy { retry_after } => busy(retry_after),
            Self::Internal(cause) => cause.into(),
        }
    }
}

/// What a failed sign-in with a code answers: wrong, expired, used and never sent alike.
pub(crate) fn of_code(error: SignInError, now: Timestamp) -> Problem {
    match error {
        SignInError::WrongCredentials => Problem::InvalidCode,
        SignInError::TooManyAttempts { retry_at } => {
            let seconds = whole_seconds(retry_at.since(now));
            Problem::CodesThrottled { seconds, code: "rate_limited" }
        }
        other => other.explain(now),
    }
}

impl Explain for CodeRequestError {
    fn explain(self, now: Timestamp) -> Problem {
        match self {
            Self::TooManyAttempts { retry_at } => {
                let seconds = whole_seconds(retry_at.since(now));
                Problem::CodesThrottled { seconds, code: "hourly_limit" }
            }
            Self::NoSms(SmsRefusal::NotConfigured | SmsRefusal::CountryNotAllowed) => {
                field("identifier", "No SMS can be sent to this number.")
            }
            Self::NoSms(SmsRefusal::Internal(cause)) | Self::Internal(cause) => cause.into(),
            // Stopped, or the day's budget is spent: an operator or midnight ends it.
            Self::NoSms(SmsRefusal::Stopped | SmsRefusal::BudgetSpent) => busy(hours(1)),
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

impl Explain for CodeSignUpError {
    fn explain(self, now: Timestamp) -> Problem {
        match self {
            // One contract has words for each of them; elsewhere they are one.
            Self::Unknown | Self::Expired | Self::WrongCode => Problem::InvalidCode,
            Self::Taken { username, email } => SignUpError::Taken { username, email }.explain(now),
            Self::Password(problem) => field("password", password_sentence(problem)),
            Self::TooManyAttempts { retry_at } => throttled(retry_at, now),
            Self::Busy { retry_after } => busy(retry_after),
            Self::Internal(cause) => cause.into(),
        }
    }
}

impl From<ProfileError> for Problem {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::Gone => Self::UserNotFound,
            ProfileError::Internal(cause) => cause.into(),
        }
    }
}

impl Explain for AvatarError {
    fn explain(self, now: Timestamp) -> Problem {
        match self {
            Self::Picture(problem) => field("avatar", picture_sentence(problem)),
            Self::TooManyAttempts { retry_at } => throttled(retry_at, now),
            Self::Busy { retry_after } => busy(retry_after),
            Self::Gone => Problem::UserNotFound,
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
            Self::PasswordMissing => field("current_password", "This field is required."),
            Self::ProveAgain => Problem::ReauthenticationRequired,
            Self::Password(problem) => field("new_password", password_sentence(problem)),
            Self::TooManyAttempts { retry_at } => throttled(retry_at, now),
            Self::Busy { retry_after } => busy(retry_after),
            Self::Internal(cause) => cause.into(),
        }
    }
}

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Wish(problem) => field(problem.field(), problem.to_string()),
            ReportError::Internal(cause) => cause.into(),
        }
    }
}

impl Explain for SecondFactorError {
    fn explain(self, now: Timestamp) -> Problem {
        match self {
            Self::InvalidChallenge => Problem::InvalidChallenge,
            Self::WrongCode => field("code", "The code is not right."),
            Self::TooManyAttempts { retry_at } => throttled(retry_at, now),
            Self::Busy { retry_after } => busy(retry_after),
            Self::Internal(cause) => cause.into(),
        }
    }
}

impl Explain for AddressError {
    fn explain(self, now: Timestamp) -> Problem {
        match self {
            Self::ProveAgain => Problem::ReauthenticationRequired,
            Self::Unchanged(AddressKind::Email) => {
                field("email", "This is the address of your account already.")
            }
            Self::Unchanged(AddressKind::Phone) => {
                field("phone", "This is the number of your account already.")
            }
            Self::Unproven => Problem::NotVerified,
            Self::NoSms => field("phone", "No SMS can be sent to this number."),
            Self::WrongCode => field("code", "The code is not right, or no longer works."),
            Self::Taken => Problem::AddressTaken,
            Self::InvalidLink => Problem::InvalidLink,
            Self::TooManyAttempts { retry_at } => throttled(retry_at, now),
            Self::Busy { retry_after } => busy(retry_after),
            Self::Internal(cause) => cause.into(),
        }
    }
}

impl Explain for FactorError {
    fn explain(self, now: Timestamp) -> Problem {
        match self {
            Self::AlreadyEnrolled => Problem::AlreadyEnrolled,
            Self::NotEnrolled => Problem::NotEnrolled,
            Self::NothingPending => Problem::NothingPending,
            Self::WrongCode => field("code", "The code is not right."),
            Self::ProveAgain => Problem::ReauthenticationRequired,
            Self::TooManyAttempts { retry_at } => throttled(retry_at, now),
            Self::Busy { retry_after } => busy(retry_after),
            Self::Internal(cause) => cause.into(),
        }
    }
}

impl Explain for AnewError {
    fn explain(self, now: Timestamp) -> Problem {
        match self {
            Self::WrongPassword => field("current_password", "The password is not right."),
            Self::PasswordMissing => field("current_password", "This field is required."),
            Self::WrongCode => field("code", "The code is not right."),
            Self::CodeMissing => {
                let mut errors = FieldErrors::new();
                errors.add("method", "This field is required.".into());
                errors.add("code", "This field is required.".into());
                Problem::Fields(errors)
            }
            Self::NoPassword => Problem::ReauthenticationRequired,
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
    use axum::response::IntoResponse;
    use http::StatusCode;
    use http::header::RETRY_AFTER;

    use super::*;

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
}
