//! Which account an identity opens, joins or makes: the one table (design §7).
//!
//! | the identity is | the provider says of the address | an account with the address | what happens |
//! |---|---|---|---|
//! | connected | anything | any | its account, as it is: second factor, disabled, … |
//! | unknown | none given | | a new account without an address |
//! | unknown | not proven | none | a new account without an address: what nobody proved is nobody's |
//! | unknown | not proven | any | refused; with neutral sign-up as if no address were given |
//! | unknown | proven | none | a new account with the proven address |
//! | unknown | proven | has proven it | connected once every step of the sign-in is passed; its owner is told |
//! | unknown | proven | has proven it, spelled for another mailbox | refused; with neutral sign-up as if no address were given |
//! | unknown | proven | claims it, nothing of it is proven | a first proof: the account is emptied, then connected |
//! | unknown | proven | claims it, has proven only a number | refused like another mailbox |
//! | unknown | proven | disabled | refused like any wrong proof |
//!
//! Whether a provider's word counts for the address's domain is decided before
//! ([`Vouched::is_email_verified`]). Both sides must have proven the address: an account that
//! merely claims it may be somebody else's trap (attack C01), and a provider that merely repeats
//! what it was told proves nothing (attack C02).

use serde::{Deserialize, Serialize};

use super::candidate::Candidate;
use super::complete::Passed;
use super::mails::whereabouts;
use super::store;
use super::{Arrival, SignIn, SignInError, SocialSignInError, Step, Way};
use crate::accounts::{self, Contact, Email};
use crate::audit::{Entry, Event};
use crate::client::Client;
use crate::database::{Batch, Statement};
use crate::error::InternalError;
use crate::ids::{AccountId, IdentityId};
use crate::messages::Message;
use crate::profiles::{self, FullName};
use crate::social::{Joining, MOST_IDENTITIES, Vouched};
use crate::time::Timestamp;

/// `amr` of a session that began with an identity. RFC 8176 registers nothing for it.
const FEDERATED: &str = "fed";

/// What an identity that nobody has connected leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// An account with the address, which the provider has proven.
    MakeWithAddress,
    /// An account without an address.
    MakeWithoutAddress,
    /// The account that has proven the same address.
    Join,
    /// The account that claims the address: emptied first.
    FirstProof,
    /// The account's owner signs in first and connects the identity.
    AddressTaken,
    /// As if the proof were wrong.
    Refused,
}

/// The table's rows for an identity that nobody has connected.
pub(super) fn decide(vouched: &Vouched, holder: Option<&Candidate>, is_neutral: bool) -> Decision {
    let taken = if is_neutral { Decision::MakeWithoutAddress } else { Decision::AddressTaken };
    let Some(email) = &vouched.email else { return Decision::MakeWithoutAddress };
    let Some(holder) = holder else {
        let is_proven = vouched.is_email_verified;
        return if is_proven { Decision::MakeWithAddress } else { Decision::MakeWithoutAddress };
    };
    if !vouched.is_email_verified {
        return taken;
    }
    if !holder.is_active() {
        return Decision::Refused;
    }
    if !holder.is_proven() {
        return Decision::FirstProof;
    }
    let is_same = holder.email.as_deref().is_some_and(|own| email.is_mailbox_of(own));
    if holder.email_verified_at.is_some() && is_same { Decision::Join } else { taken }
}

/// Which provider vouched in a first step, and what is connected once every step is passed. Kept
/// with the challenge of the second step.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Federated {
    pub(super) provider: String,
    pub(super) joining: Option<Joining>,
}

impl Federated {
    fn by(vouched: &Vouched) -> Self {
        Self { provider: vouched.provider.clone(), joining: None }
    }

    pub(super) fn to_text(&self) -> Result<String, InternalError> {
        serde_json::to_string(self).map_err(InternalError::fault)
    }

    pub(super) fn of_text(text: &str) -> Result<Self, InternalError> {
        serde_json::from_str(text).map_err(InternalError::fault)
    }
}

impl SignIn<'_> {
    /// Lets somebody in whom a provider vouches for, by the table. [`SignInError::Busy`] when an
    /// account changed, or somebody else was faster, meanwhile.
    pub(super) async fn enter_with_identity(
        &self,
        vouched: &Vouched,
        arrival: &Arrival,
    ) -> Result<Step, SocialSignInError> {
        if let Some((found, identity)) = self.find_by_identity(vouched, &arrival.client).await? {
            let now = self.auth.clock().now();
            let used = self.auth.social().using(identity, vouched, now)?;
            let passed = Passed::existing(Way::Social, found, vec![FEDERATED], used.into());
            let passed = passed.vouched(Some(Federated::by(vouched)));
            return Ok(self.complete(passed, arrival).await?);
        }
        let holder = match &vouched.email {
            Some(email) => self.find(&email.clone().into(), &arrival.client).await?,
            None => None,
        };
        let is_neutral = self.auth.settings().sign_up.neutral;
        let decision = decide(vouched, holder.as_ref(), is_neutral);
        if matches!(decision, Decision::MakeWithAddress | Decision::MakeWithoutAddress) {
            self.auth.limits().admit_identity_account(arrival.client.network())?;
        }
        let email = vouched.email.as_ref();
        let passed = match (decision, holder, email) {
            (Decision::MakeWithAddress, _, Some(email)) => {
                let contact = Contact::Email(email.clone());
                self.vouched_newcomer(vouched, Some(&contact), arrival).await?
            }
            (Decision::MakeWithoutAddress, ..) => {
                self.vouched_newcomer(vouched, None, arrival).await?
            }
            (Decision::Join, Some(found), _) => self.joining(vouched, found).await?,
            (Decision::FirstProof, Some(found), Some(email)) => {
                self.first_vouched(vouched, (found, email), &arrival.client)?
            }
            (Decision::Refused, ..) => return Err(SignInError::WrongCredentials.into()),
            _ => return Err(SocialSignInError::AddressTaken),
        };
        Ok(self.complete(passed, arrival).await?)
    }

    /// The account an identity is connected to.
    pub(super) async fn find_by_identity(
        &self,
        vouched: &Vouched,
        client: &Client,
    ) -> Result<Option<(Candidate, IdentityId)>, InternalError> {
        let network = client.network().to_string();
        let found = store::find_by_identity(&vouched.issuer, &vouched.subject, &network);
        let row = self.auth.database().read_one(found).await?;
        row.map(|row| Ok((store::candidate(&row)?, row.id(18)?))).transpose()
    }

    /// Both sides have proven the address. Connected with the session, so not before the second
    /// factor is proven: a mailbox alone must not leave a way in behind.
    async fn joining(
        &self,
        vouched: &Vouched,
        found: Candidate,
    ) -> Result<Passed, SocialSignInError> {
        if self.auth.social().identities(found.id).await?.len() >= MOST_IDENTITIES {
            return Err(SocialSignInError::TooManyIdentities);
        }
        let joining = Some(Joining::from(vouched));
        let federated = Federated { joining, ..Federated::by(vouched) };
        let passed = Passed::existing(Way::Social, found, vec![FEDERATED], Batch::new());
        Ok(passed.vouched(Some(federated)))
    }

    /// The provider is the first to prove the address: what the account's maker put there goes,
    /// the spelling of the address too.
    fn first_vouched(
        &self,
        vouched: &Vouched,
        (mut found, email): (Candidate, &Email),
        client: &Client,
    ) -> Result<Passed, InternalError> {
        let now = self.auth.clock().now();
        let contact = Contact::Email(email.clone());
        found.email = Some(email.as_typed().to_owned());
        found.proven_by(&contact, now);
        let mut batch = self.emptied(&found, now)?;
        let address = Some((email.as_typed(), email.key()));
        batch.add(accounts::set_email(found.id, found.security_version + 1, address, Some(now)));
        let (_, connecting) = self.auth.social().connecting(found.id, &vouched.into(), now)?;
        batch.add(connecting);
        batch.add(self.connected_entry(found.id, &vouched.provider, client, now));
        found.has_second_factor = false;
        found.password_changed_at = None;
        let passed = Passed::existing(Way::Social, found, vec![FEDERATED], batch);
        Ok(passed.raising(2).vouched(Some(Federated::by(vouched))))
    }

    /// The account that an identity makes, with the address that the provider has proven.
    async fn vouched_newcomer(
        &self,
        vouched: &Vouched,
        contact: Option<&Contact>,
        arrival: &Arrival,
    ) -> Result<Passed, InternalError> {
        let now = self.auth.clock().now();
        let id = AccountId::new(now, self.auth.random());
        let mut found = Candidate::new(id, self.new_number(), contact, &arrival.client, now);
        found.last_sign_in_at = Some(now);
        let username = self.new_name(vouched).await?;
        found.username = username.as_ref().map(|name| name.as_typed().to_owned());
        let made = self.account_row(&found, contact, username.as_ref(), arrival.door);
        let entry = Entry::new(Event::SignedUp).account(id).network(arrival.client.network());
        let entry = entry.details(serde_json::json!({ "provider": vouched.provider }));
        let mut batch = Batch::from(entry.statement(now, self.auth.random()));
        let name = vouched.name.as_deref().and_then(|name| FullName::parse(name).ok());
        batch.add(profiles::create(id, name.as_ref(), now));
        batch.extend(self.welcome(&found, now)?);
        let (_, connecting) = self.auth.social().connecting(id, &vouched.into(), now)?;
        batch.add(connecting);
        let passed = Passed::existing(Way::Social, found, vec![FEDERATED], batch);
        Ok(passed.making(made).vouched(Some(Federated::by(vouched))))
    }

    /// The statements that connect an identity to an account that others know: its owner is told.
    /// They raise `security_version`, which must be `version`.
    pub(super) fn joined(
        &self,
        (found, version): (&Candidate, i64),
        joining: &Joining,
        client: &Client,
        now: Timestamp,
    ) -> Result<Batch, InternalError> {
        let mut batch = Batch::from(accounts::changed(found.id, version));
        let (_, connecting) = self.auth.social().connecting(found.id, joining, now)?;
        batch.add(connecting);
        let provider = self.auth.social().title(joining.provider());
        let notice = Message::IdentityConnected { at: now, from: whereabouts(client), provider };
        batch.extend(self.notice(found, &notice, now)?);
        batch.add(self.connected_entry(found.id, joining.provider(), client, now));
        batch.append(self.auth.sessions().changed_statements(found.id, now));
        Ok(batch)
    }

    fn connected_entry(
        &self,
        account: AccountId,
        provider: &str,
        client: &Client,
        now: Timestamp,
    ) -> Statement {
        let entry = Entry::new(Event::IdentityConnected).account(account);
        let entry = entry.details(serde_json::json!({ "provider": provider }));
        entry.network(client.network()).statement(now, self.auth.random())
    }
}

#[cfg(test)]
mod tests;
