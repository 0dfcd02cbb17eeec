//! What we say: the outbox and its texts.
//!
//! A message is queued in the batch of the act it tells about and sent after the commit by a
//! worker: leased, retried with growing pauses, never sent once expired. Bodies are sealed.
//!
//! Owns the table `messages`.

use crate::Auth;
use crate::database::Statement;
use crate::error::InternalError;
use crate::time::Timestamp;

/// What is said. Each has a text and an HTML template under `templates/`.
#[derive(Debug, Clone)]
pub enum Message {
    /// "Prove that this address is yours": link valid until the expiry.
    VerifyEmail { link: String },
    /// Somebody tried to sign up with an address that has an account (neutral sign-up).
    AlreadyRegistered { reset_link_page: String },
    /// "Choose a new password".
    ResetPassword { link: String },
    /// Greets a new, proven account.
    Welcome { name: String },
    /// The password was changed, when and from where.
    PasswordChanged { at: Timestamp, from: String },
    /// A sign-in from a device never seen before on this account.
    NewDevice { at: Timestamp, from: String, device: String },
    /// A refresh token was used by two holders; the session was ended.
    TokenTheft { at: Timestamp, from: String },
    /// The account was closed.
    AccountClosed { at: Timestamp },
}

/// The outbox as other rooms see it.
pub struct Messages<'a> {
    pub(crate) auth: &'a Auth,
}

impl Messages<'_> {
    /// The statement that queues a mail; add it to the batch of the act. After `expires_at` it
    /// is dropped unsent.
    pub fn queue(
        &self,
        to: &str,
        message: &Message,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Statement, InternalError> {
        todo!("{to} {message:?} {now:?} {expires_at:?}")
    }

    /// Wakes the worker after a commit that queued something, so that mail leaves at once.
    pub fn wake(&self) {
        todo!()
    }

    /// Sends what is due, as the worker does each time it wakes; answers how many were handed
    /// over. For applications without [`Workers`](crate::workers::Workers), and for tests.
    pub async fn deliver_due(&self) -> Result<usize, InternalError> {
        todo!()
    }
}
