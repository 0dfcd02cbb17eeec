//! What an application calls that has a front end of its own: texts in, the contract's answers
//! out (otp-api §4). The same ways in as everybody's, with the same limits.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::candidate::Candidate;
use super::{Arrival, CodeAttempt, CodeRequestError, START_AGAIN, SignIn, SignInError, Step};
use crate::accounts::{Account, AccountRef, Contact, Email};
use crate::client::Client;
use crate::database::{Batch, WriteError};
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::messages::SmsRefusal;
use crate::ports::Token;
use crate::profiles;
use crate::sessions::Door;
use crate::sources::SourceHint;
use crate::time::Timestamp;

/// Tries to make an account while others make it, or take its number.
const TRIES: usize = 3;

/// Why no code is sent, in the contract's words.
#[derive(Debug, thiserror::Error)]
pub enum RequestOtpError {
    /// It has an `@` and is no address.
    #[error("Invalid email format.")]
    InvalidEmail,
    /// It has no `@` and is no number with its country code.
    #[error("Phone number must be at least 10 digits.")]
    InvalidPhone,
    /// Too many requests of this network, or for this address or number.
    #[error("Too many requests")]
    TooManyRequests {
        /// When trying again makes sense.
        retry_at: Timestamp,
    },
    /// No SMS goes to this number now.
    #[error("Failed to send OTP")]
    NotSent(#[source] SmsRefusal),
    /// Something of ours failed.
    #[error("Failed to send OTP")]
    Internal(#[from] InternalError),
}

/// Why a code was not compared.
#[derive(Debug, thiserror::Error)]
pub enum VerifyOtpError {
    /// Too many wrong codes, or too many attempts of this network.
    #[error("Too many requests")]
    TooManyRequests {
        /// When trying again makes sense.
        retry_at: Timestamp,
    },
    /// The account kept changing meanwhile; another code is needed.
    #[error("busy, try again in {retry_after:?}")]
    Busy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Something of ours failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
pub enum RegisterUserError {
    /// No address at all.
    #[error("Email is required")]
    EmailRequired,
    /// It is no address.
    #[error("Invalid email format.")]
    InvalidEmail,
    /// Others kept making and closing the account meanwhile.
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
    /// Sends a code, without a link, to an e-mail address or a phone number with its country
    /// code, whether or not anybody has an account with it.
    pub async fn request_otp(
        &self,
        identifier: &str,
        source_url: Option<&str>,
        client: &Client,
    ) -> Result<(), RequestOtpError> {
        let contact = Contact::of_typed(identifier).ok_or(if identifier.contains('@') {
            RequestOtpError::InvalidEmail
        } else {
            RequestOtpError::InvalidPhone
        })?;
        Ok(self.send_code(&contact, None, &arrived(source_url, client)).await?)
    }

    /// Exchanges a code for a session, and makes the account if there is none. `None`: wrong,
    /// expired, used, or never sent. With a second factor there is no session yet:
    /// [`Step::SecondFactor`] has what [`SignIn::second_factor`] asks for.
    pub async fn verify_otp(
        &self,
        identifier: &str,
        code: &Token,
        source_url: Option<&str>,
        client: &Client,
    ) -> Result<Option<Step>, VerifyOtpError> {
        let Some(contact) = Contact::of_typed(identifier) else { return Ok(None) };
        let code = Token::new(code.reveal().trim().to_owned());
        let arrival = arrived(source_url, client);
        match self.with_code(CodeAttempt { contact, code, arrival }).await {
            Ok(step) => Ok(Some(step)),
            Err(error) => failed(error),
        }
    }

    /// The account with this address, and whether this call made it: without a password and
    /// unproven, so that nothing but a proof of the address opens it. Who proves it first finds
    /// it empty; nobody for thirty days, and it goes.
    ///
    /// The answer says who has an account: it is for the application, not for whoever asks it.
    pub async fn register_user(
        &self,
        email: &str,
        source_url: Option<&str>,
    ) -> Result<(Account, bool), RegisterUserError> {
        if email.trim().is_empty() {
            return Err(RegisterUserError::EmailRequired);
        }
        let email = Email::parse(email).map_err(|_| RegisterUserError::InvalidEmail)?;
        let there = AccountRef::Email(email.clone());
        for _ in 0..TRIES {
            if let Some(account) = self.auth.accounts().find(&there).await? {
                return Ok((account, false));
            }
            let Some(id) = self.insert_unproven(&email, source_url).await? else { continue };
            let made = self.auth.accounts().find(&AccountRef::Id(id)).await?;
            let made = made.ok_or_else(|| InternalError::fault("a new account is gone"))?;
            return Ok((made, true));
        }
        Err(RegisterUserError::Busy { retry_after: START_AGAIN })
    }

    /// `None` when somebody was faster.
    async fn insert_unproven(
        &self,
        email: &Email,
        source_url: Option<&str>,
    ) -> Result<Option<AccountId>, InternalError> {
        let now = self.auth.clock().now();
        let id = AccountId::new(now, self.auth.random());
        let application = Client {
            address: Ipv4Addr::LOCALHOST.into(),
            user_agent: "the application".to_owned(),
            device: None,
        };
        let arrival = arrived(source_url, &application);
        let contact = Contact::Email(email.clone());
        let number = self.new_number();
        let mut new = Candidate::new(id, number, Some(&contact), &application, now);
        new.email_verified_at = None;
        let mut batch = Batch::new();
        batch.add(self.account_row(&new, Some(&contact), None, arrival.door));
        batch.add(profiles::create(id, None, now));
        batch.add(self.signed_up_entry(id, now));
        batch.extend(self.came_from(&arrival, id, true, now));
        match self.auth.database().write(batch).await {
            Ok(_) => Ok(Some(id)),
            Err(WriteError::Conflict { .. }) => Ok(None),
            Err(WriteError::Internal(cause)) => Err(cause),
        }
    }
}

fn arrived(source_url: Option<&str>, client: &Client) -> Arrival {
    let source = SourceHint { source_url: source_url.map(str::to_owned), ..SourceHint::default() };
    Arrival { source, ..Arrival::new(client.clone()) }.through(Door::Codes)
}

impl From<CodeRequestError> for RequestOtpError {
    fn from(error: CodeRequestError) -> Self {
        match error {
            CodeRequestError::TooManyAttempts { retry_at } => Self::TooManyRequests { retry_at },
            CodeRequestError::NoSms(SmsRefusal::Internal(cause))
            | CodeRequestError::Internal(cause) => Self::Internal(cause),
            CodeRequestError::NoSms(refusal) => Self::NotSent(refusal),
        }
    }
}

/// What a failed sign-in with a code is to the application.
fn failed(error: SignInError) -> Result<Option<Step>, VerifyOtpError> {
    Err(match error {
        SignInError::WrongCredentials | SignInError::NoSecondFactor | SignInError::NotVerified => {
            return Ok(None);
        }
        SignInError::TooManyAttempts { retry_at } => VerifyOtpError::TooManyRequests { retry_at },
        SignInError::Busy { retry_after } => VerifyOtpError::Busy { retry_after },
        SignInError::Internal(cause) => VerifyOtpError::Internal(cause),
    })
}
