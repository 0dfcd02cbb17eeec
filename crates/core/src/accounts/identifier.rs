//! What people name themselves by when they sign in.

use std::borrow::Cow;

use super::{Email, Phone, Username};

/// Where a code can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// By mail.
    Email(Email),
    /// By SMS.
    Phone(Phone),
}

impl Contact {
    /// The canonical form.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Email(email) => email.key(),
            Self::Phone(phone) => phone.key(),
        }
    }

    /// As it was typed.
    #[must_use]
    pub fn as_typed(&self) -> &str {
        match self {
            Self::Email(email) => email.as_typed(),
            Self::Phone(phone) => phone.as_typed(),
        }
    }

    /// Reads what was typed before: an address holds an `@`, which no number does.
    pub(crate) fn of_typed(typed: &str) -> Option<Self> {
        if typed.contains('@') {
            return Email::parse(typed).ok().map(Self::Email);
        }
        Phone::parse(typed).ok().map(Self::Phone)
    }
}

impl From<Contact> for Identifier {
    fn from(contact: Contact) -> Self {
        match contact {
            Contact::Email(email) => Self::Email(email),
            Contact::Phone(phone) => Self::Phone(phone),
        }
    }
}

/// An address, a number or a name: each is one account's at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identifier {
    /// An e-mail address.
    Email(Email),
    /// A phone number.
    Phone(Phone),
    /// A name.
    Username(Username),
}

impl Identifier {
    /// The canonical form by which its account is found.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Email(email) => email.key(),
            Self::Phone(phone) => phone.key(),
            Self::Username(name) => name.key(),
        }
    }

    /// What limits count. Names may look like addresses and numbers, so they have a sign that
    /// neither has.
    #[must_use]
    pub fn limit_key(&self) -> Cow<'_, str> {
        match self {
            Self::Email(_) | Self::Phone(_) => Cow::Borrowed(self.key()),
            Self::Username(name) => Cow::Owned(format!("name:{}", name.key())),
        }
    }

    /// As it was typed.
    #[must_use]
    pub fn as_typed(&self) -> &str {
        match self {
            Self::Email(email) => email.as_typed(),
            Self::Phone(phone) => phone.as_typed(),
            Self::Username(name) => name.as_typed(),
        }
    }
}

impl From<Email> for Identifier {
    fn from(email: Email) -> Self {
        Self::Email(email)
    }
}

impl From<Phone> for Identifier {
    fn from(phone: Phone) -> Self {
        Self::Phone(phone)
    }
}

impl From<Username> for Identifier {
    fn from(name: Username) -> Self {
        Self::Username(name)
    }
}
