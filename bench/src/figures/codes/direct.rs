//! The writes of an act done directly on a driver, with no product around them: in SQLite the
//! same step of 64 acts to a durable commit, on PostgreSQL each step as a transaction of its own
//! in one round trip, from as many connections as the server keeps.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ironlatch_core::database::Value;
use rusqlite::params_from_iter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, NoTls};

use crate::figures::refreshes::{CLIENTS, CONNECTIONS};
use crate::figures::wait_for;
use crate::machine;

/// One statement of an act, as the product has it.
pub(super) struct Piece {
    text: &'static str,
    values: Vec<Value>,
    /// Whether it must find what it changes.
    must_change: bool,
}

impl Piece {
    pub(super) fn new(text: &'static str, values: impl Into<Vec<Value>>) -> Self {
        Self { text, values: values.into(), must_change: false }
    }

    pub(super) fn must_change(self) -> Self {
        Self { must_change: true, ..self }
    }
}

/// What one answer waits for: steps one after the other, each durable before the next begins.
pub(super) type Act = Vec<Vec<Piece>>;

/// A store that no server uses.
pub(super) enum Direct {
    Sqlite(rusqlite::Connection),
    Postgres(String),
}

impl Direct {
    /// A database file, set as the server's writer is.
    pub(super) fn sqlite(file: &std::path::Path) -> anyhow::Result<Self> {
        let connection = rusqlite::Connection::open(file)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Self::Sqlite(connection))
    }

    /// Runs a text without parameters.
    pub(super) fn run(&self, text: &str) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(text)?),
            Self::Postgres(url) => wait_for(async {
                let client = connected(url).await?;
                Ok(client.batch_execute(text).await?)
            }),
        }
    }

    /// Seconds that the writes of one act take, tried for a while or until there is no more.
    pub(super) fn write(
        &mut self,
        mut acts: impl Iterator<Item = Act>,
        span: Duration,
    ) -> anyhow::Result<f64> {
        match self {
            Self::Sqlite(connection) => grouped(connection, &mut acts, span),
            Self::Postgres(url) => wait_for(pipelined(url, acts, span)),
        }
    }
}

fn grouped(
    connection: &mut rusqlite::Connection,
    acts: &mut impl Iterator<Item = Act>,
    span: Duration,
) -> anyhow::Result<f64> {
    let (mut texts, mut written, mut spent) = (HashMap::new(), 0, Duration::ZERO);
    while spent < span {
        let group: Vec<Act> = acts.take(CLIENTS).collect();
        let steps = group.iter().map(Vec::len).max().unwrap_or(0);
        if group.is_empty() {
            break;
        }
        let start = Instant::now();
        for step in 0..steps {
            let transaction = connection.transaction()?;
            for piece in group.iter().filter_map(|act| act.get(step)).flatten() {
                // In SQLite `$2` would be a name, numbered by its first use.
                let text = texts
                    .entry(piece.text.as_ptr())
                    .or_insert_with(|| piece.text.replace('$', "?"));
                let mut statement = transaction.prepare_cached(text)?;
                let mut rows = statement.query(params_from_iter(&piece.values))?;
                while rows.next()?.is_some() {}
                ensure!(
                    !piece.must_change || transaction.changes() > 0,
                    "changed nothing: {}",
                    piece.text
                );
            }
            transaction.commit()?;
        }
        spent += start.elapsed();
        written += u64::try_from(group.len())?;
    }
    each(written, spent)
}

async fn pipelined(
    url: &str,
    acts: impl Iterator<Item = Act>,
    span: Duration,
) -> anyhow::Result<f64> {
    let mut acts = acts.peekable();
    let sample = acts.peek().context("nothing to write")?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = connected(url).await?;
        let mut prepared = HashMap::new();
        for piece in sample.iter().flatten() {
            let types: Vec<Type> = piece.values.iter().map(type_of).collect();
            prepared.insert(piece.text.as_ptr(), client.prepare_typed(piece.text, &types).await?);
        }
        connections.push((client, prepared));
    }
    let acts = RefCell::new(acts);
    let start = Instant::now();
    let work = connections.iter().map(|(client, prepared)| async {
        let mut written: u64 = 0;
        while start.elapsed() < span {
            let act = acts.borrow_mut().next();
            let Some(act) = act else { break };
            for step in &act {
                transaction(client, prepared, step).await?;
            }
            written += 1;
        }
        anyhow::Ok(written)
    });
    let written = futures_util::future::try_join_all(work).await?.into_iter().sum();
    each(written, start.elapsed())
}

type Prepared = HashMap<*const u8, tokio_postgres::Statement>;
type Sending<'a> = Pin<Box<dyn Future<Output = Result<u64, Error>> + 'a>>;

/// Sends a step without waiting between its statements; one alone needs no `BEGIN`.
async fn transaction(client: &Client, prepared: &Prepared, step: &[Piece]) -> anyhow::Result<()> {
    let mut sent: Vec<Sending<'_>> = Vec::with_capacity(step.len() + 2);
    let control = |text| async move { client.batch_execute(text).await.map(|()| 1) };
    if step.len() > 1 {
        sent.push(Box::pin(control("BEGIN")));
    }
    for piece in step {
        let statement = prepared.get(&piece.text.as_ptr()).context("a text is not prepared")?;
        sent.push(Box::pin(async move {
            let values: Vec<&(dyn ToSql + Sync)> =
                piece.values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
            let changed = client.execute(statement, &values).await?;
            Ok(if piece.must_change { changed } else { 1 })
        }));
    }
    if step.len() > 1 {
        sent.push(Box::pin(control("COMMIT")));
    }
    // Up to thirty are polled, and so sent, in their order.
    ensure!(sent.len() <= 30, "too many statements in a step");
    let changed = futures_util::future::try_join_all(sent).await?;
    ensure!(changed.iter().all(|changed| *changed > 0), "a statement changed nothing");
    Ok(())
}

pub(super) async fn connected(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

const fn type_of(value: &Value) -> Type {
    match value {
        Value::Int(_) => Type::INT8,
        Value::Bool(_) => Type::BOOL,
        Value::Text(_) => Type::TEXT,
        Value::Bytes(_) => Type::BYTEA,
        Value::Uuid(_) => Type::UUID,
    }
}

fn each(written: u64, span: Duration) -> anyhow::Result<f64> {
    ensure!(written > 0, "not one act was written");
    Ok(1.0 / machine::per_second(written, span))
}
