//! An HTTP API of one page: keeps what it is sent and answers always the same.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::smtp_server::acceptor;

/// A server whose certificate no public authority signed. Answers its URL and how many
/// clients went on nevertheless.
pub(super) async fn impostor() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let fooled = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&fooled);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor().accept(stream).await else { continue };
            if stream.read(&mut [0]).await.is_ok_and(|length| length > 0) {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (url, fooled)
}

/// Answers every request with the same bytes and keeps what it was sent.
pub(super) struct Api {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Api {
    pub(super) async fn answering(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let kept = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = kept.clone();
                tokio::spawn(async move { serve(stream, answer, &kept).await });
            }
        });
        Self { url, requests }
    }

    /// Every request so far: its head and its body.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answer: &str, kept: &Mutex<Vec<String>>) -> Option<()> {
    let mut request = Vec::new();
    while !is_whole(&request) {
        let mut piece = [0; 4_096];
        let length = stream.read(&mut piece).await.ok()?;
        request.extend(piece.get(..length).filter(|piece| !piece.is_empty())?);
    }
    kept.lock().unwrap().push(String::from_utf8(request).ok()?);
    if answer.is_empty() {
        std::future::pending::<()>().await;
    }
    stream.write_all(answer.as_bytes()).await.ok()
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.parse::<usize>().ok());
    length.is_none_or(|length| body.len() >= length)
}
