//! How a way back from a provider ended. The provider's site leads to the callback, with a code in
//! the address; so the callback leaves one of these words in a cookie and sends the browser on to
//! a page of ours, which tells it once (RFC 9700 §4.2: a code stays in no address bar).

use http::StatusCode;
use ironlatch_core::sign_in::{SignInError, SocialSignInError};
use ironlatch_core::social::SocialError;

use crate::problem::Problem;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Signed in.
    SignedIn,
    /// An identity is connected.
    Linked,
    /// The person said no at the provider.
    Denied,
    /// The way back does not fit the way there.
    Foreign,
    /// The provider does not answer.
    Silent,
    /// Nobody was vouched for whom we let in.
    Refused,
    /// The address belongs to an account that the identity may not join.
    AddressTaken,
    /// The identity belongs to another account.
    IdentityTaken,
    /// The account has as many identities as it may.
    TooManyIdentities,
    /// The session that asked is over, too old, or of an account that is not proven.
    ProveAgain,
    /// The address must be proven first.
    NotVerified,
    /// Too often.
    Throttled,
    /// Not now.
    Busy,
    /// Something of ours failed.
    Broken,
}

/// A word for the cookie, and what the page says.
struct Row {
    outcome: Outcome,
    word: &'static str,
    status: StatusCode,
    title: &'static str,
    sentence: &'static str,
}

const fn row(
    outcome: Outcome,
    word: &'static str,
    status: StatusCode,
    [title, sentence]: [&'static str; 2],
) -> Row {
    Row { outcome, word, status, title, sentence }
}

pub(super) const SIGNED_IN: [&str; 2] =
    ["You are signed in", "You can close this page and go on where you were."];

#[rustfmt::skip]
const ROWS: [Row; 14] = [
    row(Outcome::SignedIn, "in", StatusCode::OK, SIGNED_IN),
    row(Outcome::Linked, "linked", StatusCode::OK, [
        "It is connected",
        "From now on you can sign in to your account with it. You can close this page.",
    ]),
    row(Outcome::Denied, "denied", StatusCode::FORBIDDEN, [
        "You said no",
        "The provider says that you did not agree. Nothing has changed. You can try again, or \
         sign in another way.",
    ]),
    row(Outcome::Foreign, "foreign", StatusCode::BAD_REQUEST, [
        "Please begin again",
        "This way back does not belong to this browser: it was begun in another one, took longer \
         than ten minutes, or was used already.",
    ]),
    row(Outcome::Silent, "silent", StatusCode::SERVICE_UNAVAILABLE, [
        "The provider does not answer",
        "The provider does not answer at the moment. Please try again later, or sign in another \
         way.",
    ]),
    row(Outcome::Refused, "refused", StatusCode::BAD_REQUEST, [
        "That did not work",
        "You could not be signed in with this provider. Please try again, or sign in another way.",
    ]),
    row(Outcome::AddressTaken, "taken", StatusCode::BAD_REQUEST, [
        "There is an account already",
        "An account with this e-mail address exists already. Sign in to it as you did before, and \
         connect the provider there.",
    ]),
    row(Outcome::IdentityTaken, "other", StatusCode::CONFLICT, [
        "It is connected to another account",
        "What you signed in with there is connected to another account here. Remove it from that \
         one first.",
    ]),
    row(Outcome::TooManyIdentities, "many", StatusCode::CONFLICT, [
        "That is one too many",
        "Your account is connected to as many providers as it may be. Remove one first.",
    ]),
    row(Outcome::ProveAgain, "again", StatusCode::FORBIDDEN, [
        "Please sign in again first",
        "To connect a provider you must have signed in a few minutes ago, to an account with a \
         confirmed address.",
    ]),
    row(Outcome::NotVerified, "proof", StatusCode::FORBIDDEN, [
        "Confirm your address first",
        "Open the link in the mail that we sent you, then sign in again.",
    ]),
    row(Outcome::Throttled, "wait", StatusCode::TOO_MANY_REQUESTS, [
        "That was tried too often",
        "That was tried too often. Please try again in a few minutes.",
    ]),
    row(Outcome::Busy, "busy", StatusCode::SERVICE_UNAVAILABLE, [
        "Please try again",
        "Too much is going on. Please try again in a moment.",
    ]),
    row(Outcome::Broken, "broken", StatusCode::INTERNAL_SERVER_ERROR, [
        "That did not work",
        "Something went wrong on our side. Please try again later.",
    ]),
];

impl Outcome {
    /// What the cookie holds. Short words, which no log line happens to be about.
    pub(super) fn word(self) -> &'static str {
        self.row().map_or("", |row| row.word)
    }

    /// The one that a cookie names.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.word == word).map(|row| row.outcome)
    }

    pub(super) fn status(self) -> StatusCode {
        self.row().map_or(StatusCode::OK, |row| row.status)
    }

    pub(super) fn title(self) -> &'static str {
        self.row().map_or("", |row| row.title)
    }

    pub(super) fn sentence(self) -> &'static str {
        self.row().map_or("", |row| row.sentence)
    }

    /// Whether choosing a provider (again) helps.
    pub(super) const fn asks_again(self) -> bool {
        !matches!(self, Self::SignedIn | Self::Linked | Self::IdentityTaken | Self::ProveAgain)
    }

    fn row(self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.outcome == self)
    }
}

impl From<SocialError> for Outcome {
    fn from(error: SocialError) -> Self {
        match error {
            SocialError::Denied => Self::Denied,
            SocialError::ForeignReturn | SocialError::UnknownProvider => Self::Foreign,
            SocialError::Unavailable { .. } => Self::Silent,
            SocialError::NothingBrought
            | SocialError::AccessTokenBrought
            | SocialError::BadVerifier
            | SocialError::ExchangeFailed
            | SocialError::NotVouched => Self::Refused,
            SocialError::Internal(cause) => of_problem(&cause.into()),
        }
    }
}

impl From<SocialSignInError> for Outcome {
    fn from(error: SocialSignInError) -> Self {
        match error {
            SocialSignInError::Social(error) => error.into(),
            SocialSignInError::AddressTaken => Self::AddressTaken,
            SocialSignInError::IdentityTaken => Self::IdentityTaken,
            SocialSignInError::TooManyIdentities => Self::TooManyIdentities,
            SocialSignInError::ProveAgain => Self::ProveAgain,
            SocialSignInError::SignIn(error) => match error {
                // A disabled account's owner hears what anybody hears.
                SignInError::WrongCredentials | SignInError::NoSecondFactor => Self::Refused,
                SignInError::NotVerified => Self::NotVerified,
                SignInError::TooManyAttempts { .. } => Self::Throttled,
                SignInError::Busy { .. } => Self::Busy,
                SignInError::Internal(cause) => of_problem(&cause.into()),
            },
        }
    }
}

/// A failure of ours, which the log tells more of by now.
const fn of_problem(problem: &Problem) -> Outcome {
    match problem {
        Problem::Unavailable { .. } => Outcome::Busy,
        _ => Outcome::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_one_row_and_a_short_word_of_its_own() {
        for (n, row) in ROWS.iter().enumerate() {
            assert_eq!(Outcome::of_word(row.word), Some(row.outcome));
            assert_eq!(row.outcome.word(), row.word);
            assert!(row.word.len() < 8 && row.word.bytes().all(|b| b.is_ascii_lowercase()));
            assert!(ROWS.iter().skip(n + 1).all(|other| other.outcome != row.outcome));
        }
        assert_eq!(Outcome::of_word("x"), None);
    }
}
