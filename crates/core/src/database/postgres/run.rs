//! Runs statements on one connection: a batch of one as one statement, a longer one
//! pipelined in one round trip.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use deadpool_postgres::Client;
use futures_util::TryStreamExt;
use tokio_postgres::{Error, Row as Found, Statement as Prepared};

use super::super::{Batch, Row, Statement, Value};
use super::failure::{self, Failure};
use super::text::{Duty, Texts};
use super::values;
use crate::error::InternalError;

/// The row that tells, after a broken connection, whether the batch was committed.
pub(super) const NOTE: &str = "INSERT INTO batches (id, created_at) VALUES ($1, $2)";

/// A statement ready to be sent.
struct Ready<'b> {
    prepared: Prepared,
    values: Vec<&'b Value>,
    /// Columns of the answer that are ours.
    hidden: usize,
}

/// Runs one `SELECT`.
pub(super) async fn read(client: &Client, statement: &Statement) -> Result<Vec<Found>, Failure> {
    let values: Vec<&Value> = statement.values.iter().collect();
    let prepared = prepared(client, statement.sql, &values).await?;
    let found = answer(client, &prepared, &values).await;
    found.map_err(|error| unsent(&error))
}

/// Runs a batch as a transaction. `note` is the batch's id and the present moment.
pub(super) async fn write(
    client: &Client,
    texts: &Texts,
    batch: &Batch,
    note: &[Value; 2],
) -> Result<Vec<Row>, Failure> {
    if let [statement] = batch.statements.as_slice() {
        let wanted = batch.returning == Some(0);
        let only = ready(client, texts, statement, wanted, Some(note)).await?;
        let found = answer(client, &only.prepared, &only.values).await;
        let found = found.map_err(|error| failure::of_write(&error))?;
        return if wanted { decoded(&found, only.hidden) } else { Ok(Vec::new()) };
    }
    let mut all = Vec::with_capacity(batch.statements.len() + 1);
    for (index, statement) in batch.statements.iter().enumerate() {
        let wanted = batch.returning == Some(index);
        all.push(ready(client, texts, statement, wanted, None).await?);
    }
    let last: Vec<&Value> = note.iter().collect();
    let prepared = prepared(client, NOTE, &last).await?;
    all.push(Ready { prepared, values: last, hidden: 0 });
    let mut answers = pipelined(client, &all).await?;
    match batch.returning.and_then(|index| Some((answers.get_mut(index)?, all.get(index)?))) {
        Some((found, ready)) => decoded(found, ready.hidden),
        None => Ok(Vec::new()),
    }
}

/// Sends `BEGIN`, the statements and `COMMIT` without waiting between them.
///
/// An aborted transaction answers COMMIT with the tag `ROLLBACK`, as a success, and the driver
/// does not show the tag. So the note goes last: in an aborted transaction it would have
/// failed, and nothing stands between it and COMMIT that could abort.
async fn pipelined(client: &Client, all: &[Ready<'_>]) -> Result<Vec<Vec<Found>>, Failure> {
    let mut sent: Vec<Sending<'_>> = Vec::with_capacity(all.len() + 2);
    sent.push(Box::pin(control(client, "BEGIN")));
    for ready in all {
        sent.push(Box::pin(answer(client, &ready.prepared, &ready.values)));
    }
    sent.push(Box::pin(control(client, "COMMIT")));
    let mut answers = Vec::with_capacity(all.len());
    // The first error is the cause; those after it only say that the transaction is aborted.
    for outcome in in_order(sent).await {
        answers.push(outcome.map_err(|error| failure::of_write(&error))?);
    }
    // What BEGIN and COMMIT answer is nothing.
    answers.remove(0);
    answers.pop();
    Ok(answers)
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Vec<Found>, Error>> + Send + 'a>>;

/// Polls all from the first to the last, so that they are sent in this order, and waits for
/// every one.
async fn in_order(mut sent: Vec<Sending<'_>>) -> Vec<Result<Vec<Found>, Error>> {
    let mut answers: Vec<Option<Result<Vec<Found>, Error>>> = sent.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut is_complete = true;
        for (future, answer) in sent.iter_mut().zip(&mut answers) {
            if answer.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(outcome) => *answer = Some(outcome),
                    Poll::Pending => is_complete = false,
                }
            }
        }
        if is_complete { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

async fn control(client: &Client, sql: &str) -> Result<Vec<Found>, Error> {
    client.batch_execute(sql).await.map(|()| Vec::new())
}

async fn answer(
    client: &Client,
    prepared: &Prepared,
    values: &[&Value],
) -> Result<Vec<Found>, Error> {
    client.query_raw(prepared, values.iter().copied()).await?.try_collect().await
}

/// Prepares a statement of a batch, wrapped as its duties ask.
async fn ready<'b>(
    client: &Client,
    texts: &Texts,
    statement: &'b Statement,
    wanted: bool,
    note: Option<&'b [Value; 2]>,
) -> Result<Ready<'b>, Failure> {
    let duty =
        Duty { must_change: statement.must_change, returning: wanted, alone: note.is_some() };
    let text: Arc<str> = texts.wrapped(statement, duty);
    let values: Vec<&Value> = statement.values.iter().chain(note.into_iter().flatten()).collect();
    let prepared = prepared(client, &text, &values).await?;
    Ok(Ready { prepared, values, hidden: usize::from(duty.must_change) })
}

async fn prepared(client: &Client, text: &str, values: &[&Value]) -> Result<Prepared, Failure> {
    let types: Vec<_> = values.iter().map(|value| values::type_of(value)).collect();
    let prepared =
        client.prepare_typed_cached(text, &types).await.map_err(|error| unsent(&error))?;
    if prepared.params().len() != values.len() {
        let (given, wanted) = (values.len(), prepared.params().len());
        return Err(Failure::Refused(
            InternalError::fault(format_args!("{given} parameters were given for {wanted}")).into(),
        ));
    }
    Ok(prepared)
}

/// Reading or preparing failed: nothing was written, so it may be tried again.
fn unsent(error: &Error) -> Failure {
    if failure::is_worn(error) {
        Failure::Again(failure::told(error))
    } else {
        Failure::Refused(failure::internal(error).into())
    }
}

fn decoded(found: &[Found], hidden: usize) -> Result<Vec<Row>, Failure> {
    values::rows(found, hidden).map_err(|error| Failure::Refused(error.into()))
}
