//! Step-up: the one rule for acts that need more than a live session.
//!
//! Whoever changes factors, address or password, or closes the account, must have proven a short
//! while ago that it is them, with a proof as strong as what the account has enrolled (ASVS
//! 7.5.1, 7.5.3; attack D09): a stolen session is not enough to take the account for good.

use std::time::Duration;

use super::candidate::Candidate;
use super::complete::Passed;
use super::with_password::Compared;
use super::{
    Arrival, OwnerError, SecondFactorError, SecondProof, SignIn, SignInError, SignedIn, Step, Way,
    second_factor,
};
use crate::database::Batch;
use crate::error::InternalError;
use crate::ports::Token;
use crate::sessions::Present;
use crate::time::{Timestamp, minutes, seconds};

/// How long ago the proof may be, where no client's contract asks for another span.
pub const RECENT: Duration = minutes(5);

/// The session's proof is too old or too weak: sign in again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stale;

/// Everything that somebody signed in has, proven anew at once.
#[derive(Debug, Clone)]
pub struct Anew {
    /// The password.
    pub password: Option<Token>,
    /// A code of the app or a recovery code; looked at where an app is enrolled.
    pub second: Option<SecondProof>,
    /// How they come.
    pub arrival: Arrival,
}

/// Why somebody signed in could not prove anew that it is them.
#[derive(Debug, thiserror::Error)]
pub enum AnewError {
    /// The password was not given.
    #[error("the password is needed")]
    PasswordMissing,
    /// An app is enrolled, and no code was given.
    #[error("a code of the second factor is needed")]
    CodeMissing,
    /// The password is wrong; counted like a failed sign-in.
    #[error("the password is not right")]
    WrongPassword,
    /// The code is wrong, or used; counted like a failed second step.
    #[error("the code is not right")]
    WrongCode,
    /// The account has no password: signing in again is the way.
    #[error("there is no password to ask for")]
    NoPassword,
    /// Too many attempts.
    #[error("too many attempts, try again at {retry_at:?}")]
    TooManyAttempts {
        /// When trying again makes sense.
        retry_at: Timestamp,
    },
    /// The server is busy, or the account changed meanwhile.
    #[error("busy, try again in {retry_after:?}")]
    Busy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Something of ours failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl SignIn<'_> {
    /// Opens a session with a fresh proof in place of the one at hand, for acts that need it.
    /// The old one ends, as it may be in other hands (ASVS 7.2.4).
    pub async fn prove_anew(&self, present: &Present, proof: Anew) -> Result<SignedIn, AnewError> {
        let account = self.myself(present).await?;
        // First what costs nothing: what is missing must not count as a failed attempt.
        if account.sealed_hash.is_none() {
            return Err(AnewError::NoPassword);
        }
        let password = proof.password.ok_or(AnewError::PasswordMissing)?;
        if account.has_second_factor && proof.second.is_none() {
            return Err(AnewError::CodeMissing);
        }
        let client = &proof.arrival.client;
        self.auth.limits().admit_sign_in(client.network()).map_err(SignInError::from)?;
        let right = self.prove_password(&account, &password, client).await?;
        let right = right.ok_or(AnewError::WrongPassword)?;
        let signed_in = self.proven_anew(account, &right, proof.second, &proof.arrival).await;
        if signed_in.is_err() {
            // The password was right.
            self.auth.limits().take_back(right.reserved).await?;
        }
        let signed_in = signed_in?;
        let (account, old) = (present.account.id, present.claims.session);
        self.auth.sessions().end_replaced(account, old, client).await?;
        Ok(signed_in)
    }

    async fn proven_anew(
        &self,
        account: Candidate,
        right: &Compared,
        second: Option<SecondProof>,
        arrival: &Arrival,
    ) -> Result<SignedIn, AnewError> {
        let now = self.auth.clock().now();
        let mut batch = Batch::from(self.auth.limits().give_back(right.reserved));
        let mut methods = vec!["pwd"];
        let is_second_proven = account.has_second_factor;
        if let Some(second) = second.filter(|_| is_second_proven) {
            batch.append(self.check_second(&account, &second, &arrival.client, now).await?);
            methods = second_factor::amr(&["pwd".to_owned()]);
        }
        let mut passed = Passed::existing(Way::Password, account, methods, batch);
        if is_second_proven {
            passed = passed.second_step(now);
        }
        match self.complete(passed, arrival).await? {
            Step::SignedIn(signed_in) => Ok(*signed_in),
            Step::SecondFactor(_) => {
                Err(InternalError::fault("a proof anew asked for a second step").into())
            }
        }
    }

    /// Refuses a session that was proven longer ago than `within`, or without the second factor
    /// where one is enrolled. How old a proof is says the first step of its sign-in.
    pub(super) fn refuse_stale(
        &self,
        present: &Present,
        found: &Candidate,
        within: Duration,
    ) -> Result<(), Stale> {
        self.refuse_old(&Proven::of(present), found, within)
    }

    /// The same for a session that is known by what is stored of it.
    pub(super) fn refuse_old(
        &self,
        proven: &Proven,
        found: &Candidate,
        within: Duration,
    ) -> Result<(), Stale> {
        if found.has_second_factor && !proven.is_strong {
            return Err(Stale);
        }
        // A clock set back makes nobody's proof old.
        let age = self.auth.clock().now().since(proven.at);
        if age < within { Ok(()) } else { Err(Stale) }
    }
}

/// When and how strongly a session was proven.
pub(super) struct Proven {
    pub(super) at: Timestamp,
    /// With the second factor.
    pub(super) is_strong: bool,
}

impl Proven {
    pub(super) fn of(present: &Present) -> Self {
        let claims = &present.claims;
        // Tokens count whole seconds (RFC 7519 §2), rounded down: half open, so that the span is
        // never longer than it says.
        let at = Timestamp::from_micros(0).plus(seconds(claims.auth_time.max(0).cast_unsigned()));
        Self { at, is_strong: claims.amr.iter().any(|method| method == "mfa") }
    }
}

impl From<OwnerError> for AnewError {
    fn from(error: OwnerError) -> Self {
        match error {
            OwnerError::WrongPassword => Self::WrongPassword,
            OwnerError::PasswordMissing | OwnerError::Password(_) => Self::PasswordMissing,
            OwnerError::ProveAgain => Self::NoPassword,
            OwnerError::TooManyAttempts { retry_at } => Self::TooManyAttempts { retry_at },
            OwnerError::Busy { retry_after } => Self::Busy { retry_after },
            OwnerError::Internal(cause) => Self::Internal(cause),
        }
    }
}

impl From<SignInError> for AnewError {
    fn from(error: SignInError) -> Self {
        OwnerError::from(error).into()
    }
}

impl From<SecondFactorError> for AnewError {
    fn from(error: SecondFactorError) -> Self {
        match error {
            SecondFactorError::WrongCode | SecondFactorError::InvalidChallenge => Self::WrongCode,
            SecondFactorError::TooManyAttempts { retry_at } => Self::TooManyAttempts { retry_at },
            SecondFactorError::Busy { retry_after } => Self::Busy { retry_after },
            SecondFactorError::Internal(cause) => Self::Internal(cause),
        }
    }
}
