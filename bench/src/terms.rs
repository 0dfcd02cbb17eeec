//! How long things are measured.

use std::time::Duration;

/// Every ratio is measured this many times; the median counts.
pub(crate) const ROUNDS: usize = 5;

/// Lengths of what is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// Load runs this long before counting begins.
    pub(crate) warm_up: Duration,
    /// A window of something fast (requests, signatures).
    pub(crate) window: Duration,
    /// A window of something slow (hashing, at about ninety a second).
    pub(crate) slow_window: Duration,
    /// Probes in each round of each state of `isolation`.
    pub(crate) probes: u32,
    /// Between readiness and the look at idle memory.
    pub(crate) idle: Duration,
    /// The larger store of `lookups`.
    pub(crate) many_accounts: u32,
}

impl Terms {
    /// As figures are usually quoted.
    pub(crate) const fn usual() -> Self {
        Self {
            warm_up: Duration::from_millis(300),
            window: Duration::from_millis(1_500),
            slow_window: Duration::from_secs(3),
            probes: 1_000,
            idle: Duration::from_secs(10),
            many_accounts: 1_000_000,
        }
    }

    /// As the figures are defined: 30,000 probes in each state.
    pub(crate) const fn full() -> Self {
        Self { probes: 6_000, ..Self::usual() }
    }

    /// To try the bench itself; its figures mean little.
    pub(crate) const fn quick() -> Self {
        Self {
            warm_up: Duration::from_millis(100),
            window: Duration::from_millis(300),
            slow_window: Duration::from_millis(600),
            probes: 100,
            idle: Duration::from_secs(1),
            many_accounts: 100_000,
        }
    }
}
