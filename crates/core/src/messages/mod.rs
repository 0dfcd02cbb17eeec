//! What we say: the outbox and its texts.
//!
//! A message is queued in the batch of the act it tells about and sent after the commit by a
//! worker: leased, retried with growing pauses, never sent once expired. Bodies are sealed and
//! forgotten when the message is done. A message leaves once; only a crash (or a server that
//! does not answer after it took the text) sends it again, with the same Message-ID.
//!
//! An SMS costs money and may not be asked back, so it is counted against the day's budget when
//! it is queued, and one whose fate is not known is not sent again.
//!
//! Owns the tables `messages`, `message_budgets` and `message_stops`.

mod built_in;
mod countries;
mod deliver;
mod sms;
mod store;
mod templates;
mod transports;
mod wording;

use std::fmt;
use std::future::Future;

use tokio::sync::Notify;

use countries::Countries;
use store::Channel;

pub use sms::{SmsRefusal, SmsStatus};
pub use templates::Templates;
pub use transports::{
    Gateway, GatewayFormat, GatewayMethod, GatewaySettings, LogTransport, SendGrid,
    SendGridSettings, Smtp, SmtpSecurity, SmtpSettings, Twilio, TwilioSender, TwilioSettings,
};

use crate::Auth;
use crate::database::Statement;
use crate::error::InternalError;
use crate::ids::MessageId;
use crate::secrets::Place;
use crate::settings::{Mistake, Settings};
use crate::time::{Timestamp, days};

/// How long the row of a finished message stays, for operators who look for it.
const KEPT_WHEN_DONE: std::time::Duration = days(7);

/// What is said. Each has a text and an HTML template under `templates/mail/`; some have a short
/// text for SMS too, under `templates/sms/`.
#[derive(Clone)]
pub enum Message {
    /// "Prove that this address is yours": link valid until the expiry.
    VerifyEmail { link: String },
    /// Somebody tried to sign up with an address that has an account (neutral sign-up).
    AlreadyRegistered { reset_link_page: String },
    /// A code to sign in with; in a mail perhaps with a link that does the same.
    SignInCode { code: String, link: Option<String> },
    /// A code to sign up with: the account is made when it comes back.
    SignUpCode { code: String },
    /// "Choose a new password", to a reader whose name may be known.
    ResetPassword { link: String, name: Option<String> },
    /// Greets a new, proven account.
    Welcome { name: String },
    /// The password was changed, when and from where.
    PasswordChanged { at: Timestamp, from: String },
    /// A sign-in from a device never seen before on this account.
    NewDevice { at: Timestamp, from: String, device: String },
    /// A session was used from a network that none of the account's sessions knew.
    NewNetwork { at: Timestamp, from: String, device: String },
    /// A refresh token was used by two holders; the session was ended.
    TokenTheft { at: Timestamp, from: String },
    /// The account was closed.
    AccountClosed { at: Timestamp },
    /// An authenticator app was enrolled.
    SecondFactorAdded { at: Timestamp, from: String },
    /// The authenticator app and its recovery codes were removed.
    SecondFactorRemoved { at: Timestamp, from: String },
    /// Somebody passed the first step of a sign-in where nobody can ask for the second.
    SecondFactorMissing { at: Timestamp, from: String },
    /// Ten new recovery codes took the place of the old ones.
    RecoveryCodesReplaced { at: Timestamp, from: String },
    /// "Prove that this is your account's new address": link valid until the expiry.
    ChangeEmail { link: String },
    /// To the old address: the account has another one; a link takes that back.
    EmailChanged { at: Timestamp, from: String, undo_link: String },
    /// To the new address: it is the account's now.
    NewEmail { at: Timestamp, from: String },
    /// A code that proves an account's new number; by SMS alone.
    ChangePhone { code: String },
    /// The account has another phone number; a link takes that back.
    PhoneChanged { at: Timestamp, from: String, undo_link: String },
    /// A change was taken back: the way to a new password.
    ChangeUndone { link: String },
    /// To an address that an account has no more, because the change was taken back.
    AddressTakenBack { at: Timestamp },
    /// An identity was connected to the account: whoever is signed in there can sign in here.
    IdentityConnected { at: Timestamp, from: String, provider: String },
    /// An identity was removed from the account.
    IdentityRemoved { at: Timestamp, from: String, provider: String },
    /// A recovery code was used in place of the authenticator app; so many are left.
    RecoveryCodeUsed { at: Timestamp, from: String, left: u32 },
}

/// Only the kind is shown: links hold tokens, and codes are secrets.
impl fmt::Debug for Message {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Message({})", self.template())
    }
}

/// What the outbox keeps in memory: the texts, the countries that SMS go to, and the bell that
/// wakes the worker.
pub(crate) struct Outbox {
    templates: Templates,
    countries: Countries,
    bell: Notify,
}

impl Outbox {
    /// Loads the texts. Every override that does not render, and a sender or a product name
    /// that cannot stand in a mail, is reported at once.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = transports::sender_mistakes(&settings.mail);
        let templates = Templates::load(&settings.mail, &settings.sms);
        let countries = Countries::read(&settings.sms, settings.development);
        match (templates, countries) {
            (Ok(templates), Ok(countries)) if mistakes.is_empty() => {
                Ok(Self { templates, countries, bell: Notify::new() })
            }
            (templates, countries) => {
                mistakes.extend(templates.err().unwrap_or_default());
                mistakes.extend(countries.err());
                Err(mistakes)
            }
        }
    }
}

/// What is wrong with the sender, the texts and the countries that SMS go to; empty when all is
/// well. Building an `Auth` asks it too; this tells it without one.
#[must_use]
pub fn check(settings: &Settings) -> Vec<Mistake> {
    Outbox::new(settings).err().unwrap_or_default()
}

/// The outbox as other rooms see it.
pub struct Messages<'a> {
    pub(crate) auth: &'a Auth,
}

impl Messages<'_> {
    /// The statement that queues a mail; add it to the batch of the act. After `expires_at` it
    /// is dropped unsent.
    pub fn queue(
        &self,
        to: &str,
        message: &Message,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Statement, InternalError> {
        self.queue_by((Channel::Mail, to), message, now, expires_at)
    }

    /// The statement that queues an SMS to a number (E.164); like [`Self::queue`]. The batch
    /// also needs the statements that count it, and [`Self::admits_sms`] goes before all that.
    pub fn queue_sms(
        &self,
        to: &str,
        message: &Message,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Statement, InternalError> {
        let template = message.template();
        if !self.auth.inner.outbox.templates.has_sms(template) {
            return Err(InternalError::fault(format_args!("{template} has no text for SMS")));
        }
        self.queue_by((Channel::Sms, to), message, now, expires_at)
    }

    fn queue_by(
        &self,
        (channel, to): (Channel, &str),
        message: &Message,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Statement, InternalError> {
        let id = MessageId::new(now, self.auth.random());
        let variables = serde_json::to_vec(&message.variables(now, expires_at))
            .map_err(InternalError::fault)?;
        let row = store::NewMessage {
            id,
            channel,
            recipient: to,
            template: message.template(),
            sealed_body: self.auth.secrets().seal(place(id.uuid().as_bytes()), &variables)?,
        };
        Ok(store::insert(row, now, expires_at))
    }

    /// Wakes the worker after a commit that queued something, so that mail leaves at once.
    pub fn wake(&self) {
        self.auth.inner.outbox.bell.notify_one();
    }

    /// Sends everything that is due now and answers when nothing is left in flight. The worker
    /// does it all the time; tests with a moved clock call it.
    pub async fn deliver_due(&self) -> Result<(), InternalError> {
        deliver::round(self.auth, std::future::pending()).await
    }

    /// Like [`Self::deliver_due`], but leases nothing more after `stop` and gives back what it
    /// cannot finish soon.
    pub(crate) async fn deliver_until(
        &self,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), InternalError> {
        deliver::round(self.auth, stop).await
    }

    /// Answers when somebody called [`Self::wake`].
    pub(crate) async fn woken(&self) {
        self.auth.inner.outbox.bell.notified().await;
    }

    /// Tells the gauges how many messages wait and for how long the oldest has.
    pub(crate) async fn measure(&self) -> Result<(), InternalError> {
        let now = self.auth.clock().now();
        let waiting = store::waiting(self.auth.database()).await?;
        let age = waiting.oldest.map_or(0.0, |created_at| now.since(created_at).as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a gauge; nobody has 2^52 messages")]
        metrics::gauge!("ironlatch_outbox_waiting").set(waiting.count as f64);
        metrics::gauge!("ironlatch_outbox_oldest_seconds").set(age);
        Ok(())
    }

    /// Removes up to `limit` messages that were done long ago, and old days of the budget;
    /// answers how many of the one or the other.
    pub(crate) async fn sweep(&self, limit: i64) -> Result<usize, InternalError> {
        let before = self.auth.clock().now().minus(KEPT_WHEN_DONE);
        let days = self.sweep_budgets(limit).await?;
        Ok(days.max(store::delete_done(self.auth.database(), before, limit).await?))
    }
}

/// Where a body lives; the seal opens only there.
const fn place(id: &[u8; 16]) -> Place<'_> {
    Place { table: "messages", column: "sealed_body", row: id }
}
