//! Ways for messages to leave. Mail: SMTP, `SendGrid`; SMS: Twilio, any HTTP gateway; both: the
//! log.

mod careful;
mod fields;
mod gateway;
mod http;
mod log;
mod rfc5322;
mod sendgrid;
mod smtp;
mod twilio;

pub use gateway::{Gateway, GatewayFormat, GatewayMethod, GatewaySettings};
pub use log::LogTransport;
pub use sendgrid::{SendGrid, SendGridSettings};
pub use smtp::{Smtp, SmtpSecurity, SmtpSettings};
pub use twilio::{Twilio, TwilioSender, TwilioSettings};

use crate::settings::{MailSettings, Mistake};

/// What is wrong with the configured sender and the product's name, which stand in headers.
pub(super) fn sender_mistakes(settings: &MailSettings) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    if rfc5322::mailbox(&settings.from).is_err() {
        let sentence = "must be an address like `Ironlatch <noreply@example.com>`".to_owned();
        mistakes.push(Mistake { key: "mail.from".into(), sentence });
    }
    if settings.product.trim().is_empty() || settings.product.contains(char::is_control) {
        let sentence = "must be a name on one line".to_owned();
        mistakes.push(Mistake { key: "mail.product".into(), sentence });
    }
    mistakes
}
