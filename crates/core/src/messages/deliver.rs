//! One round of the worker: lease what is due, send it, write down what became of it.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinSet;

use super::store::{self, Channel, LeaseId, Leased, Outcome, Taker};
use crate::Auth;
use crate::database::{Batch, Statement};
use crate::error::InternalError;
use crate::ports::{Mail, Random, SendError, Sms};
use crate::time::{Timestamp, micros_of, seconds};

/// Messages in flight at the same time.
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
    if !store::is_due(auth.database(), sends_sms(auth), now).await? {
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
        for channel in &dropped {
            count_outcome(channel.word(), Outcome::Expired.word());
        }
        if dropped.is_empty() {
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
    let sends_sms = sends_sms(auth);
    if !store::is_due(auth.database(), sends_sms, now).await? {
        return Ok(Vec::new());
    }
    let taker = Taker { lease, limit: i64::try_from(free).unwrap_or(1), sends_sms };
    store::lease(auth.database(), &taker, now, now.plus(LEASE)).await
}

/// Whether this node can send SMS.
fn sends_sms(auth: &Auth) -> bool {
    auth.inner.sms.is_some()
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
        tracing::error!("sending a message panicked; it is tried again when its lease runs out");
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
                tracing::warn!(message = %message.id, why, "a message was refused for good");
                Some(Outcome::Refused)
            }
            Err(SendError::Later(why)) => {
                let tries = message.tries;
                tracing::warn!(message = %message.id, tries, why, "a message has to wait");
                None
            }
        }
    };
    count_outcome(message.channel.word(), outcome.map_or("postponed", Outcome::word));
    let now = auth.clock().now();
    let end = match outcome {
        Some(outcome) => store::finish(message, outcome, now),
        None => store::postpone(message, now.plus(pause_after(message.tries, auth.random()))),
    };
    if let Err(error) = write(auth, &end).await {
        tracing::error!(message = %message.id, %error, "what became of a message is not written down");
    }
}

/// Renders and hands over within the deadline.
async fn send(auth: &Auth, message: &Leased) -> Result<(), SendError> {
    match message.channel {
        Channel::Mail => {
            let mail = mail(auth, message).map_err(|error| not_yet(&error))?;
            in_time(auth.inner.mail.send(&mail), SendError::Later).await
        }
        Channel::Sms => {
            let sms = sms(auth, message).map_err(|error| not_yet(&error))?;
            let Some(transport) = &auth.inner.sms else {
                return Err(SendError::Later("this node sends no SMS".to_owned()));
            };
            in_time(transport.send(&sms), SendError::Never).await
        }
    }
}

/// What cannot be opened or put into words has not left.
fn not_yet(error: &InternalError) -> SendError {
    SendError::Later(error.to_string())
}

/// Waits for a transport until the deadline. A panic is `unknown` like no answer: the message
/// may have left. A mail is then sent again; an SMS is not, since each costs money.
async fn in_time(
    sending: impl Future<Output = Result<(), SendError>>,
    unknown: fn(String) -> SendError,
) -> Result<(), SendError> {
    match tokio::time::timeout(DEADLINE, AssertUnwindSafe(sending).catch_unwind()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(unknown("the transport panicked".to_owned())),
        Err(_) => Err(unknown("no answer within the deadline".to_owned())),
    }
}

/// Opens a body.
fn variables(auth: &Auth, message: &Leased) -> Result<serde_json::Value, InternalError> {
    let body =
        auth.secrets().open(super::place(message.id.uuid().as_bytes()), &message.sealed_body)?;
    serde_json::from_slice(&body).map_err(|_| InternalError::fault("a body is not JSON"))
}

/// Puts a message into the words of a mail.
fn mail(auth: &Auth, message: &Leased) -> Result<Mail, InternalError> {
    let variables = variables(auth, message)?;
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

/// Puts a message into the words of an SMS.
fn sms(auth: &Auth, message: &Leased) -> Result<Sms, InternalError> {
    let variables = variables(auth, message)?;
    let text = auth.inner.outbox.templates.render_sms(&message.template, variables)?;
    let valid_for = message.expires_at.since(auth.clock().now());
    Ok(Sms { id: message.id, to: message.recipient.clone(), text, valid_for })
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

fn count_outcome(channel: &'static str, outcome: &'static str) {
    let labels = [("channel", channel), ("outcome", outcome)];
    metrics::counter!("ironlatch_messages_total", &labels).increment(1);
}
