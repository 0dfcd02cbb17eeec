//! Sign-in with an identity that a provider vouches for.

use super::{Arrival, SignIn, SignInError, Step};
use crate::ports::Token;
use crate::social::{Grant, Returned, SocialError};

/// Why a sign-in with an identity failed.
#[derive(Debug, thiserror::Error)]
pub enum SocialSignInError {
    /// Nobody was vouched for.
    #[error(transparent)]
    Social(#[from] SocialError),
    /// The address belongs to an account that this identity may not join: its owner signs in
    /// first and connects it (design §7).
    #[error("an account with this address exists already")]
    AddressTaken,
    /// The identity is connected to somebody else's account.
    #[error("the identity is connected to another account")]
    IdentityTaken,
    /// The session that wanted to connect an identity is over, is too old for that, or its
    /// account is unproven.
    #[error("a recent sign-in is needed")]
    ProveAgain,
    /// As with every way in.
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

/// What a way back led to.
#[derive(Debug, Clone)]
pub enum CameBack {
    /// Signed in, or asked for the second factor; and where the browser goes on.
    SignIn {
        /// As with every way in.
        step: Box<Step>,
        /// As the errand had it.
        next: Option<String>,
    },
    /// Connected to the account that asked.
    Linked {
        /// The provider's name.
        provider: String,
        /// As the errand had it.
        next: Option<String>,
    },
}

impl SignIn<'_> {
    /// Signs in with what a client brings from a provider (the contract's way).
    pub async fn with_social(
        &self,
        provider: &str,
        grant: Grant,
        arrival: Arrival,
    ) -> Result<Step, SocialSignInError> {
        let vouched = self.auth.social().vouch(provider, grant).await?;
        let _ = (vouched, arrival);
        Err(SocialSignInError::AddressTaken)
    }

    /// Ends what `Social::depart` began: in the browser that left, once.
    pub async fn come_back(
        &self,
        provider: &str,
        flow: Option<&Token>,
        returned: Returned,
        arrival: Arrival,
    ) -> Result<CameBack, SocialSignInError> {
        let (errand, vouched) = self.auth.social().come_back(provider, flow, returned).await?;
        let _ = (errand, vouched, arrival);
        Err(SocialSignInError::AddressTaken)
    }
}
