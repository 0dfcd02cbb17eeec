//! The one writer: takes all waiting batches, commits them together, then answers.
//!
//! A batch is answered with success only after the COMMIT that holds it returned, which with
//! `synchronous=FULL` means after its log was synchronised.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::super::{Row, Value, WriteError};
use super::queue::{Job, Receiver};
use super::session::Session;
use super::{connection, failure};
use crate::error::InternalError;

/// How long a group whose COMMIT failed waits for the database to open again. After that its
/// writers hear "unavailable": whether it was written is then not known.
const LONGEST_DOUBT: Duration = Duration::from_secs(1);
/// Between two attempts to open the database again.
const PAUSE: Duration = Duration::from_millis(50);

/// A job that ran and waits for its COMMIT.
struct Done {
    job: Job,
    rows: Vec<Row>,
}

/// A group whose COMMIT failed: it may or may not be in the log.
struct Doubt {
    marker: Vec<u8>,
    group: Vec<Done>,
}

pub(super) struct Writer {
    path: PathBuf,
    jobs: Receiver,
    /// Tells this writer's groups from those of every other.
    prefix: [u8; 8],
    groups: u64,
    /// Batches of a broken group that run again, each in a transaction of its own.
    again: Vec<Job>,
    doubt: Option<Doubt>,
}

impl Writer {
    pub(super) const fn new(path: PathBuf, jobs: Receiver, prefix: [u8; 8]) -> Self {
        Self { path, jobs, prefix, groups: 0, again: Vec::new(), doubt: None }
    }

    /// Works until every sender is gone.
    pub(super) fn run(mut self, first: Connection) {
        let mut current = Some(first);
        while let Some(connection) = current {
            let mut session = Session::new(&connection);
            self.settle(&mut session);
            let ended = self.serve(&mut session);
            drop(session);
            drop(connection);
            current = match ended {
                Ended::Stopped => None,
                Ended::Broken => self.reopen(),
            };
        }
    }

    fn serve(&mut self, session: &mut Session<'_>) -> Ended {
        loop {
            while let Some(job) = self.again.pop() {
                if self.commit(session, vec![job]).is_err() {
                    return Ended::Broken;
                }
            }
            let Some(group) = self.jobs.next_group() else { return Ended::Stopped };
            if self.commit(session, group).is_err() {
                return Ended::Broken;
            }
        }
    }

    /// Runs a group and commits it. Every job is answered, or put aside in `again` or
    /// `doubt`. An error means that the connection must not be used any more.
    fn commit(&mut self, session: &mut Session<'_>, group: Vec<Job>) -> Result<(), Broken> {
        if let Err(error) = session.control("BEGIN IMMEDIATE") {
            let unusable = session.in_transaction();
            refuse(group, &failure::internal(&error));
            return if unusable { Err(Broken) } else { Ok(()) };
        }
        let mut done: Vec<Done> = Vec::with_capacity(group.len());
        // What stood in the way of a batch may be another of this group: whoever is refused
        // looks for it, so it must be there to be seen before they hear of it.
        let mut refused = Vec::new();
        let mut waiting = group.into_iter();
        while let Some(job) = waiting.next() {
            match session.write(&job.batch) {
                Ok(rows) => done.push(Done { job, rows }),
                Err(error) => {
                    refused.push((job, error));
                    if !session.in_transaction() {
                        // The error took everything with it, also what had gone well.
                        self.put_aside(done.into_iter().map(|done| done.job).chain(waiting));
                        answer_refused(refused);
                        return Ok(());
                    }
                }
            }
        }
        let ended = if done.is_empty() {
            session.control("ROLLBACK").map_err(|_| Broken)
        } else {
            self.finish(session, done)
        };
        answer_refused(refused);
        ended
    }

    fn finish(&mut self, session: &mut Session<'_>, done: Vec<Done>) -> Result<(), Broken> {
        let marker = self.next_marker();
        let written = session.run(
            "UPDATE commit_marker SET group_id = $1 WHERE id = 1",
            &[Value::from(marker.as_slice())],
            false,
        );
        if let Err(error) = written {
            if session.in_transaction() {
                session.control("ROLLBACK").map_err(|_| Broken)?;
            }
            self.retry_or_refuse(done, &failure::internal(&error));
            return Ok(());
        }
        match session.control("COMMIT") {
            Ok(()) => {
                accept(done);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, batches = done.len(), "a commit failed");
                self.doubt = Some(Doubt { marker, group: done });
                Err(Broken)
            }
        }
    }

    /// A group of several may have been too much where each alone is not.
    fn retry_or_refuse(&mut self, done: Vec<Done>, error: &InternalError) {
        if done.len() > 1 {
            self.put_aside(done.into_iter().map(|done| done.job));
        } else {
            refuse(done.into_iter().map(|done| done.job), error);
        }
    }

    /// Keeps jobs for later, the first of them on top.
    fn put_aside(&mut self, jobs: impl Iterator<Item = Job>) {
        let mut jobs: Vec<Job> = jobs.collect();
        jobs.reverse();
        self.again.append(&mut jobs);
    }

    fn next_marker(&mut self) -> Vec<u8> {
        self.groups += 1;
        let mut marker = self.prefix.to_vec();
        marker.extend_from_slice(&self.groups.to_be_bytes());
        marker
    }

    /// After a failed COMMIT: looks on a new connection whether the group is there. A group
    /// that is there is answered once it is certain to stay.
    fn settle(&mut self, session: &mut Session<'_>) {
        let Some(Doubt { marker, group }) = self.doubt.take() else { return };
        let stored = session.run("SELECT group_id FROM commit_marker WHERE id = 1", &[], true);
        let is_there = match stored {
            Ok(rows) => rows.first().and_then(|row| row.bytes(0).ok()) == Some(marker),
            Err(error) => {
                refuse(group.into_iter().map(|done| done.job), &failure::internal(&error));
                return;
            }
        };
        if !is_there {
            // Never retry a single batch: a disk that refuses it would keep us here for ever.
            let sorry = InternalError::unavailable("the commit failed; nothing was written");
            self.retry_or_refuse(group, &sorry);
            return;
        }
        // The synchronising may have failed after the log was written, and a kernel forgets
        // such a failure. Moving the log into the database synchronises it again.
        match session.run("PRAGMA wal_checkpoint(FULL)", &[], true) {
            Ok(rows) if rows.first().and_then(|row| row.int(0).ok()) == Some(0) => accept(group),
            Ok(_) => refuse(
                group.into_iter().map(|done| done.job),
                &InternalError::unavailable("the commit failed; whether it is kept is not known"),
            ),
            Err(error) => {
                refuse(group.into_iter().map(|done| done.job), &failure::internal(&error));
            }
        }
    }

    /// Opens the database again, however long that takes; `None` when nobody needs it any more.
    fn reopen(&mut self) -> Option<Connection> {
        let since = Instant::now();
        loop {
            let error = match connection::open(&self.path).and_then(connection::writer) {
                Ok(connection) => return Some(connection),
                Err(error) => error,
            };
            if since.elapsed() > LONGEST_DOUBT {
                let doubted = self.doubt.take().into_iter().flat_map(|doubt| doubt.group);
                refuse(doubted.map(|done| done.job), &error);
                refuse(self.again.drain(..), &error);
            }
            refuse(self.jobs.take_all(PAUSE)?, &error);
        }
    }
}

/// How work on a connection ended.
enum Ended {
    /// Nobody will send another job.
    Stopped,
    /// The connection failed in a way that makes its state doubtful.
    Broken,
}

/// The connection must not be used any more.
struct Broken;

fn accept(group: Vec<Done>) {
    for done in group {
        done.job.answer(Ok(done.rows));
    }
}

fn answer_refused(refused: Vec<(Job, WriteError)>) {
    for (job, error) in refused {
        job.answer(Err(error));
    }
}

fn refuse(jobs: impl IntoIterator<Item = Job>, error: &InternalError) {
    for job in jobs {
        let error = match error {
            InternalError::Unavailable(why) => InternalError::Unavailable(why.clone()),
            InternalError::Fault(what) => InternalError::Fault(what.clone()),
        };
        job.answer(Err(error.into()));
    }
}
