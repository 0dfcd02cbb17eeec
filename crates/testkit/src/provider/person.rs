//! People as a provider knows them.

use serde_json::{Map, Value};

/// Somebody who has an account at the provider.
#[derive(Debug, Clone)]
pub struct Person {
    pub(super) subject: String,
    pub(super) email: Option<String>,
    pub(super) is_verified: bool,
    pub(super) name: Option<String>,
    pub(super) emails: Option<Value>,
    pub(super) claims: Map<String, Value>,
}

impl Person {
    /// Somebody without an address. Subjects of GitHub are numbers.
    #[must_use]
    pub fn new(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            email: None,
            is_verified: true,
            name: None,
            emails: None,
            claims: Map::new(),
        }
    }

    /// With an address, verified where the provider says so.
    #[must_use]
    pub fn with_email(mut self, email: &str) -> Self {
        self.email = Some(email.to_owned());
        self
    }

    /// The provider does not say that the address is proven.
    #[must_use]
    pub const fn unverified(mut self) -> Self {
        self.is_verified = false;
        self
    }

    /// With a name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// What GitHub answers at `/user/emails`, in place of the one address.
    #[must_use]
    pub fn with_emails(mut self, emails: Value) -> Self {
        self.emails = Some(emails);
        self
    }

    /// A claim, or a member of the profile, in place of the usual one.
    #[must_use]
    pub fn with_claim(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.to_owned(), value);
        self
    }

    /// Lays the person's own claims over the usual ones; `null` removes.
    pub(super) fn overlay(&self, claims: &mut Map<String, Value>) {
        for (name, value) in &self.claims {
            if value.is_null() {
                claims.remove(name);
            } else {
                claims.insert(name.clone(), value.clone());
            }
        }
    }
}
