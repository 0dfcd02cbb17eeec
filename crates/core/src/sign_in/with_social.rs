//! Sign-in with an identity that a provider vouches for.

use super::{Arrival, START_AGAIN, SignIn, SignInError, Step};
use crate::error::InternalError;
use crate::limits::TooMany;
use crate::ports::Token;
use crate::social::{Departure, Errand, Grant, Returned, SocialError, Vouched};
use crate::sources::SourceHint;

/// How often a sign-in whose account changed, or was made, under it looks again: the provider's
/// word is used up and still good.
const TRIES: usize = 5;

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
    /// The account has as many identities as it may.
    #[error("the account has too many identities")]
    TooManyIdentities,
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
        // Before the provider is asked: a flood must not become one of theirs.
        self.auth.limits().admit_sign_in(arrival.client.network())?;
        let vouched = self.auth.social().vouch(provider, grant).await?;
        self.with_identity(&vouched, &arrival).await
    }

    /// Sends a browser to a provider to sign in; `next` is where it goes on afterwards, a path of
    /// ours or a URL of an allowed origin, as the web crate checked it.
    pub async fn depart(
        &self,
        provider: &str,
        next: Option<String>,
        arrival: &Arrival,
    ) -> Result<Departure, SocialSignInError> {
        // Each is sealed, and the master key seals only so much.
        self.auth.limits().admit_sign_in(arrival.client.network())?;
        // Whoever comes back comes from the provider; what counts is where they were before.
        let source = self.auth.sources().of_hint(&arrival.source, arrival.door);
        let source_url = source.map(|source| source.url().to_owned());
        Ok(self.auth.social().depart(provider, Errand::SignIn { next, source_url }).await?)
    }

    /// Ends what [`SignIn::depart`] began: in the browser that left, once.
    pub async fn come_back(
        &self,
        provider: &str,
        flow: Option<&Token>,
        returned: Returned,
        arrival: Arrival,
    ) -> Result<CameBack, SocialSignInError> {
        self.auth.limits().admit_sign_in(arrival.client.network())?;
        let (errand, vouched) = self.auth.social().come_back(provider, flow, returned).await?;
        match errand {
            Errand::SignIn { next, source_url } => {
                let source = SourceHint { source_url, ..SourceHint::default() };
                let arrival = Arrival { source, ..arrival };
                let step = self.with_identity(&vouched, &arrival).await?;
                Ok(CameBack::SignIn { step: Box::new(step), next })
            }
            Errand::Link { account, session, next } => {
                self.connect_on_return((account, session), &vouched, &arrival.client).await?;
                Ok(CameBack::Linked { provider: vouched.provider, next })
            }
        }
    }

    pub(super) async fn with_identity(
        &self,
        vouched: &Vouched,
        arrival: &Arrival,
    ) -> Result<Step, SocialSignInError> {
        for _ in 0..TRIES {
            match self.enter_with_identity(vouched, arrival).await {
                Err(SocialSignInError::SignIn(SignInError::Busy { .. })) => {}
                Err(error) => {
                    let network = arrival.client.network();
                    tracing::info!(%network, provider = vouched.provider, "an identity was refused");
                    return Err(error);
                }
                Ok(step) => return Ok(step),
            }
        }
        Err(SignInError::Busy { retry_after: START_AGAIN }.into())
    }
}

impl From<TooMany> for SocialSignInError {
    fn from(refused: TooMany) -> Self {
        Self::SignIn(refused.into())
    }
}

impl From<InternalError> for SocialSignInError {
    fn from(cause: InternalError) -> Self {
        Self::SignIn(cause.into())
    }
}
