//! Every public error: its status, code and sentence.
//!
//! The core's errors become these in [`translate`], variant by variant, so a new one cannot be
//! forgotten; what they look like on the wire is [`shape`] for our own API and pages, and a file
//! for each door's [`dialect`].

mod accounts;
mod cfg;
mod dialect;
mod otp_session;
mod shape;
mod social;
mod translate;
mod users;

use std::borrow::Cow;

use http::StatusCode;
use ironlatch_core::sign_in::Challenge;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

pub(crate) use dialect::{Dialect, Told};
pub use shape::ProblemJson;
pub(crate) use social::nothing_brought;
pub(crate) use translate::{Explain, of_code, refresh_by_body, refresh_by_cookie};

const OTHER_BROWSER: &str = "This link works in the browser that asked for it. Use the code there.";

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
    /// The session was proven too long ago, or not with everything that is enrolled.
    ReauthenticationRequired,
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
    /// No picture came along where one was to come.
    NoPicture,
    /// Unknown identifier or wrong password.
    InvalidCredentials,
    /// The first step is right; the second is asked for.
    SecondFactorRequired(Challenge),
    /// The second step's challenge is unknown, answered or expired.
    InvalidChallenge,
    /// An authenticator app is enrolled already.
    AlreadyEnrolled,
    /// No authenticator app is enrolled.
    NotEnrolled,
    /// No enrolment of an authenticator app is pending in this session.
    NothingPending,
    /// A mailed link's token that does not work.
    InvalidLink,
    /// Another account has proven the address.
    AddressTaken,
    /// No provider of that name.
    UnsupportedProvider,
    /// A provider vouched for nobody, in the contract's two sentences.
    SocialRefused {
        /// Which step failed.
        detail: &'static str,
        /// Why, without what the provider said.
        error: &'static str,
        /// Whole seconds until trying again makes sense, where it does.
        retry_after: Option<u64>,
    },
    /// The address that a provider tells belongs to an account that the identity may not join.
    SocialAddressTaken,
    /// The identity is connected to another account.
    IdentityTaken,
    /// The account has as many identities as it may.
    TooManyIdentities,
    /// Without the connection nobody could sign in to the account.
    LastWayIn,
    /// A code's link was asked for in another browser.
    OtherBrowser,
    /// A code that is wrong, expired, used or was never sent.
    InvalidCode,
    /// Codes were asked for, or tried, too often.
    CodesThrottled {
        /// Whole seconds until trying again makes sense.
        seconds: u64,
        /// Which limit: `hourly_limit` of requests, `rate_limited` tries.
        code: &'static str,
    },
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
    /// One mistake in one field.
    pub(crate) fn about(field: &'static str, sentence: impl Into<Cow<'static, str>>) -> Self {
        let mut errors = FieldErrors::new();
        errors.add(field, sentence.into());
        Self::Fields(errors)
    }

    /// The status it is answered with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unreadable(_)
            | Self::NoData
            | Self::NotADictionary(_)
            | Self::Fields(_)
            | Self::NoPicture
            | Self::InvalidCredentials
            | Self::InvalidChallenge
            | Self::InvalidLink
            | Self::InvalidCode
            | Self::UnsupportedProvider
            | Self::SocialRefused { .. }
            | Self::SocialAddressTaken
            | Self::NoRefreshToken => StatusCode::BAD_REQUEST,
            Self::NotAuthenticated
            | Self::BadAuthorizationHeader
            | Self::TokenInvalid
            | Self::TokenExpired
            | Self::TokenWrongType
            | Self::UserInactive
            | Self::UserNotFound
            | Self::RefreshRefused(_)
            | Self::SecondFactorRequired(_)
            | Self::NoActiveAccount => StatusCode::UNAUTHORIZED,
            Self::PermissionDenied
            | Self::ReauthenticationRequired
            | Self::NotVerified
            | Self::OtherBrowser
            | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::AddressTaken
            | Self::IdentityTaken
            | Self::TooManyIdentities
            | Self::LastWayIn => StatusCode::CONFLICT,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::AlreadyEnrolled | Self::NotEnrolled | Self::NothingPending => {
                StatusCode::CONFLICT
            }
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Throttled { .. } | Self::CodesThrottled { .. } => StatusCode::TOO_MANY_REQUESTS,
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
            Self::ReauthenticationRequired => "reauthentication_required",
            Self::NotVerified => "email_not_verified",
            Self::CrossSite => "csrf_failed",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::NotFound => "not_found",
            Self::NotAcceptable => "not_acceptable",
            Self::Misdirected => "misdirected_request",
            Self::UnsupportedMediaType(_) => "unsupported_media_type",
            Self::Unreadable(_) => "parse_error",
            Self::NoData | Self::NotADictionary(_) | Self::Fields(_) => "invalid",
            Self::NoPicture => "no_picture",
            Self::TooLarge => "too_large",
            Self::InvalidCredentials => "invalid_credentials",
            Self::SecondFactorRequired(_) => "second_factor_required",
            Self::InvalidChallenge => "invalid_challenge",
            Self::AlreadyEnrolled => "already_enrolled",
            Self::NotEnrolled => "not_enrolled",
            Self::NothingPending => "nothing_pending",
            Self::InvalidLink => "invalid_token",
            Self::AddressTaken | Self::SocialAddressTaken => "address_taken",
            Self::UnsupportedProvider => "unsupported_provider",
            Self::SocialRefused { .. } => "social_refused",
            Self::IdentityTaken => "identity_taken",
            Self::TooManyIdentities => "too_many_identities",
            Self::LastWayIn => "last_way_in",
            Self::OtherBrowser => "other_browser",
            Self::InvalidCode => "invalid_code",
            Self::CodesThrottled { code, .. } => code,
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
            Self::ReauthenticationRequired => "Please sign in again to do this.",
            Self::NotVerified => "Confirm your e-mail address first.",
            Self::SecondFactorRequired(_) => "Confirm it is you with your second factor.",
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
            Self::NoPicture => "No avatar file provided",
            Self::TooLarge => "The request body is too large.",
            Self::InvalidCredentials => "Invalid credentials",
            Self::InvalidChallenge => "The challenge is not valid any more. Sign in again.",
            Self::AlreadyEnrolled => "An authenticator app is set up already. Remove it first.",
            Self::NotEnrolled => "No authenticator app is set up.",
            Self::NothingPending => "Nothing waits to be confirmed. Begin again.",
            Self::InvalidLink => "Invalid token",
            Self::AddressTaken => "Another account has this address.",
            Self::UnsupportedProvider => "Unsupported provider",
            Self::SocialRefused { detail, .. } => detail,
            Self::SocialAddressTaken => social::ADDRESS_TAKEN,
            Self::IdentityTaken => "This identity is connected to another account.",
            Self::TooManyIdentities => "Too many identities are connected. Remove one first.",
            Self::LastWayIn => social::LAST_WAY_IN,
            Self::OtherBrowser => OTHER_BROWSER,
            Self::InvalidCode => "Invalid or expired OTP",
            Self::CodesThrottled { .. } => "Too many requests",
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
            Self::Throttled { seconds }
            | Self::CodesThrottled { seconds, .. }
            | Self::Unavailable { seconds } => Some(*seconds),
            Self::SocialRefused { retry_after, .. } => *retry_after,
            _ => None,
        }
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

    /// All of it for clients that show one sentence.
    pub(crate) fn in_one_sentence(&self) -> String {
        let each =
            self.0.iter().map(|(field, sentences)| format!("{field}: {}", sentences.join(" ")));
        each.collect::<Vec<_>>().join(" ")
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
