//! The server's life: bind, open, answer, stop.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use ironlatch_core::settings::{ProviderKind, Settings};
use ironlatch_core::workers::Workers;
use ironlatch_web::serving::{AccessLog, Serving};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::app;
use crate::dev::Development;
use crate::metrics;
use crate::opening::{Opened, Opening};

/// What requests under way may take after a signal; the workers get the rest of the ten seconds.
const LAST_REQUESTS: Duration = Duration::from_secs(6);
const LAST_WORK: Duration = Duration::from_millis(3_500);

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
    let router = app::router(&opened.auth, &settings, development.as_ref())?;
    let serving = Serving {
        trusted_proxies: settings.web.trusted_proxies.clone(),
        access_log: access_log.clone(),
        max_connections: settings.max_connections.min(most_connections()),
        max_connections_per_network: settings.max_connections_per_network,
        last_requests: LAST_REQUESTS,
    };
    announce(address, development.is_some());
    warn_of_wide_words(&settings.core);
    let stop = async {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    };
    serving.run(listener, router, opened.auth.random(), stop).await;
    finish(opened, workers, access_log.as_ref()).await;
    Ok(())
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// As many connections as there can be files open, less what the database and mail need; the
/// limit is raised as far as the system allows first.
fn most_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised the old limit holds.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files.saturating_sub(128)).unwrap_or(usize::MAX).max(64)
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

/// An issuer is believed about the addresses of every domain unless somebody says which are its
/// own (attack C02).
fn warn_of_wide_words(settings: &Settings) {
    for (name, provider) in &settings.social {
        if provider.kind == ProviderKind::Oidc && provider.email_domains.is_empty() {
            tracing::warn!(
                provider = name,
                "social.{name}.email_domains: whoever runs this provider is believed about the \
                 addresses of every domain; name those that are its own"
            );
        }
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
