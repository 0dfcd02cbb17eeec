//! Taking changes of address and number back, with the link that the old address was mailed.
//!
//! An undo puts the account's addresses back to what they were before the change: this one and
//! every later one, so that a thief gains nothing by changing twice. Sessions, links, connected
//! identities and the password go; whoever reads the restored address chooses a new one. The second factor stays:
//! an old mailbox alone must not be a way around it.

use super::{AddressError, AddressKind, START_AGAIN, SignIn, store};
use crate::accounts::{self, Email, Identifier, Phone};
use crate::audit::Event;
use crate::client::Client;
use crate::database::{Batch, Statement};
use crate::error::InternalError;
use crate::ids::{AccountId, AddressChangeId};
use crate::messages::Message;
use crate::one_time_codes::{LinkFor, Purpose};
use crate::sessions::{Door, EndReason};
use crate::sign_in::candidate::Candidate;
use crate::social;
use crate::time::Timestamp;

/// What an undo link would do, for its page to show.
#[derive(Debug, Clone)]
pub struct UndoFacts {
    /// The account, by its present address or its name.
    pub account: String,
    /// What was changed.
    pub kind: AddressKind,
    /// What it will be again; none where the account had none.
    pub restored: Option<String>,
    /// When the change was made.
    pub at: Timestamp,
    /// Whether a link to a new password can be mailed: some accounts have but a number.
    pub has_mail: bool,
}

/// A change that can still be taken back, as stored.
pub(super) struct Change {
    pub(super) id: AddressChangeId,
    pub(super) account: AccountId,
    pub(super) kind: AddressKind,
    pub(super) security_version: i64,
    pub(super) created_at: Timestamp,
}

/// What stood before a change.
#[derive(Clone)]
pub(super) struct Before {
    /// As typed and as compared.
    pub(super) address: Option<(String, String)>,
    pub(super) verified_at: Option<Timestamp>,
}

impl Before {
    fn pair(&self) -> Option<(&str, &str)> {
        self.address.as_ref().map(|(typed, key)| (typed.as_str(), key.as_str()))
    }
}

/// An undo link that would work now.
struct Claim {
    change: Change,
    account: Candidate,
    /// What each was before, if it was changed since.
    email: Option<Before>,
    phone: Option<Before>,
    /// Others who claim what is to be restored and have not proven it.
    holders: Vec<(AddressKind, Candidate)>,
}

impl Claim {
    /// The e-mail address the account will have.
    fn email_afterwards(&self) -> Before {
        let account = &self.account;
        let email = account.email.clone().zip(account.email_key.clone());
        let present = Before { address: email, verified_at: account.email_verified_at };
        self.email.clone().unwrap_or(present)
    }
}

impl SignIn<'_> {
    /// What an undo link would do; consumes nothing.
    pub async fn look_at_undo(
        &self,
        token: &str,
        client: &Client,
    ) -> Result<UndoFacts, AddressError> {
        let claim = self.undo_claim(token, client).await?;
        let has_mail = claim.email_afterwards().verified_at.is_some();
        let Claim { change, account, email, phone, .. } = claim;
        let before = match change.kind {
            AddressKind::Email => email,
            AddressKind::Phone => phone,
        };
        let restored = before.and_then(|before| before.address).map(|(typed, _)| typed);
        let (kind, at) = (change.kind, change.created_at);
        Ok(UndoFacts { account: account.name_shown(), kind, restored, at, has_mail })
    }

    /// Takes a change back, and every later one.
    pub async fn undo_address_change(
        &self,
        token: &str,
        client: &Client,
    ) -> Result<(), AddressError> {
        let claim = self.undo_claim(token, client).await?;
        let batch = self.undone(&claim, client)?;
        if self.write_change(batch).await? {
            return Ok(());
        }
        self.undo_claim(token, client).await?;
        Err(AddressError::Busy { retry_after: START_AGAIN })
    }

    fn undone(&self, claim: &Claim, client: &Client) -> Result<Batch, InternalError> {
        let now = self.auth.clock().now();
        let Claim { change, account, email, phone, holders } = claim;
        let mut batch = Batch::new();
        for (kind, holder) in holders {
            batch.append(self.yielding(holder, *kind, now));
        }
        let mut version = account.security_version;
        if let Some(email) = email {
            batch.add(accounts::set_email(account.id, version, email.pair(), email.verified_at));
            version += 1;
        }
        if let Some(phone) = phone {
            batch.add(accounts::set_phone(account.id, version, phone.pair(), phone.verified_at));
        }
        batch.add(store::mark_undone(change.id, now));
        batch.add(store::mark_later_undone(account.id, change.security_version, now));
        batch.add(self.auth.passwords().remove(account.id));
        batch.add(social::disconnect_all(account.id));
        batch.add(self.auth.one_time_codes().void_all_of(account.id));
        if email.is_some() {
            let notice = Message::AddressTakenBack { at: now };
            batch.extend(self.notice(account, &notice, now)?);
        }
        batch.extend(self.forgiven(account));
        batch.extend(self.way_back(account.id, &claim.email_afterwards(), now)?);
        batch.add(self.address_entry(Event::AddressChangeUndone, account, client, now));
        let (sessions, reason) = (self.auth.sessions(), EndReason::AddressChanged);
        batch.append(sessions.end_all_statements(account.id, None, reason, now));
        Ok(batch)
    }

    /// Mails the link to a new password to the address the account has from now on, and
    /// forgives the failures that were counted for it.
    fn way_back(
        &self,
        account: AccountId,
        email: &Before,
        now: Timestamp,
    ) -> Result<Vec<Statement>, InternalError> {
        let proven = email.pair().filter(|_| email.verified_at.is_some());
        let Some((typed, key)) = proven else { return Ok(Vec::new()) };
        let purpose = Purpose::ResetPassword;
        let link = LinkFor { purpose, account, target_key: key, browser: None, details: None };
        let link = self.auth.one_time_codes().new_link(&link, now);
        let mail = Message::ChangeUndone { link: self.reset_link(&link.token, Door::Api) };
        let mail = self.auth.messages().queue(typed, &mail, now, link.expires_at)?;
        Ok(vec![link.statement, mail, self.auth.limits().forgive(key)])
    }

    /// The change of an unused link, with what stood before it and who stands in the way.
    async fn undo_claim(&self, token: &str, client: &Client) -> Result<Claim, AddressError> {
        let now = self.auth.clock().now();
        let found = store::find(self.undo_digest(token), now);
        let row = self.auth.database().read_one(found).await?;
        let change = store::change(&row.ok_or(AddressError::InvalidLink)?)?;
        let account = self.find_by_id(change.account).await?.filter(Candidate::is_active);
        let account = account.ok_or(AddressError::InvalidLink)?;
        let since = store::list_since(account.id, change.security_version);
        let mut claim = Claim { change, account, email: None, phone: None, holders: Vec::new() };
        for row in self.auth.database().read(since).await? {
            let (kind, before) = store::before(&row)?;
            let earliest = match kind {
                AddressKind::Email => &mut claim.email,
                AddressKind::Phone => &mut claim.phone,
            };
            earliest.get_or_insert(before);
        }
        for (kind, before) in
            [(AddressKind::Email, claim.email.clone()), (AddressKind::Phone, claim.phone.clone())]
        {
            let Some((typed, _)) = before.and_then(|before| before.address) else { continue };
            let Some(identifier) = identifier(kind, &typed) else { continue };
            let holder = self.find(&identifier, client).await?;
            let Some(holder) = holder.filter(|holder| holder.id != claim.account.id) else {
                continue;
            };
            let is_proven = match kind {
                AddressKind::Email => holder.email_verified_at.is_some(),
                AddressKind::Phone => holder.phone_verified_at.is_some(),
            };
            if is_proven {
                return Err(AddressError::Taken);
            }
            // Who claims both without having proven either is closed for the first.
            if claim.holders.iter().all(|(_, other)| other.id != holder.id) {
                claim.holders.push((kind, holder));
            }
        }
        Ok(claim)
    }
}

/// An address as stored, to be looked for.
fn identifier(kind: AddressKind, typed: &str) -> Option<Identifier> {
    match kind {
        AddressKind::Email => Email::parse(typed).ok().map(Identifier::from),
        AddressKind::Phone => Phone::parse(typed).ok().map(Identifier::from),
    }
}
