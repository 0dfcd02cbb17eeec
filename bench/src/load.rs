//! A flood: so many clients, each sending its next request as soon as it has its answer.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::machine;
use crate::requests::Requests;

/// How far apart bunches of answers are, about.
const BUNCH: Duration = Duration::from_millis(60);
/// The longest answer that is expected.
const LONGEST_ANSWER: usize = 16 * 1024;

/// One kept-alive connection with at most one request on its way.
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    filled: usize,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self { stream, answer: vec![0; LONGEST_ANSWER], filled: 0 })
    }

    /// Tells an epoll to look at this connection.
    pub(crate) fn watch(&self, epoll: &impl std::os::fd::AsFd, at: u64) -> anyhow::Result<()> {
        Ok(epoll::add(epoll, &self.stream, EventData::new_u64(at), EventFlags::IN)?)
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.filled = 0;
        Ok(self.stream.write_all(request)?)
    }

    /// Reads what has come in; the answer once it is complete.
    pub(crate) fn receive(&mut self) -> anyhow::Result<Option<&[u8]>> {
        let room = self.answer.get_mut(self.filled..).unwrap_or_default();
        let count = self.stream.read(room)?;
        ensure!(count > 0, "the server closed a connection");
        self.filled += count;
        let seen = self.answer.get(..self.filled).unwrap_or_default();
        Ok(length(seen).is_some_and(|length| length <= self.filled).then_some(seen))
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.send(request)?;
        loop {
            if let Some(answer) = self.receive()? {
                return Ok(answer.to_vec());
            }
        }
    }
}

/// How long an answer is, head and body, once its head is complete.
fn length(answer: &[u8]) -> Option<usize> {
    let head = find(answer, b"\r\n\r\n")? + 4;
    let name = b"\r\ncontent-length: ";
    let value = answer.get(find(answer.get(..head)?, name)? + name.len()..)?;
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
    Some(head + digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0')))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// The status of an answer.
pub(crate) fn status(answer: &[u8]) -> u16 {
    let digits = answer.get(9..12).unwrap_or_default().iter();
    digits.fold(0, |status, digit| status * 10 + u16::from(digit.wrapping_sub(b'0')))
}

/// How clients wait for answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Waiting {
    /// Looking all the time: waking a sleeper on the other core costs whoever sends the answer,
    /// in a virtual machine more than the answer itself, and no client in another machine costs
    /// the server that.
    Awake,
    /// Leaving their core to others, for loads beside which something is probed.
    Asleep,
}

/// Load that runs until it is told to stop.
pub(crate) struct Flood {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// Answers of the status that was wished for.
    fine: AtomicU64,
    /// The others, by status.
    others: Mutex<BTreeMap<u16, u64>>,
}

impl Flood {
    /// Begins with `clients` connections; each takes the next of the requests, over and over.
    pub(crate) fn start(
        address: SocketAddr,
        clients: usize,
        requests: &Arc<Requests>,
        waiting: Waiting,
    ) -> anyhow::Result<Self> {
        let connections = (0..clients).map(|_| Connection::open(address));
        let connections = connections.collect::<anyhow::Result<Vec<_>>>()?;
        let shared = Arc::new(Shared::default());
        let (requests, known) = (Arc::clone(requests), Arc::clone(&shared));
        let thread = std::thread::spawn(move || flood(connections, &requests, &known, waiting));
        Ok(Self { shared, thread: Some(thread) })
    }

    /// How many requests have been answered as wished.
    pub(crate) fn answered(&self) -> u64 {
        self.shared.fine.load(Ordering::Relaxed)
    }

    /// Ends it; answers how many answers had another status than wished, by status.
    pub(crate) fn stop(mut self) -> anyhow::Result<BTreeMap<u16, u64>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join().map_err(|_| anyhow::anyhow!("the load panicked"))?;
            ended.context("the load broke off")?;
        }
        let others = self.shared.others.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(others.clone())
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

fn flood(
    mut clients: Vec<Connection>,
    requests: &Requests,
    known: &Shared,
    waiting: Waiting,
) -> anyhow::Result<()> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    for (at, client) in (0..).zip(&mut clients) {
        client.watch(&epoll, at)?;
        client.send(requests.next())?;
    }
    let mut events = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; 64];
    let pause = match waiting {
        Waiting::Awake => Timespec { tv_sec: 0, tv_nsec: 0 },
        Waiting::Asleep => Timespec { tv_sec: 0, tv_nsec: 100_000_000 },
    };
    while !known.stop.load(Ordering::Relaxed) {
        let count = epoll::wait(&epoll, &mut events, Some(&pause))?;
        for event in events.iter().take(count) {
            let at = usize::try_from(event.data.u64())?;
            let client = clients.get_mut(at).context("an event of no client")?;
            let Some(answer) = client.receive()? else { continue };
            match status(answer) {
                fine if fine == requests.wished => {
                    known.fine.fetch_add(1, Ordering::Relaxed);
                }
                other => {
                    let mut others = known.others.lock().unwrap_or_else(PoisonError::into_inner);
                    *others.entry(other).or_default() += 1;
                }
            }
            client.send(requests.next())?;
        }
    }
    Ok(())
}

/// What a window of load saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Answers a second.
    pub(crate) per_second: f64,
    /// Answers for each second of the server's processor time.
    pub(crate) per_cpu_second: f64,
}

/// A load and how long to look at it.
pub(crate) struct Load<'a> {
    pub(crate) requests: &'a Arc<Requests>,
    pub(crate) clients: usize,
    pub(crate) waiting: Waiting,
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

impl Load<'_> {
    /// Loads a server that is one process; any answer of another status than wished is a fault.
    pub(crate) fn measure(&self, address: SocketAddr, process: u32) -> anyhow::Result<Window> {
        let mut seen = Seen::default();
        self.during(address, |flood| seen.look(flood, process, self.window))?;
        seen.window()
    }

    /// Loads it so many times for a part of the window, and has something else work in between
    /// for as long: a neighbour who takes from the machine takes from both sides alike.
    pub(crate) fn measure_in_turn(
        &self,
        (address, process): (SocketAddr, u32),
        turns: u32,
        mut other: impl FnMut(Duration) -> anyhow::Result<()>,
    ) -> anyhow::Result<Window> {
        let (span, mut seen) = (self.window / turns, Seen::default());
        for turn in 0..turns {
            // Answers come in bunches; no bunch may fall on the same side of the edge every time.
            let later = BUNCH * turn / turns;
            let load = Self { warm_up: self.warm_up + later, ..*self };
            load.during(address, |flood| seen.look(flood, process, span))?;
            other(span)?;
        }
        seen.window()
    }

    fn during(
        &self,
        address: SocketAddr,
        look: impl FnOnce(&Flood) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let flood = Flood::start(address, self.clients, self.requests, self.waiting)?;
        std::thread::sleep(self.warm_up);
        look(&flood)?;
        let others = flood.stop()?;
        ensure!(others.is_empty(), "other answers than wished for (status: number): {others:?}");
        Ok(())
    }
}

/// Looks at a running flood for a while.
pub(crate) fn look(flood: &Flood, process: u32, span: Duration) -> anyhow::Result<Window> {
    let mut seen = Seen::default();
    seen.look(flood, process, span)?;
    seen.window()
}

/// What was seen of a flood and its server.
#[derive(Default)]
struct Seen {
    answered: u64,
    took: Duration,
    spent: Duration,
}

impl Seen {
    fn look(&mut self, flood: &Flood, process: u32, span: Duration) -> anyhow::Result<()> {
        let (start, answered) = (Instant::now(), flood.answered());
        let spent = machine::cpu_time(process)?;
        std::thread::sleep(span);
        self.answered += flood.answered() - answered;
        self.took += start.elapsed();
        self.spent += machine::cpu_time(process)?.saturating_sub(spent);
        Ok(())
    }

    fn window(&self) -> anyhow::Result<Window> {
        ensure!(self.answered > 0, "not one answer came");
        Ok(Window {
            per_second: machine::per_second(self.answered, self.took),
            per_cpu_second: machine::per_second(self.answered, self.spent),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{length, status};

    #[test]
    fn an_answer_is_complete_with_its_body() {
        let answer = b"HTTP/1.1 204 No Content\r\ncontent-length: 12\r\nx: y\r\n\r\nhello";
        assert_eq!(length(answer), Some(answer.len() - 5 + 12));
        assert_eq!(length(b"HTTP/1.1 200 OK\r\ncontent-length: 1"), None);
        assert_eq!(status(answer), 204);
    }
}
