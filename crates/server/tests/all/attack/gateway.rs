//! An SMS gateway of one URL that keeps what it is given.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::sink::code_in;

/// Listens until the test ends.
pub(super) struct Gateway {
    pub(super) url: String,
    /// Number and text, in the order of arrival.
    messages: Arc<Mutex<Vec<(String, String)>>>,
}

impl Gateway {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/messages", listener.local_addr().unwrap());
        let messages = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&messages);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || answer(stream, &kept));
            }
        });
        Self { url, messages }
    }

    /// What a server's environment must say to send here, and to Germany alone.
    pub(super) fn environment(&self) -> [(&str, &str); 4] {
        [
            ("IRONLATCH_SMS__TRANSPORT", "http"),
            ("IRONLATCH_SMS__HTTP__URL", &self.url),
            ("IRONLATCH_SMS__HTTP__BODY", r#"{"to": "{to}", "text": "{text}"}"#),
            ("IRONLATCH_SMS__COUNTRIES", "DE"),
        ]
    }

    pub(super) fn all(&self) -> Vec<(String, String)> {
        self.messages.lock().unwrap().clone()
    }

    /// Forgets what came so far.
    pub(super) fn clear(&self) {
        self.messages.lock().unwrap().clear();
    }

    /// Waits until a number has `count` messages; the newest one's code.
    #[track_caller]
    pub(super) fn code(&self, to: &str, count: usize) -> String {
        let started = Instant::now();
        loop {
            let found: Vec<_> = self.all().into_iter().filter(|(number, _)| number == to).collect();
            if found.len() >= count {
                return code_in(&found.last().unwrap().1).unwrap();
            }
            let waited = started.elapsed() < Duration::from_secs(10);
            assert!(waited, "{} of {count} SMS to {to}", found.len());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Takes one request and closes.
fn answer(stream: TcpStream, kept: &Mutex<Vec<(String, String)>>) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    kept.lock().unwrap().push((text("to"), text("text")));
    writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok()
}
