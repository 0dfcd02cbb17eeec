//! Sign-up with the code that proves the address. The account begins proven, with the password
//! that came with the code; no session is opened, its owner signs in.

use std::time::Duration;

use super::address_change::AddressKind;
use super::candidate::Candidate;
use super::code_request::Details;
use super::{Arrival, START_AGAIN, SignIn};
use crate::accounts::{Contact, Email, Username};
use crate::audit::{Entry, Event};
use crate::credentials::password::{GateError, PasswordProblem, StoredHash};
use crate::database::{Batch, WriteError};
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::limits::{LimitError, Reserved, TooMany};
use crate::one_time_codes::{CodeForName, Guess, Matched, Purpose};
use crate::ports::Token;
use crate::profiles;
use crate::time::Timestamp;

/// How often a sign-up looks again that somebody else's act got in the way of.
const TRIES: usize = 3;

/// Somebody types the code of a sign-up and chooses a password.
#[derive(Debug, Clone)]
pub struct CodeSignUp {
    /// The wished name, as it was asked with.
    pub username: Username,
    /// The address the code was sent to.
    pub email: Email,
    /// The password.
    pub password: Token,
    /// The code as received.
    pub code: Token,
    /// How they come.
    pub arrival: Arrival,
}

/// Why a code made no account.
#[derive(Debug, thiserror::Error)]
pub enum CodeSignUpError {
    /// Nobody asked for a code for this name and address, or it was used.
    #[error("no code was asked for")]
    Unknown,
    /// The code has expired, or was tried too often.
    #[error("the code has expired")]
    Expired,
    /// The code is another one.
    #[error("the code is not right")]
    WrongCode,
    /// The code was right, but the name or the address became somebody's meanwhile.
    #[error("taken")]
    Taken {
        /// The name is taken.
        username: bool,
        /// The address is taken.
        email: bool,
    },
    /// The password breaks a rule; the code was not looked at.
    #[error("the password cannot be used")]
    Password(PasswordProblem),
    /// Too many failures.
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

/// A code that was right, and what was noted with it.
struct Proven {
    matched: Matched,
    reserved: Reserved,
    details: Details,
    hash: StoredHash,
}

impl SignIn<'_> {
    /// Makes the account that a code was asked for. Of many right answers at once one does.
    pub async fn sign_up_with_code(&self, wish: CodeSignUp) -> Result<AccountId, CodeSignUpError> {
        let about = [wish.email.as_typed(), wish.username.as_typed()];
        let passwords = self.auth.passwords();
        passwords.check_new(&wish.password, &about).map_err(CodeSignUpError::Password)?;
        let network = wish.arrival.client.network();
        self.auth.limits().admit_sign_in(network)?;
        passwords.admit(network)?;
        let proven = self.compare_sign_up_code(&wish).await?;
        for _ in 0..TRIES {
            if let Some(made) = self.make_proven_account(&wish, &proven).await? {
                return Ok(made);
            }
        }
        Err(CodeSignUpError::Busy { retry_after: START_AGAIN })
    }

    /// Compares the code, once the attempt is counted as failed and the password is hashed: a
    /// right code then makes its account at once, and no busy server can spoil it.
    async fn compare_sign_up_code(&self, wish: &CodeSignUp) -> Result<Proven, CodeSignUpError> {
        let network = wish.arrival.client.network();
        let (limits, codes) = (self.auth.limits(), self.auth.one_time_codes());
        // Apart from failed codes to sign in with, or anybody could get in the way of those.
        let identifier = format!("sign-up:{}", wish.email.key());
        let subject =
            |is_here| limits.code_subject(&identifier, is_here, None, &wish.arrival.client);
        let purpose = Purpose::SignUpCode;
        let now = self.auth.clock().now();
        let target = (wish.email.key(), wish.username.key());
        let live = match codes.code_for_name(purpose, target, network, now).await? {
            CodeForName::Live(live) => live,
            CodeForName::Dead { is_asked_here: true } => return Err(CodeSignUpError::Expired),
            // Who asks for what is nobody else's business, so looking for it is counted.
            CodeForName::Dead { is_asked_here: false } => {
                limits.reserve(subject(false)).await?;
                return Err(CodeSignUpError::Expired);
            }
            CodeForName::Unknown => {
                limits.reserve(subject(false)).await?;
                return Err(CodeSignUpError::Unknown);
            }
        };
        let reserved = limits.reserve(subject(live.is_asked_in(network))).await?;
        let hash = match self.auth.passwords().hash(&wish.password, network).await {
            Ok(hash) => hash,
            Err(error) => {
                limits.take_back(reserved).await?;
                return Err(error.into());
            }
        };
        let guess = Guess { purpose, typed: &wish.code, network };
        let matched = codes.compare(Some(&live), guess, self.auth.clock().now()).await?;
        let details = Details::of_text(&live.details)?;
        let Some(matched) = matched.filter(|_| !details.is_decoy) else {
            tracing::info!(%network, "a sign-up with a code failed");
            return Err(CodeSignUpError::WrongCode);
        };
        Ok(Proven { matched, reserved, details, hash })
    }

    /// Writes everything the sign-up makes; `None` when somebody else's act was in between.
    async fn make_proven_account(
        &self,
        wish: &CodeSignUp,
        proven: &Proven,
    ) -> Result<Option<AccountId>, CodeSignUpError> {
        let holder = self.find(&wish.email.clone().into(), &wish.arrival.client).await?;
        let is_kept = holder.as_ref().is_some_and(Candidate::keeps_its_address);
        let username = self.taken(Some(&wish.username), &wish.email).await?.username;
        if is_kept || username {
            return Err(CodeSignUpError::Taken { username, email: is_kept });
        }
        let (id, batch) = self.proven_sign_up(wish, proven, holder.as_ref())?;
        match self.auth.database().write(batch).await {
            Ok(_) => {}
            Err(WriteError::Conflict { .. }) => return Ok(None),
            Err(WriteError::Internal(cause)) => return Err(cause.into()),
        }
        if holder.is_some() {
            self.auth.sessions().catch_up().await?;
        }
        self.auth.messages().wake();
        Ok(Some(id))
    }

    /// The account with all that belongs to it, and the end of every code for its address or its
    /// name. Whoever only claimed the address gives way (decision 0096).
    fn proven_sign_up(
        &self,
        wish: &CodeSignUp,
        proven: &Proven,
        holder: Option<&Candidate>,
    ) -> Result<(AccountId, Batch), InternalError> {
        let now = self.auth.clock().now();
        let codes = self.auth.one_time_codes();
        let arrival = self.came_as_asked(wish.arrival.clone(), &proven.details);
        let (email, username) = as_asked(&proven.details)?;
        let contact = Contact::Email(email);
        let id = AccountId::new(now, self.auth.random());
        let mut new = Candidate::new(id, self.new_number(), Some(&contact), &arrival.client, now);
        new.username = Some(username.as_typed().to_owned());

        let yielding = holder.map(|holder| self.yielding(holder, AddressKind::Email, now));
        let mut batch = yielding.unwrap_or_default();
        batch.add(self.account_row(&new, Some(&contact), Some(&username), arrival.door));
        batch.add(codes.consume_matched(&proven.matched, now));
        let target = (wish.email.key(), wish.username.key());
        batch.extend(codes.void_codes_for(Purpose::SignUpCode, target));
        batch.add(self.auth.limits().give_back(proven.reserved));
        batch.add(profiles::create(id, None, now));
        batch.add(self.auth.passwords().store(id, &proven.hash, now)?);
        batch.extend(self.welcome(&new, now)?);
        for event in [Event::SignedUp, Event::EmailVerified] {
            let entry = Entry::new(event).account(id).network(arrival.client.network());
            batch.add(entry.statement(now, self.auth.random()));
        }
        batch.extend(self.came_from(&arrival, id, true, now));
        batch.extend(self.count_verified(&arrival, now));
        Ok((id, batch))
    }
}

/// Address and name as they were asked with: the mail went to that very spelling.
fn as_asked(details: &Details) -> Result<(Email, Username), InternalError> {
    let email = Email::parse(&details.typed).ok();
    let username = details.username.as_deref().and_then(|typed| Username::parse(typed).ok());
    email.zip(username).ok_or_else(|| InternalError::fault("a code to sign up with, for nobody"))
}

impl From<GateError> for CodeSignUpError {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Busy { retry_after } => Self::Busy { retry_after },
            GateError::Internal(cause) => Self::Internal(cause),
        }
    }
}

impl From<TooMany> for CodeSignUpError {
    fn from(refused: TooMany) -> Self {
        Self::TooManyAttempts { retry_at: refused.retry_at }
    }
}

impl From<LimitError> for CodeSignUpError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::TooMany(refused) => refused.into(),
            LimitError::Internal(cause) => Self::Internal(cause),
        }
    }
}
