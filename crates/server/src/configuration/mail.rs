//! `[mail]`: from keys to a way for mail to leave.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ironlatch_core::messages::{
    LogTransport, SendGrid, SendGridSettings, Smtp as SmtpTransport, SmtpSecurity, SmtpSettings,
};
use ironlatch_core::ports::{MailTransport, Token};
use ironlatch_core::settings::Mistake;
use serde::{Deserialize, Serialize};

use crate::master_key;

use super::Mistakes;

/// `[mail]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Mail {
    transport: Option<Transport>,
    pub(super) from: Option<String>,
    pub(super) product: Option<String>,
    pub(super) templates: Option<PathBuf>,
    smtp: Smtp,
    sendgrid: Sendgrid,
}

/// `mail.transport`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Transport {
    /// That a mail would have gone out is logged; nothing is sent.
    Log,
    Smtp,
    Sendgrid,
}

/// `[mail.smtp]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Smtp {
    host: Option<String>,
    port: Option<u16>,
    security: Security,
    username: Option<String>,
    password_file: Option<PathBuf>,
    authority_file: Option<PathBuf>,
}

/// `mail.smtp.security`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Security {
    /// Port 587, RFC 3207.
    #[default]
    Starttls,
    /// Port 465, RFC 8314 §3.3.
    Tls,
    /// To a mail server on this machine only.
    None,
}

/// `[mail.sendgrid]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sendgrid {
    api_key_file: Option<PathBuf>,
    base_url: Option<String>,
}

impl Mail {
    /// The configured transport; secrets are read from their files here.
    pub(super) fn transport(
        &self,
        may_be_unset: bool,
        mistakes: &mut Mistakes,
    ) -> Arc<dyn MailTransport> {
        mistakes.unless(
            may_be_unset || self.transport.is_some(),
            "mail.transport",
            "must be chosen, or nobody ever gets the mails with their links: smtp, sendgrid, or \
             log to send none (IRONLATCH_MAIL__TRANSPORT)",
        );
        let transport = self.transport.unwrap_or(Transport::Log);
        mistakes.unless(
            transport == Transport::Log || self.from.is_some(),
            "mail.from",
            "must be given to send mail, e.g. \"Example <noreply@example.com>\" \
             (IRONLATCH_MAIL_FROM)",
        );
        let built = match transport {
            Transport::Log => None,
            Transport::Smtp => self.smtp.build(mistakes),
            Transport::Sendgrid => self.sendgrid.build(mistakes),
        };
        built.unwrap_or_else(|| Arc::new(LogTransport))
    }
}

impl Smtp {
    fn build(&self, mistakes: &mut Mistakes) -> Option<Arc<dyn MailTransport>> {
        mistakes.unless(
            self.username.is_some() == self.password_file.is_some(),
            "mail.smtp.username",
            "and mail.smtp.password_file must be given together",
        );
        let password = self.password_file.as_deref();
        let password = password.and_then(|path| secret("mail.smtp.password_file", path, mistakes));
        let authority = self.authority_file.as_deref().and_then(|path| {
            let read = std::fs::read(path);
            read.map_err(|error| mistakes.add("mail.smtp.authority_file", error)).ok()
        });
        let settings = SmtpSettings {
            port: self.port,
            security: match self.security {
                Security::Starttls => SmtpSecurity::StartTls,
                Security::Tls => SmtpSecurity::Tls,
                Security::None => SmtpSecurity::PlainOnLoopback,
            },
            credentials: self.username.clone().zip(password),
            authority,
            ..SmtpSettings::new(self.host.clone().unwrap_or_default())
        };
        kept(SmtpTransport::new(settings), mistakes)
    }
}

impl Sendgrid {
    fn build(&self, mistakes: &mut Mistakes) -> Option<Arc<dyn MailTransport>> {
        let Some(path) = &self.api_key_file else {
            mistakes.add("mail.sendgrid.api_key_file", "must be given for this mail.transport");
            return None;
        };
        let mut settings =
            SendGridSettings::new(secret("mail.sendgrid.api_key_file", path, mistakes)?);
        if let Some(url) = &self.base_url {
            settings.base_url.clone_from(url);
        }
        kept(SendGrid::new(&settings), mistakes)
    }
}

/// A transport, or its mistakes noted.
fn kept<T: MailTransport + 'static>(
    built: Result<T, Vec<Mistake>>,
    mistakes: &mut Mistakes,
) -> Option<Arc<dyn MailTransport>> {
    match built {
        Ok(transport) => Some(Arc::new(transport)),
        Err(found) => {
            for mistake in found {
                mistakes.add(&mistake.key, mistake.sentence);
            }
            None
        }
    }
}

/// Reads a secret that not everybody may read.
pub(super) fn secret(key: &str, path: &Path, mistakes: &mut Mistakes) -> Option<Token> {
    let shown = path.display();
    mistakes.unless(
        !master_key::is_open(path),
        key,
        format_args!("everybody on this machine can read {shown}: run `chmod 600 {shown}`"),
    );
    match std::fs::read_to_string(path) {
        Ok(text) => Some(Token::new(text.trim().to_owned())),
        Err(error) => {
            mistakes.add(key, format_args!("{shown}: {error}"));
            None
        }
    }
}
