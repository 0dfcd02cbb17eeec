//! The access log: a JSON line a request, gathered in memory and written by a thread of its own,
//! so that a request pays for a few copied bytes and never waits for the disk.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use ironlatch_core::client::Network;
use ironlatch_core::ports::{Clock, SystemClock};
use time::OffsetDateTime;

/// How long lines are gathered before they are written.
const GATHER: Duration = Duration::from_millis(100);
/// What is gathered at most; a disk that cannot follow loses lines, not memory.
const MOST: usize = 4 * 1024 * 1024;

/// One answered request. The query and long parts of the path are left out: they can hold
/// tokens.
pub(super) struct Line<'a> {
    pub(super) id: &'a HeaderValue,
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) status: StatusCode,
    pub(super) took: Duration,
    pub(super) network: Network,
}

/// Where lines are gathered.
#[derive(Clone, Default)]
pub struct AccessLog(Arc<Shared>);

#[derive(Default)]
struct Shared {
    gathered: Mutex<Gathered>,
    something: Condvar,
}

#[derive(Default)]
struct Gathered {
    text: String,
    lost: u64,
}

impl AccessLog {
    /// Begins to write to standard error.
    pub fn start() -> std::io::Result<Self> {
        let log = Self::default();
        let shared = log.clone();
        std::thread::Builder::new().name("access log".to_owned()).spawn(move || {
            loop {
                let gathered = shared.lock();
                let waiting = shared.0.something.wait_while(gathered, |g| g.text.is_empty());
                drop(waiting);
                std::thread::sleep(GATHER);
                shared.flush();
            }
        })?;
        Ok(log)
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.0.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line.
    pub(super) fn add(&self, line: &Line<'_>) {
        let mut gathered = self.lock();
        if gathered.text.len() > MOST {
            gathered.lost += 1;
            return;
        }
        let was_empty = gathered.text.is_empty();
        write_line(&mut gathered.text, line);
        drop(gathered);
        if was_empty {
            self.0.something.notify_one();
        }
    }

    /// Writes what has been gathered.
    pub fn flush(&self) {
        let gathered = std::mem::take(&mut *self.lock());
        // Nobody is left to tell when standard error itself fails.
        drop(std::io::stderr().write_all(gathered.text.as_bytes()));
        if gathered.lost > 0 {
            tracing::warn!(
                lines = gathered.lost,
                "the access log could not follow; lines are lost"
            );
        }
    }
}

/// Builds a line by hand: this runs for every request.
fn write_line(text: &mut String, line: &Line<'_>) {
    text.push_str(r#"{"at":""#);
    write_now(text);
    text.push_str(r#"","level":"info","message":"request","request_id":""#);
    text.push_str(line.id.to_str().unwrap_or_default());
    text.push_str(r#"","method":""#);
    text.push_str(line.method.as_str());
    text.push_str(r#"","path":""#);
    write_path(text, line.path);
    let status = line.status.as_u16();
    let micros = line.took.as_micros();
    // Writing into a `String` cannot fail.
    let _ =
        writeln!(text, r#"","status":{status},"micros":{micros},"network":"{}"}}"#, line.network);
}

/// The machine's time, whatever clock the engine goes by: RFC 3339 in UTC.
fn write_now(text: &mut String) {
    let now = SystemClock.now();
    let at = OffsetDateTime::from_unix_timestamp(now.seconds());
    let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    let (month, micros) = (u8::from(month), now.micros().rem_euclid(1_000_000));
    // Writing into a `String` cannot fail.
    let _ = write!(
        text,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"
    );
}

/// The path, with parts longer than a UUID left out and anything but plain characters replaced.
fn write_path(text: &mut String, path: &str) {
    for part in path.split('/').skip(1).take(12) {
        text.push('/');
        if part.len() > 36 {
            text.push('…');
            continue;
        }
        let plain = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        text.extend(part.chars().map(|c| if plain(c) { c } else { '?' }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_and_shows_no_token() {
        let mut text = String::new();
        let token = "t".repeat(43);
        write_line(
            &mut text,
            &Line {
                id: &HeaderValue::from_static("ab-1"),
                method: &Method::GET,
                path: &format!("/verify/{token}/\"x\\\u{e9}"),
                status: StatusCode::NOT_FOUND,
                took: Duration::from_micros(1234),
                network: Network::of("2001:db8::1".parse().unwrap()),
            },
        );
        assert!(!text.contains(&token), "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["path"], "/verify/…/?x??");
        assert_eq!(line["status"], 404);
        assert_eq!(line["micros"], 1234);
        assert_eq!(line["network"], "2001:db8::/64");
        assert!(line["at"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn a_log_that_cannot_follow_loses_lines_not_memory() {
        let log = AccessLog::default();
        log.lock().text = "x".repeat(MOST + 1);
        log.add(&Line {
            id: &HeaderValue::from_static("ab-1"),
            method: &Method::GET,
            path: "/",
            status: StatusCode::OK,
            took: Duration::ZERO,
            network: Network::of("127.0.0.1".parse().unwrap()),
        });
        assert_eq!(log.lock().lost, 1);
        assert_eq!(log.lock().text.len(), MOST + 1);
    }
}
