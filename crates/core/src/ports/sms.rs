//! Sending one SMS.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::SendError;
use crate::ids::MessageId;

/// A finished SMS: one recipient, one text.
#[derive(Clone)]
pub struct Sms {
    /// Stable over every attempt.
    pub id: MessageId,
    /// The recipient's number in E.164 with its `+`.
    pub to: String,
    /// What the recipient reads.
    pub text: String,
    /// How long it is of use from now on: some providers hold messages back for hours.
    pub valid_for: Duration,
}

/// A way to send SMS: Twilio, any HTTP gateway, the log, or the development inbox.
pub trait SmsTransport: Send + Sync {
    /// Hands the SMS over; `Ok` only once the other side has taken responsibility for it. Each
    /// costs money, so [`SendError::Later`] is for what has certainly not left; what may have
    /// is [`SendError::Never`].
    fn send<'a>(
        &'a self,
        sms: &'a Sms,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>>;
}
