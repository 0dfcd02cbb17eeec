//! Another e-mail address: asked for by somebody signed in, proven by a link mailed to it.

use serde::{Deserialize, Serialize};

use super::{AddressError, AddressKind, START_AGAIN, SignIn};
use crate::accounts::{self, Email};
use crate::audit::Event;
use crate::client::Client;
use crate::database::Batch;
use crate::error::InternalError;
use crate::ids::SessionId;
use crate::limits::MailKind;
use crate::messages::Message;
use crate::one_time_codes::{Link, LinkFor, Purpose};
use crate::sessions::{Door, EndReason, Present};
use crate::sign_in::RECENT;
use crate::sign_in::candidate::Candidate;
use crate::sign_in::mails::whereabouts;
use crate::time::Timestamp;

/// What a link to a new address asks, for its page to show.
#[derive(Debug, Clone)]
pub struct EmailChangeFacts {
    /// The account, by its present address or its name.
    pub account: String,
    /// The address it will have, as typed.
    pub new: String,
    /// When it was asked for.
    pub at: Timestamp,
    /// From where: network and browser, in words.
    pub from: String,
    /// Whether another account claims the address without ever having proven it, and closes.
    pub closes_another: bool,
}

/// What is noted with a link.
#[derive(Serialize, Deserialize)]
struct Wish {
    /// The address as typed.
    address: String,
    /// The account's when it was asked for. Whatever has happened to the account since (a new
    /// password, another address) makes the link worthless: a thief's request must not outlive
    /// the owner's answer to it.
    security_version: i64,
    /// The session that asked: it stays.
    session: String,
    /// From where.
    from: String,
}

/// A link to a new address that would work now.
struct Claim {
    link: Link,
    wish: Wish,
    account: Candidate,
    /// Somebody else who claims the address and has not proven it.
    holder: Option<Candidate>,
}

impl SignIn<'_> {
    /// Mails a link to a new address of somebody who signed in a short while ago. Taken or not:
    /// the same answer after the same work (attack A09). Only who has proven an address takes it.
    pub async fn change_email(
        &self,
        present: &Present,
        new: &Email,
        client: &Client,
    ) -> Result<(), AddressError> {
        let account = self.myself(present).await?;
        self.refuse_stale(present, &account, RECENT)?;
        if account.email_key.as_deref() == Some(new.key()) {
            return Err(AddressError::Unchanged(AddressKind::Email));
        }
        let limits = self.auth.limits();
        let kind = MailKind::AddressChange;
        limits.admit_mail(kind, client.network(), new.key())?;
        let now = self.auth.clock().now();
        let wish = serde_json::to_string(&Wish {
            address: new.as_typed().to_owned(),
            security_version: account.security_version,
            session: present.claims.session.to_string(),
            from: whereabouts(client),
        });
        let link = self.auth.one_time_codes().new_link(
            &LinkFor {
                purpose: Purpose::ChangeEmail,
                account: account.id,
                target_key: new.key(),
                browser: None,
                details: Some(&wish.map_err(InternalError::fault)?),
            },
            now,
        );
        let holder = self.find(&new.clone().into(), client).await?;
        let owner = holder.filter(Candidate::keeps_its_address);
        let owner = owner.and_then(|owner| owner.email);
        // The owner of a taken address is told; the link, which was made all the same, is in no
        // mail.
        let mail = if owner.is_some() {
            let pages = self.auth.settings().pages_url(Door::Api);
            Message::AlreadyRegistered { reset_link_page: format!("{pages}/reset-password") }
        } else {
            Message::ChangeEmail { link: self.email_change_link(&link.token) }
        };
        let to = owner.as_deref().unwrap_or(new.as_typed());
        let mut batch = Batch::new();
        batch.add(limits.count_mail(kind, new.key(), now));
        // One account does not write to a thousand mailboxes either (attack B21).
        batch.add(limits.count_mail(kind, &account.id.to_string(), now));
        batch.add(link.statement);
        batch.add(self.auth.messages().queue(to, &mail, now, link.expires_at)?);
        batch.add(self.address_entry(Event::EmailChangeRequested, &account, client, now));
        Ok(self.write_uniformly(batch).await?)
    }

    /// What a link to a new address asks; consumes nothing.
    pub async fn look_at_email_change(
        &self,
        token: &str,
        client: &Client,
    ) -> Result<EmailChangeFacts, AddressError> {
        let Claim { link, wish, account, holder } = self.email_claim(token, client).await?;
        Ok(EmailChangeFacts {
            account: account.name_shown(),
            new: wish.address,
            at: link.id.made_at(),
            from: wish.from,
            closes_another: holder.is_some_and(|holder| holder.phone_verified_at.is_none()),
        })
    }

    /// Gives the account the address that the link was mailed to, and no other. All sessions
    /// end but the one that asked.
    pub async fn confirm_email_change(
        &self,
        token: &str,
        client: &Client,
    ) -> Result<(), AddressError> {
        let claim = self.email_claim(token, client).await?;
        let batch = self.email_changed(&claim, client)?;
        if self.write_change(batch).await? {
            return Ok(());
        }
        // Used, taken or changed in this moment: the second look says which.
        self.email_claim(token, client).await?;
        Err(AddressError::Busy { retry_after: START_AGAIN })
    }

    fn email_changed(&self, claim: &Claim, client: &Client) -> Result<Batch, InternalError> {
        let now = self.auth.clock().now();
        let Claim { link, wish, account, holder } = claim;
        let codes = self.auth.one_time_codes();
        let yielding = holder.as_ref().map(|it| self.yielding(it, AddressKind::Email, now));
        let mut batch = yielding.unwrap_or_default();
        let new = Some((wish.address.as_str(), link.target_key.as_str()));
        batch.add(accounts::set_email(account.id, account.security_version, new, Some(now)));
        batch.add(codes.consume(link, now));
        batch.add(codes.void_all_of(account.id));
        batch.extend(self.tell_of_change(account, AddressKind::Email, client, now)?);
        let notice = Message::NewEmail { at: now, from: whereabouts(client) };
        batch.add(self.queue_notice(&wish.address, &notice, now)?);
        batch.add(self.address_entry(Event::EmailChanged, account, client, now));
        let except = SessionId::parse(&wish.session);
        let (sessions, reason) = (self.auth.sessions(), EndReason::AddressChanged);
        batch.append(sessions.end_all_statements(account.id, except, reason, now));
        Ok(batch)
    }

    /// The unused link of an account that is what it was when it was asked for.
    async fn email_claim(&self, token: &str, client: &Client) -> Result<Claim, AddressError> {
        let now = self.auth.clock().now();
        let link = self.auth.one_time_codes().find_link(Purpose::ChangeEmail, token, now).await?;
        let link = link.filter(|link| link.consumed_at.is_none());
        let link = link.ok_or(AddressError::InvalidLink)?;
        let wish = link.details.as_deref().map(serde_json::from_str::<Wish>);
        let wish = wish.transpose().map_err(InternalError::fault)?;
        let wish =
            wish.ok_or_else(|| InternalError::fault("a link to a new address without it"))?;
        let account = self.find_by_id(link.account).await?.filter(|account| {
            account.is_active() && account.security_version == wish.security_version
        });
        let account = account.ok_or(AddressError::InvalidLink)?;
        let email = Email::parse(&wish.address).map_err(|_| AddressError::InvalidLink)?;
        let holder = self.find(&email.into(), client).await?;
        match &holder {
            // Another click was faster, between the two reads.
            Some(holder) if holder.id == account.id => return Err(AddressError::InvalidLink),
            Some(holder) if holder.keeps_its_address() => return Err(AddressError::Taken),
            Some(_) | None => {}
        }
        Ok(Claim { link, wish, account, holder })
    }
}
