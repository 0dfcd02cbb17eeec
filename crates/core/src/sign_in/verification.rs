//! Proving the address an account signed up with, by the link in its mail.

use std::time::Duration;

use super::candidate::Candidate;
use super::{SignIn, SignInError};
use crate::accounts::{self, Email};
use crate::audit::{Entry, Event};
use crate::client::Client;
use crate::credentials::password::{GateError, PasswordProblem};
use crate::database::{Batch, WriteError};
use crate::error::InternalError;
use crate::limits::{MailKind, TooMany};
use crate::messages::Message;
use crate::one_time_codes::{Link, LinkFor, Purpose};
use crate::ports::Token;
use crate::sessions::Door;
use crate::settings::verification_lifetime;
use crate::time::{Timestamp, days, minutes};

/// A link used this recently still answers "verified", for mail scanners and double clicks that
/// open the contract's GET twice.
const JUST_NOW: Duration = minutes(10);

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
    /// The link is good and this is the browser that signed up: one click proves it.
    Ready {
        /// The address, as the account has it.
        address: String,
    },
    /// The link is good, but the browser is another one: password, "this was me" or "not me".
    NeedsMore(SignUpFacts),
}

/// When and from where an account was made, for its address's owner to judge.
#[derive(Debug, Clone)]
pub struct SignUpFacts {
    /// The address, as it was typed.
    pub address: String,
    /// When.
    pub at: Timestamp,
    /// From where: network and browser, in words.
    pub from: String,
    /// Whether there is a password that could be typed.
    pub has_password: bool,
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

/// A verification link together with the account it belongs to.
pub(super) struct Claim {
    pub(super) link: Link,
    pub(super) account: Candidate,
}

impl Claim {
    /// The address the link is about, as the account has it.
    pub(super) fn address(&self) -> &str {
        self.account.email.as_deref().unwrap_or(&self.link.target_key)
    }
}

impl SignIn<'_> {
    /// Sends the verification mail again. Known, unknown and proven addresses look alike.
    pub async fn resend_verification(
        &self,
        email: &Email,
        door: Door,
        client: &Client,
    ) -> Result<(), LinkError> {
        let limits = self.auth.limits();
        limits.admit_mail(MailKind::Verification, client.network(), email.key())?;
        let now = self.auth.clock().now();
        let found = self.find(&email.clone().into(), client).await?;
        let waiting = found.filter(|found| found.is_active() && found.email_verified_at.is_none());
        let mut batch = Batch::new();
        batch.add(limits.count_mail(MailKind::Verification, email.key(), now));
        if let Some(found) = waiting {
            let link = self.auth.one_time_codes().new_link_until(
                &LinkFor {
                    purpose: Purpose::VerifyEmail,
                    account: found.id,
                    target_key: email.key(),
                    browser: None,
                    details: None,
                },
                now,
                now.plus(verification_lifetime(door)),
            );
            let mail = Message::VerifyEmail { link: self.verification_link(&link.token, door) };
            let to = found.email.as_deref().unwrap_or(email.as_typed());
            batch.add(link.statement);
            batch.add(self.auth.messages().queue(to, &mail, now, link.expires_at)?);
        }
        self.write_uniformly(batch).await?;
        Ok(())
    }

    /// Writes a batch whose conflict (too many mails to this address) must not show.
    pub(super) async fn write_uniformly(&self, batch: Batch) -> Result<(), InternalError> {
        match self.auth.database().write(batch).await {
            Ok(_) | Err(WriteError::Conflict { .. }) => {}
            Err(WriteError::Internal(cause)) => return Err(cause),
        }
        self.auth.messages().wake();
        Ok(())
    }

    /// What the page of a verification link shows; consumes nothing.
    pub async fn look_at_verification(
        &self,
        token: &str,
        browser: Option<&Token>,
    ) -> Result<Verification, LinkError> {
        let claim = self.claim(token).await?;
        if self.is_settled(&claim)? {
            return Ok(Verification::Verified);
        }
        Ok(self.look(&claim, browser))
    }

    /// Proves an address with a mailed link, by the table of first proofs.
    pub async fn verify_email(
        &self,
        token: &str,
        evidence: Evidence,
        client: &Client,
    ) -> Result<Verification, LinkError> {
        let claim = self.claim(token).await?;
        if self.is_settled(&claim)? {
            return Ok(Verification::Verified);
        }
        let mut batch = Batch::new();
        match evidence {
            Evidence::ContractJson => {}
            Evidence::Browser(browser) => match self.look(&claim, browser.as_ref()) {
                Verification::NeedsMore(facts) => return Ok(Verification::NeedsMore(facts)),
                Verification::Ready { .. } | Verification::Verified => {}
            },
            Evidence::Password(password) => {
                let identifier = &claim.link.target_key;
                let account = Some(&claim.account);
                let right = self.check_password(account, identifier, &password, client).await?;
                let right = right.ok_or(LinkError::WrongPassword)?;
                batch.add(self.auth.limits().give_back(right.reserved));
                let verified = self.verified(&claim, batch, client).await;
                if verified.is_err() {
                    self.auth.limits().take_back(right.reserved).await?;
                }
                return self.or_just_settled(token, verified).await;
            }
        }
        let verified = self.verified(&claim, batch, client).await;
        self.or_just_settled(token, verified).await
    }

    /// Pages that run their effects twice ask twice at once: what one request has done counts for
    /// the other as well.
    async fn or_just_settled(
        &self,
        token: &str,
        outcome: Result<Verification, LinkError>,
    ) -> Result<Verification, LinkError> {
        match outcome {
            Err(LinkError::Invalid) if self.is_settled(&self.claim(token).await?)? => {
                Ok(Verification::Verified)
            }
            outcome => outcome,
        }
    }

    /// The link and its account; a closed or disabled account's links are nobody's.
    pub(super) async fn claim(&self, token: &str) -> Result<Claim, LinkError> {
        let now = self.auth.clock().now();
        let codes = self.auth.one_time_codes();
        let link = codes.find_link(Purpose::VerifyEmail, token, now).await?;
        let link = link.ok_or(LinkError::Invalid)?;
        let account = self.find_by_id(link.account).await?;
        let account = account.filter(|account| {
            account.is_active() && account.email_key.as_deref() == Some(&link.target_key)
        });
        Ok(Claim { link, account: account.ok_or(LinkError::Invalid)? })
    }

    /// Whether nothing is left to do: this very link proved the address a moment ago.
    fn is_settled(&self, claim: &Claim) -> Result<bool, LinkError> {
        let Some(used) = claim.link.consumed_at else { return Ok(false) };
        let now = self.auth.clock().now();
        let is_proven = claim.account.email_verified_at.is_some();
        if is_proven && now.since(used) <= JUST_NOW {
            return Ok(true);
        }
        Err(LinkError::Invalid)
    }

    fn look(&self, claim: &Claim, browser: Option<&Token>) -> Verification {
        let codes = self.auth.one_time_codes();
        let is_same = browser.is_some_and(|browser| codes.is_same_browser(&claim.link, browser));
        // Nothing can be lost of an account whose address is proven already.
        if is_same || claim.account.email_verified_at.is_some() {
            return Verification::Ready { address: claim.address().to_owned() };
        }
        Verification::NeedsMore(SignUpFacts {
            address: claim.address().to_owned(),
            at: claim.account.created_at,
            from: claim.account.created_from.clone(),
            has_password: claim.account.sealed_hash.is_some(),
        })
    }

    /// First row of the table of first proofs: verified, everything stays.
    async fn verified(
        &self,
        claim: &Claim,
        mut batch: Batch,
        client: &Client,
    ) -> Result<Verification, LinkError> {
        let now = self.auth.clock().now();
        let account = &claim.account;
        batch.add(self.auth.one_time_codes().consume(&claim.link, now));
        batch.add(accounts::mark_email_verified(account.id, &claim.link.target_key, now));
        if account.email_verified_at.is_none() {
            batch.extend(self.welcome(account, now)?);
        }
        let entry = Entry::new(Event::EmailVerified).account(account.id);
        batch.add(entry.network(client.network()).statement(now, self.auth.random()));
        batch.append(self.auth.sessions().changed_statements(account.id, now));
        self.write_claim(batch).await?;
        Ok(Verification::Verified)
    }

    /// Greets by the address: whoever signs up with a stranger's must not choose what we write
    /// to them, not even the name.
    pub(super) fn welcome(
        &self,
        account: &Candidate,
        now: Timestamp,
    ) -> Result<Option<crate::database::Statement>, InternalError> {
        let Some(email) = &account.email else { return Ok(None) };
        let mail = Message::Welcome { name: email.clone() };
        self.auth.messages().queue(email, &mail, now, now.plus(days(3))).map(Some)
    }

    /// Writes what a link does; of many at once, one succeeds and the others find it used.
    pub(super) async fn write_claim(&self, batch: Batch) -> Result<(), LinkError> {
        match self.auth.database().write(batch).await {
            Ok(_) => {}
            Err(WriteError::Conflict { .. }) => return Err(LinkError::Invalid),
            Err(WriteError::Internal(cause)) => return Err(cause.into()),
        }
        self.auth.sessions().catch_up().await?;
        self.auth.messages().wake();
        Ok(())
    }
}

impl From<GateError> for LinkError {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Busy { retry_after } => Self::Busy { retry_after },
            GateError::Internal(cause) => Self::Internal(cause),
        }
    }
}

impl From<TooMany> for LinkError {
    fn from(refused: TooMany) -> Self {
        Self::TooManyAttempts { retry_at: refused.retry_at }
    }
}

impl From<SignInError> for LinkError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::WrongCredentials
            | SignInError::NotVerified
            | SignInError::NoSecondFactor => Self::WrongPassword,
            SignInError::TooManyAttempts { retry_at } => Self::TooManyAttempts { retry_at },
            SignInError::Busy { retry_after } => Self::Busy { retry_after },
            SignInError::Internal(cause) => Self::Internal(cause),
        }
    }
}
