//! A network between us and the server that breaks when a test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// How the next bytes are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Fault {
    /// All is well.
    None = 0,
    /// What the server answers next never arrives, and the connection breaks.
    LoseAnswer = 1,
    /// What we send next never arrives, and the connection breaks.
    LoseQuestion = 2,
    /// What we send next arrives, the connection breaks at once on our side only: the server
    /// goes on with it.
    BreakAfterQuestion = 3,
}

/// Forwards connections to a server; one fault breaks one connection.
pub(super) struct Proxy {
    pub(super) port: u16,
    state: Arc<State>,
}

struct State {
    fault: AtomicU8,
    target: u16,
}

impl Proxy {
    pub(super) async fn new(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State { fault: AtomicU8::new(0), target });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, Arc::clone(&shared)));
            }
        });
        Self { port, state }
    }

    /// The URL of the same database, through here.
    pub(super) fn through(&self, url: &str) -> String {
        url.replace(&format!(":{}/", self.state.target), &format!(":{}/", self.port))
    }

    pub(super) fn break_next(&self, fault: Fault) {
        self.state.fault.store(fault as u8, Ordering::SeqCst);
    }

    /// Whether the fault has happened.
    pub(super) fn has_broken(&self) -> bool {
        self.state.fault.load(Ordering::SeqCst) == Fault::None as u8
    }
}

impl State {
    /// Whether this fault is due; it happens once.
    fn take(&self, fault: Fault) -> bool {
        let change = self.fault.compare_exchange(
            fault as u8,
            Fault::None as u8,
            Ordering::SeqCst,
            Ordering::SeqCst,
        );
        change.is_ok()
    }
}

async fn forward(client: TcpStream, state: Arc<State>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", state.target)).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let broken = Arc::new(Notify::new());
    let questions = questions(from_client, to_server, Arc::clone(&state), Arc::clone(&broken));
    let answers = answers(from_server, to_client, state, broken);
    tokio::spawn(questions);
    answers.await;
}

async fn questions(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: Arc<State>,
    broken: Arc<Notify>,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if state.take(Fault::LoseQuestion) {
            broken.notify_one();
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
        if state.take(Fault::BreakAfterQuestion) {
            broken.notify_one();
            // The server must not notice.
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            return;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: Arc<State>,
    broken: Arc<Notify>,
) {
    let mut buffer = vec![0; 65_536];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            () = broken.notified() => {
                // Our side sees the end; the half towards the server stays as it is.
                let _ = to.shutdown().await;
                drop(to);
                while matches!(from.read(&mut buffer).await, Ok(1..)) {}
                return;
            }
        };
        let Ok(length @ 1..) = read else { return };
        if state.take(Fault::LoseAnswer) || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
