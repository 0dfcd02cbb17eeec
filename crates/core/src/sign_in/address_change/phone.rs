//! Another phone number: asked for by somebody signed in, proven by a code sent to it.

use super::{AddressError, AddressKind, START_AGAIN, SignIn};
use crate::accounts::{self, Phone};
use crate::audit::Event;
use crate::client::Client;
use crate::database::Batch;
use crate::error::InternalError;
use crate::limits::{LimitError, MailKind, SmsLimitError};
use crate::messages::{Message, SmsRefusal};
use crate::one_time_codes::{CodeFor, Guess, Purpose};
use crate::ports::Token;
use crate::sessions::{EndReason, Present};
use crate::sign_in::RECENT;
use crate::sign_in::candidate::Candidate;
use crate::time::hours;

/// How often a change whose account changed under it looks again.
const TRIES: usize = 3;

/// A code that was typed right, and what using it up takes.
struct Proven<'a> {
    phone: &'a Phone,
    /// Uses the code up and forgives failures.
    used: Batch,
    /// Somebody else who claims the number and has not proven it.
    holder: Option<Candidate>,
}

impl SignIn<'_> {
    /// Sends a code to a new number of somebody who signed in a short while ago. Whether it is
    /// somebody's is said only to who has proven it (attack A09).
    pub async fn change_phone(
        &self,
        present: &Present,
        new: &Phone,
        client: &Client,
    ) -> Result<(), AddressError> {
        let account = self.myself(present).await?;
        self.refuse_stale(present, &account, RECENT)?;
        // A number opens the account: nobody puts one into an account made with somebody else's
        // address, to be there when its owner comes (attack C01).
        if account.email.is_some() && account.email_verified_at.is_none() {
            return Err(AddressError::Unproven);
        }
        if account.phone_key.as_deref() == Some(new.key()) {
            return Err(AddressError::Unchanged(AddressKind::Phone));
        }
        let (limits, kind) = (self.auth.limits(), MailKind::AddressChange);
        limits.admit_mail(kind, client.network(), new.key())?;
        limits.admit_sms(client.network(), new.key()).await?;
        let now = self.auth.clock().now();
        let wish = CodeFor {
            purpose: Purpose::ChangePhone,
            account: Some(account.id),
            target_key: &target(&account, new),
            network: client.network(),
            link_for: None,
            details: "{}",
        };
        let code = self.auth.one_time_codes().new_code(&wish, now)?;
        let message = Message::ChangePhone { code: code.sent.code.reveal().to_owned() };
        let expires_at = code.sent.expires_at;
        let mut batch = Batch::new();
        batch.add(limits.count_mail(kind, new.key(), now));
        batch.add(limits.count_mail(kind, &account.id.to_string(), now));
        batch.extend(limits.count_sms(new.key(), now));
        batch.append(code.batch);
        batch.add(self.auth.messages().queue_sms(new.key(), &message, now, expires_at)?);
        batch.add(self.address_entry(Event::PhoneChangeRequested, &account, client, now));
        Ok(self.write_uniformly(batch).await?)
    }

    /// Gives the account the number that the code was sent to. All sessions end but this one.
    pub async fn confirm_phone_change(
        &self,
        present: &Present,
        new: &Phone,
        code: &Token,
        client: &Client,
    ) -> Result<(), AddressError> {
        let account = self.myself(present).await?;
        // The proof was recent when the code was asked for.
        self.refuse_stale(present, &account, RECENT + Purpose::ChangePhone.lifetime())?;
        let used = self.prove_phone(&account, new, code, client).await?;
        for _ in 0..TRIES {
            // The account may change under it, which is not the code's fault.
            let account = self.myself(present).await?;
            let holder = self.find(&new.clone().into(), client).await?;
            if holder.as_ref().is_some_and(|holder| holder.phone_verified_at.is_some()) {
                return Err(AddressError::Taken);
            }
            let proven = Proven { phone: new, used: used.clone(), holder };
            let batch = self.phone_changed(&account, proven, present, client)?;
            if self.write_change(batch).await? {
                return Ok(());
            }
        }
        Err(AddressError::Busy { retry_after: START_AGAIN })
    }

    /// Compares the code, counted as failed first like every guess; what using it up takes.
    async fn prove_phone(
        &self,
        account: &Candidate,
        phone: &Phone,
        code: &Token,
        client: &Client,
    ) -> Result<Batch, AddressError> {
        let target = target(account, phone);
        let (limits, codes) = (self.auth.limits(), self.auth.one_time_codes());
        let (now, network) = (self.auth.clock().now(), client.network());
        let purpose = Purpose::ChangePhone;
        let live = codes.live_code(purpose, &target, network, now).await?;
        let is_asked_here = live.as_ref().is_some_and(|live| live.is_asked_in(network));
        let owner = Some(account.device_owner());
        let subject = limits.code_subject(&target, is_asked_here, owner, client);
        let reserved = limits.reserve(subject).await?;
        let guess = Guess { purpose, typed: code, network };
        let matched = codes.compare(live.as_ref(), guess, now).await?;
        let matched = matched.ok_or(AddressError::WrongCode)?;
        let mut used = Batch::from(codes.consume_matched(&matched, now));
        used.add(codes.void_codes(purpose, &target));
        used.add(limits.give_back(reserved));
        Ok(used)
    }

    fn phone_changed(
        &self,
        account: &Candidate,
        proven: Proven<'_>,
        present: &Present,
        client: &Client,
    ) -> Result<Batch, InternalError> {
        let now = self.auth.clock().now();
        let Proven { phone, used, holder } = proven;
        let yielding = holder.as_ref().map(|it| self.yielding(it, AddressKind::Phone, now));
        let mut batch = yielding.unwrap_or_default();
        let new = Some((phone.as_typed(), phone.key()));
        batch.add(accounts::set_phone(account.id, account.security_version, new, Some(now)));
        batch.append(used);
        batch.extend(self.tell_of_change(account, AddressKind::Phone, client, now)?);
        batch.add(self.address_entry(Event::PhoneChanged, account, client, now));
        let (sessions, reason) = (self.auth.sessions(), EndReason::AddressChanged);
        let except = Some(present.claims.session);
        batch.append(sessions.end_all_statements(account.id, except, reason, now));
        Ok(batch)
    }
}

/// Codes are kept by account and number: nobody else's request for the same number cancels
/// them, and they prove it for this account alone.
fn target(account: &Candidate, phone: &Phone) -> String {
    format!("{}:{}", account.id, phone.key())
}

impl From<SmsLimitError> for AddressError {
    fn from(error: SmsLimitError) -> Self {
        match error {
            SmsLimitError::TooMany(refused) => refused.into(),
            SmsLimitError::Refused(SmsRefusal::Internal(cause)) => Self::Internal(cause),
            SmsLimitError::Refused(SmsRefusal::NotConfigured | SmsRefusal::CountryNotAllowed) => {
                Self::NoSms
            }
            // Stopped, or the day's budget is spent: an operator or midnight ends it.
            SmsLimitError::Refused(SmsRefusal::Stopped | SmsRefusal::BudgetSpent) => {
                Self::Busy { retry_after: hours(1) }
            }
        }
    }
}

impl From<LimitError> for AddressError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::TooMany(refused) => refused.into(),
            LimitError::Internal(cause) => Self::Internal(cause),
        }
    }
}
