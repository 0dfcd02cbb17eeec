//! A new password for somebody who has only their mailbox.

use super::candidate::Candidate;
use super::store;
use super::verification::Claim;
use super::{LinkError, SignIn};
use crate::accounts::{self, Email};
use crate::audit::{Entry, Event};
use crate::client::Client;
use crate::database::Batch;
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::limits::MailKind;
use crate::messages::Message;
use crate::one_time_codes::{LinkFor, Purpose};
use crate::ports::Token;
use crate::sessions::{Door, EndReason};
use crate::settings::reset_lifetime;
use crate::time::Timestamp;

/// Whose password a reset link is about, for the page to show.
#[derive(Debug, Clone)]
pub struct ResetFacts {
    /// The account's address as its owner typed it.
    pub address: String,
}

impl SignIn<'_> {
    /// Mails a link to choose a new password. Known and unknown addresses look alike: the same
    /// answer after one batch.
    pub async fn forgot_password(
        &self,
        email: &Email,
        door: Door,
        client: &Client,
    ) -> Result<(), LinkError> {
        let limits = self.auth.limits();
        limits.admit_mail(MailKind::Reset, client.network(), email.key())?;
        let now = self.auth.clock().now();
        let found = self.find(&email.clone().into(), client).await?;
        let name = self.name_of(found.as_ref(), now).await?;
        let mut batch = Batch::new();
        batch.add(limits.count_mail(MailKind::Reset, email.key(), now));
        if let Some(found) = found.filter(Candidate::is_active) {
            let link = self.auth.one_time_codes().new_link_until(
                &LinkFor {
                    purpose: Purpose::ResetPassword,
                    account: found.id,
                    target_key: email.key(),
                    browser: None,
                    details: None,
                },
                now,
                now.plus(reset_lifetime(door)),
            );
            // To the address as its owner typed it, not as the asker spells it.
            let to = found.email.as_deref().unwrap_or(email.as_typed());
            let page = match door {
                Door::Users => self.numbered_reset_link(&found, &link.token),
                door => self.reset_link(&link.token, door),
            };
            let mail = Message::ResetPassword { link: page, name };
            batch.add(link.statement);
            batch.add(self.auth.messages().queue(to, &mail, now, link.expires_at)?);
            // Of addresses nobody has there is nothing to tell: their entries would only let
            // strangers fill the table (attack H10).
            let entry = Entry::new(Event::PasswordResetRequested).account(found.id);
            batch.add(entry.network(client.network()).statement(now, self.auth.random()));
        }
        self.write_uniformly(batch).await?;
        Ok(())
    }

    /// What the mail calls its reader: the name of an account whose address is proven. Whoever
    /// signs up with a stranger's address must not choose what we write to them. Read for
    /// addresses nobody has, too, as the same work takes the same time.
    async fn name_of(
        &self,
        found: Option<&Candidate>,
        now: Timestamp,
    ) -> Result<Option<String>, InternalError> {
        let id = found.map_or_else(|| AccountId::new(now, self.auth.random()), |found| found.id);
        let row = self.auth.database().read_one(store::find_name(id)).await?;
        let name = row.map(|row| row.text(0)).transpose()?;
        let is_proven = found.is_some_and(|found| found.email_verified_at.is_some());
        Ok(name.filter(|name| is_proven && !name.is_empty()))
    }

    /// Whether a reset link would still work; consumes nothing.
    pub async fn look_at_reset(&self, token: &str) -> Result<ResetFacts, LinkError> {
        let claim = self.reset_claim(token).await?;
        Ok(ResetFacts { address: claim.address().to_owned() })
    }

    /// Sets a new password with a mailed link; ends every session. The link also proves the
    /// address, so an account nobody had proven keeps nothing its maker put there. An account
    /// that was proven keeps its second factor: the next sign-in asks for it.
    pub async fn reset_password(
        &self,
        token: &str,
        password: &Token,
        client: &Client,
    ) -> Result<(), LinkError> {
        let claim = self.reset_claim(token).await?;
        self.reset(claim, password, client).await
    }

    /// The same for a client whose links name the account as well: both must be of one account.
    pub async fn reset_password_of(
        &self,
        number: i64,
        token: &str,
        password: &Token,
        client: &Client,
    ) -> Result<(), LinkError> {
        let claim = self.reset_claim(token).await?;
        if claim.account.number != number {
            return Err(LinkError::Invalid);
        }
        self.reset(claim, password, client).await
    }

    async fn reset(
        &self,
        Claim { link, mut account }: Claim,
        password: &Token,
        client: &Client,
    ) -> Result<(), LinkError> {
        let hash = self.new_hash(&account, password, client).await?;
        let now = self.auth.clock().now();
        let is_first_proof =
            account.email_verified_at.is_none() && account.phone_verified_at.is_none();
        // The link has come out of the mailbox: its owner may be told.
        account.email_verified_at.get_or_insert(now);
        let account = &account;
        let mut batch = Batch::new();
        batch.add(self.auth.one_time_codes().consume(&link, now));
        batch.add(accounts::changed(account.id, account.security_version));
        batch.add(accounts::mark_email_verified(account.id, &link.target_key, now));
        if is_first_proof {
            batch.append(self.maker_forgotten(account, now));
        }
        batch.extend(self.password_changed_notice(account, client, now)?);
        let entry = Entry::new(Event::PasswordReset).account(account.id);
        batch.add(entry.network(client.network()).statement(now, self.auth.random()));
        batch.append(self.replace_everything(account, &hash, EndReason::PasswordChanged, now)?);
        self.write_claim(batch).await
    }

    /// An unused reset link of an account that may sign in and still has the address.
    async fn reset_claim(&self, token: &str) -> Result<Claim, LinkError> {
        let now = self.auth.clock().now();
        let codes = self.auth.one_time_codes();
        let link = codes.find_link(Purpose::ResetPassword, token, now).await?;
        let link = link.filter(|link| link.consumed_at.is_none()).ok_or(LinkError::Invalid)?;
        let account = self.find_by_id(link.account).await?.filter(|account| {
            account.is_active() && account.email_key.as_deref() == Some(&link.target_key)
        });
        Ok(Claim { link, account: account.ok_or(LinkError::Invalid)? })
    }
}
