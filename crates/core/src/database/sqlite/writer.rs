//! The one writer: takes all waiting batches, commits them together, then answers.
//!
//! A batch is answered with success only after the COMMIT that holds it returned, which with
//! `synchronous=FULL` means after its log was synchronised.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::super::{Batch, Row, Value, WriteError};
use super::session::Session;
use super::{connection, failure};
use crate::error::InternalError;

/// Batches that share one COMMIT at most, so that the first never waits long for the last.
const MOST_BATCHES: usize = 512;
/// How long the first of a group waits for the rest: less than its synchronisation takes.
const MOMENT: Duration = Duration::from_micros(50);
/// How long a group whose COMMIT failed waits for the database to open again. After that its
/// writers hear "unavailable": whether it was written is then not known.
const LONGEST_DOUBT: Duration = Duration::from_secs(1);
/// Between two attempts to open the database again.
const PAUSE: Duration = Duration::from_millis(50);

/// A batch, and where its answer goes.
pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) answer: oneshot::Sender<Result<Vec<Row>, WriteError>>,
}

impl Job {
    /// A writer that has gone away needs no answer.
    fn answer(self, outcome: Result<Vec<Row>, WriteError>) {
        let _ = self.answer.send(outcome);
    }
}

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
    jobs: Receiver<Job>,
    /// Tells this writer's groups from those of every other.
    prefix: [u8; 8],
    groups: u64,
    /// How many the latest group had.
    latest: usize,
    /// Batches of a broken group that run again, each in a transaction of its own.
    again: Vec<Job>,
    /// Patient batches, and until when the least patient of them waits.
    patient: Vec<Job>,
    patient_until: Option<Instant>,
    doubt: Option<Doubt>,
}

impl Writer {
    pub(super) const fn new(path: PathBuf, jobs: Receiver<Job>, prefix: [u8; 8]) -> Self {
        let again = Vec::new();
        let patient = Vec::new();
        let (patient_until, doubt) = (None, None);
        Self { path, jobs, prefix, groups: 0, latest: 1, again, patient, patient_until, doubt }
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
            let Some(group) = self.next_group() else { return Ended::Stopped };
            if self.commit(session, group).is_err() {
                return Ended::Broken;
            }
        }
    }

    /// What is committed next: the patient go with the first that is not, or by themselves when
    /// their time has come. `None` when nobody will send another job.
    fn next_group(&mut self) -> Option<Vec<Job>> {
        loop {
            let next = match self.patient_until {
                None => self.jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    self.jobs.recv_timeout(left)
                }
            };
            match next {
                Ok(job) if job.batch.patience.is_zero() => {
                    let gathered = self.gather(job);
                    let mut group = self.take_patient();
                    group.extend(gathered);
                    return Some(group);
                }
                Ok(job) => {
                    let until = Instant::now() + job.batch.patience;
                    self.patient_until =
                        Some(self.patient_until.map_or(until, |least| least.min(until)));
                    self.patient.push(job);
                    if self.patient.len() >= MOST_BATCHES {
                        return Some(self.take_patient());
                    }
                }
                Err(_) if !self.patient.is_empty() => return Some(self.take_patient()),
                Err(_) => return None,
            }
        }
    }

    fn take_patient(&mut self) -> Vec<Job> {
        self.patient_until = None;
        std::mem::take(&mut self.patient)
    }

    /// All waiting batches. The writers just answered come back one after the other, so the
    /// first of them waits a moment for as many as came last time: otherwise every second
    /// group would be a group of one. A lone writer waits for nobody.
    fn gather(&mut self, first: Job) -> Vec<Job> {
        let mut group = Vec::with_capacity(self.latest.max(1));
        group.push(first);
        let since = Instant::now();
        loop {
            group.extend(self.jobs.try_iter().take(MOST_BATCHES - group.len()));
            let pressing = group.iter().filter(|job| job.batch.patience.is_zero()).count();
            let is_full = group.len() >= MOST_BATCHES;
            if pressing >= self.latest || is_full || since.elapsed() >= MOMENT {
                self.latest = pressing;
                return group;
            }
            std::thread::yield_now();
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
            let error = match connection::writer(&self.path) {
                Ok(connection) => return Some(connection),
                Err(error) => error,
            };
            if since.elapsed() > LONGEST_DOUBT {
                let doubted = self.doubt.take().into_iter().flat_map(|doubt| doubt.group);
                refuse(doubted.map(|done| done.job), &error);
                refuse(self.again.drain(..), &error);
                refuse(self.take_patient(), &error);
            }
            match self.jobs.recv_timeout(PAUSE) {
                Ok(job) => refuse([job], &error),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
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
