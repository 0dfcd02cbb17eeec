//! Sending one mail.

use std::future::Future;
use std::pin::Pin;

use crate::ids::MessageId;

/// A finished mail: one recipient, text and HTML.
#[derive(Clone)]
pub struct Mail {
    /// Stable over every attempt; the Message-ID is built from it.
    pub id: MessageId,
    /// The sender as configured, e.g. `Ironlatch <noreply@example.com>`.
    pub from: String,
    /// The recipient's address as typed.
    pub to: String,
    /// One line, never with a code in it.
    pub subject: String,
    /// The plain part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// Why a mail or an SMS did not go out.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Worth another try: the server is away, slow or says "later" (4xx).
    #[error("the other side cannot take it now: {0}")]
    Later(String),
    /// The server refuses this mail for good (5xx, a malformed address).
    #[error("the other side refuses it: {0}")]
    Never(String),
}

/// A way to send mail: SMTP, `SendGrid`, the log, or the development inbox.
pub trait MailTransport: Send + Sync {
    /// Hands the mail over; `Ok` only once the other side has taken responsibility for it.
    fn send<'a>(
        &'a self,
        mail: &'a Mail,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>>;
}
