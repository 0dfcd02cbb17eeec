//! How somebody comes to sign in or up.

use super::SignIn;
use crate::client::Client;
use crate::database::Statement;
use crate::ids::AccountId;
use crate::ports::Token;
use crate::sessions::Door;
use crate::sources::{SourceHint, Touch};
use crate::time::Timestamp;

/// Through which door, from where, and with what left of earlier visits.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The door: decides lifetimes, the front end that mails link to, and a new account's role.
    pub door: Door,
    /// Who asks.
    pub client: Client,
    /// A session the browser still holds: a sign-in over somebody else's ends it.
    pub previous: Previous,
    /// Where they came from, for the analytics of sign-ups.
    pub source: SourceHint,
}

impl Arrival {
    /// Through our own API, with nothing left of earlier visits.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { door: Door::Api, client, previous: Previous::Nothing, source: SourceHint::default() }
    }

    /// The same through another door.
    #[must_use]
    pub fn through(self, door: Door) -> Self {
        Self { door, ..self }
    }
}

/// What a browser still holds of a session when it signs in.
#[derive(Debug, Clone, Default)]
pub enum Previous {
    /// Nothing.
    #[default]
    Nothing,
    /// A refresh token.
    Refresh(Token),
    /// An access token, e.g. in the cookie of the `users` door.
    Access(Token),
    /// A session's own cookie.
    Cookie(Token),
}

impl SignIn<'_> {
    /// The statements that note where the person came from; they stand after the account's own.
    pub(super) fn came_from(
        &self,
        arrival: &Arrival,
        account: AccountId,
        is_first: bool,
        now: Timestamp,
    ) -> Vec<Statement> {
        let sources = self.auth.sources();
        let source = sources.of_hint(&arrival.source, arrival.door);
        let network = arrival.client.network();
        let touch = Touch { account, source: source.as_ref(), network, is_first };
        sources.touch_statements(&touch, now)
    }

    /// Counts an account that a code's proof makes, by its source.
    pub(super) fn count_verified(&self, arrival: &Arrival, now: Timestamp) -> Option<Statement> {
        let sources = self.auth.sources();
        let source = sources.of_hint(&arrival.source, arrival.door);
        sources.count_verified(source.as_ref(), now)
    }
}
