//! The SQL of `messages`, `message_budgets` and `message_stops`.
//!
//! A message is leased by an `UPDATE` that repeats its condition outside the sub-select, else
//! two workers on PostgreSQL lease the same rows. What ends a lease names the lease and the
//! try it was, so a worker that lost its lease changes nothing.

use crate::database::{Database, Row, Statement, WriteError};
use crate::error::InternalError;
use crate::ids::{Id, MessageId};
use crate::time::{Timestamp, days};

/// Marks identifiers of leases.
pub(super) enum OfLease {}
/// One round of one worker, as the holder of messages.
pub(super) type LeaseId = Id<OfLease>;

/// How a message leaves, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Mail,
    Sms,
}

impl Channel {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Sms => "sms",
        }
    }

    fn of_word(word: &str) -> Self {
        if word == Self::Sms.word() { Self::Sms } else { Self::Mail }
    }
}

/// A message before it is queued.
pub(super) struct NewMessage<'a> {
    pub(super) id: MessageId,
    pub(super) channel: Channel,
    pub(super) recipient: &'a str,
    pub(super) template: &'static str,
    pub(super) sealed_body: Vec<u8>,
}

/// A message a worker holds.
pub(super) struct Leased {
    pub(super) id: MessageId,
    pub(super) lease: LeaseId,
    /// Which try this is, from 1.
    pub(super) tries: i64,
    pub(super) channel: Channel,
    pub(super) recipient: String,
    pub(super) template: String,
    pub(super) sealed_body: Vec<u8>,
    pub(super) expires_at: Timestamp,
    pub(super) held_until: Timestamp,
}

/// How a message ended, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Sent,
    Refused,
    Expired,
}

impl Outcome {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }
}

/// Everything not done yet.
pub(super) struct Waiting {
    pub(super) count: i64,
    pub(super) oldest: Option<Timestamp>,
}

/// Queues a message, due at once.
pub(super) fn insert(new: NewMessage<'_>, now: Timestamp, expires_at: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO messages (id, channel, recipient, template, sealed_body, created_at,
                               send_after, expires_at, tries, leased_until)
         VALUES ($1, $7, $2, $3, $4, $5, $5, $6, 0, 0)",
        [
            new.id.into(),
            new.recipient.into(),
            new.template.into(),
            new.sealed_body.into(),
            now.into(),
            expires_at.into(),
            new.channel.word().into(),
        ],
    )
}

/// What a node can send besides mail, as its statements name it: SMS, or nothing more.
const fn besides_mail(sends_sms: bool) -> &'static str {
    if sends_sms { Channel::Sms.word() } else { Channel::Mail.word() }
}

/// Whether there is anything to lease: a read, so an idle worker writes nothing.
pub(super) async fn is_due(
    database: &Database,
    sends_sms: bool,
    now: Timestamp,
) -> Result<bool, InternalError> {
    let look = Statement::new(
        "SELECT EXISTS (SELECT 1 FROM messages WHERE done_at IS NULL AND send_after <= $1
                         AND leased_until <= $1 AND expires_at > $1
                         AND channel IN ('mail', $2)
                         AND channel NOT IN (SELECT channel FROM message_stops))",
        [now.into(), besides_mail(sends_sms).into()],
    );
    truth(database.read_one(look).await?.as_ref())
}

/// Whether anything that is due has expired. Looks at every due message until it finds one, so
/// it is asked once a round and not once a lease.
pub(super) async fn is_expired(database: &Database, now: Timestamp) -> Result<bool, InternalError> {
    let look = Statement::new(
        "SELECT EXISTS (SELECT 1 FROM messages WHERE done_at IS NULL AND send_after <= $1
                         AND leased_until <= $1 AND expires_at <= $1)",
        [now.into()],
    );
    truth(database.read_one(look).await?.as_ref())
}

fn truth(row: Option<&Row>) -> Result<bool, InternalError> {
    row.map_or(Ok(false), |row| row.bool(0))
}

/// Ends up to `limit` messages that expired before anybody could send them; answers by which
/// channel each would have left.
pub(super) async fn expire(
    database: &Database,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Channel>, InternalError> {
    let expire = Statement::new(
        "UPDATE messages SET done_at = $1, outcome = 'expired', sealed_body = $2
          WHERE id IN (SELECT id FROM messages
                        WHERE done_at IS NULL AND send_after <= $1 AND leased_until <= $1
                          AND expires_at <= $1
                        ORDER BY send_after LIMIT $3)
            AND done_at IS NULL AND leased_until <= $1
      RETURNING channel",
        [now.into(), Vec::new().into(), limit.into()],
    );
    let rows = database.write_returning(expire).await.map_err(WriteError::unexpected)?;
    rows.iter().map(|row| Ok(Channel::of_word(&row.text(0)?))).collect()
}

/// Who takes messages: a worker for some time, with room for some.
pub(super) struct Taker {
    pub(super) lease: LeaseId,
    pub(super) limit: i64,
    pub(super) sends_sms: bool,
}

/// Takes due messages for one worker, the longest due first; nothing that an operator has
/// stopped, and nothing that this node cannot send.
pub(super) async fn lease(
    database: &Database,
    taker: &Taker,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Leased>, InternalError> {
    let take = Statement::new(
        "UPDATE messages SET lease_owner = $1, leased_until = $2, tries = tries + 1
          WHERE id IN (SELECT id FROM messages
                        WHERE done_at IS NULL AND send_after <= $3 AND leased_until <= $3
                          AND expires_at > $3
                          AND channel IN ('mail', $5)
                          AND channel NOT IN (SELECT channel FROM message_stops)
                        ORDER BY send_after LIMIT $4)
            AND done_at IS NULL AND leased_until <= $3
      RETURNING id, tries, recipient, template, sealed_body, expires_at, channel",
        [
            taker.lease.into(),
            until.into(),
            now.into(),
            taker.limit.into(),
            besides_mail(taker.sends_sms).into(),
        ],
    );
    let rows = database.write_returning(take).await.map_err(WriteError::unexpected)?;
    rows.iter().map(|row| leased(row, taker.lease, until)).collect()
}

fn leased(row: &Row, lease: LeaseId, held_until: Timestamp) -> Result<Leased, InternalError> {
    Ok(Leased {
        id: row.id(0)?,
        lease,
        tries: row.int(1)?,
        channel: Channel::of_word(&row.text(6)?),
        recipient: row.text(2)?,
        template: row.text(3)?,
        sealed_body: row.bytes(4)?,
        expires_at: row.time(5)?,
        held_until,
    })
}

/// Ends a message; its body is forgotten.
pub(super) fn finish(message: &Leased, outcome: Outcome, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE messages SET done_at = $1, outcome = $2, sealed_body = $3
          WHERE id = $4 AND lease_owner = $5 AND tries = $6 AND done_at IS NULL",
        [
            now.into(),
            outcome.word().into(),
            Vec::new().into(),
            message.id.into(),
            message.lease.into(),
            message.tries.into(),
        ],
    )
}

/// Gives a message back, to be tried again later.
pub(super) fn postpone(message: &Leased, send_after: Timestamp) -> Statement {
    Statement::new(
        "UPDATE messages SET send_after = $1, lease_owner = NULL, leased_until = 0
          WHERE id = $2 AND lease_owner = $3 AND tries = $4 AND done_at IS NULL",
        [send_after.into(), message.id.into(), message.lease.into(), message.tries.into()],
    )
}

/// Gives back everything a worker still holds, due again at once.
pub(super) fn release(lease: LeaseId) -> Statement {
    Statement::new(
        "UPDATE messages SET lease_owner = NULL, leased_until = 0
          WHERE done_at IS NULL AND lease_owner = $1",
        [lease.into()],
    )
}

/// How many messages wait, and since when the oldest does.
pub(super) async fn waiting(database: &Database) -> Result<Waiting, InternalError> {
    let look =
        Statement::new("SELECT count(*), min(created_at) FROM messages WHERE done_at IS NULL", []);
    match database.read_one(look).await? {
        Some(row) => Ok(Waiting { count: row.int(0)?, oldest: row.optional_time(1)? }),
        None => Ok(Waiting { count: 0, oldest: None }),
    }
}

/// Removes up to `limit` messages done before a moment; answers how many.
pub(super) async fn delete_done(
    database: &Database,
    before: Timestamp,
    limit: i64,
) -> Result<usize, InternalError> {
    let delete = Statement::new(
        "DELETE FROM messages
          WHERE id IN (SELECT id FROM messages WHERE done_at < $1 ORDER BY done_at LIMIT $2)
      RETURNING id",
        [before.into(), limit.into()],
    );
    Ok(database.write_returning(delete).await.map_err(WriteError::unexpected)?.len())
}

/// How long a day's count is kept, for operators who compare bills.
const BUDGET_KEPT: std::time::Duration = days(90);

/// The day of a moment, in days since the epoch, UTC.
const fn day(now: Timestamp) -> i64 {
    now.seconds().div_euclid(86_400)
}

/// Takes one SMS from the day's budget; changes nothing when it is spent.
pub(super) fn count_sms(now: Timestamp, budget: u32) -> Statement {
    Statement::new(
        "INSERT INTO message_budgets (channel, day, sent) VALUES ('sms', $1, 1)
         ON CONFLICT (channel, day) DO UPDATE SET sent = message_budgets.sent + 1
          WHERE message_budgets.sent < $2",
        [day(now).into(), i64::from(budget).into()],
    )
    .must_change()
}

/// Since when SMS are stopped, and how many were counted today.
pub(super) fn sms_today(now: Timestamp) -> Statement {
    Statement::new(
        "SELECT (SELECT stopped_at FROM message_stops WHERE channel = 'sms'),
                (SELECT sent FROM message_budgets WHERE channel = 'sms' AND day = $1)",
        [day(now).into()],
    )
}

/// Stops SMS, unless they are stopped.
pub(super) fn stop_sms(now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO message_stops (channel, stopped_at) VALUES ('sms', $1)
         ON CONFLICT (channel) DO NOTHING",
        [now.into()],
    )
    .must_change()
}

/// Undoes a stop.
pub(super) fn start_sms() -> Statement {
    Statement::new("DELETE FROM message_stops WHERE channel = 'sms'", []).must_change()
}

/// Removes up to `limit` days long past.
pub(super) fn sweep_budgets(now: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "DELETE FROM message_budgets
          WHERE (channel, day) IN (SELECT channel, day FROM message_budgets
                                    WHERE day < $1 LIMIT $2)
      RETURNING day",
        [day(now.minus(BUDGET_KEPT)).into(), limit.into()],
    )
}
