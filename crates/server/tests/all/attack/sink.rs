//! A mail server of one page that keeps what it is given.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A mail that arrived.
#[derive(Debug, Clone)]
pub(super) struct Mail {
    /// The envelope's recipients.
    pub(super) to: Vec<String>,
    /// Head and body as they came.
    pub(super) raw: String,
    /// The plain text, decoded.
    pub(super) text: String,
    /// The HTML, decoded.
    pub(super) html: String,
}

impl Mail {
    pub(super) fn subject(&self) -> &str {
        let line = self.raw.lines().find_map(|line| line.strip_prefix("Subject: "));
        line.unwrap_or_default()
    }

    /// The first link in the text.
    pub(super) fn link(&self) -> String {
        let at = self.text.find("http").unwrap();
        self.text[at..].split_whitespace().next().unwrap_or_default().to_owned()
    }

    /// The six digits that stand alone in the text.
    #[track_caller]
    pub(super) fn code(&self) -> String {
        self.any_code().unwrap_or_else(|| unreachable!("no code in {}", self.text))
    }

    /// The same, if there are some.
    pub(super) fn any_code(&self) -> Option<String> {
        code_in(&self.text)
    }

    /// The secret in the link, if it has one.
    pub(super) fn token(&self) -> Option<String> {
        self.text.split_once("token=").map(|(_, rest)| {
            rest.split(|c: char| c.is_whitespace() || c == '&').next().unwrap_or("").to_owned()
        })
    }
}

/// The code in a text, if there is one: six digits that stand alone.
pub(super) fn code_in(text: &str) -> Option<String> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.find(|word| word.len() == 6 && word.bytes().all(|it| it.is_ascii_digit())).map(Into::into)
}

/// Listens until the test ends.
pub(super) struct Sink {
    pub(super) port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
}

impl Sink {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&mails);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || talk(stream, &kept));
            }
        });
        Self { port, mails }
    }

    pub(super) fn all(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }
}

/// Speaks as much SMTP (RFC 5321) as a client needs.
fn talk(stream: TcpStream, kept: &Mutex<Vec<Mail>>) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream).lines();
    let mut to = Vec::new();
    writer.write_all(b"220 here\r\n").ok()?;
    loop {
        let line = lines.next()?.ok()?;
        let answer = match line.split([' ', ':']).next().unwrap_or_default() {
            "RCPT" => {
                let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                to.push(address.to_owned());
                "250 fine"
            }
            "DATA" => {
                writer.write_all(b"354 go on\r\n").ok()?;
                let mut raw = String::new();
                loop {
                    let line = lines.next()?.ok()?;
                    if line == "." {
                        break;
                    }
                    raw.push_str(line.strip_prefix('.').unwrap_or(&line));
                    raw.push('\n');
                }
                let (text, html) = (part(&raw, "text/plain"), part(&raw, "text/html"));
                kept.lock().unwrap().push(Mail { to: std::mem::take(&mut to), raw, text, html });
                "250 taken"
            }
            "QUIT" => return None,
            _ => "250 fine",
        };
        writer.write_all(format!("{answer}\r\n").as_bytes()).ok()?;
    }
}

/// One alternative of a mail, decoded.
fn part(raw: &str, kind: &str) -> String {
    let Some(at) = raw.find(&format!("Content-Type: {kind}")) else { return String::new() };
    let start = raw[..at].rfind("\n--").unwrap_or(0);
    let (head, body) = raw[start..].split_once("\n\n").unwrap_or_default();
    let body = body.split("\n--=_").next().unwrap_or_default();
    let head = head.to_ascii_lowercase();
    if head.contains("quoted-printable") {
        quoted_printable(body)
    } else if head.contains("base64") {
        let joined: String = body.split_whitespace().collect();
        let bytes = data_encoding::BASE64.decode(joined.as_bytes()).unwrap();
        String::from_utf8(bytes).unwrap()
    } else {
        body.to_owned()
    }
}

/// RFC 2045 §6.7.
fn quoted_printable(text: &str) -> String {
    let joined = text.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'=' {
            bytes.push(byte);
            continue;
        }
        let pair: Vec<u8> = rest.by_ref().take(2).collect();
        let pair = String::from_utf8(pair).unwrap();
        bytes.push(u8::from_str_radix(&pair, 16).unwrap());
    }
    String::from_utf8(bytes).unwrap()
}
