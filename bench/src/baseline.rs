//! The bare handler: an axum route that gives the bytes the server gave, with no product behind
//! it, on the same HTTP stack with the same settings. A process of its own on the server's core.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use crate::load::Connection;
use crate::machine;

/// The argument by which this program is the bare handler.
pub(crate) const COMMAND: &str = "serve-the-baseline";

/// A running bare handler; it ends when this is dropped.
pub(crate) struct Baseline {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Baseline {
    /// Starts one that answers `request` as `answer` does, and makes sure that it does: same
    /// status, same headers, same number of bytes.
    pub(crate) fn start(request: &[u8], answer: &[u8]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = machine::on_server_core(|| command.spawn())??;
        let mut input = child.stdin.take().context("the baseline takes no input")?;
        input.write_all(answer)?;
        drop(input);
        let output = child.stdout.take().context("the baseline says nothing")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse().context("the baseline did not start")?;
        let baseline = Self { child, address };
        let given = Connection::open(address)?.ask(request)?;
        ensure!(
            shape(&given) == shape(answer),
            "the baseline answers other bytes:\n{}\ninstead of:\n{}",
            String::from_utf8_lossy(&given),
            String::from_utf8_lossy(answer)
        );
        Ok(baseline)
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What must be equal: the length, and every header line but the date, in any order.
fn shape(answer: &[u8]) -> (usize, Vec<String>) {
    let text = String::from_utf8_lossy(answer);
    let (head, _) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines: Vec<String> =
        head.lines().filter(|line| !line.starts_with("date:")).map(str::to_owned).collect();
    lines.sort();
    (answer.len(), lines)
}

/// The other side: reads the answer to give from standard input, tells its address, and serves.
pub(crate) fn serve() -> anyhow::Result<()> {
    let mut answer = Vec::new();
    std::io::stdin().read_to_end(&mut answer)?;
    let (headers, body) = taken_apart(&answer)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(listen(headers, body))
}

/// Headers that hyper does not add by itself, and the body.
fn taken_apart(answer: &[u8]) -> anyhow::Result<(HeaderMap, Bytes)> {
    let text = std::str::from_utf8(answer)?;
    let (head, body) = text.split_once("\r\n\r\n").context("the answer has no head")?;
    let mut headers = HeaderMap::new();
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(": ").context("a header has no value")?;
        if !["date", "content-length"].contains(&name) {
            headers.append(HeaderName::try_from(name)?, HeaderValue::from_str(value)?);
        }
    }
    Ok((headers, Bytes::copy_from_slice(body.as_bytes())))
}

async fn listen(headers: HeaderMap, body: Bytes) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let answer = move || std::future::ready((headers.clone(), body.clone()));
    let router = Router::new()
        .route("/api/auth/me/", any(answer.clone()))
        .route("/api/auth/otp/request/", any(answer.clone()))
        .route("/api/auth/otp/verify/", any(answer.clone()))
        .route("/api/auth/token/refresh/", any(answer));
    // As the server sets it up.
    let mut protocol = http1::Builder::new();
    protocol
        .header_read_timeout(None)
        .max_headers(100)
        .max_header_size(32 * 1024)
        .max_buf_size(33 * 1024);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = TowerToHyperService::new(router.clone());
        let connection = protocol.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // A client that leaves is no fault.
            let _ = connection.await;
        });
    }
}
