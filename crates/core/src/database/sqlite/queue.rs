//! Where batches wait for the writer.
//!
//! A patient batch wakes the writer only when it moves the moment at which the patient go by
//! themselves, or fills a group. A wake costs both threads something for nothing, the more so
//! between two hashes, which leave the processor's caches cold.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::super::{Batch, Row, WriteError};

/// Batches that share one COMMIT at most, so that the first never waits long for the last.
const MOST_BATCHES: usize = 512;
/// So that no patience leads beyond what a clock can show.
const LONGEST_PATIENCE: Duration = Duration::from_hours(1);
/// How long the first of a group waits for the rest: less than its synchronisation takes.
const MOMENT: Duration = Duration::from_micros(50);

/// A batch, and where its answer goes.
pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) answer: oneshot::Sender<Result<Vec<Row>, WriteError>>,
}

impl Job {
    /// A writer that has gone away needs no answer.
    pub(super) fn answer(self, outcome: Result<Vec<Row>, WriteError>) {
        let _ = self.answer.send(outcome);
    }
}

/// Both ends of a new queue.
pub(super) fn channel() -> (Sender, Receiver) {
    let queue = Arc::new(Queue::default());
    (Sender(Arc::clone(&queue)), Receiver { queue, latest: 1 })
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    pressing: VecDeque<Job>,
    patient: Vec<Job>,
    /// Until when the least patient of them waits.
    patient_until: Option<Instant>,
    /// Whether a receiver sleeps and must be woken.
    sleeps: bool,
    /// Which end is gone.
    no_sender: bool,
    no_receiver: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until something changes that matters, or for so long.
    fn sleep<'q>(
        &self,
        mut waiting: MutexGuard<'q, Waiting>,
        longest: Option<Duration>,
    ) -> MutexGuard<'q, Waiting> {
        waiting.sleeps = true;
        let mut waiting = match longest {
            None => self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            Some(longest) => {
                let woken = self.changed.wait_timeout(waiting, longest);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        waiting.sleeps = false;
        waiting
    }

    fn wake(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let sleeps = std::mem::take(&mut waiting.sleeps);
        drop(waiting);
        if sleeps {
            self.changed.notify_one();
        }
    }
}

impl Waiting {
    /// Whether the patient have waited long enough.
    fn is_patience_over(&self) -> bool {
        self.patient.len() >= MOST_BATCHES
            || self.patient_until.is_some_and(|until| until <= Instant::now())
    }

    /// So many of the patient, the oldest first. Those left have waited long enough.
    fn take_patient(&mut self, most: usize) -> Vec<Job> {
        let taken: Vec<Job> = self.patient.drain(..most.min(self.patient.len())).collect();
        self.patient_until = (!self.patient.is_empty()).then(Instant::now);
        taken
    }
}

/// Puts batches into the queue; when it is dropped, what waits is still taken out.
pub(super) struct Sender(Arc<Queue>);

impl Sender {
    /// An error means that nobody will ever take the job.
    pub(super) fn send(&self, job: Job) -> Result<(), NoReceiver> {
        let mut waiting = self.0.lock();
        if waiting.no_receiver {
            return Err(NoReceiver);
        }
        let patience = job.batch.patience.min(LONGEST_PATIENCE);
        if patience.is_zero() {
            waiting.pressing.push_back(job);
            self.0.wake(waiting);
            return Ok(());
        }
        waiting.patient.push(job);
        let until = Instant::now() + patience;
        let is_least = waiting.patient_until.is_none_or(|least| until < least);
        if is_least {
            waiting.patient_until = Some(until);
        }
        if is_least || waiting.is_patience_over() {
            self.0.wake(waiting);
        }
        Ok(())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.no_sender = true;
        self.0.wake(waiting);
    }
}

/// The receiver is gone.
#[derive(Debug)]
pub(super) struct NoReceiver;

/// Takes batches out, in groups.
pub(super) struct Receiver {
    queue: Arc<Queue>,
    /// How many of the latest group were not patient.
    latest: usize,
}

impl Receiver {
    /// What is committed next: the patient go with the first that is not, or by themselves when
    /// their time has come. `None` when nobody will send another job.
    pub(super) fn next_group(&mut self) -> Option<Vec<Job>> {
        let mut waiting = self.queue.lock();
        loop {
            if !waiting.pressing.is_empty() {
                drop(waiting);
                return Some(self.gather());
            }
            let is_over = waiting.no_sender || waiting.is_patience_over();
            if !waiting.patient.is_empty() && is_over {
                return Some(waiting.take_patient(MOST_BATCHES));
            }
            if waiting.no_sender {
                return None;
            }
            let left = waiting.patient_until.map(|until| until.duration_since(Instant::now()));
            waiting = self.queue.sleep(waiting, left);
        }
    }

    /// All that wait. The writers just answered come back one after the other, so the first of
    /// them waits a moment for as many as came last time: otherwise every second group would be
    /// a group of one. A lone writer waits for nobody.
    fn gather(&mut self) -> Vec<Job> {
        let since = Instant::now();
        loop {
            let mut waiting = self.queue.lock();
            let pressing = waiting.pressing.len().min(MOST_BATCHES);
            if pressing >= self.latest || pressing == MOST_BATCHES || since.elapsed() >= MOMENT {
                let mut group = waiting.take_patient(MOST_BATCHES / 2);
                let pressing = pressing.min(MOST_BATCHES - group.len());
                group.extend(waiting.pressing.drain(..pressing));
                self.latest = pressing;
                return group;
            }
            drop(waiting);
            std::thread::yield_now();
        }
    }

    /// All that wait, or the first that comes within `longest`, perhaps none. `None` when nobody
    /// will send another job.
    pub(super) fn take_all(&mut self, longest: Duration) -> Option<Vec<Job>> {
        let mut waiting = self.queue.lock();
        if waiting.pressing.is_empty() && waiting.patient.is_empty() {
            if waiting.no_sender {
                return None;
            }
            waiting = self.queue.sleep(waiting, Some(longest));
        }
        let mut all = waiting.take_patient(usize::MAX);
        all.extend(waiting.pressing.drain(..));
        Some(all)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut waiting = self.queue.lock();
        waiting.no_receiver = true;
        let left = (std::mem::take(&mut waiting.patient), std::mem::take(&mut waiting.pressing));
        drop(waiting);
        // Whoever waits for their answers hears that there will be none.
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::{Job, MOST_BATCHES, Receiver, Sender, channel};
    use crate::database::{Batch, Row, WriteError};

    /// The longest there is.
    const LONG: Duration = Duration::MAX;
    const SHORT: Duration = Duration::from_micros(1);

    type Answer = oneshot::Receiver<Result<Vec<Row>, WriteError>>;

    fn send(sender: &Sender, patience: Duration) -> Answer {
        let (answer, answered) = oneshot::channel();
        let sent = sender.send(Job { batch: Batch::new().patient(patience), answer });
        sent.expect("somebody receives");
        answered
    }

    fn patience_of_next(receiver: &mut Receiver) -> Option<Vec<Duration>> {
        let group = receiver.next_group()?;
        Some(group.iter().map(|job| job.batch.patience).collect())
    }

    #[test]
    fn the_patient_go_with_the_first_that_is_not() {
        let (sender, mut receiver) = channel();
        let _answers = [LONG, Duration::ZERO, LONG].map(|patience| send(&sender, patience));
        assert_eq!(patience_of_next(&mut receiver), Some(vec![LONG, LONG, Duration::ZERO]));
    }

    #[test]
    fn the_least_patient_decides_when_they_go_alone() {
        let (sender, mut receiver) = channel();
        let _answers = [LONG, SHORT, LONG].map(|patience| send(&sender, patience));
        assert_eq!(patience_of_next(&mut receiver), Some(vec![LONG, SHORT, LONG]));
    }

    #[test]
    fn a_sleeping_writer_is_woken_by_whoever_is_less_patient() {
        for least in [Duration::ZERO, SHORT] {
            let (sender, mut receiver) = channel();
            let _patient = send(&sender, LONG);
            let writer = std::thread::spawn(move || patience_of_next(&mut receiver));
            while !sender.0.lock().sleeps {
                std::thread::yield_now();
            }
            let _others = [LONG, least].map(|patience| send(&sender, patience));
            assert_eq!(writer.join().expect("the writer"), Some(vec![LONG, LONG, least]));
        }
    }

    #[test]
    fn the_equally_patient_let_the_writer_sleep() {
        let (sender, mut receiver) = channel();
        let _first = send(&sender, LONG);
        sender.0.lock().sleeps = true;
        let _second = send(&sender, LONG);
        assert!(sender.0.lock().sleeps, "woken for nothing");
        let _third = send(&sender, Duration::ZERO);
        assert!(!sender.0.lock().sleeps, "not woken");
        assert_eq!(patience_of_next(&mut receiver).map(|group| group.len()), Some(3));
    }

    #[test]
    fn a_group_has_an_upper_bound_and_loses_nobody() {
        let (pressing, patient) = (Duration::ZERO, LONG);
        for (waiting, expected) in [
            ([(pressing, MOST_BATCHES), (pressing, 1)], [MOST_BATCHES, 1]),
            ([(patient, MOST_BATCHES), (patient, 1)], [MOST_BATCHES, 1]),
            // Neither kind waits for the other's end.
            ([(pressing, MOST_BATCHES), (patient, MOST_BATCHES)], [MOST_BATCHES; 2]),
        ] {
            let (sender, mut receiver) = channel();
            let mut answers = Vec::new();
            for (patience, number) in waiting {
                answers.extend((0..number).map(|_| send(&sender, patience)));
            }
            let groups = expected.map(|_| patience_of_next(&mut receiver).expect("a group"));
            assert_eq!(groups.each_ref().map(Vec::len), expected);
            let both =
                |group: &Vec<Duration>| group.contains(&patient) && group.contains(&pressing);
            let are_mixed = waiting.map(|(patience, _)| patience) == [pressing, patient];
            assert_eq!(groups.iter().all(both), are_mixed);
        }
    }

    #[test]
    fn whoever_fills_a_group_wakes_the_writer() {
        let (sender, _receiver) = channel();
        let mut answers = vec![send(&sender, LONG)];
        sender.0.lock().sleeps = true;
        answers.extend((2..MOST_BATCHES).map(|_| send(&sender, LONG)));
        assert!(sender.0.lock().sleeps);
        answers.push(send(&sender, LONG));
        assert!(!sender.0.lock().sleeps);
    }

    #[test]
    fn what_waits_is_taken_after_the_sender_is_gone() {
        let (sender, mut receiver) = channel();
        let _answers = [LONG, LONG].map(|patience| send(&sender, patience));
        drop(sender);
        assert_eq!(patience_of_next(&mut receiver), Some(vec![LONG, LONG]));
        assert_eq!(patience_of_next(&mut receiver), None);
        assert!(receiver.take_all(LONG).is_none());
    }

    #[test]
    fn everything_is_taken_at_once_where_nothing_can_be_written() {
        let (sender, mut receiver) = channel();
        assert_eq!(receiver.take_all(SHORT).map(|all| all.len()), Some(0));
        let _answers = [LONG, Duration::ZERO].map(|patience| send(&sender, patience));
        assert_eq!(receiver.take_all(LONG).map(|all| all.len()), Some(2));
        let _third = send(&sender, LONG);
        assert!(!receiver.queue.lock().is_patience_over(), "left over from those taken");
    }

    #[test]
    fn whoever_waits_hears_that_the_receiver_is_gone() {
        let (sender, receiver) = channel();
        let mut answers = [LONG, Duration::ZERO].map(|patience| send(&sender, patience));
        drop(receiver);
        for answer in &mut answers {
            assert!(matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        }
        let (answer, _) = oneshot::channel();
        assert!(sender.send(Job { batch: Batch::new(), answer }).is_err());
    }
}
