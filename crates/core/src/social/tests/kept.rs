//! Copies of what providers publish (attack G09, R12).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::outbound::OutboundError;
use crate::social::kept::{FetchError, Kept, Lifetimes};
use crate::time::{Timestamp, hours, minutes, seconds};

const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const LIFETIMES: Lifetimes = Lifetimes { fresh: minutes(5), stale: minutes(15) };
const AWAY: FetchError = FetchError::Outbound(OutboundError::TimedOut);

/// Counts what is fetched and numbers it.
#[derive(Default)]
struct Source(AtomicUsize);

impl Source {
    async fn fetch(&self) -> Result<usize, FetchError> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(self.0.fetch_add(1, Ordering::SeqCst))
    }

    async fn fails(&self) -> Result<usize, FetchError> {
        self.fetch().await?;
        Err(AWAY)
    }

    fn fetched(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn many_ask_and_one_fetches() {
    let (kept, source) = (Kept::new(LIFETIMES), Source::default());
    let all = futures_util::future::join_all(
        (0..50).map(|_| kept.current(NOW, async || source.fetch().await)),
    )
    .await;
    assert!(all.iter().all(|one| **one.as_ref().unwrap() == 0));
    assert_eq!(source.fetched(), 1);
}

#[tokio::test]
async fn r12_many_ask_a_provider_that_is_away_and_one_waits_for_it() {
    let (kept, source) = (Kept::new(LIFETIMES), Source::default());
    let all = futures_util::future::join_all(
        (0..50).map(|_| kept.current(NOW, async || source.fails().await)),
    )
    .await;
    assert!(all.iter().all(|one| *one.as_ref().unwrap_err() == AWAY));
    assert_eq!(source.fetched(), 1, "not one after another");
    assert!(
        kept.current(NOW, async || source.fetch().await).await.is_ok(),
        "then it is tried anew"
    );
}

#[tokio::test]
async fn a_copy_is_fresh_then_old_then_gone() {
    let (kept, source) = (Kept::new(LIFETIMES), Source::default());
    let at = async |now| kept.current(now, async || source.fetch().await).await.map(|one| *one);
    let failing =
        async |now| kept.current(now, async || source.fails().await).await.map(|one| *one);
    assert_eq!(at(NOW).await, Ok(0));
    assert_eq!(at(NOW.plus(seconds(299))).await, Ok(0));
    assert_eq!(at(NOW.plus(minutes(5))).await, Ok(1));

    let later = NOW.plus(minutes(10));
    assert_eq!(failing(later).await, Ok(1), "an old copy is better than none");
    let tries = source.fetched();
    assert_eq!(failing(later.plus(seconds(14))).await, Ok(1));
    assert_eq!(source.fetched(), tries, "it is not asked with every sign-in");
    assert_eq!(failing(later.plus(seconds(15))).await, Ok(1));
    assert_eq!(source.fetched(), tries + 1);
    assert_eq!(failing(NOW.plus(minutes(20))).await, Err(AWAY), "but not for ever");
}

#[tokio::test]
async fn who_has_an_old_copy_waits_for_nobody() {
    let (kept, source) = (Arc::new(Kept::new(LIFETIMES)), Source::default());
    kept.current(NOW, async || source.fetch().await).await.unwrap();
    let later = NOW.plus(minutes(6));
    let slow = Arc::clone(&kept);
    let fetching = tokio::spawn(async move {
        slow.current(later, async || std::future::pending().await).await.map(|one: Arc<usize>| *one)
    });
    tokio::task::yield_now().await;
    assert_eq!(*kept.current(later, async || unreachable!()).await.unwrap(), 0);
    fetching.abort();
    assert!(fetching.await.is_err());
    assert_eq!(
        *kept.current(later, async || source.fetch().await).await.unwrap(),
        1,
        "its turn is free"
    );
}

#[tokio::test]
async fn h23_a_clock_set_back_keeps_no_copy_alive() {
    let (kept, source) = (Kept::new(LIFETIMES), Source::default());
    kept.current(NOW, async || source.fetch().await).await.unwrap();
    let before = NOW.minus(hours(1));
    assert_eq!(*kept.current(before, async || source.fetch().await).await.unwrap(), 1);
    let failed = Kept::new(LIFETIMES);
    failed.current(NOW, async || source.fetch().await).await.unwrap();
    assert_eq!(failed.current(before, async || source.fails().await).await.unwrap_err(), AWAY);
}

#[tokio::test]
async fn a_newer_copy_is_sought_once_a_minute() {
    let (kept, source) = (Kept::new(LIFETIMES), Source::default());
    let first = kept.current(NOW, async || source.fetch().await).await.unwrap();
    let newer = async |seen: &Arc<usize>, now| {
        kept.newer(seen, now, async || source.fetch().await).await.map(|one| *one)
    };
    let both = tokio::join!(newer(&first, NOW), newer(&first, NOW));
    assert_eq!(both, (Some(1), Some(1)), "the second takes what the first fetched");
    let second = kept.current(NOW, async || unreachable!()).await.unwrap();
    assert_eq!(newer(&second, NOW.plus(seconds(59))).await, None);
    assert_eq!(newer(&second, NOW.plus(seconds(60))).await, Some(2));
    assert_eq!(source.fetched(), 3);
    let third = kept.current(NOW.plus(seconds(60)), async || unreachable!()).await.unwrap();
    let much_later = NOW.plus(minutes(3));
    assert_eq!(kept.newer(&third, much_later, async || source.fails().await).await, None);
    assert_eq!(newer(&third, much_later.plus(seconds(1))).await, None, "a failure counts as well");
}
