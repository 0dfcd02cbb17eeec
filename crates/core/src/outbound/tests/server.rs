//! A server on loopback that answers well, badly or not at all, and remembers what it was asked.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::outbound::{Options, Outbound};
use crate::ports::{Clock, Resolver, Resolving};
use crate::time::Timestamp;

pub(crate) const AUTHORITY: &[u8] = include_bytes!("../../../tests/all/messages/tls/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../../tests/all/messages/tls/server.pem");
const KEY: &[u8] = include_bytes!("../../../tests/all/messages/tls/server.key");

/// What a server does with a request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Sends these bytes, then keeps the connection open and says nothing more.
    Stalls(Vec<u8>),
    /// Sends a head, then a byte every few milliseconds.
    Drips,
    /// Sends a head, then pieces until nobody reads.
    Floods,
}

pub(crate) struct Server {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    /// How much of a flood was taken.
    pub(crate) flooded: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn new(reply: impl Fn(&str) -> Reply + Clone + Send + 'static) -> Self {
        Self::start(reply, None).await
    }

    /// Speaks TLS, as `localhost`, with a certificate of [`AUTHORITY`].
    pub(crate) async fn with_tls(answer: Vec<u8>) -> Self {
        let certificate = CertificateDer::pem_slice_iter(CERTIFICATE).map(Result::unwrap);
        let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificate.collect(), key)
            .unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        Self::start(move |_| Reply::Bytes(answer.clone()), Some(tls)).await
    }

    async fn start(
        reply: impl Fn(&str) -> Reply + Clone + Send + 'static,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            asked: Arc::default(),
            connections: Arc::default(),
            flooded: Arc::default(),
        };
        let [connections, flooded] = [&server.connections, &server.flooded].map(Arc::clone);
        let asked = Arc::clone(&server.asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let talk = Talk {
                    reply: reply.clone(),
                    asked: Arc::clone(&asked),
                    flooded: Arc::clone(&flooded),
                };
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => talk.over(stream).await,
                        Some(tls) => talk.over(tls.accept(stream).await?).await,
                    }
                });
            }
        });
        server
    }

    /// Answers this to everything.
    pub(crate) async fn says(status: u16, body: &str) -> Self {
        let answer = answer(status, body);
        Self::new(move |_| Reply::Bytes(answer.clone())).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A whole answer.
pub(crate) fn answer(status: u16, body: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n");
    format!("{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into()
}

struct Talk<R> {
    reply: R,
    asked: Arc<Mutex<Vec<String>>>,
    flooded: Arc<AtomicUsize>,
}

impl<R: Fn(&str) -> Reply> Talk<R> {
    async fn over(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let request = request(&mut stream).await;
        let what = (self.reply)(&request);
        self.asked.lock().unwrap().push(request);
        send(stream, what, &self.flooded).await
    }
}

async fn request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if read == 0 {
                return text;
            }
            continue;
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if read == 0 || body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return text;
        }
    }
}

async fn send(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    reply: Reply,
    flooded: &AtomicUsize,
) -> io::Result<()> {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    match reply {
        Reply::Bytes(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        }
        Reply::Stalls(bytes) => {
            stream.write_all(&bytes).await?;
            stream.read(&mut [0]).await.map(drop)
        }
        Reply::Drips => {
            stream.write_all(HEAD).await?;
            loop {
                stream.write_all(b"1\r\n \r\n").await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Reply::Floods => {
            let piece = [b"2000\r\n", &[b' '; 0x2000][..], b"\r\n"].concat();
            stream.write_all(HEAD).await?;
            loop {
                stream.write_all(&piece).await?;
                flooded.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
    }
}

/// A clock to move.
pub(crate) struct Moved(AtomicI64);

impl Moved {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_767_225_600_000_000)))
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.0.fetch_add(crate::time::micros_of(span), Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Answers each question with the next of these, then with the last for good.
pub(crate) struct Names {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Names {
    pub(crate) fn new<const N: usize>(answers: [&[&str]; N]) -> Arc<Self> {
        let parse = |all: &&[&str]| all.iter().map(|one| one.parse().unwrap()).collect();
        Arc::new(Self { answers: answers.iter().map(parse).collect(), asked: 0.into() })
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolver for Names {
    fn resolve(&self, _: &str) -> Resolving {
        let n = self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
        let answer = self.answers[n].clone();
        Box::pin(async move { Ok(answer) })
    }
}

/// Short deadlines: what hangs hangs for good.
pub(crate) fn impatient() -> Options {
    Options { deadline: Duration::from_millis(300), ..Options::default() }
}

pub(crate) fn outbound(clock: &Arc<Moved>, options: Options) -> Outbound {
    Outbound::new(Arc::<Moved>::clone(clock), options).unwrap()
}
