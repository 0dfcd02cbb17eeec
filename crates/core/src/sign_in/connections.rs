//! The identities connected to an account, as its owner sees and changes them. Each change needs
//! a recent proof and is told to the owner; what remains must still let them in.

use std::time::Duration;

use super::candidate::Candidate;
use super::mails::whereabouts;
use super::step_up::{Proven, Stale};
use super::store;
use super::{OwnerError, RECENT, START_AGAIN, SignIn, SignInError, SocialSignInError};
use crate::accounts;
use crate::audit::{Entry, Event};
use crate::client::Client;
use crate::database::Batch;
use crate::error::InternalError;
use crate::ids::{AccountId, IdentityId, SessionId};
use crate::messages::Message;
use crate::sessions::{Door, Present};
use crate::social::{self, Departure, Errand, Grant, Identity, MOST_IDENTITIES, Vouched};
use crate::time::{Timestamp, minutes};

/// How often a change whose account changed under it looks again.
const TRIES: usize = 3;
/// How long the way to a provider and back may take.
const ON_THE_WAY: Duration = minutes(10);

/// A connected identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Names it in [`SignIn::disconnect`].
    pub id: IdentityId,
    /// The provider's configured name.
    pub provider: String,
    /// Who it is there.
    pub subject: String,
    /// The address the provider told last.
    pub email: Option<String>,
    /// When it was connected.
    pub created_at: Timestamp,
    /// When somebody signed in with it last.
    pub last_used_at: Timestamp,
}

/// Why an identity stays.
#[derive(Debug, thiserror::Error)]
pub enum DisconnectError {
    /// None of the account's.
    #[error("there is no such connection")]
    Unknown,
    /// Nothing else signs in to the account.
    #[error("it is the last way in")]
    LastWayIn,
    /// The session was proven too long ago, or without the second factor.
    #[error("a recent sign-in is needed")]
    ProveAgain,
    /// The account changed meanwhile: try again.
    #[error("the account changed meanwhile")]
    Changed,
    /// Something of ours failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl SignIn<'_> {
    /// The identities of an account, the oldest first.
    pub async fn connections(&self, account: AccountId) -> Result<Vec<Connection>, InternalError> {
        let identities = self.auth.social().identities(account).await?;
        Ok(identities.into_iter().map(Connection::from).collect())
    }

    /// Connects what a signed-in person brings from a provider.
    pub async fn connect(
        &self,
        present: &Present,
        provider: &str,
        grant: Grant,
        client: &Client,
    ) -> Result<Connection, SocialSignInError> {
        let (who, proven) = (present.into(), Proven::of(present));
        // First what costs nothing: a provider's code works once.
        self.may_connect(who, &proven, RECENT).await?;
        self.auth.limits().admit_sign_in(client.network())?;
        let vouched = self.auth.social().vouch(provider, grant).await?;
        // A provider may take its time.
        self.connect_vouched((who, &proven, RECENT + minutes(1)), &vouched, client).await
    }

    /// Sends the browser of somebody who signed in a short while ago to a provider, to connect
    /// what it vouches for. [`SignIn::come_back`] ends it.
    pub async fn depart_to_connect(
        &self,
        present: &Present,
        provider: &str,
        next: Option<String>,
    ) -> Result<Departure, SocialSignInError> {
        let who: Who = present.into();
        self.may_connect(who, &Proven::of(present), RECENT).await?;
        let errand = Errand::Link { account: who.account, session: who.session, next };
        Ok(self.auth.social().depart(provider, errand).await?)
    }

    /// Connects what a provider vouched for to the account whose session asked for it. The
    /// browser brings no token along: session and proof are read.
    pub(super) async fn connect_on_return(
        &self,
        (account, session): (AccountId, SessionId),
        vouched: &Vouched,
        client: &Client,
    ) -> Result<Connection, SocialSignInError> {
        let row = self.auth.database().read_one(store::find_proof(account, session)).await?;
        let proven = row.map(|row| store::proof(&row)).transpose()?;
        let proven = proven.ok_or(SocialSignInError::ProveAgain)?;
        // The proof was recent when the browser left.
        let who = Who { account, session };
        self.connect_vouched((who, &proven, RECENT + ON_THE_WAY), vouched, client).await
    }

    /// Removes a connection, unless nothing else signs in to the account.
    pub async fn disconnect(
        &self,
        present: &Present,
        id: IdentityId,
        client: &Client,
    ) -> Result<(), DisconnectError> {
        for _ in 0..TRIES {
            let account = self.myself(present).await?;
            self.refuse_stale(present, &account, RECENT)?;
            let identities = self.auth.social().identities(account.id).await?;
            let gone = identities.iter().find(|one| one.id == id);
            let gone = gone.ok_or(DisconnectError::Unknown)?;
            if !self.has_another_way_in(&account, &identities, id) {
                return Err(DisconnectError::LastWayIn);
            }
            let batch = self.disconnected(&account, gone, client)?;
            if self.write_change(batch).await? {
                return Ok(());
            }
        }
        Err(DisconnectError::Changed)
    }

    /// Whether anything but this identity signs in. Whatever changes the answer raises the
    /// account's `security_version`, which the removal rests on.
    fn has_another_way_in(
        &self,
        account: &Candidate,
        identities: &[Identity],
        but: IdentityId,
    ) -> bool {
        let phone = account.phone_key.as_ref().filter(|_| account.phone_verified_at.is_some());
        self.signs_in_with_password(account)
            || account.email_verified_at.is_some()
            || phone.is_some_and(|phone| self.auth.messages().reaches(phone).is_ok())
            || identities.iter().any(|one| one.id != but && self.is_vouched_for(one))
    }

    /// Whether a door takes the account's password. Every door but one asks for the address; that
    /// one asks for the name, and knows no second step. None asks for the number.
    fn signs_in_with_password(&self, account: &Candidate) -> bool {
        let settings = self.auth.settings();
        let waits = |door| account.awaits_proof() && settings.waits_for_verification(door);
        let by_address = account.email_key.is_some() && !waits(Door::Api);
        let by_name = account.username.is_some()
            && settings.door(Door::OtpSession).enabled
            && !account.has_second_factor
            && !waits(Door::OtpSession);
        account.sealed_hash.is_some() && (by_address || by_name)
    }

    /// Whether a provider of today speaks for the identity: its issuer is what counts, since a
    /// section can be called otherwise, or be made another provider's.
    fn is_vouched_for(&self, identity: &Identity) -> bool {
        let mut providers = self.auth.settings().social.values();
        providers.any(|one| one.issuer().is_some_and(|issuer| *issuer == *identity.issuer))
    }

    fn disconnected(
        &self,
        account: &Candidate,
        gone: &Identity,
        client: &Client,
    ) -> Result<Batch, InternalError> {
        let now = self.auth.clock().now();
        let mut batch = Batch::from(accounts::changed(account.id, account.security_version));
        batch.add(social::disconnect(account.id, gone.id));
        let provider = self.auth.social().title(&gone.provider);
        let notice = Message::IdentityRemoved { at: now, from: whereabouts(client), provider };
        batch.extend(self.notice(account, &notice, now)?);
        let entry = Entry::new(Event::IdentityRemoved).account(account.id);
        let entry = entry.details(serde_json::json!({ "provider": gone.provider }));
        batch.add(entry.network(client.network()).statement(now, self.auth.random()));
        batch.append(self.auth.sessions().changed_statements(account.id, now));
        Ok(batch)
    }

    async fn connect_vouched(
        &self,
        (who, proven, within): (Who, &Proven, Duration),
        vouched: &Vouched,
        client: &Client,
    ) -> Result<Connection, SocialSignInError> {
        for _ in 0..TRIES {
            let account = self.may_connect(who, proven, within).await?;
            let identities = self.auth.social().identities(account.id).await?;
            let is_it =
                |one: &Identity| one.issuer == vouched.issuer && one.subject == vouched.subject;
            if let Some(own) = identities.iter().find(|one| is_it(one)) {
                return Ok(own.clone().into());
            }
            if self.find_by_identity(vouched, client).await?.is_some() {
                return Err(SocialSignInError::IdentityTaken);
            }
            if identities.len() >= MOST_IDENTITIES {
                return Err(SocialSignInError::TooManyIdentities);
            }
            let now = self.auth.clock().now();
            let joined = (&account, account.security_version);
            let batch = self.joined(joined, &vouched.into(), client, now)?;
            if self.write_change(batch).await? {
                let connected = self.auth.social().identities(account.id).await?;
                let connected = connected.into_iter().find(|one| is_it(one));
                return connected.map(Connection::from).ok_or(SocialSignInError::ProveAgain);
            }
        }
        Err(SignInError::Busy { retry_after: START_AGAIN }.into())
    }

    /// The account of a live session whose proof is recent and strong enough. Nothing is added to
    /// an account that merely claims an address: its owner may be somebody else (attack C01).
    async fn may_connect(
        &self,
        who: Who,
        proven: &Proven,
        within: Duration,
    ) -> Result<Candidate, SocialSignInError> {
        let found = store::find_present(who.account, who.session, self.auth.clock().now());
        let row = self.auth.database().read_one(found).await?;
        let found = row.as_ref().map(store::candidate).transpose()?;
        let found = found.filter(|found| found.is_active() && !found.awaits_proof());
        let found = found.ok_or(SocialSignInError::ProveAgain)?;
        self.refuse_old(proven, &found, within)?;
        Ok(found)
    }
}

/// Whose session acts.
#[derive(Clone, Copy)]
struct Who {
    account: AccountId,
    session: SessionId,
}

impl From<&Present> for Who {
    fn from(present: &Present) -> Self {
        Self { account: present.account.id, session: present.claims.session }
    }
}

impl From<Identity> for Connection {
    fn from(identity: Identity) -> Self {
        let profile = serde_json::from_str::<serde_json::Value>(&identity.profile).ok();
        let email = profile.as_ref().and_then(|profile| profile.get("email"));
        Self {
            id: identity.id,
            email: email.and_then(|email| email.as_str()).map(str::to_owned),
            provider: identity.provider,
            subject: identity.subject,
            created_at: identity.created_at,
            last_used_at: identity.last_used_at,
        }
    }
}

impl From<Stale> for SocialSignInError {
    fn from(_: Stale) -> Self {
        Self::ProveAgain
    }
}

impl From<Stale> for DisconnectError {
    fn from(_: Stale) -> Self {
        Self::ProveAgain
    }
}

impl From<OwnerError> for DisconnectError {
    fn from(error: OwnerError) -> Self {
        match error {
            OwnerError::Internal(cause) => Self::Internal(cause),
            // Reading oneself fails when the session or the account is over.
            OwnerError::WrongPassword
            | OwnerError::PasswordMissing
            | OwnerError::ProveAgain
            | OwnerError::Password(_)
            | OwnerError::TooManyAttempts { .. }
            | OwnerError::Busy { .. } => Self::ProveAgain,
        }
    }
}
