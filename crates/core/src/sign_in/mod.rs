//! THE ONE WAY IN: every way to sign in or sign up ends here.
//!
//! `complete` alone makes a [`Proof`](crate::sessions::Proof), so disabled accounts, alerts and
//! audit are decided once. Only `sign_up` inserts accounts, the command line included.

use std::time::Duration;

use crate::Auth;
use crate::accounts::{Email, Username};
use crate::client::Client;
use crate::credentials::password::{GateError, PasswordProblem};
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::ports::Token;
use crate::sessions::{Account, Present, Started};
use crate::time::Timestamp;

/// The ways in of an `Auth`.
pub struct SignIn<'a> {
    pub(crate) auth: &'a Auth,
}

/// Somebody asks to be let in with an address and a password.
#[derive(Debug, Clone)]
pub struct PasswordAttempt {
    /// The address.
    pub email: Email,
    /// The password as received.
    pub password: Token,
    /// The refresh cookie the browser sent, if any: a sign-in over somebody else's cookie ends
    /// that session.
    pub previous_cookie: Option<String>,
    /// Who asks.
    pub client: Client,
}

/// What a correct proof leads to.
#[derive(Debug, Clone)]
pub enum Step {
    /// Every step is passed.
    SignedIn(Box<SignedIn>),
}

/// A person who is in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Whose account.
    pub account: Account,
    /// The session with its tokens.
    pub started: Started,
    /// The known-device cookie to set: keeps strangers' failures from locking this browser out.
    pub device: Token,
    /// How long that cookie may be kept.
    pub device_lifetime: Duration,
}

/// Why a sign-in failed.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown, wrong, disabled, closed: the caller learns no more.
    #[error("the identifier or the password is not right")]
    WrongCredentials,
    /// The password is right, but the address must be proven first (`sign_up.require_verified`).
    #[error("the address must be verified first")]
    NotVerified,
    /// Too many failures from this network or for this identifier.
    #[error("too many attempts, try again at {retry_at:?}")]
    TooManyAttempts {
        /// When trying again makes sense.
        retry_at: Timestamp,
    },
    /// The server is busy, or the account changed meanwhile: start again after this long.
    #[error("busy, try again in {retry_after:?}")]
    Busy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Something of ours failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// Somebody asks for an account.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// The wished name, where the door has names.
    pub username: Option<Username>,
    /// The address.
    pub email: Email,
    /// The password.
    pub password: Token,
    /// Who asks.
    pub client: Client,
}

/// An account was made, or (neutral sign-up) it only looks so.
#[derive(Debug, Clone)]
pub struct SignedUp {
    /// What the contract's `verification_token` shows: a decoy, in development the real one.
    pub shown_token: String,
    /// Cookie by which the verification page knows the browser that signed up.
    pub browser: Token,
    /// How long that cookie may be kept: as long as the link lives.
    pub browser_lifetime: Duration,
}

/// Why a sign-up failed.
#[derive(Debug, thiserror::Error)]
pub enum SignUpError {
    /// Name or address belong to somebody (only where `sign_up.reveal_taken` holds).
    #[error("taken")]
    Taken {
        /// The name is taken.
        username: bool,
        /// The address is taken.
        email: bool,
    },
    /// The password breaks a rule.
    #[error("the password cannot be used")]
    Password(PasswordProblem),
    /// Too many sign-ups from this network.
    #[error("too many attempts, try again at {retry_at:?}")]
    TooManyAttempts {
        /// When trying again makes sense.
        retry_at: Timestamp,
    },
    /// The server is busy.
    #[error("busy, try again in {retry_after:?}")]
    Busy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Something of ours failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// What a request to verify an address brings along besides the link's token.
#[derive(Debug, Clone)]
pub enum Evidence {
    /// The contract's GET that asks for JSON by name.
    ContractJson,
    /// The page's button, in a browser with this sign-up cookie (or none).
    Browser(Option<Token>),
    /// The account's password, typed on the page.
    Password(Token),
}

/// What happened when an address was to be verified.
#[derive(Debug, Clone)]
pub enum Verification {
    /// It is proven now, or was by this same link a moment ago.
    Verified,
    /// The link is good, but the browser is another one: password, "this was me" or "not me".
    NeedsMore(SignUpFacts),
}

/// When and from where an account was made, for its address's owner to judge.
#[derive(Debug, Clone)]
pub struct SignUpFacts {
    /// When.
    pub at: Timestamp,
    /// From where: network and browser, in words.
    pub from: String,
}

/// Why a mailed link does not work, or what it asked for failed.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Unknown, used, expired, of another purpose: the caller learns no more.
    #[error("the link is not valid")]
    Invalid,
    /// The typed password is wrong.
    #[error("the password is not right")]
    WrongPassword,
    /// The new password breaks a rule.
    #[error("the password cannot be used")]
    Password(PasswordProblem),
    /// Too many attempts.
    #[error("too many attempts, try again at {retry_at:?}")]
    TooManyAttempts {
        /// When trying again makes sense.
        retry_at: Timestamp,
    },
    /// The server is busy.
    #[error("busy, try again in {retry_after:?}")]
    Busy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Something of ours failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// Why an owner's act on their own account failed.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// The current password is missing or wrong; counted like a failed sign-in.
    #[error("the current password is not right")]
    WrongPassword,
    /// The new password breaks a rule.
    #[error("the password cannot be used")]
    Password(PasswordProblem),
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

/// An account an operator makes at the command line.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The address; counts as proven, the operator vouches for it.
    pub email: Email,
    /// The name.
    pub username: Option<Username>,
    /// A first password; without one the person sets it through a reset mail.
    pub password: Option<Token>,
    /// May use the console.
    pub is_staff: bool,
    /// Has every permission.
    pub is_superuser: bool,
    /// One of the configured roles; `None` is the default one.
    pub role: Option<String>,
}

impl SignIn<'_> {
    /// Checks an address and a password and says what must happen next.
    pub async fn with_password(&self, attempt: PasswordAttempt) -> Result<Step, SignInError> {
        todo!("{attempt:?}")
    }

    /// Makes an account and sends the verification mail.
    pub async fn sign_up(&self, wish: SignUp) -> Result<SignedUp, SignUpError> {
        todo!("{wish:?}")
    }

    /// Makes an account for an operator.
    pub async fn create_account(&self, new: NewAccount) -> Result<AccountId, SignUpError> {
        todo!("{new:?}")
    }

    /// Sends the verification mail again. Known, unknown and proven addresses look alike.
    pub async fn resend_verification(
        &self,
        email: &Email,
        client: &Client,
    ) -> Result<(), LinkError> {
        todo!("{email:?} {client:?}")
    }

    /// What the page of a verification link shows; consumes nothing.
    pub async fn look_at_verification(
        &self,
        token: &str,
        browser: Option<&Token>,
    ) -> Result<Verification, LinkError> {
        todo!("{token} {browser:?}")
    }

    /// Proves an address with a mailed link, by the table of first proofs.
    pub async fn verify_email(
        &self,
        token: &str,
        evidence: Evidence,
        client: &Client,
    ) -> Result<Verification, LinkError> {
        todo!("{token} {evidence:?} {client:?}")
    }

    /// "This was me" on another browser without the password: verified with a new password,
    /// everything else the account holds is removed.
    pub async fn verify_email_with_new_password(
        &self,
        token: &str,
        password: &Token,
        client: &Client,
    ) -> Result<(), LinkError> {
        todo!("{token} {password:?} {client:?}")
    }

    /// "Not me": closes the account that somebody else made with this address.
    pub async fn disown_account(&self, token: &str, client: &Client) -> Result<(), LinkError> {
        todo!("{token} {client:?}")
    }

    /// Mails a link to choose a new password. Known and unknown addresses look alike.
    pub async fn forgot_password(&self, email: &Email, client: &Client) -> Result<(), LinkError> {
        todo!("{email:?} {client:?}")
    }

    /// Whether a reset link would still work; consumes nothing.
    pub async fn look_at_reset(&self, token: &str) -> Result<(), LinkError> {
        todo!("{token}")
    }

    /// Sets a new password with a mailed link; ends every session.
    pub async fn reset_password(
        &self,
        token: &str,
        password: &Token,
        client: &Client,
    ) -> Result<(), LinkError> {
        todo!("{token} {password:?} {client:?}")
    }

    /// Changes the password of somebody signed in; ends their other sessions.
    pub async fn change_password(
        &self,
        present: &Present,
        current: &Token,
        new: &Token,
        client: &Client,
    ) -> Result<(), OwnerError> {
        todo!("{present:?} {current:?} {new:?} {client:?}")
    }

    /// Ends all other sessions of somebody signed in.
    pub async fn end_other_sessions(
        &self,
        present: &Present,
        client: &Client,
    ) -> Result<(), OwnerError> {
        todo!("{present:?} {client:?}")
    }

    /// Closes the account of somebody signed in, after their password.
    pub async fn close_account(
        &self,
        present: &Present,
        password: &Token,
        client: &Client,
    ) -> Result<(), OwnerError> {
        todo!("{present:?} {password:?} {client:?}")
    }
}

impl From<GateError> for SignInError {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Busy { retry_after } => Self::Busy { retry_after },
            GateError::Internal(cause) => Self::Internal(cause),
        }
    }
}

