//! SMTP (RFC 5321), encrypted before anything is said, except to this machine itself.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::careful::Careful;
use super::rfc5322;
use crate::ports::{Mail, MailTransport, SendError, Token};
use crate::settings::Mistake;
use crate::time::seconds;

/// Connections kept for the next mail.
const PARKED: usize = 4;
/// How long a connection is kept; mail servers end idle ones after minutes (RFC 5321 §4.5.3.2).
const PARKED_FOR: Duration = seconds(30);

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// STARTTLS (RFC 3207), refused when the server does not offer it. Port 587.
    StartTls,
    /// TLS from the first byte (RFC 8314 §3.3). Port 465.
    Tls,
    /// None; only to this machine. Port 25.
    PlainOnLoopback,
}

/// Where the mail server is and how it is talked to.
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    /// Its name, which its certificate must carry.
    pub host: String,
    /// Its port, where it is not the usual one for `security`.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// Whom to sign in as, and the password.
    pub credentials: Option<(String, Token)>,
    /// A certificate authority of one's own, in PEM, trusted besides the public ones.
    pub authority: Option<Vec<u8>>,
    /// How long handing over one mail may take, connecting included.
    pub deadline: Duration,
}

impl SmtpSettings {
    /// STARTTLS on port 587, signed in as nobody.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: None,
            security: SmtpSecurity::StartTls,
            credentials: None,
            authority: None,
            deadline: seconds(25),
        }
    }
}

/// A mail server spoken to over SMTP.
///
/// Connections are kept by this type and not by `lettre`'s pool: a mail given up half way must
/// close its connection, and a pool that takes it back would write the next mail into the
/// middle of the last one.
pub struct Smtp {
    host: String,
    port: u16,
    security: SmtpSecurity,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    deadline: Duration,
    parked: Mutex<Vec<(Instant, AsyncSmtpConnection)>>,
}

impl Smtp {
    /// Checks the settings; nothing is connected yet.
    pub fn new(settings: SmtpSettings) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let plain = settings.security == SmtpSecurity::PlainOnLoopback;
        if settings.host.is_empty() || settings.host.contains(|c: char| c.is_control() || c == ' ')
        {
            mistakes.push(mistake("mail.smtp.host", "must be the name of the mail server"));
        } else if plain && !is_loopback(&settings.host) {
            let sentence =
                "must be `starttls` or `tls`; without TLS mail goes to this machine only";
            mistakes.push(mistake("mail.smtp.security", sentence));
        }
        let tls = if plain { Ok(None) } else { tls_parameters(&settings).map(Some) };
        match (tls, mistakes.is_empty()) {
            (Ok(tls), true) => Ok(Self {
                host: settings.host,
                port: settings.port.unwrap_or(usual_port(settings.security)),
                security: settings.security,
                tls,
                credentials: settings
                    .credentials
                    .map(|(user, password)| Credentials::new(user, password.reveal().to_owned())),
                deadline: settings.deadline,
                parked: Mutex::new(Vec::new()),
            }),
            (tls, _) => {
                mistakes.extend(tls.err());
                Err(mistakes)
            }
        }
    }

    async fn deliver(&self, mail: &Mail) -> Result<(), SendError> {
        let from = rfc5322::mailbox(&mail.from)?;
        let to = rfc5322::mailbox(&mail.to)?;
        let envelope = (from.email.clone(), to.email.clone());
        let bytes = rfc5322::compose(mail, from, to)?.formatted();
        let mut connection = match self.unpark().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        hand_over(&mut connection, envelope, &bytes).await?;
        self.park(connection).await;
        Ok(())
    }

    /// A kept connection that still answers.
    async fn unpark(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let (since, mut connection) = self.parked.lock().await.pop()?;
            if since.elapsed() < PARKED_FOR && connection.test_connected().await {
                return Some(connection);
            }
        }
    }

    async fn park(&self, connection: AsyncSmtpConnection) {
        let mut parked = self.parked.lock().await;
        parked.retain(|(since, _)| since.elapsed() < PARKED_FOR);
        if parked.len() < PARKED {
            parked.push((Instant::now(), connection));
        }
    }

    /// Connects, encrypts, signs in. Whatever goes wrong here is not this mail's fault, so it is
    /// worth another try even where the server says "never": a password can be set right.
    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let myself = ClientId::default();
        let server = (self.host.as_str(), self.port);
        let mut connection = match (self.security, self.tls.clone()) {
            (SmtpSecurity::StartTls, Some(tls)) => self.upgrade(tls, &myself).await?,
            (_, tls) => {
                let deadline = Some(self.deadline);
                AsyncSmtpConnection::connect_tokio1(server, deadline, &myself, tls, None)
                    .await
                    .map_err(|error| later("connecting", &error))?
            }
        };
        if let Some(credentials) = &self.credentials {
            let signed_in = connection.auth(DEFAULT_MECHANISMS, credentials).await;
            signed_in.map_err(|error| later("AUTH", &error))?;
        }
        Ok(connection)
    }
}

impl Smtp {
    /// Connects in the clear and encrypts before anything else is said; what was said in the
    /// clear does not count afterwards.
    async fn upgrade(
        &self,
        tls: TlsParameters,
        myself: &ClientId,
    ) -> Result<AsyncSmtpConnection, SendError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|_| {
            SendError::Later("connecting failed: the mail server cannot be reached".to_owned())
        })?;
        let (stream, protected) = Careful::new(stream);
        let connected = AsyncSmtpConnection::connect_with_transport(Box::new(stream), myself);
        let mut connection = connected.await.map_err(|error| later("connecting", &error))?;
        let upgraded = connection.starttls(tls, myself).await;
        upgraded.map_err(|error| later("STARTTLS", &error))?;
        protected.begins();
        Ok(connection)
    }
}

impl MailTransport for Smtp {
    fn send<'a>(
        &'a self,
        mail: &'a Mail,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        Box::pin(async move {
            timeout(self.deadline, self.deliver(mail)).await.unwrap_or_else(|_| {
                Err(SendError::Later("the mail server did not answer in time".to_owned()))
            })
        })
    }
}

/// One mail transaction (RFC 5321 §3.3). A refused sender is our configuration's fault and worth
/// another try; a refused recipient or text is final.
async fn hand_over(
    connection: &mut AsyncSmtpConnection,
    (from, to): (Address, Address),
    mail: &[u8],
) -> Result<(), SendError> {
    let mut parameters = Vec::new();
    let in_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
    if !(in_ascii(&from) && in_ascii(&to)) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(SendError::Never("the server takes only addresses in ASCII".to_owned()));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    let sender = connection.command(MailFrom::new(Some(from), parameters)).await;
    sender.map_err(|error| later("MAIL FROM", &error))?;
    let recipient = connection.command(Rcpt::new(to, Vec::new())).await;
    recipient.map_err(|error| verdict("RCPT TO", &error))?;
    connection.command(Data).await.map_err(|error| verdict("DATA", &error))?;
    connection.message(mail).await.map_err(|error| verdict("the text", &error))?;
    Ok(())
}

/// 5xx is final; anything else (4xx, a broken connection, gibberish) is not. "Sign in first"
/// (530, 535, 538) is final in name only.
fn verdict(step: &str, error: &Error) -> SendError {
    let sign_in = error.status().is_some_and(|code| matches!(u16::from(code), 530 | 535 | 538));
    if error.is_permanent() && !sign_in {
        SendError::Never(sentence(step, error))
    } else {
        later(step, error)
    }
}

fn later(step: &str, error: &Error) -> SendError {
    SendError::Later(sentence(step, error))
}

/// What happened, without the server's words: they repeat addresses.
fn sentence(step: &str, error: &Error) -> String {
    let what = match error.status() {
        Some(code) => format!("was answered with {code}"),
        None if error.is_tls() => "failed: the TLS certificate or handshake was refused".to_owned(),
        None if error.is_timeout() => "took too long".to_owned(),
        None if error.is_client() => "is not possible with this server".to_owned(),
        None => "failed: the connection broke or the answer made no sense".to_owned(),
    };
    format!("{step} {what}")
}

fn tls_parameters(settings: &SmtpSettings) -> Result<TlsParameters, Mistake> {
    let mut tls = TlsParameters::builder(settings.host.clone())
        .certificate_store(CertificateStore::WebpkiRoots);
    for authority in authorities(settings)? {
        tls = tls.add_root_certificate(authority);
    }
    tls.build().map_err(|error| mistake("mail.smtp", &format!("TLS cannot be set up: {error}")))
}

/// The operator's own authorities. `lettre` takes a file without certificates for an empty list;
/// here it is a mistake.
fn authorities(settings: &SmtpSettings) -> Result<Vec<Certificate>, Mistake> {
    let Some(pem) = &settings.authority else { return Ok(Vec::new()) };
    let wrong = || mistake("mail.smtp.authority", "must be certificates in PEM");
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|_| wrong())?;
    if found.is_empty() {
        return Err(wrong());
    }
    let der = found.into_iter().map(|one| Certificate::from_der(one.to_vec()));
    der.collect::<Result<_, _>>().map_err(|_| wrong())
}

const fn usual_port(security: SmtpSecurity) -> u16 {
    match security {
        SmtpSecurity::StartTls => 587,
        SmtpSecurity::Tls => 465,
        SmtpSecurity::PlainOnLoopback => 25,
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn mistake(key: &'static str, sentence: &str) -> Mistake {
    Mistake { key: key.into(), sentence: sentence.to_owned() }
}
