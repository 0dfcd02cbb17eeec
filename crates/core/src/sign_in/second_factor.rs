//! The second step: whoever has enrolled an authenticator app is asked for it on every way in.
//!
//! The first step's statements (a code's consumption, failures given back) are written together
//! with a challenge. Its bearer has five minutes to answer with a code of the app or with a
//! recovery code; the answer opens one session, and only if the account is still what it was.
//!
//! A wrong answer leaves the challenge open: guesses are counted per account, however many
//! challenges there are, before they are compared (attack B25). Codes of the app and recovery
//! codes are counted apart, so that guessing one does not bar the other. Whoever guesses has
//! passed the first step, so a stranger can lock nobody out.

use std::time::Duration;

use super::candidate::Candidate;
use super::complete::Passed;
use super::linking::Federated;
use super::mails::whereabouts;
use super::store;
use super::{Arrival, START_AGAIN, SignIn, SignInError, SignedIn, Step, Way};
use crate::accounts;
use crate::audit::{Entry, Event};
use crate::client::Client;
use crate::database::{Batch, Statement, WriteError};
use crate::error::InternalError;
use crate::ids::{AccountId, ChallengeId};
use crate::limits::{LimitError, TooMany};
use crate::messages::Message;
use crate::ports::Token;
use crate::sessions::Door;
use crate::time::{Timestamp, minutes};

/// How long the second step may take.
const CHALLENGE_LIFETIME: Duration = minutes(5);

/// What a second step can be proven with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondFactor {
    /// A code of the authenticator app (RFC 6238).
    Totp,
    /// One of the ten recovery codes.
    RecoveryCode,
}

impl SecondFactor {
    /// Both, in the order they are offered in.
    pub const ALL: [Self; 2] = [Self::Totp, Self::RecoveryCode];

    /// The word clients name it by.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
        }
    }
}

/// What somebody who has passed the first step must answer.
#[derive(Debug, Clone)]
pub struct Challenge {
    /// Names the challenge; whoever holds it has passed the first step.
    pub token: Token,
    /// What it can be answered with.
    pub methods: Vec<SecondFactor>,
    /// How long it can be answered.
    pub lifetime: Duration,
}

/// A code of the second step, and what it is a code of.
#[derive(Debug, Clone)]
pub struct SecondProof {
    /// What the code is.
    pub method: SecondFactor,
    /// The code as received.
    pub code: Token,
}

/// An answer to a challenge.
#[derive(Debug, Clone)]
pub struct SecondFactorAttempt {
    /// The challenge's token.
    pub challenge: Token,
    /// What the code is.
    pub method: SecondFactor,
    /// The code as received.
    pub code: Token,
    /// How they come; the door is the one of the first step whatever it says.
    pub arrival: Arrival,
}

/// Why a second step failed.
#[derive(Debug, thiserror::Error)]
pub enum SecondFactorError {
    /// The challenge is unknown, answered, expired, or the account has changed: sign in again.
    #[error("the challenge is not valid")]
    InvalidChallenge,
    /// The code is wrong or was used before.
    #[error("the code is not right")]
    WrongCode,
    /// Too many failures of this account.
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

/// A first step that was right, where a second is asked for.
pub(super) struct FirstStep {
    pub(super) found: Candidate,
    /// `amr` values of it.
    pub(super) methods: Vec<&'static str>,
    /// The account's once `batch` is written.
    pub(super) security_version: i64,
    /// What it achieved, e.g. a code's consumption.
    pub(super) batch: Batch,
    /// Who vouched, if a provider did.
    pub(super) federated: Option<Federated>,
}

/// A challenge as stored.
pub(super) struct Stored {
    pub(super) id: ChallengeId,
    pub(super) account: AccountId,
    pub(super) door: Door,
    pub(super) methods: Vec<String>,
    pub(super) proven_at: Timestamp,
    pub(super) security_version: i64,
    /// [`Federated`] as text.
    pub(super) federated: Option<String>,
}

impl SignIn<'_> {
    /// Writes what the first step achieved together with a challenge for the second.
    pub(super) async fn challenge(
        &self,
        first_step: FirstStep,
        arrival: &Arrival,
    ) -> Result<Challenge, SignInError> {
        let FirstStep { found, methods, security_version, batch: achieved, federated } = first_step;
        let federated = federated.as_ref().map(Federated::to_text).transpose()?;
        let now = self.auth.clock().now();
        let token = self.auth.random().token();
        let mut batch = Batch::from(accounts::unchanged(found.id, found.security_version));
        batch.append(achieved);
        if !arrival.door.has_second_step() {
            batch.extend(self.told_of_the_missing_step(&found, arrival, now).await?);
        }
        batch.add(store::insert_challenge(&store::NewChallenge {
            id: ChallengeId::new(now, self.auth.random()),
            account: found.id,
            digest: self.challenge_digest(&token),
            door: arrival.door.word(),
            amr: &methods.join(" "),
            federated: federated.as_deref(),
            proven_at: now,
            security_version,
            expires_at: now.plus(CHALLENGE_LIFETIME),
        }));
        match self.auth.database().write(batch).await {
            Ok(_) => {}
            Err(WriteError::Conflict { .. }) => {
                return Err(SignInError::Busy { retry_after: START_AGAIN });
            }
            Err(WriteError::Internal(cause)) => return Err(cause.into()),
        }
        let methods = SecondFactor::ALL.to_vec();
        Ok(Challenge { token, methods, lifetime: CHALLENGE_LIFETIME })
    }

    /// Tells an owner that a sign-in ended where nobody can ask for the second step; once while
    /// a challenge lives, so that whoever has the password cannot fill the mailbox with it.
    async fn told_of_the_missing_step(
        &self,
        found: &Candidate,
        arrival: &Arrival,
        now: Timestamp,
    ) -> Result<Option<Statement>, InternalError> {
        let open = store::find_open_challenge(found.id, arrival.door, now);
        if self.auth.database().read_one(open).await?.is_some() {
            return Ok(None);
        }
        let from = whereabouts(&arrival.client);
        self.notice(found, &Message::SecondFactorMissing { at: now, from }, now)
    }

    /// Answers a challenge: the second step, which opens the session.
    pub async fn second_factor(
        &self,
        attempt: SecondFactorAttempt,
    ) -> Result<SignedIn, SecondFactorError> {
        let now = self.auth.clock().now();
        self.auth.limits().admit_sign_in(attempt.arrival.client.network())?;
        let (challenge, found) = self.open_challenge(&attempt.challenge, now).await?;
        let answer = SecondProof { method: attempt.method, code: attempt.code };
        let mut batch = self.check_second(&found, &answer, &attempt.arrival.client, now).await?;
        batch.add(store::consume_challenge(challenge.id, now));
        let methods = amr(&challenge.methods);
        let federated = challenge.federated.as_deref().map(Federated::of_text).transpose()?;
        let passed = Passed::existing(Way::of_methods(&methods), found, methods, batch)
            .vouched(federated)
            .second_step(challenge.proven_at);
        let arrival = attempt.arrival.through(challenge.door);
        match self.complete(passed, &arrival).await {
            Ok(Step::SignedIn(signed_in)) => Ok(*signed_in),
            Ok(Step::SecondFactor(_)) => {
                Err(InternalError::fault("a second step asked for a second step").into())
            }
            // Somebody else answered it first, used the code, or changed the account.
            Err(SignInError::Busy { .. }) => Err(SecondFactorError::WrongCode),
            Err(error) => Err(error.into()),
        }
    }

    /// An open challenge whose account is still what it was at the first step.
    async fn open_challenge(
        &self,
        token: &Token,
        now: Timestamp,
    ) -> Result<(Stored, Candidate), SecondFactorError> {
        let found = store::find_challenge(self.challenge_digest(token), now);
        let row = self.auth.database().read_one(found).await?;
        let row = row.ok_or(SecondFactorError::InvalidChallenge)?;
        let challenge = store::challenge(&row)?;
        let account = self.find_by_id(challenge.account).await?.filter(|account| {
            account.is_active() && account.security_version == challenge.security_version
        });
        Ok((challenge, account.ok_or(SecondFactorError::InvalidChallenge)?))
    }

    /// Counts the answer as failed, then compares it. What is right gives a batch that begins
    /// with the must-change statement that uses the code up.
    pub(super) async fn check_second(
        &self,
        found: &Candidate,
        answer: &SecondProof,
        client: &Client,
        now: Timestamp,
    ) -> Result<Batch, SecondFactorError> {
        let limits = self.auth.limits();
        let subject = match answer.method {
            SecondFactor::Totp => limits.second_factor_subject(found.id),
            SecondFactor::RecoveryCode => limits.recovery_code_subject(found.id),
        };
        limits.reserve(subject).await?;
        let Some(used) = self.used(found.id, answer, now).await? else {
            tracing::info!(account = %found.id, network = %client.network(), "a second step failed");
            return Err(SecondFactorError::WrongCode);
        };
        let mut batch = Batch::from(used);
        batch.extend(limits.forgive_second_factor(found.id));
        if answer.method == SecondFactor::RecoveryCode {
            batch.append(self.recovery_code_used(found, client, now).await?);
        }
        Ok(batch)
    }

    /// The must-change statement that uses a code up: of many at once, one succeeds. `None` when
    /// the code is wrong.
    async fn used(
        &self,
        account: AccountId,
        answer: &SecondProof,
        now: Timestamp,
    ) -> Result<Option<Statement>, InternalError> {
        let code = &answer.code;
        match answer.method {
            SecondFactor::Totp => self.auth.totp().use_code(account, code, now).await,
            SecondFactor::RecoveryCode => {
                self.auth.recovery_codes().use_code(account, code, now).await
            }
        }
    }

    /// What a recovery code leaves behind: a notice that says how many are left (NIST SP
    /// 800-63B-4 §4.2), and an entry.
    async fn recovery_code_used(
        &self,
        found: &Candidate,
        client: &Client,
        now: Timestamp,
    ) -> Result<Batch, InternalError> {
        let left = self.auth.recovery_codes().left(found.id).await?.saturating_sub(1);
        let notice = Message::RecoveryCodeUsed { at: now, from: whereabouts(client), left };
        let entry = Entry::new(Event::RecoveryCodeUsed).account(found.id).network(client.network());
        let entry = entry.details(serde_json::json!({ "left": left }));
        let mut batch = Batch::new();
        batch.extend(self.notice(found, &notice, now)?);
        batch.add(entry.statement(now, self.auth.random()));
        Ok(batch)
    }

    /// Removes challenges past their expiry; at most `limit`. Answers how many went.
    pub async fn sweep_challenges(&self, limit: i64) -> Result<usize, InternalError> {
        let now = self.auth.clock().now();
        let swept = self.auth.database().write_returning(store::sweep_challenges(now, limit)).await;
        Ok(swept.map_err(WriteError::unexpected)?.len())
    }

    /// The statement that makes every open challenge worthless.
    #[expect(clippy::unused_self, reason = "entered like the others")]
    pub(crate) fn void_challenges_statement(&self, now: Timestamp) -> Statement {
        store::void_challenges(now)
    }

    fn challenge_digest(&self, token: &Token) -> [u8; 32] {
        self.auth.secrets().digest("second-factor-challenge", token.reveal().as_bytes())
    }
}

/// `amr` of both steps (RFC 8176): what the first one was, a one-time password, several factors.
pub(super) fn amr(first_step: &[String]) -> Vec<&'static str> {
    let known = ["pwd", "email", "sms", "fed"];
    let first = known.into_iter().filter(|method| first_step.iter().any(|one| one == method));
    first.chain(["otp", "mfa"]).collect()
}

impl From<SignInError> for SecondFactorError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::WrongCredentials
            | SignInError::NotVerified
            | SignInError::NoSecondFactor => Self::InvalidChallenge,
            SignInError::TooManyAttempts { retry_at } => Self::TooManyAttempts { retry_at },
            SignInError::Busy { retry_after } => Self::Busy { retry_after },
            SignInError::Internal(cause) => Self::Internal(cause),
        }
    }
}

impl From<TooMany> for SecondFactorError {
    fn from(refused: TooMany) -> Self {
        Self::TooManyAttempts { retry_at: refused.retry_at }
    }
}

impl From<LimitError> for SecondFactorError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::TooMany(refused) => refused.into(),
            LimitError::Internal(cause) => Self::Internal(cause),
        }
    }
}
