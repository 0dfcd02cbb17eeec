//! A few threads that read, each with a connection of its own.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::super::{Row, Statement};
use super::connection;
use super::session::Session;
use crate::error::InternalError;

/// More would only wait for the same processor.
const READERS: usize = 3;

struct Job {
    statement: Statement,
    answer: oneshot::Sender<Result<Vec<Row>, InternalError>>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    stopped: bool,
}

pub(super) struct Readers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts the threads; each opens its connection at its first read.
    pub(super) fn start(path: &Path) -> Result<Self, InternalError> {
        let queue = Arc::new(Queue::default());
        let mut threads = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            let (queue, path) = (Arc::clone(&queue), path.to_owned());
            let thread = std::thread::Builder::new()
                .name("database-reader".to_owned())
                .spawn(move || work(&queue, &path))
                .map_err(InternalError::unavailable)?;
            threads.push(thread);
        }
        Ok(Self { queue, threads })
    }

    pub(super) async fn read(&self, statement: Statement) -> Result<Vec<Row>, InternalError> {
        let (answer, answered) = oneshot::channel();
        self.queue.lock().jobs.push_back(Job { statement, answer });
        self.queue.changed.notify_one();
        answered.await.map_err(|_| InternalError::unavailable("the database is closed"))?
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.lock().stopped = true;
        self.queue.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; `None` when there will be none.
    fn next(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                return Some(job);
            }
            if waiting.stopped {
                return None;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work(queue: &Queue, path: &Path) {
    while let Some(first) = queue.next() {
        match connection::reader(path) {
            Ok(connection) => serve(queue, &connection, first),
            Err(error) => drop(first.answer.send(Err(error))),
        }
    }
}

/// Reads until there is nothing more to do, or until the connection fails.
fn serve(queue: &Queue, connection: &Connection, first: Job) {
    let mut session = Session::new(connection);
    let mut next = Some(first);
    while let Some(job) = next {
        let found = session.read(&job.statement);
        let failed = matches!(found, Err(InternalError::Unavailable(_)));
        let _ = job.answer.send(found);
        if failed {
            return;
        }
        next = queue.next();
    }
}
