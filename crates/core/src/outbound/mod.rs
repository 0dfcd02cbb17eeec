//! The one client that asks other servers.
//!
//! Each provider has a line of its own (`Outbound::line`): so many requests under way at once,
//! and a breaker that leaves a provider alone which does not answer. Every request has a
//! deadline and a largest answer, follows no redirect, and connects only to addresses that were
//! checked: none of private networks unless the line allows them (attack F17).
//!
//! What is asked carries secrets, in forms, headers and queries; nothing here is printed but
//! the line's name and the host.

mod addresses;
mod breaker;
mod client;
mod exchange;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Client;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use addresses::Reach;
use breaker::Breaker;
pub(crate) use client::{builder, built};
pub(crate) use exchange::{Answer, Ask};

use crate::ports::{Clock, Resolver, SystemResolver};
use crate::time::seconds;

/// What the client may take; the defaults are what serves, others are for tests.
#[derive(Clone)]
pub struct Options {
    /// Where hosts are; the system's resolver where not given.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// Authorities trusted besides the public ones, in PEM.
    pub authority: Option<Vec<u8>>,
    /// Until a connection stands: name, TCP and TLS.
    pub connect: Duration,
    /// Until an answer is complete.
    pub deadline: Duration,
    /// Until everything is asked that one errand asks.
    pub errand: Duration,
    /// Requests under way on one line; more are turned away at once.
    pub under_way: usize,
    /// Failures in a row that open a line's breaker.
    pub failures: u32,
    /// How long it then stays open.
    pub rest: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            resolver: None,
            authority: None,
            connect: seconds(3),
            deadline: seconds(5),
            errand: seconds(10),
            under_way: 16,
            failures: 5,
            rest: seconds(30),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutboundError {
    /// The host is at an address that this line does not take.
    #[error("{0} is an address that is not connected to")]
    Refused(IpAddr),
    /// Not a URL that this line takes: `https`, or `http` where private addresses are allowed;
    /// without user name and password, and not too long to be one.
    #[error("the URL is not one that is asked")]
    BadUrl,
    /// The answer is larger than it may be.
    #[error("the answer is too large")]
    TooLarge,
    /// No complete answer in time.
    #[error("there was no answer in time")]
    TimedOut,
    /// No connection, or it broke, or what came is no HTTP.
    #[error("there was no answer")]
    Unreachable,
    /// The answer sends us elsewhere; nobody goes.
    #[error("the answer is a redirect")]
    Redirected,
    /// Nothing was asked: the breaker is open, or too much is under way.
    #[error("the provider is not asked for now")]
    Unavailable {
        /// When trying again makes sense; whole seconds, never zero.
        retry_after: Duration,
    },
}

impl OutboundError {
    /// The word in metrics and logs.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::BadUrl => "bad_url",
            Self::TooLarge => "too_large",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::Redirected => "redirected",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// Whether it says that the provider is not well, which opens the breaker. Not what a
    /// stranger can bring about: a question that cannot be asked, or a profile without end.
    const fn is_failure(self) -> bool {
        matches!(self, Self::TimedOut | Self::Unreachable)
    }
}

/// Everything an `Auth` asks other servers goes through this.
pub(crate) struct Outbound {
    clock: Arc<dyn Clock>,
    options: Options,
    clients: Clients,
    /// By the names of the configuration, so there are never more than a few.
    lines: Mutex<HashMap<String, Arc<LineState>>>,
}

/// A connection may be kept by one client for another's use, so each reach has its own.
struct Clients {
    public: Client,
    anywhere: Client,
    private: Client,
}

struct LineState {
    under_way: Arc<Semaphore>,
    breaker: Breaker,
}

/// The way to one provider, for one errand.
pub(crate) struct Line<'a> {
    outbound: &'a Outbound,
    state: Arc<LineState>,
    name: String,
    allows_private: bool,
    until: Instant,
}

impl Outbound {
    /// Sets the clients up.
    pub(crate) fn new(clock: Arc<dyn Clock>, options: Options) -> Result<Self, String> {
        let resolver: Arc<dyn Resolver> =
            options.resolver.clone().unwrap_or_else(|| Arc::new(SystemResolver));
        let client = |reach| client::guarded(&options, &resolver, reach);
        let clients = Clients {
            public: client(Reach::Public)?,
            anywhere: client(Reach::Anywhere)?,
            private: client(Reach::Private)?,
        };
        Ok(Self { clock, options, clients, lines: Mutex::default() })
    }

    /// The way to the provider of this name, for one errand: what is asked through it has one
    /// end together. Breaker and places are the name's, whoever holds a line.
    pub(crate) fn line(&self, name: &str, allows_private: bool) -> Line<'_> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let state = lines.entry(name.to_owned()).or_insert_with(|| {
            let under_way = Arc::new(Semaphore::new(self.options.under_way));
            Arc::new(LineState { under_way, breaker: Breaker::default() })
        });
        Line {
            outbound: self,
            state: Arc::clone(state),
            name: name.to_owned(),
            allows_private,
            until: Instant::now() + self.options.errand,
        }
    }
}

impl Line<'_> {
    /// The provider's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it takes `http` and private addresses.
    pub(crate) const fn allows_private(&self) -> bool {
        self.allows_private
    }
}
