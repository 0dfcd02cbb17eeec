//! Links and mails as the ways in write them. No link is built from anything a client sent.

use data_encoding::BASE64URL_NOPAD;

use super::SignIn;
use super::candidate::Candidate;
use crate::client::Client;
use crate::database::Statement;
use crate::error::InternalError;
use crate::messages::Message;
use crate::ports::Token;
use crate::sessions::Door;
use crate::time::{Timestamp, days};

/// A notice that is older than this is not worth sending any more.
const NOTICE_LIFETIME: std::time::Duration = days(3);

impl SignIn<'_> {
    /// The page a verification mail links to.
    pub(super) fn verification_link(&self, token: &Token, door: Door) -> String {
        let settings = self.auth.settings();
        let pages = match door {
            // Its front end has no such page; ours always is.
            Door::Users => settings.public_url.trim_end_matches('/'),
            door => settings.pages_url(door),
        };
        // Its front end is promised a path with a slash; our page has both.
        let slash = if matches!(door, Door::Accounts) { "/" } else { "" };
        format!("{pages}/verify-email{slash}?token={}", token.reveal())
    }

    /// The page on which somebody asks for a reset mail.
    pub(super) fn reset_page(&self, door: Door) -> String {
        let settings = self.auth.settings();
        let pages = match door {
            // The page of the one's front end shows nothing without a link, the other's has none.
            Door::Users | Door::OtpSession => settings.public_url.trim_end_matches('/'),
            door => settings.pages_url(door),
        };
        format!("{pages}/reset-password")
    }

    /// The page a code's mail links to.
    pub(super) fn sign_in_link(&self, token: &Token, door: Door) -> String {
        let settings = self.auth.settings();
        let pages = match door {
            // Their front ends know of codes alone.
            Door::OtpSession | Door::Cfg => settings.public_url.trim_end_matches('/'),
            door => settings.pages_url(door),
        };
        format!("{pages}/sign-in?token={}", token.reveal())
    }

    /// The page a reset mail links to.
    pub(super) fn reset_link(&self, token: &Token, door: Door) -> String {
        let pages = self.auth.settings().pages_url(door);
        format!("{pages}/reset-password?token={}", token.reveal())
    }

    /// The same for a door whose front end wants the account's number beside the token.
    pub(super) fn numbered_reset_link(&self, found: &Candidate, token: &Token) -> String {
        let pages = self.auth.settings().pages_url(Door::Users);
        let uid = BASE64URL_NOPAD.encode(found.number.to_string().as_bytes());
        format!("{pages}/reset-password?uid={uid}&token={}", token.reveal())
    }

    /// The account number in a link of the `users` door; `None` if it names none.
    #[must_use]
    pub fn number_in_link(uid: &str) -> Option<i64> {
        let decoded = BASE64URL_NOPAD.decode(uid.trim_end_matches('=').as_bytes()).ok()?;
        let digits = String::from_utf8(decoded).ok()?;
        let is_plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        if is_plain { digits.parse().ok() } else { None }
    }

    /// The page that the mail to a new address links to. Always ours: doors' front ends know
    /// nothing of address changes.
    pub(super) fn email_change_link(&self, token: &Token) -> String {
        let pages = self.auth.settings().pages_url(Door::Api);
        format!("{pages}/confirm-email?token={}", token.reveal())
    }

    /// The page that takes a change of address or number back.
    pub(super) fn undo_link(&self, token: &Token) -> String {
        let pages = self.auth.settings().pages_url(Door::Api);
        format!("{pages}/undo-address?token={}", token.reveal())
    }

    /// Queues a notice to an account's address; nothing where it has none, or where nobody has
    /// proven it: whoever signs up with a stranger's address must not make us write to them
    /// again and again (attack B21).
    pub(super) fn notice(
        &self,
        found: &Candidate,
        message: &Message,
        now: Timestamp,
    ) -> Result<Option<Statement>, InternalError> {
        let proven = found.email.as_ref().filter(|_| found.email_verified_at.is_some());
        let Some(email) = proven else { return Ok(None) };
        self.queue_notice(email, message, now).map(Some)
    }

    /// Queues a notice to an address that is known to be proven.
    pub(super) fn queue_notice(
        &self,
        to: &str,
        message: &Message,
        now: Timestamp,
    ) -> Result<Statement, InternalError> {
        self.auth.messages().queue(to, message, now, now.plus(NOTICE_LIFETIME))
    }
}

/// Where a client is, in words for the account's owner: network and browser.
pub(super) fn whereabouts(client: &Client) -> String {
    let browser = client.user_agent.trim();
    if browser.is_empty() {
        client.network().to_string()
    } else {
        format!("{} ({browser})", client.network())
    }
}
