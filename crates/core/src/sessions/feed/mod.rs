//! What is no longer true: the revocation feed, as this node has heard it.
//!
//! A batch that revokes ends with two statements: one raises the counter's only row, one
//! inserts a row with the number taken. The counter's row stays locked until the commit, so
//! numbers are in the order of commits and "everything after the last I saw" misses nothing.
//!
//! "All sessions of an account" is one row. It names no moment, since no clock orders what
//! commits together, but the `security_version` that its batch has raised the account to:
//! tokens carry the version their session began with, and a session begins only at the version
//! the account has when it commits.

mod live;
mod store;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

pub(super) use live::Live;

use super::{EndReason, Sessions};
use crate::database::{Batch, Statement, WriteError};
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::settings::WhenBlind;
use crate::time::{Timestamp, micros_of, seconds};
use crate::tokens::SLACK;

/// Events taken in by one read.
const PAGE: usize = 10_000;
/// After so long without a successful poll a node no longer knows what holds.
const BLIND_AFTER: Duration = seconds(5);
/// A clock further from the database's than this is wrong.
const CLOCKS_APART: Duration = seconds(5);

/// What nodes tell each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A session ended.
    Session(SessionId),
    /// All sessions of an account ended, except one.
    AllOf { account: AccountId, except: Option<SessionId> },
    /// An account must be read anew.
    Changed(AccountId),
    /// Signing keys changed.
    Keys,
}

/// An event as it came.
pub(super) struct Heard {
    pub(super) n: i64,
    pub(super) event: Event,
    /// Of `AllOf`: sessions that began below this version of the account are the ended ones.
    pub(super) below_version: i64,
    pub(super) expires_at: Timestamp,
}

/// The feed as this node knows it.
pub(super) struct Feed {
    live: RwLock<Live>,
    /// Monotonic: the wall clock may jump without making anybody blind.
    born: Instant,
    /// When the last successful poll began, in microseconds after `born`.
    heard_at: AtomicU64,
    is_loaded: AtomicBool,
    is_clock_right: AtomicBool,
}

impl Feed {
    pub(super) fn new() -> Self {
        Self {
            live: RwLock::default(),
            born: Instant::now(),
            heard_at: AtomicU64::new(0),
            is_loaded: AtomicBool::new(false),
            is_clock_right: AtomicBool::new(true),
        }
    }

    /// Looks something up; held only for that.
    pub(super) fn with<T>(&self, look: impl FnOnce(&Live) -> T) -> T {
        look(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Live) -> T) -> T {
        change(&mut self.live.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether polls have failed for too long, or the live set was never loaded.
    pub(super) fn is_blind(&self) -> bool {
        let heard = self.born + Duration::from_micros(self.heard_at.load(Ordering::Acquire));
        !self.is_loaded.load(Ordering::Acquire) || heard.elapsed() > BLIND_AFTER
    }

    fn heard_since(&self, began: Instant) {
        let micros = micros_of(began.saturating_duration_since(self.born)).cast_unsigned();
        self.heard_at.fetch_max(micros, Ordering::AcqRel);
        self.is_loaded.store(true, Ordering::Release);
    }
}

impl Sessions<'_> {
    /// Takes in what this node's own batch has just written to the feed, so that it holds here
    /// at once and not after the next poll. Called after every batch with feed rows.
    pub async fn catch_up(&self) -> Result<(), InternalError> {
        self.poll_feed().await
    }

    /// Takes in what any node has written to the feed since the last time. The worker calls it
    /// every half second.
    pub async fn poll_feed(&self) -> Result<(), InternalError> {
        let feed = &self.state().feed;
        let was_blind = feed.is_blind();
        let mut reload_keys = was_blind;
        loop {
            let began = Instant::now();
            let seen = feed.with(Live::seen);
            let (counter, heard) = store::read(self.auth.database(), seen, PAGE).await?;
            if counter < seen {
                // The database is an older one than before: nothing known about it holds.
                tracing::warn!(seen, counter, "the revocation feed went back; loading it anew");
                feed.change(|live| *live = Live::default());
                self.state().accounts.clear();
                self.state().cookies.clear();
                reload_keys = true;
                continue;
            }
            reload_keys |= heard.iter().any(|heard| heard.event == Event::Keys);
            // Before the events count as seen, so that a failure is tried again.
            if reload_keys {
                self.auth.tokens().load().await?;
                reload_keys = false;
            }
            let is_all = heard.len() < PAGE;
            let now = self.auth.clock().now();
            feed.change(|live| live.take_in(heard, is_all.then_some(counter), now));
            if is_all {
                feed.heard_since(began);
                return Ok(());
            }
        }
    }

    /// Compares this node's clock with the database's. The worker calls it every ten seconds.
    pub async fn measure_clock(&self) -> Result<(), InternalError> {
        let apart = self.auth.database().clock_skew().await?.unwrap_or(Duration::ZERO);
        let is_right = apart <= CLOCKS_APART;
        let was_right = self.state().feed.is_clock_right.swap(is_right, Ordering::AcqRel);
        if was_right && !is_right {
            tracing::error!(?apart, "this node's clock differs from the database's; not ready");
        }
        Ok(())
    }

    /// Whether this node may answer: the live set is loaded, polls succeed, and its clock agrees
    /// with the database's within 5 s.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let feed = &self.state().feed;
        !feed.is_blind() && feed.is_clock_right.load(Ordering::Acquire)
    }

    /// Whether checks must be refused because revocations cannot be known.
    pub(super) fn must_refuse(&self) -> bool {
        self.auth.settings().when_blind == WhenBlind::Refuse && self.state().feed.is_blind()
    }

    /// The statements that tell every node. They come last in whichever batch they are appended
    /// to: whoever holds the counter's row must not wait for another's.
    pub(super) fn tell(&self, event: Event, now: Timestamp) -> Batch {
        Batch::at_last(store::tell(event, now, self.last_token_of(now)))
    }

    /// The statements that tell of the oldest session, where the batch before them ended one;
    /// the second returns a row then.
    pub(super) fn tell_if_oldest_ended(
        &self,
        account: AccountId,
        now: Timestamp,
    ) -> [Statement; 2] {
        let reason = EndReason::TooMany.word();
        [
            store::take_number_if_ended(account, reason, now),
            store::tell_if_ended(account, reason, now, self.last_token_of(now)),
        ]
    }

    /// Deletes feed rows that no token can need any more; answers how many.
    pub(super) async fn sweep_feed(
        &self,
        now: Timestamp,
        limit: i64,
    ) -> Result<usize, InternalError> {
        let gone = store::delete_expired(now, limit);
        let rows = self.auth.database().write_returning(gone).await;
        Ok(rows.map_err(WriteError::unexpected)?.len())
    }

    /// When every access token issued until now has expired, on any node's clock.
    fn last_token_of(&self, now: Timestamp) -> Timestamp {
        now.plus(self.auth.settings().tokens.longest_access()).plus(SLACK)
    }
}
