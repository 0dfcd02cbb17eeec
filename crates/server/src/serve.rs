//! The server's life: bind, open, answer, stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use ironlatch_core::workers::Workers;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::app;
use crate::connection::{Pace, PacedStream};
use crate::dev::Development;
use crate::edge::Edge;
use crate::observe::access_log::AccessLog;
use crate::observe::{metrics, request_id::RequestIds};
use crate::opening::{Opened, Opening};

/// What requests in flight may take after a signal; the workers get the rest of the ten seconds.
const LAST_REQUESTS: Duration = Duration::from_secs(6);
const LAST_WORK: Duration = Duration::from_millis(3_500);
/// Head of a request: request line and header fields together.
const LARGEST_HEAD: usize = 32 * 1024;
const MOST_FIELDS: usize = 100;

/// Runs until a signal says to stop.
pub(crate) async fn run(
    mut opening: Opening,
    development: Option<Development>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = bind(opening.settings.listen).await?;
    let address = listener.local_addr()?;
    if !opening.settings.has_public_url {
        opening.settings.core.public_url = format!("http://{address}");
    }
    if let Some(address) = opening.settings.metrics_listen {
        let listener = bind(address).await?;
        tracing::info!(address = %listener.local_addr()?, "metrics");
        metrics::start(listener)?;
    }
    let settings = opening.settings.clone();
    let clock = development.as_ref().map(Development::clock);
    let inbox = development.as_ref().map(Development::inbox);
    let opened = opening.open(clock, inbox).await?;
    let workers = Workers::start(&opened.auth);
    let access_log = settings.access_log.then(AccessLog::start).transpose()?;
    let edge = Arc::new(Edge {
        router: app::router(&opened.auth, &settings, development.as_ref())?,
        ids: RequestIds::new(opened.auth.random()),
        access_log: access_log.clone(),
        trusted_proxies: settings.web.trusted_proxies.clone(),
    });
    announce(address, development.is_some());
    let stop = async {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    };
    answer_until(stop, listener, edge, settings.max_connections).await;
    finish(opened, workers, access_log.as_ref()).await;
    Ok(())
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Says where the server listens, for people or for programs that started it.
fn announce(address: SocketAddr, development: bool) {
    if development {
        let text = include_str!("../templates/welcome.txt");
        eprintln!("{}", text.replace("{address}", &address.to_string()));
    } else {
        tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
    }
}

/// Accepts and answers until `stop`, then lets requests in flight finish.
async fn answer_until(
    stop: impl Future<Output = ()>,
    listener: TcpListener,
    edge: Arc<Edge>,
    max_connections: usize,
) {
    let mut protocol = http1::Builder::new();
    protocol
        .header_read_timeout(None)
        .max_headers(MOST_FIELDS)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(LARGEST_HEAD + 1024);
    let places = Arc::new(Semaphore::new(max_connections));
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let accepted = async {
            // Beyond the cap connections wait in the kernel's queue. The semaphore is never closed.
            let permit = Arc::clone(&places).acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: they come back as connections end.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Without it answers wait for acknowledgements; a failure only costs time.
        drop(stream.set_nodelay(true));
        let pace = Pace::default();
        let stream = TokioIo::new(PacedStream::new(stream, pace.clone()));
        let application = Arc::clone(&edge);
        let service = service_fn(move |request| {
            Arc::clone(&application).answer(peer.ip(), pace.clone(), request)
        });
        let connection = graceful.watch(protocol.serve_connection(stream, service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
            drop(permit);
        });
    }
    drop(listener);
    tracing::info!("stopping");
    if timeout(LAST_REQUESTS, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still running after {LAST_REQUESTS:?} and are cut off");
    }
}

/// Releases leases and writes what is kept in memory.
async fn finish(opened: Opened, workers: Workers, access_log: Option<&AccessLog>) {
    if timeout(LAST_WORK, workers.stop()).await.is_err() {
        tracing::warn!(
            "background work did not end in {LAST_WORK:?}; leases run out by themselves"
        );
    }
    drop(opened);
    if let Some(log) = access_log {
        log.flush();
    }
    tracing::info!("stopped");
}
