//! A mail server of one page: speaks as much SMTP as a client needs, and misbehaves on demand.

use std::future::pending;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub(super) const AUTHORITY: &[u8] = include_bytes!("tls/authority.pem");

/// What the server does wrong, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Answers this step with this code.
    At(&'static str, u16),
    /// Takes the text and answers nothing.
    HangAfterData,
    /// Takes the text and hangs up.
    DropAfterData,
    /// Says more than it should before TLS begins, as somebody on the way would.
    InjectAtStartTls,
    /// Greets nobody.
    HangAtOnce,
}

/// How the server protects connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protection {
    None,
    StartTls,
    Tls,
}

/// What a server saw.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) connections: usize,
    /// Every command line, in order; over TLS with a `*` before it.
    pub(super) commands: Vec<String>,
    /// The texts that were answered with 250 or left unanswered.
    pub(super) texts: Vec<String>,
}

/// A server on a port of its own, until the test ends.
pub(super) struct SmtpServer {
    pub(super) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    fault: Mutex<Fault>,
    protection: Protection,
    tls: TlsAcceptor,
    seen: Mutex<Seen>,
}

impl SmtpServer {
    pub(super) async fn start(protection: Protection, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            fault: Mutex::new(fault),
            protection,
            tls: acceptor(),
            seen: Mutex::default(),
        });
        let server = Self { port, shared: shared.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = shared.clone();
                // A client that hangs up ends its own connection and nothing else.
                tokio::spawn(async move { shared.serve(stream).await });
            }
        });
        server
    }

    pub(super) fn behave(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
    }

    pub(super) fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.shared.seen.lock().unwrap())
    }

    /// Whether a command came, and over TLS.
    pub(super) fn heard(&self, command: &str) -> bool {
        self.seen(|seen| seen.commands.iter().any(|line| line.starts_with(command)))
    }
}

impl Shared {
    async fn serve(&self, stream: TcpStream) -> Option<()> {
        self.seen.lock().unwrap().connections += 1;
        if self.protection == Protection::Tls {
            let stream = self.tls.accept(stream).await.ok()?;
            return self.talk(BufReader::new(stream), true).await.map(drop);
        }
        let plain = self.talk(BufReader::new(stream), false).await?;
        let stream = self.tls.accept(plain.into_inner()).await.ok()?;
        self.talk(BufReader::new(stream), true).await.map(drop)
    }

    /// Serves until the client leaves, or until it asked for STARTTLS and was told to go on.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: BufReader<S>,
        encrypted: bool,
    ) -> Option<BufReader<S>> {
        let after_upgrade = encrypted && self.protection == Protection::StartTls;
        if !after_upgrade {
            if self.fault() == Fault::HangAtOnce {
                pending::<()>().await;
            }
            say(&mut stream, "220 ready").await?;
        }
        loop {
            let line = self.command(&mut stream, encrypted).await?;
            let word = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            if let Fault::At(step, code) = self.fault()
                && step == word
            {
                say(&mut stream, &format!("{code} <ada@example.com> no")).await?;
                continue;
            }
            match word.as_str() {
                "EHLO" if self.protection == Protection::StartTls && !encrypted => {
                    say(&mut stream, "250-here\r\n250 STARTTLS").await?;
                }
                "EHLO" => say(&mut stream, "250-here\r\n250 AUTH PLAIN LOGIN").await?,
                "STARTTLS" if self.fault() == Fault::InjectAtStartTls => {
                    say(&mut stream, "220 go on\r\n250-here\r\n250 AUTH PLAIN").await?;
                    return Some(stream);
                }
                "STARTTLS" => {
                    say(&mut stream, "220 go on").await?;
                    return Some(stream);
                }
                "AUTH" => say(&mut stream, "235 welcome").await?,
                "DATA" => self.take_text(&mut stream).await?,
                "QUIT" => return None,
                _ => say(&mut stream, "250 fine").await?,
            }
        }
    }

    async fn take_text<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
    ) -> Option<()> {
        say(stream, "354 the text, please").await?;
        let mut text = String::new();
        loop {
            let line = read_line(stream).await?;
            if line == ".\r\n" {
                break;
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
        }
        match self.fault() {
            Fault::At("TEXT", code) => return say(stream, &format!("{code} no")).await,
            _ => self.seen.lock().unwrap().texts.push(text),
        }
        match self.fault() {
            Fault::HangAfterData => pending().await,
            Fault::DropAfterData => None,
            _ => say(stream, "250 taken").await,
        }
    }

    async fn command<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        encrypted: bool,
    ) -> Option<String> {
        let line = read_line(stream).await?.trim_end().to_owned();
        let mark = if encrypted { "*" } else { "" };
        self.seen.lock().unwrap().commands.push(format!("{mark}{line}"));
        Some(line)
    }

    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap()
    }
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut line = String::new();
    let length = stream.read_line(&mut line).await.ok()?;
    (length > 0).then_some(line)
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    line: &str,
) -> Option<()> {
    stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.ok()?;
    stream.get_mut().flush().await.ok()
}

/// TLS with a certificate of the tests' own authority.
pub(super) fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
