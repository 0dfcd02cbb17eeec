//! A connection that reads nothing before it is asked for, until told otherwise.
//!
//! `lettre` keeps what it has read beyond an answer, and takes it for the next one, also across
//! STARTTLS: somebody on the way could append answers in the clear that then count as said
//! within TLS, up to "your mail is taken" (CVE-2021-38371 is the same fault elsewhere; RFC 3207
//! §6). Byte by byte there is nothing beyond an answer; what was appended spoils the handshake.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The connection.
#[derive(Debug)]
pub(super) struct Careful {
    stream: TcpStream,
    is_protected: Arc<AtomicBool>,
}

/// Tells the connection that TLS protects it from now on.
pub(super) struct Protected(Arc<AtomicBool>);

impl Careful {
    pub(super) fn new(stream: TcpStream) -> (Self, Protected) {
        let is_protected = Arc::<AtomicBool>::default();
        (Self { stream, is_protected: Arc::clone(&is_protected) }, Protected(is_protected))
    }
}

impl Protected {
    pub(super) fn begins(self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl AsyncRead for Careful {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_protected.load(Ordering::Relaxed) || buffer.remaining() == 0 {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut one))?;
        buffer.put_slice(one.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Careful {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncTokioStream for Careful {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}
