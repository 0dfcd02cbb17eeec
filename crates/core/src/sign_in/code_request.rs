//! Asking for a code to sign in with. No account is made here: whoever types any address or
//! number gets the same answer after the same work, and only the code makes an account.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::candidate::Candidate;
use super::{Arrival, SignIn};
use crate::accounts::{Contact, Email};
use crate::client::Network;
use crate::database::{Batch, WriteError};
use crate::error::InternalError;
use crate::limits::{CodeRefusal, MailKind, SmsLimitError, TooMany};
use crate::messages::{Message, SmsRefusal};
use crate::one_time_codes::{CodeFor, Purpose, Sent};
use crate::ports::Token;
use crate::sessions::Door;
use crate::time::{Timestamp, hours};

/// A code is on its way.
#[derive(Debug, Clone)]
pub struct CodeRequested {
    /// Cookie by which the link's page knows the browser that asked.
    pub browser: Token,
    /// How long that cookie may be kept: as long as the link lives.
    pub browser_lifetime: Duration,
}

/// Why no code is sent.
#[derive(Debug, thiserror::Error)]
pub enum CodeRequestError {
    /// Too many requests of this network, or for this address or number.
    #[error("too many requests, try again at {retry_at:?}")]
    TooManyAttempts {
        /// When trying again makes sense.
        retry_at: Timestamp,
    },
    /// No SMS goes to this number now, whoever asks.
    #[error(transparent)]
    NoSms(SmsRefusal),
    /// Something of ours failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl SignIn<'_> {
    /// Sends a code to an address or a number; to an address with a link, which works in the
    /// asking browser alone (`browser`: the cookie of an earlier request, if there is one).
    ///
    /// Over the limits a live code stays valid and is sent once more, so that strangers can
    /// neither deny nor cancel anybody's code.
    pub async fn request_code(
        &self,
        contact: &Contact,
        browser: Option<Token>,
        arrival: &Arrival,
    ) -> Result<CodeRequested, CodeRequestError> {
        let browser = browser.unwrap_or_else(|| self.auth.random().token());
        self.send_code(contact, Some(&browser), arrival).await?;
        Ok(CodeRequested { browser, browser_lifetime: Purpose::SignIn.lifetime() })
    }

    /// The same for a browser that keeps a link's secret, or (none) with nothing but the code.
    pub(super) async fn send_code(
        &self,
        contact: &Contact,
        browser: Option<&Token>,
        arrival: &Arrival,
    ) -> Result<(), CodeRequestError> {
        let network = arrival.client.network();
        if let Contact::Phone(phone) = contact {
            self.auth.limits().admit_sms(network, phone.key()).await?;
        }
        let admitted = self.auth.limits().admit_code(MailKind::SignInCode, network, contact.key());
        let refusal = match admitted {
            Ok(()) if self.send_new_code(contact, browser, arrival).await? => return Ok(()),
            Ok(()) => TooMany { retry_at: self.auth.clock().now().plus(hours(1)) },
            Err(CodeRefusal::Identifier(refusal)) => refusal,
            Err(CodeRefusal::Network(refusal)) => return Err(refusal.into()),
        };
        if self.send_live_code(contact, arrival).await? {
            return Ok(());
        }
        Err(refusal.into())
    }

    /// Sends a new code; `false` when too many were sent to this address or number.
    async fn send_new_code(
        &self,
        contact: &Contact,
        browser: Option<&Token>,
        arrival: &Arrival,
    ) -> Result<bool, InternalError> {
        let now = self.auth.clock().now();
        let network = arrival.client.network();
        let found = self.find(&contact.clone().into(), &arrival.client).await?;
        let sources = self.auth.sources();
        let source = sources.of_hint(&arrival.source, arrival.door);
        let is_counted = match &source {
            Some(_) => !self.is_waiting(contact, network, now).await? && found.is_none(),
            None => false,
        };
        let to = mailbox(contact, found.as_ref());
        let details = Details {
            typed: to.as_typed().to_owned(),
            door: arrival.door,
            source_url: source.as_ref().map(|source| source.url().to_owned()),
            username: None,
            is_decoy: false,
        };
        let code = self.auth.one_time_codes().new_code(
            &CodeFor {
                purpose: Purpose::SignIn,
                account: found.as_ref().map(|found| found.id),
                target_key: contact.key(),
                network,
                link_for: browser.filter(|_| matches!(contact, Contact::Email(_))),
                details: &details.to_text()?,
            },
            now,
        )?;
        let mut batch = Batch::new();
        batch.add(self.auth.limits().count_mail(MailKind::SignInCode, contact.key(), now));
        batch.append(code.batch);
        batch.append(self.code_message(&to, &code.sent, arrival.door, now)?);
        // The same statements whether or not anybody has an account, so that the time they take
        // tells nothing; the audit begins where the code is used (attacks B05, H10).
        batch.extend(sources.count_requested(source.as_ref(), network, is_counted, now));
        self.sent(batch).await
    }

    /// Whether a code was sent already: who asks twice came once.
    async fn is_waiting(
        &self,
        contact: &Contact,
        network: Network,
        now: Timestamp,
    ) -> Result<bool, InternalError> {
        let codes = self.auth.one_time_codes();
        let live = codes.live_code(Purpose::SignIn, contact.key(), network, now).await?;
        Ok(live.is_some())
    }

    /// Sends a live code again; `false` when there is none, or it was sent again already.
    async fn send_live_code(
        &self,
        contact: &Contact,
        arrival: &Arrival,
    ) -> Result<bool, InternalError> {
        let now = self.auth.clock().now();
        let codes = self.auth.one_time_codes();
        let network = arrival.client.network();
        let live = codes.live_code(Purpose::SignIn, contact.key(), network, now).await?;
        let Some(live) = live else { return Ok(false) };
        let (sent, allowed) = codes.send_again(&live, now)?;
        // To where it went the first time: another spelling may be another mailbox.
        let details = Details::of_text(&live.details)?;
        let first = details.contact(contact.key())?;
        let mut batch = Batch::from(allowed);
        batch.append(self.code_message(&first, &sent, details.door, now)?);
        self.sent(batch).await
    }

    pub(super) async fn sent(&self, batch: Batch) -> Result<bool, InternalError> {
        match self.auth.database().write(batch).await {
            Ok(_) => {
                self.auth.messages().wake();
                Ok(true)
            }
            Err(WriteError::Conflict { .. }) => Ok(false),
            Err(WriteError::Internal(cause)) => Err(cause),
        }
    }

    /// The mail or SMS with a code, and what counts an SMS.
    fn code_message(
        &self,
        to: &Contact,
        sent: &Sent,
        door: Door,
        now: Timestamp,
    ) -> Result<Batch, InternalError> {
        let link = sent.link.as_ref().map(|token| self.sign_in_link(token, door));
        let message = Message::SignInCode { code: sent.code.reveal().to_owned(), link };
        let messages = self.auth.messages();
        let mut batch = Batch::new();
        match to {
            Contact::Email(email) => {
                let address = email.as_typed();
                batch.add(messages.queue(address, &message, now, sent.expires_at)?);
            }
            Contact::Phone(phone) => {
                batch.extend(self.auth.limits().count_sms(phone.key(), now));
                batch.add(messages.queue_sms(phone.key(), &message, now, sent.expires_at)?);
            }
        }
        Ok(batch)
    }
}

/// Where a code goes: to the address as its owner typed it, since what the asker typed may be
/// another mailbox.
fn mailbox(contact: &Contact, found: Option<&Candidate>) -> Contact {
    let owners = found.and_then(|found| Email::parse(found.email.as_deref()?).ok());
    match (contact, owners) {
        (Contact::Email(_), Some(owners)) => Contact::Email(owners),
        _ => contact.clone(),
    }
}

/// What the proof needs to know again.
#[derive(Serialize, Deserialize)]
pub(super) struct Details {
    /// The address or number as it was written to: the proof of this very spelling.
    pub(super) typed: String,
    /// The door that was asked at.
    #[serde(with = "door_word")]
    pub(super) door: Door,
    /// Where the asker came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source_url: Option<String>,
    /// The wished name as it was typed, where the code makes an account that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<String>,
    /// Whether the code was mailed to nobody, because the address has an account: it proves
    /// nothing, however it is typed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_decoy: bool,
}

impl Details {
    pub(super) fn to_text(&self) -> Result<String, InternalError> {
        serde_json::to_string(self).map_err(InternalError::fault)
    }

    /// What the code proves, as it was asked with.
    pub(super) fn contact(&self, key: &str) -> Result<Contact, InternalError> {
        let contact = Contact::of_typed(&self.typed).filter(|contact| contact.key() == key);
        contact.ok_or_else(|| InternalError::fault("a code for somebody else"))
    }

    pub(super) fn of_text(text: &str) -> Result<Self, InternalError> {
        serde_json::from_str(text).map_err(InternalError::fault)
    }
}

/// Doors as their stored words.
mod door_word {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::sessions::Door;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(door: &Door, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(door.word())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Door, D::Error> {
        let word = String::deserialize(from)?;
        Door::of_word(&word).ok_or_else(|| de::Error::custom("an unknown door"))
    }
}

impl From<TooMany> for CodeRequestError {
    fn from(refused: TooMany) -> Self {
        Self::TooManyAttempts { retry_at: refused.retry_at }
    }
}

impl From<SmsLimitError> for CodeRequestError {
    fn from(error: SmsLimitError) -> Self {
        match error {
            SmsLimitError::TooMany(refused) => refused.into(),
            SmsLimitError::Refused(SmsRefusal::Internal(cause)) => Self::Internal(cause),
            SmsLimitError::Refused(refusal) => Self::NoSms(refusal),
        }
    }
}
