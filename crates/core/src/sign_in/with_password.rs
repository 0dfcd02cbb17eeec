//! Sign-in with an address or a name, and a password.

use std::time::Duration;

use super::candidate::Candidate;
use super::complete::Passed;
use super::{Arrival, SignIn, Step, Way, store};
use crate::accounts::Identifier;
use crate::client::Client;
use crate::credentials::password::{GateError, StoredHash, Verdict};
use crate::database::{Batch, Statement};
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::limits::{LimitError, Reserved, TooMany};
use crate::ports::Token;
use crate::sessions::Door;
use crate::time::Timestamp;

/// Those who were hashed in one bunch usually have their batches ready within this time.
const BUNCH_COMES_WITHIN: Duration = Duration::from_millis(5);

/// Somebody asks to be let in with an address or a name, and a password.
#[derive(Debug, Clone)]
pub struct PasswordAttempt {
    /// Who they say they are.
    pub identifier: Identifier,
    /// The password as received.
    pub password: Token,
    /// Refuses accounts without a second factor ([`SignInError::NoSecondFactor`]): for a client
    /// that asked its user for a code.
    pub expects_second_factor: bool,
    /// How they come.
    pub arrival: Arrival,
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
    /// The password is right, but there is no second factor to ask for.
    #[error("the account has no second factor")]
    NoSecondFactor,
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
        let client = &attempt.arrival.client;
        self.auth.limits().admit_sign_in(client.network())?;
        // Before anything is written: a flood is turned away at no cost.
        self.auth.passwords().admit(client.network())?;

        let found = self.find(&attempt.identifier, client).await?;
        let compared = self.compare(found, &attempt).await?;
        let Some((found, compared)) = compared else {
            tracing::info!(network = %client.network(), "a password sign-in failed");
            return Err(SignInError::WrongCredentials);
        };
        self.refuse_unproven(&found, &compared, attempt.arrival.door).await?;
        if attempt.expects_second_factor && !found.has_second_factor {
            self.auth.limits().take_back(compared.reserved).await?;
            return Err(SignInError::NoSecondFactor);
        }
        let reserved = compared.reserved;
        let passed = self.passed_with_password(found, compared, &attempt).await;
        let step = self.complete(passed, &attempt.arrival).await;
        if matches!(step, Err(SignInError::Busy { .. })) {
            self.auth.limits().take_back(reserved).await?;
        }
        step
    }

    /// A right password, with the statements of its success.
    async fn passed_with_password(
        &self,
        mut found: Candidate,
        compared: Compared,
        attempt: &PasswordAttempt,
    ) -> Passed {
        let now = self.auth.clock().now();
        // Those whose results were handed out together come one after the other.
        let patience = self.auth.passwords().patience(attempt.arrival.client.network());
        let mut batch = Batch::from(self.auth.limits().give_back(compared.reserved))
            .patient(patience.min(BUNCH_COMES_WITHIN));
        if compared.upgrade {
            let upgraded = self.upgraded_hash(&found, attempt, now).await;
            if upgraded.is_some() {
                found.password_changed_at = Some(now);
            }
            batch.extend(upgraded);
        }
        Passed::existing(Way::Password, found, vec!["pwd"], batch)
    }

    /// A hash with today's parameters. A gate that is busy just now does not spoil the sign-in:
    /// the next one will upgrade.
    async fn upgraded_hash(
        &self,
        found: &Candidate,
        attempt: &PasswordAttempt,
        now: Timestamp,
    ) -> Option<Statement> {
        let passwords = self.auth.passwords();
        let network = attempt.arrival.client.network();
        let hash = passwords.hash(&attempt.password, network).await.ok()?;
        passwords.store(found.id, &hash, now).ok()
    }

    /// Where sign-in waits for verification. With neutral sign-up an unproven account looks like
    /// a wrong password: whoever just registered an address could otherwise tell from the answer
    /// whether it was taken.
    async fn refuse_unproven(
        &self,
        found: &Candidate,
        compared: &Compared,
        door: Door,
    ) -> Result<(), SignInError> {
        let settings = self.auth.settings();
        if !found.awaits_proof() || !settings.waits_for_verification(door) {
            return Ok(());
        }
        if settings.sign_up.neutral {
            return Err(SignInError::WrongCredentials);
        }
        self.auth.limits().take_back(compared.reserved).await?;
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
            .check_password(
                found.as_ref(),
                &attempt.identifier.limit_key(),
                &attempt.password,
                &attempt.arrival.client,
            )
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
        let passwords = self.auth.passwords();
        let patience = passwords.patience(client.network());
        let reserved = limits.reserve_patiently(subject, patience).await?;
        let stored = found.map(|found| self.stored_hash(found)).transpose()?.flatten();
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

    /// The account somebody says is theirs, with its credential, in one read.
    pub(super) async fn find(
        &self,
        identifier: &Identifier,
        client: &Client,
    ) -> Result<Option<Candidate>, InternalError> {
        let network = client.network().to_string();
        let statement = match identifier {
            Identifier::Email(email) => store::find_by_email(email.key(), &network),
            Identifier::Phone(phone) => store::find_by_phone(phone.key(), &network),
            Identifier::Username(name) => store::find_by_username(name.key(), &network),
        };
        let reading = self.auth.sessions().reading();
        let Some(row) = self.auth.database().read_one(statement).await? else { return Ok(None) };
        Ok(Some(Candidate { plain: store::plain(&row, reading)?, ..store::candidate(&row)? }))
    }

    /// The account of a link or a challenge, with its credential, in one read.
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
