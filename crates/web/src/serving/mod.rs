//! Answering connections: HTTP/1.1 with deadlines, a cap, request ids and an access log.
//!
//! Used by the binary; an application with a server of its own needs none of it.

mod access_log;
mod around;
mod connection;
mod networks;
mod request_id;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use ipnet::IpNet;
use ironlatch_core::ports::Random;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

pub use access_log::AccessLog;
use around::Around;
use connection::{Pace, PacedStream};
use networks::Networks;
use request_id::RequestIds;
pub use request_id::current_request_id;

/// Head of a request: request line and header fields together.
const LARGEST_HEAD: usize = 32 * 1024;
const MOST_FIELDS: usize = 100;

/// How connections are answered.
pub struct Serving {
    /// Networks of proxies whose forwarding headers and request ids are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where each request gets a line; none without one.
    pub access_log: Option<AccessLog>,
    /// Connections at a time; more wait in the kernel's queue.
    pub max_connections: usize,
    /// Of these, how many one network may have: one IPv4 address or IPv6 /64. More are closed
    /// at once. Trusted proxies may have any number, this machine 1,024.
    pub max_connections_per_network: usize,
    /// What requests under way may take after the end was asked for.
    pub last_requests: Duration,
}

impl Serving {
    /// Accepts and answers until `stop`, then lets requests under way finish.
    pub async fn run(
        self,
        listener: TcpListener,
        router: Router,
        random: &dyn Random,
        stop: impl Future<Output = ()>,
    ) {
        let mut protocol = http1::Builder::new();
        protocol
            .header_read_timeout(None)
            .max_headers(MOST_FIELDS)
            .max_header_size(LARGEST_HEAD)
            .max_buf_size(LARGEST_HEAD + 1024);
        let around = Arc::new(Around {
            router,
            ids: RequestIds::new(random),
            access_log: self.access_log,
            trusted_proxies: self.trusted_proxies,
        });
        let places = Arc::new(Semaphore::new(self.max_connections));
        let networks = Networks::new(self.max_connections_per_network);
        let graceful = GracefulShutdown::new();
        tokio::pin!(stop);
        loop {
            let accepted = async {
                // The semaphore is never closed.
                let permit = Arc::clone(&places).acquire_owned().await.ok();
                (permit, accept(&listener).await)
            };
            let (permit, (stream, peer)) = tokio::select! {
                accepted = accepted => accepted,
                () = &mut stop => break,
            };
            let is_proxy = around.is_trusted(peer.ip());
            let Some(seat) = networks.admit(peer.ip(), is_proxy) else { continue };
            let pace = Pace::default();
            let stream = TokioIo::new(PacedStream::new(stream, pace.clone()));
            let application = Arc::clone(&around);
            let service = service_fn(move |request| {
                Arc::clone(&application).answer(peer.ip(), pace.clone(), request)
            });
            let connection = graceful.watch(protocol.serve_connection(stream, service));
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection broke");
                }
                drop((permit, seat));
            });
        }
        drop(listener);
        tracing::info!("stopping");
        if timeout(self.last_requests, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests were still running after {:?}", self.last_requests);
        }
    }
}

/// The next connection, whatever it takes.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Without it answers wait for acknowledgements; a failure only costs time.
                drop(stream.set_nodelay(true));
                return (stream, peer);
            }
            Err(error) => {
                // Out of file descriptors, most likely: they come back as connections end.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use ironlatch_core::ports::SystemRandom;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_panic_in_a_handler_is_one_requests_misfortune() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/panic", get(async || -> &'static str { panic!("a fault of the handler") }))
            .route("/fine", get(async || current_request_id().unwrap_or_default()));
        let serving = Serving {
            trusted_proxies: Vec::new(),
            access_log: None,
            max_connections: 1,
            max_connections_per_network: 1,
            last_requests: Duration::from_secs(1),
        };
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            serving.run(listener, router, &SystemRandom, stopped).await;
        });
        let answer = ask(address, "/panic").await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert!(answer.contains("internal_error") && !answer.contains("fault"), "{answer}");
        let answer = ask(address, "/fine").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let (_, id) = answer.split_once("x-request-id: ").unwrap();
        let (id, _) = id.split_once("\r\n").unwrap();
        assert!(answer.ends_with(&format!("\r\n\r\n{id}")), "the handler knows the id: {answer}");
        stop.send(()).unwrap();
        running.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nothing is accepted any more");
    }
}
