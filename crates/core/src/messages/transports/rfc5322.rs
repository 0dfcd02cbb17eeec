//! A mail as bytes: addresses parsed, headers on one line each, text and HTML as alternatives.

use std::time::{Duration, UNIX_EPOCH};

use lettre::Address;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, MultiPartKind, SinglePart};

use crate::ports::{Mail, SendError};

/// `Auto-Submitted: auto-generated` (RFC 3834 §5): no out-of-office answers, please.
#[derive(Clone)]
struct AutoSubmitted;

/// The value of `Auto-Submitted`.
pub(super) const AUTO_GENERATED: &str = "auto-generated";

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), AUTO_GENERATED.to_owned())
    }
}

/// Parses an address with or without a name. Line breaks and NUL are refused before anything
/// else looks at the text: they would end an SMTP command or a header (attacks B16, B17). The
/// domain is written in ASCII, so only unusual local parts need SMTPUTF8.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, SendError> {
    let refused = || SendError::Never("the address cannot stand in a mail".to_owned());
    if text.contains(char::is_control) {
        return Err(refused());
    }
    let parsed: Mailbox = text.trim().parse().map_err(|_| refused())?;
    let domain = parsed.email.domain();
    let domain = if domain.is_ascii() {
        domain.to_owned()
    } else {
        idna::domain_to_ascii(domain).map_err(|_| refused())?
    };
    let email = Address::new(parsed.email.user(), domain).map_err(|_| refused())?;
    Ok(Mailbox::new(parsed.name, email))
}

/// The Message-ID: the same at every try, so that a mail sent twice can be recognised as one
/// (RFC 5322 §3.6.4).
pub(super) fn message_id(mail: &Mail, from: &Mailbox) -> String {
    format!("<{}@{}>", mail.id, from.email.domain())
}

/// The whole mail. Nothing in it changes from one try to the next: its date is when it was
/// queued, its boundary is made from its identifier.
pub(super) fn compose(mail: &Mail, from: Mailbox, to: Mailbox) -> Result<Message, SendError> {
    if mail.subject.contains(char::is_control) {
        return Err(SendError::Never("the subject is not one line".to_owned()));
    }
    let queued_at = u64::try_from(mail.id.made_at().seconds()).unwrap_or(0);
    let body = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(format!("=_{}", mail.id.uuid().simple()))
        .singlepart(SinglePart::plain(mail.text.clone()))
        .singlepart(SinglePart::html(mail.html.clone()));
    Message::builder()
        .message_id(Some(message_id(mail, &from)))
        .date(UNIX_EPOCH + Duration::from_secs(queued_at))
        .from(from)
        .to(to)
        .subject(mail.subject.clone())
        .header(AutoSubmitted)
        .multipart(body)
        .map_err(|error| SendError::Never(format!("the mail cannot be written: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b17_addresses_that_could_end_a_line_are_refused() {
        let hostile = [
            "ada@example.com\r\nRCPT TO:<eve@example.com>",
            "ada@example.com\n",
            "\"ada\r\n\"@example.com",
            "ada\0@example.com",
            "Ada\r\nBcc: eve@example.com <ada@example.com>",
            "ada@example.com, eve@example.com",
            "<ada@example.com> SIZE=1",
            "ada@exa mple.com",
            "ada",
            "",
        ];
        for text in hostile {
            assert!(matches!(mailbox(text), Err(SendError::Never(_))), "{text:?}");
        }
    }

    #[test]
    fn domains_are_written_in_ascii() {
        assert_eq!(mailbox("ada@bücher.example").unwrap().email.domain(), "xn--bcher-kva.example");
    }
}
