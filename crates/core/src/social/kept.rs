//! What a provider publishes, kept for a while: its metadata, its keys.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::outbound::OutboundError;
use crate::time::{Timestamp, seconds};

/// How long a failed attempt is not repeated while an older copy serves.
const AFTER_FAILURE: Duration = seconds(15);
/// How often a copy that is fresh may be fetched anew.
const BETWEEN_REFRESHES: Duration = seconds(60);

/// For how long a copy serves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetimes {
    /// Without asking.
    pub(super) fresh: Duration,
    /// When asking fails; then it is gone.
    pub(super) stale: Duration,
}

/// Why there is no copy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FetchError {
    /// The provider did not answer.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// What it answered is not what it should be.
    #[error("{0}")]
    Unusable(&'static str),
}

/// A copy and what it needs to be renewed by one at a time.
pub(super) struct Kept<T> {
    lifetimes: Lifetimes,
    state: Mutex<State<T>>,
    fetching: tokio::sync::Mutex<()>,
}

struct State<T> {
    copy: Option<Copy<T>>,
    /// Attempts that have ended; who waited for one takes what it came to.
    attempts: u64,
    last_failure: Option<(Timestamp, FetchError)>,
    refreshed_at: Option<Timestamp>,
}

struct Copy<T> {
    value: Arc<T>,
    fetched_at: Timestamp,
}

impl<T> Kept<T> {
    pub(super) fn new(lifetimes: Lifetimes) -> Self {
        let state = State { copy: None, attempts: 0, last_failure: None, refreshed_at: None };
        Self { lifetimes, state: Mutex::new(state), fetching: tokio::sync::Mutex::default() }
    }

    /// The copy, fetched where there is none or it is old. Many ask at once, one fetches; the
    /// others wait for it only if they have nothing to go on with.
    pub(super) async fn current(
        &self,
        now: Timestamp,
        fetch: impl AsyncFnOnce() -> Result<T, FetchError>,
    ) -> Result<Arc<T>, FetchError> {
        if let Some(copy) = self.within(self.lifetimes.fresh, now) {
            return Ok(copy);
        }
        let older = self.within(self.lifetimes.stale, now);
        if let Some(older) = &older
            && self.has_just_failed(now)
        {
            return Ok(Arc::clone(older));
        }
        let before = self.lock().attempts;
        let turn = match (self.fetching.try_lock(), &older) {
            (Ok(turn), _) => turn,
            (Err(_), Some(older)) => return Ok(Arc::clone(older)),
            (Err(_), None) => self.fetching.lock().await,
        };
        if let Some(done) = self.since(before, now) {
            return done;
        }
        let fetched = self.fetch(now, fetch).await;
        drop(turn);
        fetched.or_else(|error| older.ok_or(error))
    }

    /// A copy newer than `seen`, because something is missing from that: at most one fetch a
    /// minute, whoever asks. `None` when there is nothing newer.
    pub(super) async fn newer(
        &self,
        seen: &Arc<T>,
        now: Timestamp,
        fetch: impl AsyncFnOnce() -> Result<T, FetchError>,
    ) -> Option<Arc<T>> {
        let _turn = self.fetching.lock().await;
        {
            let mut state = self.lock();
            if let Some(copy) = &state.copy
                && !Arc::ptr_eq(&copy.value, seen)
            {
                return Some(Arc::clone(&copy.value));
            }
            let is_too_soon = |at: Timestamp| now >= at && now.since(at) < BETWEEN_REFRESHES;
            if state.refreshed_at.is_some_and(is_too_soon) {
                return None;
            }
            state.refreshed_at = Some(now);
        }
        self.fetch(now, fetch).await.ok()
    }

    async fn fetch(
        &self,
        now: Timestamp,
        fetch: impl AsyncFnOnce() -> Result<T, FetchError>,
    ) -> Result<Arc<T>, FetchError> {
        let fetched = fetch().await.map(Arc::new);
        let mut state = self.lock();
        state.attempts += 1;
        match &fetched {
            Ok(value) => {
                state.copy = Some(Copy { value: Arc::clone(value), fetched_at: now });
                state.last_failure = None;
            }
            Err(error) => state.last_failure = Some((now, error.clone())),
        }
        fetched
    }

    /// What the attempt came to that ended while we waited for our turn.
    fn since(&self, before: u64, now: Timestamp) -> Option<Result<Arc<T>, FetchError>> {
        if let Some(copy) = self.within(self.lifetimes.fresh, now) {
            return Some(Ok(copy));
        }
        let state = self.lock();
        let failure = state.last_failure.as_ref().filter(|_| state.attempts != before)?;
        Some(Err(failure.1.clone()))
    }

    /// The copy, if it is not older than this. One from the future, as a clock set back makes
    /// it, is of no known age.
    fn within(&self, age: Duration, now: Timestamp) -> Option<Arc<T>> {
        let state = self.lock();
        let copy = state.copy.as_ref()?;
        let is_young = now >= copy.fetched_at && now.since(copy.fetched_at) < age;
        is_young.then(|| Arc::clone(&copy.value))
    }

    fn has_just_failed(&self, now: Timestamp) -> bool {
        let just = |at: Timestamp| now >= at && now.since(at) < AFTER_FAILURE;
        self.lock().last_failure.as_ref().is_some_and(|(at, _)| just(*at))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
