//! THE ONE WAY IN: every way to sign in or sign up ends here.
//!
//! `complete` alone makes a [`Proof`](crate::sessions::Proof), so disabled accounts, alerts and
//! audit are decided once. Only `sign_up` inserts accounts, the command line included. What the
//! first proof of an address does to an account is decided in `first_proof` alone.
//!
//! Whatever is compared is counted as failed first and given back on success; whatever changes
//! an account rests on its `security_version`, read together with the credential.
//!
//! Which account an identity opens, joins or makes is decided in `linking` alone.
//!
//! Owns the tables `second_factor_challenges` and `address_changes`.

mod address_change;
mod application_calls;
mod arrival;
mod candidate;
mod code_request;
mod complete;
mod connections;
mod enrolment;
mod first_proof;
mod linking;
mod mails;
mod new_name;
mod owner;
mod recovery;
mod second_factor;
mod sign_up;
mod sign_up_code;
mod sign_up_with_code;
mod step_up;
mod store;
mod verification;
mod with_code;
mod with_password;
mod with_social;

pub use address_change::{AddressError, AddressKind, EmailChangeFacts, UndoFacts};
pub use application_calls::{RegisterUserError, RequestOtpError, VerifyOtpError};
pub use arrival::{Arrival, Previous};
pub use code_request::{CodeRequestError, CodeRequested};
pub use complete::{SignedIn, Step, Way};
pub use connections::{Connection, DisconnectError};
pub use enrolment::{Confirmation, FactorError};
pub use owner::OwnerError;
pub use recovery::ResetFacts;
pub use second_factor::{
    Challenge, SecondFactor, SecondFactorAttempt, SecondFactorError, SecondProof,
};
pub use sign_up::{NewAccount, SignUp, SignUpError, SignedUp};
pub use sign_up_code::SignUpCodeRequest;
pub use sign_up_with_code::{CodeSignUp, CodeSignUpError};
pub use step_up::{Anew, AnewError, RECENT};
pub use verification::{Evidence, LinkError, SignUpFacts, Verification};
pub use with_code::{CodeAttempt, LinkStep, LinkView};
pub use with_password::{PasswordAttempt, SignInError};
pub use with_social::{CameBack, SocialSignInError};

use std::time::Duration;

use crate::Auth;
use crate::time::seconds;

/// When to start again after the account changed during a sign-in or an act.
const START_AGAIN: Duration = seconds(1);

/// The ways in of an `Auth`.
pub struct SignIn<'a> {
    pub(crate) auth: &'a Auth,
}
