//! Sign-in with a code sent by mail or SMS, or with the link in its mail.
//!
//! The code proves the address or number. Where nobody has an account with it, one is made; where
//! one exists that nobody had proven, this is its first proof.

use super::candidate::Candidate;
use super::code_request::Details;
use super::complete::Passed;
use super::{Arrival, START_AGAIN, SignIn, SignInError, Step, Way};
use crate::accounts::{self, Contact};
use crate::audit::{Entry, Event};
use crate::database::{Batch, WriteError};
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::one_time_codes::{CodeLink, Guess, Purpose};
use crate::ports::Token;
use crate::profiles;
use crate::sources::SourceHint;
use crate::time::Timestamp;

/// How often a sign-in whose account changed under it looks again: its code is not to blame.
const TRIES: usize = 3;

/// Somebody types a code.
#[derive(Debug, Clone)]
pub struct CodeAttempt {
    /// Where the code was sent.
    pub contact: Contact,
    /// The code as received.
    pub code: Token,
    /// How they come.
    pub arrival: Arrival,
}

/// What the page of a code's link shows.
#[derive(Debug, Clone)]
pub enum LinkView {
    /// One click signs in.
    Ready {
        /// The address, as it was typed.
        address: String,
    },
    /// The link was asked for in another browser: the code works there.
    OtherBrowser,
}

/// What a click on a code's link leads to.
#[derive(Debug, Clone)]
pub enum LinkStep {
    /// The link was right.
    Step(Step),
    /// The link was asked for in another browser; nothing was used up.
    OtherBrowser,
}

impl SignIn<'_> {
    /// Checks a code and says what must happen next. Wrong, expired, used and never sent are
    /// one answer.
    pub async fn with_code(&self, attempt: CodeAttempt) -> Result<Step, SignInError> {
        let client = &attempt.arrival.client;
        let network = client.network();
        let limits = self.auth.limits();
        limits.admit_sign_in(network)?;
        let found = self.find(&attempt.contact.clone().into(), client).await?;
        let owner = found.as_ref().map(Candidate::device_owner);
        let now = self.auth.clock().now();
        let codes = self.auth.one_time_codes();
        let purpose = Purpose::SignIn;
        let live = codes.live_code(purpose, attempt.contact.key(), network, now).await?;
        let is_asked_here = live.as_ref().is_some_and(|live| live.is_asked_in(network));
        let subject = limits.code_subject(attempt.contact.key(), is_asked_here, owner, client);
        let guess = Guess { purpose, typed: &attempt.code, network };
        let counted = limits.count_failure(subject, now);
        let matched = match codes.compare_counted(counted, live.as_ref(), guess, now).await {
            Ok(matched) => matched,
            Err(WriteError::Conflict { .. }) => return Err(limits.refused(subject).await.into()),
            Err(WriteError::Internal(cause)) => return Err(cause.into()),
        };
        let Some(matched) = matched else {
            tracing::info!(%network, "a sign-in with a code failed");
            return Err(SignInError::WrongCredentials);
        };
        let live =
            live.ok_or_else(|| InternalError::fault("a code that was right is not there"))?;
        let details = Details::of_text(&live.details)?;
        // As it was asked with: the code has proven that very spelling's mailbox.
        let contact = details.contact(attempt.contact.key())?;
        let arrival = self.came_as_asked(attempt.arrival, &details);
        // Failures before codes, as above, or two attempts at once could wait for each other.
        let mut used = Batch::from(limits.forgive_failures(subject));
        used.add(codes.consume_matched(&matched, now));
        used.add(codes.void_codes(purpose, contact.key()));
        // Read before the comparison: whatever has happened to the account since makes the batch
        // conflict.
        let mut found = found;
        for _ in 0..TRIES {
            match self.enter(Way::Code, (&contact, found), &used, &arrival).await {
                Err(SignInError::Busy { .. }) => {}
                step => return step,
            }
            found = self.find(&contact.clone().into(), &arrival.client).await?;
        }
        // The code was right all the same.
        let forgiven = Batch::from(limits.forgive_failures(subject));
        self.auth.database().write(forgiven).await.map_err(WriteError::unexpected)?;
        Err(SignInError::Busy { retry_after: START_AGAIN })
    }

    /// What the page of a code's link shows; consumes nothing.
    pub async fn look_at_code_link(
        &self,
        token: &str,
        browser: Option<&Token>,
    ) -> Result<LinkView, SignInError> {
        let (link, details) = self.code_link(token).await?;
        if !self.is_from_here(&link, browser) {
            return Ok(LinkView::OtherBrowser);
        }
        Ok(LinkView::Ready { address: details.typed })
    }

    /// Signs in with the link in a code's mail, in the browser that asked for it (attack B13).
    /// The door is the one that was asked at.
    pub async fn with_link(
        &self,
        token: &str,
        browser: Option<&Token>,
        arrival: Arrival,
    ) -> Result<LinkStep, SignInError> {
        self.auth.limits().admit_sign_in(arrival.client.network())?;
        for _ in 0..TRIES {
            let (link, details) = self.code_link(token).await?;
            if !self.is_from_here(&link, browser) {
                return Ok(LinkStep::OtherBrowser);
            }
            let contact = details.contact(&link.target_key)?;
            let now = self.auth.clock().now();
            let codes = self.auth.one_time_codes();
            let mut used = Batch::from(codes.consume_code_link(&link, now));
            used.add(codes.void_codes(Purpose::SignIn, contact.key()));
            let arrival = self.came_as_asked(arrival.clone().through(details.door), &details);
            let found = self.find(&contact.clone().into(), &arrival.client).await?;
            match self.enter(Way::Link, (&contact, found), &used, &arrival).await {
                Err(SignInError::Busy { .. }) => {}
                step => return step.map(LinkStep::Step),
            }
        }
        Err(SignInError::Busy { retry_after: START_AGAIN })
    }

    /// An unused code's row by its link.
    async fn code_link(&self, token: &str) -> Result<(CodeLink, Details), SignInError> {
        let now = self.auth.clock().now();
        let codes = self.auth.one_time_codes();
        let link = codes.find_code_link(Purpose::SignIn, token, now).await?;
        let link = link.filter(|link| !link.is_used).ok_or(SignInError::WrongCredentials)?;
        let details = Details::of_text(&link.details)?;
        Ok((link, details))
    }

    /// Whoever proves says little of where they came from; what the asker said counts then.
    pub(super) fn came_as_asked(&self, arrival: Arrival, details: &Details) -> Arrival {
        if self.auth.sources().of_hint(&arrival.source, arrival.door).is_some() {
            return arrival;
        }
        let source_url = details.source_url.clone();
        Arrival { source: SourceHint { source_url, ..SourceHint::default() }, ..arrival }
    }

    fn is_from_here(&self, link: &CodeLink, browser: Option<&Token>) -> bool {
        let codes = self.auth.one_time_codes();
        browser.is_some_and(|browser| codes.is_codes_browser(link, browser))
    }

    /// Lets the owner of a proven address or number in, as its account was found; `used` uses the
    /// proof up. [`SignInError::Busy`] when the account changed, or was made, meanwhile.
    async fn enter(
        &self,
        way: Way,
        (contact, found): (&Contact, Option<Candidate>),
        used: &Batch,
        arrival: &Arrival,
    ) -> Result<Step, SignInError> {
        let now = self.auth.clock().now();
        let methods = vec![match contact {
            Contact::Email(_) => "email",
            Contact::Phone(_) => "sms",
        }];
        let passed = match found {
            None => self.newcomer(way, methods, (contact, used), arrival)?,
            // Made after the code was asked for, with another spelling: perhaps another mailbox.
            Some(found) if !is_mailbox_of(&found, contact) => {
                return Err(SignInError::WrongCredentials);
            }
            Some(found) if found.is_proven() => {
                let mut batch = used.clone();
                batch.add(mark_verified(&found, contact, now));
                Passed::existing(way, found, methods, batch)
            }
            Some(found) => self.first_proof(way, (contact, found), used, methods)?,
        };
        self.complete(passed, arrival).await
    }

    /// A code that is the first proof of what its account claims.
    pub(super) fn first_proof(
        &self,
        way: Way,
        (contact, mut found): (&Contact, Candidate),
        used: &Batch,
        methods: Vec<&'static str>,
    ) -> Result<Passed, InternalError> {
        let now = self.auth.clock().now();
        // The code has come out of the mailbox: its owner may be told.
        found.proven_by(contact, now);
        let mut batch = used.clone();
        batch.append(self.emptied(&found, now)?);
        batch.add(mark_verified(&found, contact, now));
        found.has_second_factor = false;
        found.password_changed_at = None;
        Ok(Passed::existing(way, found, methods, batch).raising(1))
    }

    /// The account that a code makes, with its proven address or number.
    fn newcomer(
        &self,
        way: Way,
        methods: Vec<&'static str>,
        (contact, used): (&Contact, &Batch),
        arrival: &Arrival,
    ) -> Result<Passed, InternalError> {
        let now = self.auth.clock().now();
        let id = AccountId::new(now, self.auth.random());
        let mut found = Candidate::new(id, self.new_number(), Some(contact), &arrival.client, now);
        found.last_sign_in_at = Some(now);
        let made = self.account_row(&found, Some(contact), None, arrival.door);
        let mut batch = used.clone();
        let entry = Entry::new(Event::SignedUp).account(id).network(arrival.client.network());
        batch.add(entry.statement(now, self.auth.random()));
        batch.add(profiles::create(id, None, now));
        batch.extend(self.welcome(&found, now)?);
        Ok(Passed::existing(way, found, methods, batch).making(made))
    }
}

/// Whether what a code was sent to is the account's, spelling included.
fn is_mailbox_of(found: &Candidate, contact: &Contact) -> bool {
    match contact {
        Contact::Email(email) => found.email.as_deref() == Some(email.as_typed()),
        Contact::Phone(phone) => found.phone_key.as_deref() == Some(phone.key()),
    }
}

/// The must-change statement that notes the proof of an address or number.
fn mark_verified(
    found: &Candidate,
    contact: &Contact,
    now: Timestamp,
) -> crate::database::Statement {
    match contact {
        Contact::Email(email) => accounts::mark_email_verified(found.id, email.key(), now),
        Contact::Phone(phone) => accounts::mark_phone_verified(found.id, phone.key(), now),
    }
}
