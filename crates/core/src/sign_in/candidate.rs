//! An account that somebody claims to be, as it was read together with its credential.

use super::mails::whereabouts;
use crate::accounts::Contact;
use crate::client::Client;
use crate::ids::AccountId;
use crate::limits::DeviceOwner;
use crate::sessions::{Account, Reading};
use crate::time::Timestamp;

/// An account that somebody claims to be, with what its proof is compared with.
pub(super) struct Candidate {
    pub(super) id: AccountId,
    pub(super) number: i64,
    pub(super) email: Option<String>,
    pub(super) email_key: Option<String>,
    pub(super) email_verified_at: Option<Timestamp>,
    pub(super) username: Option<String>,
    /// Where SMS goes: E.164.
    pub(super) phone_key: Option<String>,
    pub(super) phone_verified_at: Option<Timestamp>,
    pub(super) security_version: i64,
    pub(super) created_at: Timestamp,
    pub(super) created_from: String,
    pub(super) last_sign_in_at: Option<Timestamp>,
    pub(super) disabled_at: Option<Timestamp>,
    pub(super) deleted_at: Option<Timestamp>,
    pub(super) sealed_hash: Option<Vec<u8>>,
    pub(super) password_changed_at: Option<Timestamp>,
    /// Whether an authenticator app is enrolled and confirmed.
    pub(super) has_second_factor: bool,
    /// Whether a session of this account began in the asking network; never by identifier.
    pub(super) is_known_network: bool,
    /// What else its sessions see of it, where the read that found it could tell.
    pub(super) plain: Option<Plain>,
}

/// The rest of an account without groups, permissions and identities, and when it was read.
pub(super) struct Plain {
    pub(super) role: String,
    pub(super) is_staff: bool,
    pub(super) is_superuser: bool,
    pub(super) custom_fields: String,
    pub(super) reading: Reading,
}

impl Candidate {
    /// Whether it may sign in at all.
    pub(super) fn is_active(&self) -> bool {
        self.disabled_at.is_none() && self.deleted_at.is_none()
    }

    /// Whether somebody has proven one of its addresses.
    pub(super) fn is_proven(&self) -> bool {
        self.email_verified_at.is_some() || self.phone_verified_at.is_some()
    }

    /// Whether it claims an address or a number and nobody has proven any. An account that claims
    /// nothing was made by an identity, and takes nobody's address.
    pub(super) fn awaits_proof(&self) -> bool {
        !self.is_proven() && (self.email_key.is_some() || self.phone_key.is_some())
    }

    /// Whether nobody else can get its address by proving it: its owner has, or an operator has
    /// disabled the account.
    pub(super) fn keeps_its_address(&self) -> bool {
        self.email_verified_at.is_some() || !self.is_active()
    }

    /// Takes note of a proof that is about to be written.
    pub(super) fn proven_by(&mut self, contact: &Contact, now: Timestamp) {
        self.plain = None;
        match contact {
            Contact::Email(_) => self.email_verified_at = Some(now),
            Contact::Phone(_) => self.phone_verified_at = Some(now),
        }
    }

    /// An account about to be made by a proof: of an address, of a number, or of an identity
    /// without either.
    pub(super) fn new(
        id: AccountId,
        number: i64,
        contact: Option<&Contact>,
        client: &Client,
        now: Timestamp,
    ) -> Self {
        let (mut email, mut phone) = (None, None);
        match contact {
            Some(Contact::Email(it)) => email = Some(it),
            Some(Contact::Phone(it)) => phone = Some(it),
            None => {}
        }
        Self {
            id,
            number,
            email: email.map(|email| email.as_typed().to_owned()),
            email_key: email.map(|email| email.key().to_owned()),
            email_verified_at: email.map(|_| now),
            username: None,
            phone_key: phone.map(|phone| phone.key().to_owned()),
            phone_verified_at: phone.map(|_| now),
            security_version: 1,
            created_at: now,
            created_from: whereabouts(client),
            last_sign_in_at: None,
            disabled_at: None,
            deleted_at: None,
            sealed_hash: None,
            password_changed_at: None,
            has_second_factor: false,
            is_known_network: false,
            plain: None,
        }
    }

    /// The account as its sessions see it, and when it was read; `None` where that takes another
    /// read.
    pub(super) fn into_account(self) -> Option<(Account, Reading)> {
        let Plain { role, is_staff, is_superuser, custom_fields, reading } = self.plain?;
        let account = Account {
            id: self.id,
            number: self.number,
            email: self.email,
            email_verified_at: self.email_verified_at,
            username: self.username,
            role,
            is_staff,
            is_superuser,
            groups: Vec::new(),
            permissions: Vec::new(),
            custom_fields,
            created_at: self.created_at,
            last_sign_in_at: self.last_sign_in_at,
            disabled_at: self.disabled_at,
            deleted_at: self.deleted_at,
            security_version: self.security_version,
            identities: Vec::new(),
        };
        Some((account, reading))
    }

    /// The account as its known-device cookies are bound to it.
    pub(super) fn device_owner(&self) -> DeviceOwner {
        DeviceOwner { account: self.id, password_changed_at: self.password_changed_at }
    }

    /// How pages name it to whoever holds one of its links.
    pub(super) fn name_shown(&self) -> String {
        let names = [&self.email, &self.username, &self.phone_key];
        names.into_iter().flatten().next().cloned().unwrap_or_default()
    }

    /// What a new password must not be.
    pub(super) fn about(&self) -> Vec<&str> {
        self.email.iter().chain(self.username.iter()).map(String::as_str).collect()
    }
}
