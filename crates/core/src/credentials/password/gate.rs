//! The hash gate: all hashing passes through a fixed number of threads.
//!
//! Hashing is the one thing a stranger can make us do that costs real time and memory, so both
//! are fixed beforehand. The threads run at low priority and keep one arena of memory each, wiped
//! after every hash; what waits is bounded, and who would wait too long is told so at once. A piece of work
//! belongs to its thread, not to the request: a client that hangs up frees no slot and so
//! gains nothing. Hashes of other systems that need more memory than a slot keeps run one at a
//! time in a slot of their own, whose memory is given back after each.
//!
//! Where pieces wait long for a slot, what is done is handed out in bunches: what follows a hash
//! then runs several times in a row, while its code is in the processor's caches.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ironlatch_argon2id::Arena;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::GateError;
use super::fair_queue::FairQueue;
use super::recipe::{Function, Recipe};
use crate::client::Network;
use crate::error::InternalError;
use crate::settings::PasswordSettings;

/// What comes out of a recipe.
type Output = Zeroizing<Vec<u8>>;

/// How much lower than ordinary the threads' priority is (`nice`).
const NICENESS: i32 = 10;
/// Enough for every function; they keep their tables on the heap.
const STACK_BYTES: usize = 512 * 1_024;

/// How long whoever waits for a slot can be kept from the queue at most; their result is held
/// for half of that.
const LONGEST_PATIENCE: Duration = Duration::from_millis(100);
/// Results in one bunch, so that the first never waits long for the last.
const MOST_HELD: usize = 64;

/// Where passwords are hashed.
pub(super) struct Gate {
    light: Arc<Slots>,
    heavy: Arc<Slots>,
    slot_memory_kib: u32,
}

impl Gate {
    /// No thread runs and no memory is taken before the first piece of work.
    pub(super) fn new(settings: &PasswordSettings) -> Self {
        // What a core without wide vectors takes; measured from the first hash on.
        let work = u64::from(settings.argon2_memory_kib) * u64::from(settings.argon2_passes);
        let light = Slots::new("hash", settings.slots, settings, Duration::from_nanos(300 * work));
        let heavy = Slots::new("hash-heavy", 1, settings, Duration::from_millis(500));
        Self {
            light: Arc::new(light),
            heavy: Arc::new(Slots { keeps_memory: false, ..heavy }),
            slot_memory_kib: settings.argon2_memory_kib,
        }
    }

    /// Whether one more ordinary piece of work would be taken now.
    pub(super) fn admit(&self, network: Network) -> Result<(), GateError> {
        self.light.admit(&self.light.lock(), network)
    }

    /// How long whoever brings the next ordinary piece of work of this network can do other
    /// things first without being hashed any later to speak of.
    pub(super) fn patience(&self, network: Network) -> Duration {
        patience(self.light.wait(&self.light.lock(), network))
    }

    /// Waits for a slot and does the work there.
    pub(super) async fn derive(
        &self,
        recipe: Recipe,
        password: Zeroizing<String>,
        network: Network,
    ) -> Result<Output, GateError> {
        let slots =
            if recipe.function.fits_slot(self.slot_memory_kib) { &self.light } else { &self.heavy };
        let (answer, outcome) = oneshot::channel();
        let taken_at = Instant::now();
        slots.take(
            network,
            Piece { recipe, password, taken_at, patience: Duration::ZERO, answer },
        )?;
        outcome.await.unwrap_or_else(|_| Err(InternalError::fault("the hash gate stopped").into()))
    }
}

impl Drop for Gate {
    /// The threads end after what they have in hand; nobody waits for what is still queued.
    fn drop(&mut self) {
        for slots in [&self.light, &self.heavy] {
            let mut state = slots.lock();
            state.is_closed = true;
            state.queue = FairQueue::new();
            slots.wake.notify_all();
        }
    }
}

/// One password to hash, and where the result goes.
struct Piece {
    recipe: Recipe,
    password: Zeroizing<String>,
    taken_at: Instant,
    /// How long the result may be held; known when a slot takes it up.
    patience: Duration,
    answer: oneshot::Sender<Result<Output, GateError>>,
}

/// A result that is not handed out yet.
struct Held {
    outcome: Result<Output, GateError>,
    answer: oneshot::Sender<Result<Output, GateError>>,
    until: Instant,
}

impl Held {
    /// Who asked may be gone by now; the work was theirs all the same.
    fn hand_out(self) {
        let _ = self.answer.send(self.outcome);
    }
}

/// Threads that share one queue.
struct Slots {
    name: &'static str,
    count: usize,
    keeps_memory: bool,
    /// What new passwords are hashed with: nearly every piece, and they all take as long.
    ordinary: Function,
    longest_wait: Duration,
    most_waiting: usize,
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    queue: FairQueue<Piece>,
    held: Vec<Held>,
    /// How long one piece takes, as the last dozen did.
    mean: Duration,
    started: usize,
    idle: usize,
    is_closed: bool,
}

impl Slots {
    fn new(name: &'static str, count: usize, settings: &PasswordSettings, guess: Duration) -> Self {
        Self {
            name,
            count,
            keeps_memory: true,
            ordinary: Function::today(settings),
            longest_wait: settings.longest_wait,
            most_waiting: settings.queue,
            state: Mutex::new(State {
                queue: FairQueue::new(),
                held: Vec::new(),
                mean: guess,
                started: 0,
                idle: 0,
                is_closed: false,
            }),
            wake: Condvar::new(),
        }
    }

    /// Nothing that can panic runs under the lock, so a poisoned one is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, state: &State, network: Network) -> Result<(), GateError> {
        if state.queue.len() < state.idle {
            return Ok(());
        }
        let wait = self.wait(state, network);
        let is_full = state.queue.len() >= self.most_waiting && !state.queue.can_shed_for(network);
        if wait > self.longest_wait || is_full {
            return Err(turned_away(self.name, wait));
        }
        Ok(())
    }

    /// How long the next piece of this network would wait.
    fn wait(&self, state: &State, network: Network) -> Duration {
        let ahead = state.queue.ahead_of(network) / self.count.max(1);
        state.mean.saturating_mul(u32::try_from(ahead).unwrap_or(u32::MAX))
    }

    /// Queues a piece, or says at once that it would wait too long.
    fn take(self: &Arc<Self>, network: Network, piece: Piece) -> Result<(), GateError> {
        let mut state = self.lock();
        self.admit(&state, network)?;
        self.start_threads(&mut state)?;
        if state.queue.len() >= self.most_waiting
            && let Some(shed) = state.queue.shed_for(network)
        {
            let wait = self.wait(&state, network);
            let _ = shed.answer.send(Err(turned_away(self.name, wait)));
        }
        state.queue.push(network, piece);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Starts the threads that do not run yet; one that runs is enough to go on with.
    fn start_threads(self: &Arc<Self>, state: &mut State) -> Result<(), InternalError> {
        while state.started < self.count {
            let slots = Arc::clone(self);
            let thread = thread::Builder::new().name(self.name.to_owned()).stack_size(STACK_BYTES);
            match thread.spawn(move || slots.work()) {
                Ok(_) => state.started += 1,
                Err(error) if state.started == 0 => return Err(InternalError::unavailable(error)),
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// A thread's life.
    fn work(&self) {
        lower_priority();
        let mut arena = Arena::new();
        let mut done = None;
        while let Some(piece) = self.next(done) {
            let begun = Instant::now();
            // A thread that died would take its slot along for good.
            let derived = catch_unwind(AssertUnwindSafe(|| {
                piece.recipe.derive(piece.password.as_bytes(), &mut arena)
            }))
            .unwrap_or_else(|_| Err(InternalError::fault("a hash function panicked")));
            if !self.keeps_memory {
                arena.release();
            }
            let outcome = derived.map_err(GateError::from);
            let (ended, answer) = (Instant::now(), piece.answer);
            let held = Held { outcome, answer, until: ended + piece.patience };
            done = Some((held, ended.duration_since(begun)));
        }
    }

    /// Puts a result to those that are held, hands them out when it is time, and waits for the
    /// next piece that somebody still wants; `None` when the gate is gone.
    fn next(&self, done: Option<(Held, Duration)>) -> Option<Piece> {
        let mut state = self.lock();
        if let Some((held, took)) = done {
            state.held.push(held);
            state.mean = (state.mean * 7 + took) / 8;
            metrics::histogram!("ironlatch_hash_seconds", "slot" => self.name).record(took);
        }
        loop {
            let next = if state.is_closed { None } else { self.pop(&mut state) };
            // Nobody waits for a hash of another kind: how long it takes is not known.
            let is_ordinary =
                next.as_ref().is_some_and(|piece| piece.recipe.function == self.ordinary);
            let bunch = state.bunch(!is_ordinary);
            if !bunch.is_empty() {
                // Whoever is woken asks for the lock at once.
                drop(state);
                bunch.into_iter().for_each(Held::hand_out);
                state = self.lock();
            } else if state.is_closed {
                return None;
            } else if next.is_none() {
                state.idle += 1;
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
            if next.is_some() {
                return next;
            }
        }
    }

    /// The next piece that is worth its work.
    fn pop(&self, state: &mut State) -> Option<Piece> {
        while let Some(piece) = state.queue.pop() {
            if piece.answer.is_closed() {
                continue;
            }
            // Others took their turns before: what was promised at the door no longer holds,
            // and an answer this late helps nobody.
            let waited = piece.taken_at.elapsed();
            if waited > self.longest_wait * 2 {
                let _ = piece.answer.send(Err(turned_away(self.name, waited)));
                continue;
            }
            metrics::histogram!("ironlatch_hash_wait_seconds", "slot" => self.name).record(waited);
            // Half of what those who come may take: what they write meanwhile can then go with
            // what follows a bunch.
            return Some(Piece { patience: patience(waited) / 2, ..piece });
        }
        None
    }
}

impl State {
    /// What must be handed out now: all that is held, once the least patient of them cannot
    /// wait for one more piece, or when it is the last for now.
    fn bunch(&mut self, is_last: bool) -> Vec<Held> {
        let soon = Instant::now() + self.mean;
        let is_due = is_last
            || self.held.len() >= MOST_HELD
            || self.held.iter().any(|held| held.until < soon);
        if is_due { std::mem::take(&mut self.held) } else { Vec::new() }
    }
}

/// A part of the wait: nobody notices it who waits so long anyhow.
fn patience(wait: Duration) -> Duration {
    (wait / 4).min(LONGEST_PATIENCE)
}

/// By then, what waits now will be done. In whole seconds, as `Retry-After` has them
/// (RFC 9110 §10.2.3), and never at once.
fn turned_away(slot: &'static str, wait: Duration) -> GateError {
    metrics::counter!("ironlatch_hashes_turned_away_total", "slot" => slot).increment(1);
    GateError::Busy { retry_after: Duration::from_secs(wait.as_secs() + 1) }
}

/// Everything else a server does goes first. Linux counts priorities by thread; elsewhere the
/// call would slow the whole process, so it is left out.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) =
        rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS)
    {
        tracing::warn!(%error, "hashing threads run at ordinary priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    type Answer = oneshot::Receiver<Result<Output, GateError>>;

    /// A result that can wait so long, and where it goes.
    fn held(patience: Duration) -> (Held, Answer) {
        let (answer, outcome) = oneshot::channel();
        let held =
            Held { outcome: Ok(Output::default()), answer, until: Instant::now() + patience };
        (held, outcome)
    }

    fn slots(mean: Duration) -> Slots {
        Slots::new("hash", 1, &PasswordSettings::default(), mean)
    }

    fn state(mean: Duration, patience: &[Duration]) -> State {
        let mut state = slots(mean).state.into_inner().unwrap();
        state.held.extend(patience.iter().map(|&patience| held(patience).0));
        state
    }

    #[test]
    fn nobody_is_kept_waiting_longer_than_a_part_of_what_they_have_waited() {
        assert_eq!(patience(Duration::ZERO), Duration::ZERO);
        assert_eq!(patience(Duration::from_millis(200)), Duration::from_millis(50));
        assert_eq!(patience(Duration::from_secs(4)), LONGEST_PATIENCE);
    }

    #[test]
    fn results_are_held_while_all_of_them_can_wait_for_one_more() {
        // Hours, so that not the time decides which the test itself takes.
        let mut state = state(HOUR, &[HOUR * 2, HOUR * 3]);
        assert!(state.bunch(false).is_empty());
        state.held.push(held(HOUR / 2).0);
        assert_eq!(state.bunch(false).len(), 3, "the least patient takes the others along");
        assert!(state.held.is_empty());
    }

    #[test]
    fn results_are_not_held_where_no_piece_follows_or_there_are_many() {
        assert_eq!(state(Duration::ZERO, &[HOUR]).bunch(true).len(), 1);
        assert!(state(Duration::ZERO, &[HOUR; MOST_HELD - 1]).bunch(false).is_empty());
        let bunch = state(Duration::ZERO, &[HOUR; MOST_HELD]).bunch(false);
        assert_eq!(bunch.len(), MOST_HELD);
    }

    #[test]
    fn a_thread_holds_its_results_until_a_piece_of_another_kind_or_the_end() {
        let (slots, network) = (slots(Duration::ZERO), Network::of([127, 0, 0, 1].into()));
        let bcrypt = Function::Bcrypt { prehash: super::super::recipe::Prehash::None, cost: 4 };
        let mut others = Vec::new();
        for function in [slots.ordinary, bcrypt, slots.ordinary] {
            let (answer, outcome) = oneshot::channel();
            let (password, recipe) = (Zeroizing::default(), function.pretended());
            let (taken_at, patience) = (Instant::now(), Duration::ZERO);
            slots
                .lock()
                .queue
                .push(network, Piece { recipe, password, taken_at, patience, answer });
            others.push(outcome);
        }
        let [(first, mut one), (second, mut two), (third, mut three)] =
            [(); 3].map(|()| held(HOUR));

        let piece = slots.next(Some((first, Duration::ZERO))).unwrap();
        assert_eq!(piece.recipe.function, slots.ordinary);
        assert!(one.try_recv().is_err(), "held: the next takes as long as any");
        let piece = slots.next(Some((second, Duration::ZERO))).unwrap();
        assert_eq!(piece.recipe.function, bcrypt);
        assert!(one.try_recv().is_ok() && two.try_recv().is_ok());

        slots.lock().is_closed = true;
        assert!(slots.next(Some((third, Duration::ZERO))).is_none());
        assert!(three.try_recv().is_ok(), "what is done is answered before the thread ends");
    }

    #[tokio::test]
    async fn threads_begin_with_the_first_hash_and_end_with_the_gate() {
        let settings = PasswordSettings { argon2_memory_kib: 8, slots: 3, ..Default::default() };
        let gate = Gate::new(&settings);
        assert_eq!(gate.light.lock().started, 0);

        let recipe = Function::today(&settings).pretended();
        let network = Network::of([127, 0, 0, 1].into());
        let password = Zeroizing::new("a password".to_owned());
        gate.derive(recipe, password, network).await.unwrap();
        assert_eq!(gate.light.lock().started, 3);
        assert_eq!(gate.heavy.lock().started, 0);

        let threads = Arc::downgrade(&gate.light);
        drop(gate);
        let deadline = Instant::now() + Duration::from_secs(20);
        while threads.strong_count() > 0 {
            assert!(Instant::now() < deadline, "threads outlive their gate");
            thread::yield_now();
        }
    }
}
