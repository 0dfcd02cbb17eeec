//! What the first proof of an address does to what the unproven account holds.
//!
//! Somebody may have signed up with an address that is not theirs and wait for its owner to
//! come (attack C01). So whoever proves an address first decides what stays:
//!
//! | proven by | effect |
//! |---|---|
//! | the sign-up mail's link in the browser that signed up, or with the account's password, or through the contract's JSON GET | verified; everything stays (`verification`) |
//! | the same link elsewhere, "this was me" | a new password; sessions, links, second factor and profile removed |
//! | the same link elsewhere, "not me" | the account is closed |
//! | a code sent there, the link in its mail, or a provider that vouches for the address | password, second factor, identities, sessions, links and profile removed: the owner signs in without them (`with_code`, `linking`) |
//! | a password reset | a new password; sessions, links, second factor and profile removed (`recovery`) |
//!
//! Of an account somebody has proven, a reset takes neither the second factor nor the recovery
//! codes: one mailbox is not enough to get in (NIST SP 800-63B-4 §4.2.2).

use super::verification::{Claim, LinkError};
use super::{SignIn, mails};
use crate::accounts::{self, Identifier, Username};
use crate::audit::{Entry, Event};
use crate::client::Client;
use crate::credentials::password::StoredHash;
use crate::database::{Batch, Statement};
use crate::error::InternalError;
use crate::messages::Message;
use crate::ports::Token;
use crate::profiles;
use crate::sessions::EndReason;
use crate::sign_in::candidate::Candidate;
use crate::social;
use crate::time::Timestamp;

impl SignIn<'_> {
    /// "This was me" on another browser without the password: verified with a new password,
    /// everything else the account holds is removed.
    pub async fn verify_email_with_new_password(
        &self,
        token: &str,
        password: &Token,
        client: &Client,
    ) -> Result<(), LinkError> {
        let claim = self.unused_claim(token).await?;
        let hash = self.new_hash(&claim.account, password, client).await?;
        let now = self.auth.clock().now();
        let account = &claim.account;
        let mut batch = Batch::new();
        batch.add(self.auth.one_time_codes().consume(&claim.link, now));
        batch.add(accounts::changed_while_unproven(account.id, account.security_version));
        batch.add(accounts::mark_email_verified(account.id, &claim.link.target_key, now));
        batch.extend(self.welcome(account, now)?);
        batch.append(self.maker_forgotten(account, now));
        let entry = Entry::new(Event::EmailVerified).account(account.id);
        batch.add(entry.network(client.network()).statement(now, self.auth.random()));
        batch.append(self.replace_everything(account, &hash, EndReason::FirstProof, now)?);
        self.write_claim(batch).await
    }

    /// "Not me": closes the account that somebody else made with this address.
    pub async fn disown_account(&self, token: &str, client: &Client) -> Result<(), LinkError> {
        let claim = self.unused_claim(token).await?;
        let now = self.auth.clock().now();
        let account = &claim.account;
        let mut batch = Batch::new();
        batch.add(self.auth.one_time_codes().consume(&claim.link, now));
        batch.add(accounts::changed_while_unproven(account.id, account.security_version));
        batch.append(self.closing(account, account.security_version + 1, now));
        let entry = Entry::new(Event::AccountClosed).account(account.id);
        let entry = entry.details(serde_json::json!({ "because": "disowned" }));
        batch.add(entry.network(client.network()).statement(now, self.auth.random()));
        let sessions = self.auth.sessions();
        batch.append(sessions.end_all_statements(account.id, None, EndReason::AccountClosed, now));
        self.write_claim(batch).await
    }

    /// A code, a link or a provider is the first proof: whatever the account's maker put there goes.
    /// Raises the `security_version`; the caller's batch has checked that nothing changed since
    /// the account was read.
    pub(super) fn emptied(
        &self,
        account: &Candidate,
        now: Timestamp,
    ) -> Result<Batch, InternalError> {
        let codes = self.auth.one_time_codes();
        let mut batch =
            Batch::from(accounts::changed_while_unproven(account.id, account.security_version));
        batch.add(self.auth.passwords().remove(account.id));
        batch.add(codes.void_all_of(account.id));
        batch.extend(self.forgiven(account));
        batch.extend(self.welcome(account, now)?);
        batch.append(self.maker_forgotten(account, now));
        let sessions = self.auth.sessions();
        batch.append(sessions.end_all_statements(account.id, None, EndReason::FirstProof, now));
        Ok(batch)
    }

    /// The statements that remove what somebody put into an account that was never theirs, but
    /// for the password, links and sessions.
    pub(super) fn maker_forgotten(&self, account: &Candidate, now: Timestamp) -> Batch {
        let mut batch = self.factors_removed(account);
        batch.add(social::disconnect_all(account.id));
        batch.add(accounts::remove_application_token(account.id));
        batch.append(profiles::clear(account.id, now));
        batch
    }

    /// A claim that still can decide: once the address is proven, its owner has tools of their
    /// own and a mere link must not take the account away.
    async fn unused_claim(&self, token: &str) -> Result<Claim, LinkError> {
        let claim = self.claim(token).await?;
        if claim.link.consumed_at.is_some() || claim.account.is_proven() {
            return Err(LinkError::Invalid);
        }
        Ok(claim)
    }

    /// Checks and hashes a new password for an account.
    pub(super) async fn new_hash(
        &self,
        account: &Candidate,
        password: &Token,
        client: &Client,
    ) -> Result<StoredHash, LinkError> {
        let passwords = self.auth.passwords();
        passwords.check_new(password, &account.about()).map_err(LinkError::Password)?;
        Ok(passwords.hash(password, client.network()).await?)
    }

    /// The statements that put a new password in the place of everything an account holds:
    /// links, failures and sessions go with the old one. Last in the batch.
    pub(super) fn replace_everything(
        &self,
        account: &Candidate,
        hash: &StoredHash,
        reason: EndReason,
        now: Timestamp,
    ) -> Result<Batch, InternalError> {
        let codes = self.auth.one_time_codes();
        let mut batch = Batch::new();
        batch.add(self.auth.passwords().store(account.id, hash, now)?);
        batch.add(codes.void_all_of(account.id));
        batch.extend(self.forgiven(account));
        let sessions = self.auth.sessions();
        batch.append(sessions.end_all_statements(account.id, None, reason, now));
        Ok(batch)
    }

    /// The statements that forget the wrong passwords counted for whatever the account signs in
    /// with: whoever has its mailbox is stopped by strangers' guesses at its name no more than
    /// by those at its address.
    pub(super) fn forgiven(&self, account: &Candidate) -> Vec<Statement> {
        let name = account.username.as_deref().and_then(|name| Username::parse(name).ok());
        let name = name.map(|name| Identifier::from(name).limit_key().into_owned());
        let keys = [account.email_key.clone(), account.phone_key.clone(), name];
        keys.iter().flatten().map(|key| self.auth.limits().forgive(key)).collect()
    }

    /// The statements that close an account; sessions are ended by the caller's last ones.
    pub(super) fn closing(&self, account: &Candidate, version: i64, now: Timestamp) -> Batch {
        let codes = self.auth.one_time_codes();
        let mut batch = Batch::new();
        batch.add(accounts::close(account.id, version, now));
        batch.add(self.auth.passwords().remove(account.id));
        batch.add(accounts::remove_application_token(account.id));
        batch.append(self.factors_removed(account));
        batch.add(social::disconnect_all(account.id));
        batch.append(profiles::erase(account.id));
        batch.add(codes.void_all_of(account.id));
        batch
    }

    pub(super) fn password_changed_notice(
        &self,
        account: &Candidate,
        client: &Client,
        now: Timestamp,
    ) -> Result<Option<Statement>, InternalError> {
        let notice = Message::PasswordChanged { at: now, from: mails::whereabouts(client) };
        self.notice(account, &notice, now)
    }
}
