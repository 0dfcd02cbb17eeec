//! Background tasks: starts what each room wants done while nobody asks.
//!
//! Every task is a loop of rounds. A round that fails or panics is logged and the next one comes
//! after the usual pause, so a fault of one moment never ends a task.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Auth;
use crate::audit;
use crate::error::InternalError;
use crate::time::{hours, seconds};

/// How often the outbox looks for messages that other nodes queued or that are due again.
const OUTBOX_PAUSE: Duration = seconds(1);
/// How often this node asks what other nodes revoked (design: within half a second).
const FEED_PAUSE: Duration = Duration::from_millis(500);
/// How often this node compares its clock with the database's.
const CLOCK_PAUSE: Duration = seconds(10);
/// How often last uses are written.
const LAST_USE_PAUSE: Duration = seconds(60);
/// How often the gauges are told.
const MEASURE_PAUSE: Duration = seconds(15);
/// How often each room's old rows are swept.
const SWEEP_PAUSE: Duration = hours(1);
/// When the first sweep comes.
const FIRST_SWEEP_AFTER: Duration = seconds(60);
/// Rows removed in one batch, so that no sweep holds the writer for long.
const SWEPT_AT_ONCE: i64 = 500;
/// Room for everybody else between two batches of a sweep.
const SWEEP_BREATH: Duration = Duration::from_millis(50);
/// How long [`Workers::stop`] waits for rounds under way. With [`FLUSH_WITHIN`] it stays below
/// the 3.5 s that the server has left for it of the ten a graceful stop may take.
const STOP_WITHIN: Duration = Duration::from_millis(2_500);
/// How long writing the last uses may take after that.
const FLUSH_WITHIN: Duration = Duration::from_millis(800);

/// Keeps the background tasks alive; [`Workers::stop`] lets them finish what they hold.
pub struct Workers {
    auth: Auth,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Workers {
    /// Starts the feed's poller, the outbox, the sweepers and the keepers of last use.
    #[must_use]
    pub fn start(auth: &Auth) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut workers = Self { auth: auth.clone(), stop, tasks: JoinSet::new() };
        workers.spawn(outbox(auth.clone(), stopped.clone()));
        workers.repeat(auth, "measuring the outbox", MEASURE_PAUSE, |auth| async move {
            auth.messages().measure().await
        });
        workers.repeat(auth, "the revocation feed", FEED_PAUSE, |auth| async move {
            auth.sessions().poll_feed().await
        });
        workers.repeat(auth, "comparing clocks", CLOCK_PAUSE, |auth| async move {
            auth.sessions().measure_clock().await
        });
        workers.repeat(auth, "last uses", LAST_USE_PAUSE, |auth| async move {
            auth.sessions().flush_last_use().await
        });
        workers.spawn(sweeper(auth.clone(), stopped));
        workers
    }

    /// Stops taking new work, releases leases, writes what is kept in memory.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let all_done = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(STOP_WITHIN, all_done).await.is_err() {
            tracing::warn!("background tasks did not finish in time; their leases run out");
            self.tasks.shutdown().await;
        }
        match timeout(FLUSH_WITHIN, self.auth.sessions().flush_last_use()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last uses of sessions are not written"),
            Err(_) => tracing::warn!("the last uses of sessions are not written in time"),
        }
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Runs a round again and again, with a pause after each, until told to stop.
    fn repeat<R>(
        &mut self,
        auth: &Auth,
        name: &'static str,
        pause: Duration,
        round: impl Fn(Auth) -> R + Send + 'static,
    ) where
        R: Future<Output = Result<(), InternalError>> + Send + 'static,
    {
        let auth = auth.clone();
        let mut stopped = self.stop.subscribe();
        self.spawn(async move {
            while !*stopped.borrow() {
                survive(name, round(auth.clone())).await;
                tokio::select! {
                    () = sleep(pause) => {}
                    () = told(&mut stopped) => {}
                }
            }
        });
    }
}

/// Sends mail: at once when woken, and whenever something has become due.
async fn outbox(auth: Auth, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let (round_auth, mut round_stopped) = (auth.clone(), stopped.clone());
        survive("the outbox", async move {
            round_auth.messages().deliver_until(told(&mut round_stopped)).await
        })
        .await;
        let messages = auth.messages();
        tokio::select! {
            () = messages.woken() => {}
            () = sleep(OUTBOX_PAUSE) => {}
            () = told(&mut stopped) => {}
        }
    }
}

/// Sweeps now and then. Not at the start, where every write would keep people waiting.
async fn sweeper(auth: Auth, mut stopped: watch::Receiver<bool>) {
    let mut pause = FIRST_SWEEP_AFTER;
    while timeout(pause, told(&mut stopped)).await.is_err() {
        let (round_auth, mut round_stopped) = (auth.clone(), stopped.clone());
        survive("sweeping", async move {
            tokio::select! {
                swept = sweep(&round_auth) => swept,
                () = told(&mut round_stopped) => Ok(()),
            }
        })
        .await;
        pause = SWEEP_PAUSE;
    }
}

/// Removes what no room needs any more; the workers do it once an hour. The rooms take turns,
/// one small batch each, until none has anything left. A room that fails keeps none of the
/// others waiting, and to be stopped half way does no harm.
pub async fn sweep(auth: &Auth) -> Result<(), InternalError> {
    let limit = SWEPT_AT_ONCE;
    let now = auth.clock().now();
    let mut failed = Ok(());
    loop {
        let old_batches = auth.database().delete_old_batches().await;
        let swept = [
            auth.sessions().sweep(limit).await,
            auth.messages().sweep(limit).await,
            auth.one_time_codes().sweep(limit).await,
            auth.sign_in().sweep_challenges(limit).await,
            auth.sign_in().sweep_address_changes(limit).await,
            auth.limits().sweep(limit).await,
            auth.accounts().sweep_never_proven(limit).await,
            auth.accounts().sweep_closed(limit).await,
            auth.sources().sweep(limit).await,
            auth.social().sweep(limit).await,
            audit::sweep(auth.database(), now, limit).await,
            old_batches.map(|rows| usize::try_from(rows).unwrap_or(usize::MAX)),
        ];
        let mut removed = 0_usize;
        for rows in swept {
            match rows {
                Ok(rows) => removed = removed.saturating_add(rows),
                Err(error) => failed = Err(error),
            }
        }
        if removed == 0 {
            return failed;
        }
        sleep(SWEEP_BREATH).await;
    }
}

/// Runs one round in a task of its own, so that a panic ends the round and nothing else.
async fn survive(
    name: &'static str,
    round: impl Future<Output = Result<(), InternalError>> + Send + 'static,
) {
    let mut task = JoinSet::new();
    task.spawn(round);
    match task.join_next().await {
        Some(Ok(Err(error))) => tracing::warn!(task = name, %error, "a background round failed"),
        Some(Err(error)) if error.is_panic() => {
            tracing::error!(task = name, "a background round panicked; the next one follows");
        }
        _ => {}
    }
}

/// Answers once the stop is asked for.
async fn told(stopped: &mut watch::Receiver<bool>) {
    // An error means that the `Workers` are gone, which asks for the same.
    let _ = stopped.wait_for(|stop| *stop).await;
}
