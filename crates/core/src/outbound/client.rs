//! The HTTP client, and the addresses it is given.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, redirect};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::addresses::Reach;
use crate::ports::Resolver;

/// No host needs more.
const MOST_ADDRESSES: usize = 16;
/// Headers of an answer; more are a fault of the provider or an attack.
const MOST_HEADERS: usize = 100;

/// A client that follows no redirect, asks no proxy of the environment, and trusts the public
/// roots it was built with: `reqwest` alone would look for the system's, which a bare container
/// does not have.
pub(crate) fn builder(deadline: Duration) -> Result<ClientBuilder, String> {
    trusting(deadline, None)
}

fn trusting(deadline: Duration, authority: Option<&[u8]>) -> Result<ClientBuilder, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in authority.into_iter().flat_map(CertificateDer::pem_slice_iter) {
        let certificate = certificate.map_err(|_| "an authority is no certificate in PEM")?;
        roots.add(certificate).map_err(|error| format!("an authority cannot be used: {error}"))?;
    }
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(deadline)
        .connect_timeout(deadline / 2))
}

/// The client of a builder.
pub(crate) fn built(builder: ClientBuilder) -> Result<Client, String> {
    builder.build().map_err(|error| format!("the HTTP client cannot be set up: {error}"))
}

/// A client that connects only to addresses within reach.
///
/// HTTP/1.1, and no connection is kept: a place under way is one socket, one answer cannot hold
/// up another, every request's address is looked up and checked anew, and a code is never lost
/// to a connection that the other side was just closing.
pub(super) fn guarded(
    options: &super::Options,
    resolver: &Arc<dyn Resolver>,
    reach: Reach,
) -> Result<Client, String> {
    let guard = Guard { resolver: Arc::clone(resolver), reach };
    let builder = trusting(options.deadline, options.authority.as_deref())?
        .connect_timeout(options.connect)
        .dns_resolver(Arc::new(guard))
        .http1_only()
        .http1_max_headers(MOST_HEADERS)
        .pool_max_idle_per_host(0)
        .retry(reqwest::retry::never())
        .user_agent("Ironlatch");
    built(builder)
}

/// Looks a host up once; what it lets through is what is connected to, so a name that points
/// elsewhere the next moment (DNS rebinding) gains nothing.
struct Guard {
    resolver: Arc<dyn Resolver>,
    reach: Reach,
}

/// A host is at an address out of reach.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutOfReach(pub(super) IpAddr);

impl fmt::Display for OutOfReach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} is out of reach", self.0)
    }
}

impl Error for OutOfReach {}

impl OutOfReach {
    /// Finds it among the causes of a failure.
    pub(super) fn among(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(one) = cause {
            if let Some(found) = one.downcast_ref::<Self>() {
                return Some(*found);
            }
            cause = one.source();
        }
        None
    }
}

impl Guard {
    async fn look_up(self, host: String) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
        let found = self.resolver.resolve(&host).await?;
        // One address out of reach among others is no accident: none of them is taken.
        if let Some(refused) = found.iter().find(|address| !self.reach.allows(**address)) {
            return Err(OutOfReach(*refused).into());
        }
        let addresses: Vec<_> =
            found.into_iter().take(MOST_ADDRESSES).map(|ip| SocketAddr::new(ip, 0)).collect();
        if addresses.is_empty() { Err("no address".into()) } else { Ok(addresses) }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Self { resolver: Arc::clone(&self.resolver), reach: self.reach };
        Box::pin(async move {
            let found = guard.look_up(name.as_str().to_owned()).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
