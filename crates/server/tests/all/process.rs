//! Running the binary: a server on a free port, or one command.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The binary without whatever configures the machine that tests run on.
pub(crate) fn ironlatch(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ironlatch"));
    command.env_clear().env("IRONLATCH_DATA_DIR", data_dir).stdin(Stdio::null());
    for (key, value) in [
        ("IRONLATCH_PASSWORDS__ALLOW_WEAK_HASHING_FOR_TESTS", "true"),
        ("IRONLATCH_PASSWORDS__ARGON2_MEMORY_KIB", "64"),
        ("IRONLATCH_PASSWORDS__ARGON2_PASSES", "1"),
    ] {
        command.env(key, value);
    }
    command
}

/// Runs a command to its end.
pub(crate) fn run(data_dir: &Path, arguments: &[&str]) -> Output {
    ironlatch(data_dir).args(arguments).output().unwrap()
}

/// What a command said on both streams.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// A running server; it is killed when the test ends.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// `ironlatch serve` on a free port.
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::start_with(ironlatch(data_dir).args(["serve", "--listen", "127.0.0.1:0"]))
    }

    /// Any command that serves; waits until it says where it listens.
    pub(crate) fn start_with(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "{}", log.lock().unwrap());
            log.lock().unwrap().push_str(&line);
            if let Some(address) = listening(&line) {
                break address;
            }
        };
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = lines.read(&mut bytes) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        Self { child, address, log }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Sends a signal by name and waits for the end.
    pub(crate) fn stop(&mut self, signal: &str) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap();
        assert!(sent.success());
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < Duration::from_secs(12), "it does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A connection.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(45))).unwrap();
        stream
    }

    /// Sends a request as written and reads until the server closes the connection.
    pub(crate) fn raw(&self, request: &str) -> String {
        let mut stream = self.connect();
        // The server may answer and close before everything is written.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// `GET`, with more header lines.
    pub(crate) fn get(&self, path: &str, headers: &str) -> String {
        let address = self.address;
        self.raw(&format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n"
        ))
    }

    /// `POST` of a JSON body, with more header lines.
    pub(crate) fn post(&self, path: &str, headers: &str, body: &str) -> String {
        let (address, length) = (self.address, body.len());
        self.raw(&format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in the line that says so, as `serve` or `dev` writes it.
fn listening(line: &str) -> Option<SocketAddr> {
    if let Some((_, address)) = line.split_once("listens on http://") {
        return address.trim().parse().ok();
    }
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    (line["message"] == "listening").then(|| line["address"].as_str()?.parse().ok())?
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// The body of an answer.
pub(crate) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// A header of an answer.
pub(crate) fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split_once("\r\n\r\n").map_or(answer, |(head, _)| head);
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}
