//! Counters in memory, by client network (GCRA, from the crate `governor`).

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use quick_cache::sync::Cache;

use super::{MailKind, TooMany};
use crate::client::Network;
use crate::ids::AccountId;
use crate::ports::Clock;
use crate::settings::Settings;
use crate::time::{Timestamp, hours, minutes};

/// No counter keeps more keys than this (about 10 MB). While one is full, newcomers go
/// uncounted here; the limits by identifier, the hash gate's queue and the other counters hold.
const MOST_KEYS: usize = 100_000;
/// A full counter looks for keys that no longer matter this often, not at every call.
const SWEEP_PAUSE: Duration = Duration::from_secs(10);

/// Sources remembered by a node (about 2 MB); one forgotten is counted as new again.
const MOST_SOURCES_KNOWN: usize = 10_000;

/// What networks, and accounts where that is enough, are counted for.
pub(crate) struct NetworkLimits {
    pub(super) sign_ins: Counter<Network>,
    pub(super) sign_ups: Counter<Network>,
    pub(super) identity_accounts: Counter<Network>,
    pub(super) mail_requests: Counter<Network>,
    pub(super) mails: Counter<(MailKind, Network, [u8; 32])>,
    pub(super) sms: Counter<Network>,
    pub(super) new_sources: Counter<Network>,
    pub(super) avatars: Counter<AccountId>,
    /// Sources that were let through: coming from them again is not counted.
    pub(super) known_sources: Cache<String, ()>,
}

impl NetworkLimits {
    /// Counters as the settings say, going by the given clock.
    pub(crate) fn new(settings: &Settings, clock: &Arc<dyn Clock>) -> Self {
        let sms = settings.sms.per_network_hour;
        let settings = &settings.limits;
        let minute = minutes(1);
        let hour = hours(1);
        let sign_ins = settings.sign_ins_per_network_minute;
        let sign_ups = settings.sign_ups_per_network_hour;
        let made = settings.identity_accounts_per_network_hour;
        let requests = settings.mails_per_network_hour;
        let mails = settings.mails_per_identifier_and_network_hour;
        let sources = settings.new_sources_per_network_hour;
        let avatars = settings.avatars_per_account_hour;
        Self {
            sign_ins: Counter::new(sign_ins, minute, sign_ins.saturating_mul(10), clock),
            sign_ups: Counter::new(sign_ups, hour, sign_ups, clock),
            identity_accounts: Counter::new(made, hour, made, clock),
            mail_requests: Counter::new(requests, hour, requests, clock),
            mails: Counter::new(mails, hour, mails, clock),
            sms: Counter::new(sms, hour, sms, clock),
            new_sources: Counter::new(sources, hour, sources, clock),
            avatars: Counter::new(avatars, hour, avatars, clock),
            known_sources: Cache::new(MOST_SOURCES_KNOWN),
        }
    }

    /// Drops what no longer matters.
    pub(super) fn sweep(&self) {
        self.sign_ins.sweep();
        self.sign_ups.sweep();
        self.identity_accounts.sweep();
        self.mail_requests.sweep();
        self.mails.sweep();
        self.sms.sweep();
        self.new_sources.sweep();
        self.avatars.sweep();
    }
}

/// One counter for each key.
pub(super) struct Counter<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, HashMapStateStore<K>, ForwardClock, NoOpMiddleware<Nanos>>,
    clock: ForwardClock,
    most_keys: usize,
    swept_at: AtomicI64,
}

impl<K: Hash + Eq + Clone> Counter<K> {
    fn new(times: u32, span: Duration, burst: u32, clock: &Arc<dyn Clock>) -> Self {
        let times = NonZeroU32::new(times).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        // A period of zero is the one thing `with_period` refuses; spans are minutes and hours.
        let quota = Quota::with_period(span / times.get()).unwrap_or(Quota::per_hour(times));
        let clock = ForwardClock::new(Arc::clone(clock));
        let state = HashMapStateStore::new(std::collections::HashMap::new());
        let limiter = RateLimiter::new(quota.allow_burst(burst), state, clock.clone());
        Self { limiter, clock, most_keys: MOST_KEYS, swept_at: AtomicI64::new(i64::MIN) }
    }

    /// Counts once more, or says when it would be allowed.
    pub(super) fn admit(&self, key: &K, now: Timestamp) -> Result<(), TooMany> {
        if self.limiter.len() >= self.most_keys && !self.make_room(now) {
            return Ok(());
        }
        self.limiter.check_key(key).map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now());
            TooMany { retry_at: now.plus(wait) }
        })
    }

    /// Drops keys that no longer matter, now and then; answers whether there is room.
    fn make_room(&self, now: Timestamp) -> bool {
        let swept_at = Timestamp::from_micros(self.swept_at.load(Ordering::Relaxed));
        if now.since(swept_at) < SWEEP_PAUSE {
            return false;
        }
        self.swept_at.store(now.micros(), Ordering::Relaxed);
        self.sweep();
        self.limiter.len() < self.most_keys
    }

    fn sweep(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

/// The product's clock as a counter sees it: it only goes forward. A clock set back stands
/// still for that one step instead of blocking everybody until it has caught up (attack H23).
#[derive(Clone)]
struct ForwardClock {
    clock: Arc<dyn Clock>,
    progress: Arc<Mutex<Progress>>,
}

struct Progress {
    last_seen: Timestamp,
    elapsed: Duration,
}

impl ForwardClock {
    fn new(clock: Arc<dyn Clock>) -> Self {
        let last_seen = clock.now();
        Self {
            clock,
            progress: Arc::new(Mutex::new(Progress { last_seen, elapsed: Duration::ZERO })),
        }
    }
}

impl GovernorClock for ForwardClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let now = self.clock.now();
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let step = now.since(progress.last_seen);
        progress.elapsed += step;
        progress.last_seen = now;
        progress.elapsed.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0.load(Ordering::SeqCst))
        }
    }

    fn hour_counter(times: u32) -> (Arc<Hand>, Counter<u8>) {
        let hand = Arc::new(Hand(AtomicI64::new(1_000_000_000)));
        let clock: Arc<dyn Clock> = hand.clone();
        (hand, Counter::new(times, hours(1), times, &clock))
    }

    #[test]
    fn a_burst_is_allowed_then_one_at_a_time() {
        let (hand, counter) = hour_counter(5);
        for _ in 0..5 {
            counter.admit(&1, hand.now()).unwrap();
        }
        let refused = counter.admit(&1, hand.now()).unwrap_err();
        assert_eq!(refused.retry_at.since(hand.now()), minutes(12));
        counter.admit(&2, hand.now()).unwrap();
        hand.0.fetch_add(720_000_000, Ordering::SeqCst);
        counter.admit(&1, hand.now()).unwrap();
        counter.admit(&1, hand.now()).unwrap_err();
    }

    #[test]
    fn a_full_counter_stays_full_and_sweeps_now_and_then_only() {
        let (hand, mut counter) = hour_counter(1);
        counter.most_keys = 3;
        for key in 0..3 {
            counter.admit(&key, hand.now()).unwrap();
        }
        for key in 3..200 {
            counter.admit(&key, hand.now()).unwrap();
        }
        assert_eq!(counter.limiter.len(), 3);
        hand.0.fetch_add(7_200_000_001, Ordering::SeqCst);
        counter.admit(&201, hand.now()).unwrap();
        assert_eq!(counter.limiter.len(), 1, "what no longer matters made room");
        counter.admit(&201, hand.now()).unwrap_err();
    }

    #[test]
    fn a_clock_set_back_blocks_nobody() {
        let (hand, counter) = hour_counter(5);
        for _ in 0..4 {
            counter.admit(&1, hand.now()).unwrap();
        }
        hand.0.fetch_sub(900_000_000, Ordering::SeqCst);
        counter.admit(&1, hand.now()).unwrap();
        hand.0.fetch_add(720_000_000, Ordering::SeqCst);
        counter.admit(&1, hand.now()).unwrap();
    }
}
