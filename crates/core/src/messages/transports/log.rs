//! Messages that go nowhere: the log says that there was one.

use std::future::Future;
use std::pin::Pin;

use crate::ports::{Mail, MailTransport, SendError, Sms, SmsTransport};

/// Logs that a mail or an SMS was sent, to a masked address. Never its text, which holds secrets.
#[derive(Debug, Default, Clone, Copy)]
pub struct LogTransport;

impl MailTransport for LogTransport {
    fn send<'a>(
        &'a self,
        mail: &'a Mail,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        let checked = super::rfc5322::mailbox(&mail.to);
        Box::pin(async move {
            checked?;
            tracing::info!(
                message = %mail.id,
                to = masked(&mail.to),
                subject = mail.subject,
                "a mail would leave now; no mail server is configured"
            );
            Ok(())
        })
    }
}

impl SmsTransport for LogTransport {
    fn send<'a>(
        &'a self,
        sms: &'a Sms,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        tracing::info!(
            message = %sms.id,
            to = masked_number(&sms.to),
            "an SMS would leave now; none is sent"
        );
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The last two digits, as people recognise their own number.
fn masked_number(number: &str) -> String {
    let rest: String = number.chars().skip(number.chars().count().saturating_sub(2)).collect();
    format!("+…{rest}")
}

/// The first character and the domain: enough to recognise one's own test, too little to write to.
fn masked(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let first = local.chars().next().map(String::from).unwrap_or_default();
    format!("{first}…@{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_masked() {
        assert_eq!(masked("ada@example.com"), "a…@example.com");
        assert_eq!(masked("ä@b@example.com"), "ä…@example.com");
        assert_eq!(masked(""), "…@");
        assert_eq!(masked_number("+491701234567"), "+…67");
        assert_eq!(masked_number(""), "+…");
    }
}
