//! One round of the worker: lease what is due, send it, write down what became of it.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinSet;

use super::store::{self, LeaseId, Leased, Outcome};
use crate::Auth;
use crate::database::{Batch, Statement};
use crate::error::InternalError;
use crate::ports::{Mail, Random, SendError};
use crate::time::{Timestamp, micros_of, seconds};

/// Mails in flight at the same time.
const SLOTS: usize = 8;
/// How long a worker may hold a message, by our clock. A crashed worker's messages wait so long.
const LEASE: Duration = seconds(60);
/// How long one try may take; well below [`LEASE`], so no other worker takes the message up.
const DEADLINE: Duration = seconds(30);
/// How often a busy worker looks for messages that became due meanwhile.
const LOOK_AGAIN: Duration = seconds(1);
/// How long mails in flight may take once the worker is told to stop.
const GRACE: Duration = seconds(2);
/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = seconds(5);
/// No pause is longer.
const LONGEST_PAUSE: Duration = seconds(300);
/// Expired messages dropped in one statement.
const EXPIRED_AT_ONCE: i64 = 200;
/// How often what became of a mail is written down anew when the database is away. A mail that
/// was sent and not marked would be sent again.
const WRITE_TRIES: u32 = 7;

/// Sends what is due until nothing is left or `stop` answers.
pub(super) async fn round(
    auth: &Auth,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), InternalError> {
    let now = auth.clock().now();
    if store::is_expired(auth.database(), now).await? {
        drop_expired(auth, now).await?;
    }
    if !store::is_due(auth.database(), now).await? {
        return Ok(());
    }
    let lease = LeaseId::new(now, auth.random());
    let mut sending = JoinSet::new();
    let sent = tokio::select! {
        sent = send_all(auth, lease, &mut sending) => sent,
        () = stop => {
            let _ = tokio::time::timeout(GRACE, settle(&mut sending)).await;
            sending.shutdown().await;
            return write(auth, &store::release(lease)).await;
        }
    };
    if sent.is_err() {
        // What is in flight still gets its time.
        settle(&mut sending).await;
    }
    sent
}

/// Drops what nobody may send any more.
async fn drop_expired(auth: &Auth, now: Timestamp) -> Result<(), InternalError> {
    loop {
        let dropped = store::expire(auth.database(), now, EXPIRED_AT_ONCE).await?;
        for _ in 0..dropped {
            count_outcome(Outcome::Expired.word());
        }
        if dropped == 0 {
            return Ok(());
        }
    }
}

/// Leases into free slots as long as there is something due, half of them at a time. While
/// mails are in flight it looks again and takes single slots too, so a mail server that lets
/// some of them hang does not hold up the others.
async fn send_all(
    auth: &Auth,
    lease: LeaseId,
    sending: &mut JoinSet<()>,
) -> Result<(), InternalError> {
    let (mut more, mut fewest) = (true, SLOTS / 2);
    loop {
        let free = SLOTS - sending.len();
        if more && free >= fewest {
            let leased = lease_due(auth, lease, free).await?;
            // Where most slots hang, the few others are filled one by one.
            (more, fewest) = (leased.len() == free, free.min(SLOTS / 2));
            for message in leased {
                let auth = auth.clone();
                sending.spawn(async move { attempt(&auth, &message).await });
            }
        }
        tokio::select! {
            ended = sending.join_next() => match ended {
                Some(ended) => log_panic(ended),
                None => return Ok(()),
            },
            () = something_new(auth) => (more, fewest) = (true, 1),
        }
    }
}

/// Takes what is due into so many free slots.
async fn lease_due(auth: &Auth, lease: LeaseId, free: usize) -> Result<Vec<Leased>, InternalError> {
    let now = auth.clock().now();
    if !store::is_due(auth.database(), now).await? {
        return Ok(Vec::new());
    }
    let limit = i64::try_from(free).unwrap_or(1);
    store::lease(auth.database(), lease, limit, now, now.plus(LEASE)).await
}

/// Answers when something was queued here, or may have been elsewhere.
async fn something_new(auth: &Auth) {
    let bell = auth.inner.outbox.bell.notified();
    let _ = tokio::time::timeout(LOOK_AGAIN, bell).await;
}

/// Waits for every mail in flight.
async fn settle(sending: &mut JoinSet<()>) {
    while let Some(ended) = sending.join_next().await {
        log_panic(ended);
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("sending a mail panicked; it is tried again when its lease runs out");
    }
}

/// One try at one message, and what became of it.
async fn attempt(auth: &Auth, message: &Leased) {
    let now = auth.clock().now();
    if now >= message.held_until {
        return;
    }
    let outcome = if now >= message.expires_at {
        Some(Outcome::Expired)
    } else {
        match send(auth, message).await {
            Ok(()) => Some(Outcome::Sent),
            Err(SendError::Never(why)) => {
                tracing::warn!(message = %message.id, why, "a mail was refused for good");
                Some(Outcome::Refused)
            }
            Err(SendError::Later(why)) => {
                tracing::warn!(message = %message.id, tries = message.tries, why, "a mail has to wait");
                None
            }
        }
    };
    count_outcome(outcome.map_or("postponed", Outcome::word));
    let now = auth.clock().now();
    let end = match outcome {
        Some(outcome) => store::finish(message, outcome, now),
        None => store::postpone(message, now.plus(pause_after(message.tries, auth.random()))),
    };
    if let Err(error) = write(auth, &end).await {
        tracing::error!(message = %message.id, %error, "what became of a mail is not written down");
    }
}

/// Renders and hands over within the deadline. A panic of a transport is one more reason to try
/// again later.
async fn send(auth: &Auth, message: &Leased) -> Result<(), SendError> {
    let mail = render(auth, message).map_err(|error| SendError::Later(error.to_string()))?;
    let handed_over = AssertUnwindSafe(auth.inner.mail.send(&mail)).catch_unwind();
    match tokio::time::timeout(DEADLINE, handed_over).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(SendError::Later("the transport panicked".to_owned())),
        Err(_) => Err(SendError::Later("no answer within the deadline".to_owned())),
    }
}

/// Opens the body and puts it into words.
fn render(auth: &Auth, message: &Leased) -> Result<Mail, InternalError> {
    let body =
        auth.secrets().open(super::place(message.id.uuid().as_bytes()), &message.sealed_body)?;
    let variables =
        serde_json::from_slice(&body).map_err(|_| InternalError::fault("a body is not JSON"))?;
    let words = auth.inner.outbox.templates.render(&message.template, variables)?;
    Ok(Mail {
        id: message.id,
        from: auth.settings().mail.from.clone(),
        to: message.recipient.clone(),
        subject: words.subject,
        text: words.text,
        html: words.html,
    })
}

/// Writes what became of a message, patiently.
async fn write(auth: &Auth, statement: &Statement) -> Result<(), InternalError> {
    let mut pause = Duration::from_millis(100);
    for _ in 1..WRITE_TRIES {
        match auth.database().write(Batch::from(statement.clone())).await {
            Ok(_) => return Ok(()),
            Err(error) => tracing::warn!(%error, "the outbox waits for the database"),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    let last = auth.database().write(Batch::from(statement.clone())).await;
    last.map(drop).map_err(crate::database::WriteError::unexpected)
}

/// The pause after a failed try: doubling, cut at five minutes, and somewhere in its upper half,
/// so that what failed together does not come back together.
fn pause_after(tries: i64, random: &dyn Random) -> Duration {
    let doublings = u32::try_from(tries.clamp(1, 20) - 1).unwrap_or(0);
    let full = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    let half = micros_of(full).unsigned_abs() / 2;
    let jitter = u64::from_le_bytes(random.bytes()) % (half + 1);
    Duration::from_micros(half + jitter)
}

fn count_outcome(outcome: &'static str) {
    metrics::counter!("ironlatch_messages_total", "outcome" => outcome).increment(1);
}
