//! Sign-in with an address and a password.

use std::time::Duration;

use super::store::{self, Candidate};
use super::{SignIn, Step};
use crate::accounts::Email;
use crate::client::Client;
use crate::credentials::password::{GateError, StoredHash, Verdict};
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::limits::{LimitError, Reserved, TooMany};
use crate::ports::Token;
use crate::time::Timestamp;

/// Somebody asks to be let in with an address and a password.
#[derive(Debug, Clone)]
pub struct PasswordAttempt {
    /// The address.
    pub email: Email,
    /// The password as received.
    pub password: Token,
    /// The refresh cookie the browser sent, if any: a sign-in over somebody else's cookie ends
    /// that session.
    pub previous_cookie: Option<Token>,
    /// Who asks.
    pub client: Client,
}

/// Why a sign-in failed.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown, wrong, disabled, closed: the caller learns no more.
    #[error("the identifier or the password is not right")]
    WrongCredentials,
    /// The password is right, but the address must be proven first (`sign_up.require_verified`).
    /// Never with neutral sign-up, where it would tell that the address was free.
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

impl SignIn<'_> {
    /// Checks an address and a password and says what must happen next.
    ///
    /// An unknown account costs as much time as a wrong password and writes as much, so the
    /// answer does not reveal who is registered.
    pub async fn with_password(&self, attempt: PasswordAttempt) -> Result<Step, SignInError> {
        let client = &attempt.client;
        self.auth.limits().admit_sign_in(client.network())?;
        // Before anything is written: a flood is turned away at no cost.
        self.auth.passwords().admit(client.network())?;

        let found = self.find_by_email(&attempt.email, client).await?;
        let compared = self.compare(found, &attempt).await?;
        let Some((found, compared)) = compared else {
            tracing::info!(network = %client.network(), "a password sign-in failed");
            return Err(SignInError::WrongCredentials);
        };
        self.refuse_unproven(&found, compared.reserved).await?;
        self.complete(found, compared, &attempt).await
    }

    /// Where sign-in waits for verification. With neutral sign-up an unproven account looks like
    /// a wrong password: whoever just registered an address could otherwise tell from the answer
    /// whether it was taken.
    async fn refuse_unproven(
        &self,
        found: &Candidate,
        reserved: Reserved,
    ) -> Result<(), SignInError> {
        let settings = &self.auth.settings().sign_up;
        if found.email_verified_at.is_some() || !settings.waits_for_verification() {
            return Ok(());
        }
        if settings.neutral {
            return Err(SignInError::WrongCredentials);
        }
        self.auth.limits().take_back(reserved).await?;
        Err(SignInError::NotVerified)
    }

    /// Compares, or does the same amount of work for nothing. Closed and disabled accounts are
    /// told apart only after the same work.
    async fn compare(
        &self,
        found: Option<Candidate>,
        attempt: &PasswordAttempt,
    ) -> Result<Option<(Candidate, Compared)>, SignInError> {
        let verdict = self
            .check_password(found.as_ref(), attempt.email.key(), &attempt.password, &attempt.client)
            .await?;
        Ok(found.filter(Candidate::is_active).zip(verdict))
    }

    /// Counts the attempt as failed, then compares. `None` is wrong; what is right gives the
    /// count back in the batch of whatever it is right for.
    pub(super) async fn check_password(
        &self,
        found: Option<&Candidate>,
        identifier: &str,
        password: &Token,
        client: &Client,
    ) -> Result<Option<Compared>, SignInError> {
        let limits = self.auth.limits();
        let owner = found.map(Candidate::device_owner);
        let subject = limits.password_subject(identifier, owner, client);
        let reserved = limits.reserve(subject).await?;
        let stored = found.map(|found| self.stored_hash(found)).transpose()?.flatten();
        let passwords = self.auth.passwords();
        let compared = passwords
            .check_or_pretend(stored.as_ref(), password, identifier, client.network())
            .await;
        if compared.is_err() {
            limits.take_back(reserved).await?;
        }
        Ok(match compared? {
            Verdict::Right { upgrade } => Some(Compared { reserved, upgrade }),
            Verdict::Wrong => None,
        })
    }

    fn stored_hash(&self, found: &Candidate) -> Result<Option<StoredHash>, InternalError> {
        let open = |sealed: &Vec<u8>| self.auth.passwords().open(found.id, sealed);
        found.sealed_hash.as_ref().map(open).transpose()
    }

    /// The account an address belongs to, with its credential, in one read.
    pub(super) async fn find_by_email(
        &self,
        email: &Email,
        client: &Client,
    ) -> Result<Option<Candidate>, InternalError> {
        let network = client.network().to_string();
        let row =
            self.auth.database().read_one(store::find_by_email(email.key(), &network)).await?;
        row.as_ref().map(store::candidate).transpose()
    }

    /// The account of somebody signed in, or of a link, with its credential, in one read.
    pub(super) async fn find_by_id(
        &self,
        id: AccountId,
    ) -> Result<Option<Candidate>, InternalError> {
        let row = self.auth.database().read_one(store::find_by_id(id)).await?;
        row.as_ref().map(store::candidate).transpose()
    }
}

/// A password that was right.
pub(super) struct Compared {
    /// The attempt that was counted as failed: given back, or taken back when it leads nowhere.
    pub(super) reserved: Reserved,
    /// Whether the stored hash should be made anew.
    pub(super) upgrade: bool,
}

impl From<GateError> for SignInError {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Busy { retry_after } => Self::Busy { retry_after },
            GateError::Internal(cause) => Self::Internal(cause),
        }
    }
}

impl From<TooMany> for SignInError {
    fn from(refused: TooMany) -> Self {
        Self::TooManyAttempts { retry_at: refused.retry_at }
    }
}

impl From<LimitError> for SignInError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::TooMany(refused) => refused.into(),
            LimitError::Internal(cause) => Self::Internal(cause),
        }
    }
}
