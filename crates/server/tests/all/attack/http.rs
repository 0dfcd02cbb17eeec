//! Calls over a socket, byte for byte as a test writes them.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A request to be.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) target: String,
    headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Call {
    pub(super) fn new(method: &str, target: &str) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { method, target, headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(super) fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    /// One more header line, whatever is there already.
    pub(super) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(super) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    pub(super) fn cookie(self, pair: &str) -> Self {
        self.header("Cookie", pair)
    }

    pub(super) fn body(mut self, kind: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.body = bytes.as_ref().to_vec();
        self.header("Content-Type", kind)
    }

    #[expect(clippy::needless_pass_by_value, reason = "tests write `json!` in the call")]
    pub(super) fn json(self, value: Value) -> Self {
        self.body("application/json", value.to_string())
    }

    pub(super) fn form(self, pairs: &[(&str, &str)]) -> Self {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        self.body("application/x-www-form-urlencoded", pairs.join("&"))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(found, _)| found.eq_ignore_ascii_case(name))
    }

    fn bytes(&self, host: SocketAddr) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        if !self.has("Host") {
            bytes.extend(format!("Host: {host}\r\n").into_bytes());
        }
        for (name, value) in &self.headers {
            bytes.extend(format!("{name}: ").into_bytes());
            bytes.extend(value);
            bytes.extend(b"\r\n");
        }
        if !self.has("Content-Length") && (!self.body.is_empty() || self.method == "POST") {
            bytes.extend(format!("Content-Length: {}\r\n", self.body.len()).into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

/// `application/x-www-form-urlencoded`, everything but letters and digits escaped.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let mut out = String::new();
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// What came back. Status 0: the server closed the connection without a word.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Every `Set-Cookie` line.
    pub(super) fn set_cookies(&self) -> Vec<&str> {
        let lines = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        lines.map(|(_, value)| value.as_str()).collect()
    }

    /// The `name=value` of a cookie that the answer sets.
    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        let pairs = self.set_cookies().into_iter().filter_map(|line| line.split(';').next());
        pairs
            .filter(|pair| pair.split_once('=').is_some_and(|(found, _)| found == name))
            .map(str::to_owned)
            .next_back()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// What the forms of a page name their link by, if they are about one.
    pub(super) fn form_link(&self) -> Option<String> {
        let text = self.text();
        let (_, after) = text.split_once("name=\"link\" value=\"")?;
        Some(after.split_once('"')?.0.to_owned())
    }

    /// A text of the body by its key.
    pub(super) fn field(&self, key: &str) -> String {
        self.json()[key].as_str().unwrap_or_default().to_owned()
    }
}

/// A kept connection.
pub(super) struct Connection {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { address, stream: BufReader::new(stream) }
    }

    pub(super) fn call(&mut self, call: &Call) -> Answer {
        // The server may answer and close before everything is written.
        let _ = self.stream.get_mut().write_all(&call.bytes(self.address));
        self.read(call.method == "HEAD").unwrap_or_default()
    }

    fn read(&mut self, is_head: bool) -> Option<Answer> {
        let line = self.line()?;
        let mut answer =
            Answer { status: line.split(' ').nth(1)?.parse().ok()?, ..Answer::default() };
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            answer.headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        if !is_head && let Some(length) = length {
            answer.body = vec![0; length];
            self.stream.read_exact(&mut answer.body).ok()?;
        }
        Some(answer)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let length = self.stream.read_until(b'\n', &mut line).ok()?;
        (length > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}
