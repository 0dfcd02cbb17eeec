//! What is answered when a provider vouched for nobody, or for somebody who may not come in.

use ironlatch_core::sign_in::{DisconnectError, SignInError, SocialSignInError};
use ironlatch_core::social::SocialError;
use ironlatch_core::time::Timestamp;

use super::Problem;
use super::translate::{Explain, whole_seconds};

/// The contract's sentence about a code; details are in the log.
const EXCHANGE: &str = "Code exchange failed";
/// The contract's sentence about whatever comes after the code.
const PROFILE: &str = "Failed to fetch user from provider";

/// The contract's (auth-api §6, row 2).
pub(super) const ADDRESS_TAKEN: &str =
    "An account with this e-mail already exists. Sign in with your password to connect it.";
pub(super) const LAST_WAY_IN: &str =
    "This is the only way to sign in to the account. Add another one first.";

const fn refused(detail: &'static str, error: &'static str) -> Problem {
    Problem::SocialRefused { detail, error, retry_after: None }
}

/// Nobody whom we let in was vouched for; a disabled account's owner hears no more than that.
const fn not_vouched() -> Problem {
    refused(PROFILE, "The provider did not say who this is.")
}

/// What is answered where neither a code nor an ID token came.
pub(crate) const fn nothing_brought(takes_id_token: bool) -> Problem {
    // The contract's words for Google, though its other half is refused by now.
    refused(
        PROFILE,
        if takes_id_token { "Provide id_token or access_token" } else { "Provide code" },
    )
}

impl Explain for SocialError {
    fn explain(self, _: Timestamp) -> Problem {
        match self {
            Self::UnknownProvider => Problem::UnsupportedProvider,
            Self::NothingBrought => nothing_brought(false),
            Self::AccessTokenBrought => refused(PROFILE, "access_token is not accepted; send code"),
            Self::BadVerifier => refused(
                EXCHANGE,
                "code_verifier must be the 43 to 128 characters that the challenge was made of",
            ),
            Self::ExchangeFailed => refused(EXCHANGE, "The provider did not accept the code."),
            // The last two come with browsers, whose pages say more.
            Self::NotVouched | Self::ForeignReturn | Self::Denied => not_vouched(),
            Self::Unavailable { retry_after } => Problem::SocialRefused {
                detail: EXCHANGE,
                error: "The provider does not answer. Try again later.",
                retry_after: Some(whole_seconds(retry_after)),
            },
            Self::Internal(cause) => cause.into(),
        }
    }
}

impl Explain for SocialSignInError {
    fn explain(self, now: Timestamp) -> Problem {
        match self {
            Self::Social(error) => error.explain(now),
            Self::AddressTaken => Problem::SocialAddressTaken,
            Self::IdentityTaken => Problem::IdentityTaken,
            Self::TooManyIdentities => Problem::TooManyIdentities,
            Self::ProveAgain => Problem::ReauthenticationRequired,
            Self::SignIn(SignInError::WrongCredentials | SignInError::NoSecondFactor) => {
                not_vouched()
            }
            Self::SignIn(other) => other.explain(now),
        }
    }
}

impl Explain for DisconnectError {
    fn explain(self, _: Timestamp) -> Problem {
        match self {
            Self::Unknown => Problem::NotFound,
            Self::LastWayIn => Problem::LastWayIn,
            Self::ProveAgain => Problem::ReauthenticationRequired,
            Self::Changed => Problem::Unavailable { seconds: 1 },
            Self::Internal(cause) => cause.into(),
        }
    }
}
