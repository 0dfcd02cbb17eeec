//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ironlatch_core::ports::Clock;
use ironlatch_core::time::{Timestamp, micros_of};

/// Where every test begins: 2026-01-01 00:00:00 UTC.
pub const START: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// Tells the time a test has set.
#[derive(Debug)]
pub struct MovedClock {
    micros: AtomicI64,
}

impl MovedClock {
    /// A clock at [`START`].
    #[must_use]
    pub fn new() -> Self {
        Self { micros: AtomicI64::new(START.micros()) }
    }

    /// Lets so much time pass, for every node that shares this clock.
    pub fn advance(&self, span: Duration) {
        self.micros.fetch_add(micros_of(span), Ordering::SeqCst);
    }

    /// Jumps, backwards too: machines' clocks do.
    pub fn set(&self, to: Timestamp) {
        self.micros.store(to.micros(), Ordering::SeqCst);
    }
}

impl Default for MovedClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }
}
