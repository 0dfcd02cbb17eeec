//! One connection's deadlines: who sends or reads too slowly is cut off.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A request's head is coming in.
    Head,
    /// A request is being answered; its body may still be coming in.
    Body,
    /// Kept alive between two requests.
    Idle,
}

impl Phase {
    const fn longest(self) -> Duration {
        Duration::from_secs(match self {
            Self::Head => 10,
            Self::Body => 30,
            Self::Idle => 75,
        })
    }
}

/// How long a client may take to read what we have written.
const LONGEST_WRITE: Duration = Duration::from_secs(30);

/// The phase, shared by the stream and the service behind it. Each change gets a new number, so
/// that a deadline belongs to one phase of one request.
#[derive(Clone, Default)]
pub(super) struct Pace(Arc<AtomicU64>);

impl Pace {
    /// Begins a phase. Stream and service run in one task, so no ordering is needed.
    pub(super) fn enter(&self, phase: Phase) {
        let number = self.0.load(Ordering::Relaxed) / 3 + 1;
        self.0.store(number * 3 + phase as u64, Ordering::Relaxed);
    }

    fn now(&self) -> (u64, Phase) {
        let number = self.0.load(Ordering::Relaxed);
        let phase = match number % 3 {
            0 => Phase::Head,
            1 => Phase::Body,
            _ => Phase::Idle,
        };
        (number, phase)
    }
}

/// A TCP stream that fails once a phase takes too long.
///
/// hyper's own timeout for heads also runs while a connection is idle, so it would close kept
/// alive connections after ten seconds; and it has none for bodies and answers.
pub(super) struct PacedStream {
    stream: TcpStream,
    pace: Pace,
    read_deadline: Pin<Box<Sleep>>,
    /// The phase that `read_deadline` belongs to.
    read_phase: u64,
    write_deadline: Option<Pin<Box<Sleep>>>,
}

impl PacedStream {
    /// The head of the first request is due now.
    pub(super) fn new(stream: TcpStream, pace: Pace) -> Self {
        let read_deadline = Box::pin(sleep(Phase::Head.longest()));
        Self { stream, pace, read_deadline, read_phase: 0, write_deadline: None }
    }

    /// Lets a write go on, or fails when it has been stuck for too long.
    fn paced_write<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.write_deadline = None;
            return outcome;
        }
        let deadline = self.write_deadline.get_or_insert_with(|| Box::pin(sleep(LONGEST_WRITE)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for PacedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (number, phase) = self.pace.now();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        if outcome.is_ready() {
            if phase == Phase::Idle {
                self.pace.enter(Phase::Head);
            }
            return outcome;
        }
        if self.read_phase != number {
            self.read_phase = number;
            self.read_deadline.as_mut().reset(Instant::now() + phase.longest());
        }
        ready!(self.read_deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for PacedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.paced_write(context, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.paced_write(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
