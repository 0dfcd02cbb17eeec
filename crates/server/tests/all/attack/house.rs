//! `ironlatch serve` as an operator runs it, on either engine, with a mail server beside it.
//!
//! Whatever secret passes through a test is remembered; when the test ends, none of them may
//! stand in the server's log, and the log may tell of no panic and no error.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use ironlatch_testkit::each_engine;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::browser::Browser;
use super::database;
use super::http::{Answer, Call, Connection};
use super::sink::{Mail, Sink};
use crate::process::{Server, ironlatch, said};

/// The origin of the house as people know it; the socket is elsewhere.
pub(super) const ORIGIN: &str = "https://auth.example.com";
/// A password that no rule refuses.
pub(super) const PASSWORD: &str = "a long way home 17";

/// Thirty-two bytes that look like nothing else.
fn master_key() -> Vec<u8> {
    (0..32_u8).map(|n| n.wrapping_mul(37) ^ 0x5a).collect()
}

/// A server and what stands around it.
pub(super) struct House {
    server: Server,
    sink: Sink,
    folder: TempDir,
    pub(super) url: String,
    environment: Vec<(String, String)>,
    secrets: Mutex<BTreeSet<String>>,
    /// Every body that was answered.
    bodies: Mutex<String>,
    /// What servers before this one have logged.
    earlier_log: String,
    /// Whether errors in the log are part of the test.
    pub(super) may_fail: bool,
}

/// Somebody with an account, signed in.
#[derive(Clone)]
pub(super) struct Person {
    pub(super) email: String,
    pub(super) access: String,
    pub(super) refresh: String,
    /// `refresh_token=…`
    pub(super) cookie: String,
    /// The known-device cookie's pair.
    pub(super) device: String,
}

/// Runs a test against a server on each engine, then looks at the log.
pub(super) async fn each_house(environment: &[(&str, &str)], test: impl Fn(&mut House)) {
    each_engine(async |url| {
        let mut house = House::start(&url, environment);
        test(&mut house);
        house.close();
    })
    .await;
}

impl House {
    pub(super) fn start(url: &str, environment: &[(&str, &str)]) -> Self {
        let (folder, sink) = (tempfile::tempdir().unwrap(), Sink::start());
        let key = folder.path().join("key");
        std::fs::write(&key, master_key()).unwrap();
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
        let port = sink.port.to_string();
        let mut variables: Vec<(String, String)> = [
            ("IRONLATCH_DATABASE_URL", url),
            ("IRONLATCH_MASTER_KEY_FILE", key.to_str().unwrap()),
            ("IRONLATCH_PUBLIC_URL", ORIGIN),
            ("IRONLATCH_MAIL_FROM", "House <noreply@auth.example.com>"),
            ("IRONLATCH_MAIL__TRANSPORT", "smtp"),
            ("IRONLATCH_MAIL__SMTP__HOST", "127.0.0.1"),
            ("IRONLATCH_MAIL__SMTP__PORT", &port),
            ("IRONLATCH_MAIL__SMTP__SECURITY", "none"),
            ("IRONLATCH_LIMITS__SIGN_INS_PER_NETWORK_MINUTE", "100000"),
            ("IRONLATCH_LIMITS__SIGN_UPS_PER_NETWORK_HOUR", "100000"),
            ("IRONLATCH_LIMITS__MAILS_PER_IDENTIFIER_AND_NETWORK_HOUR", "100000"),
            ("IRONLATCH_LIMITS__MAILS_PER_IDENTIFIER_HOUR", "100000"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec();
        let extra = environment.iter().map(|(key, value)| ((*key).into(), (*value).into()));
        variables.extend(extra);
        let mut serve = ironlatch(folder.path());
        serve.envs(variables.clone()).args(["serve", "--listen", "127.0.0.1:0"]);
        Self {
            server: Server::start_with(&mut serve),
            sink,
            folder,
            url: url.to_owned(),
            environment: variables,
            secrets: Mutex::default(),
            bodies: Mutex::default(),
            earlier_log: String::new(),
            may_fail: false,
        }
    }

    /// A command beside the server, with the same configuration.
    pub(super) fn command(&self) -> Command {
        let mut command = ironlatch(self.folder.path());
        command.envs(self.environment.clone());
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        output
    }

    /// Another server on the same database (PostgreSQL), or after a stop (both engines).
    pub(super) fn restart(&mut self, environment: &[(&str, &str)]) {
        self.server.stop("TERM");
        self.earlier_log.push_str(&self.server.log());
        let mut serve = self.command();
        serve.envs(environment.iter().copied()).args(["serve", "--listen", "127.0.0.1:0"]);
        self.server = Server::start_with(&mut serve);
    }

    /// Makes every refresh token's chain a minute older, since the server has no clock to move:
    /// a token that was issued just now would be answered with itself.
    pub(super) fn age_chains(&self) {
        let sql = "UPDATE session_chains SET rotated_at = rotated_at - 60000000";
        database::execute(&self.url, sql);
    }

    pub(super) fn address(&self) -> std::net::SocketAddr {
        self.server.address
    }

    /// Where the metrics are, if they were asked for.
    pub(super) fn metrics(&self) -> std::net::SocketAddr {
        let log = self.server.log();
        let line = log.lines().find(|line| line.contains("\"metrics\"")).unwrap();
        let line: Value = serde_json::from_str(line).unwrap();
        line["address"].as_str().unwrap().parse().unwrap()
    }

    pub(super) fn pid(&self) -> u32 {
        self.server.pid()
    }

    pub(super) fn engine(&self) -> &'static str {
        if self.url.starts_with("sqlite:") { "SQLite" } else { "PostgreSQL" }
    }

    /// Everything the servers of this house have logged.
    pub(super) fn log(&self) -> String {
        self.earlier_log.clone() + &self.server.log()
    }

    /// Calls on a connection of its own.
    #[expect(clippy::needless_pass_by_value, reason = "tests build a call where they send it")]
    pub(super) fn call(&self, call: Call) -> Answer {
        let answer = Connection::open(self.address()).call(&call);
        self.remember(&call, &answer);
        answer
    }

    /// Calls at once, over connections that are warm: released from one barrier.
    pub(super) fn race(&self, calls: Vec<Call>) -> Vec<Answer> {
        let barrier = Arc::new(Barrier::new(calls.len()));
        let threads: Vec<_> = calls
            .into_iter()
            .map(|call| {
                let (barrier, address) = (Arc::clone(&barrier), self.address());
                std::thread::spawn(move || {
                    let mut connection = Connection::open(address);
                    connection.call(&Call::get("/healthz"));
                    barrier.wait();
                    let answer = connection.call(&call);
                    (call, answer)
                })
            })
            .collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap());
        ended
            .map(|(call, answer)| {
                self.remember(&call, &answer);
                answer
            })
            .collect()
    }

    fn remember(&self, call: &Call, answer: &Answer) {
        let mut found = Vec::new();
        for body in [&call.body, &answer.body] {
            let Ok(Value::Object(members)) = serde_json::from_slice(body) else { continue };
            let secret = [
                "password",
                "current_password",
                "new_password",
                "access",
                "refresh",
                "access_token",
                "refresh_token",
                "secret",
                "challenge",
                "code_verifier",
                "id_token",
            ];
            let texts = members.iter().filter(|(key, _)| secret.contains(&key.as_str()));
            found.extend(texts.filter_map(|(_, value)| Some(value.as_str()?.to_owned())));
            let codes = members.get("recovery_codes").and_then(Value::as_array);
            found
                .extend(codes.into_iter().flatten().filter_map(|it| Some(it.as_str()?.to_owned())));
        }
        self.bodies.lock().unwrap().push_str(&answer.text());
        for line in answer.set_cookies() {
            let pair = line.split(';').next().unwrap_or_default();
            found.extend(pair.split_once('=').map(|(_, value)| value.to_owned()));
        }
        for secret in found {
            self.keep(&secret);
        }
    }

    /// Remembers a secret, and the signature of a token on its own.
    pub(super) fn keep(&self, secret: &str) {
        let mut secrets = self.secrets.lock().unwrap();
        let signature = secret.rsplit('.').next().unwrap_or_default();
        secrets
            .extend([secret, signature].iter().filter(|it| it.len() >= 8).map(|it| (*it).into()));
    }

    /// Every secret that has passed through the test.
    pub(super) fn secrets(&self) -> BTreeSet<String> {
        let mut secrets = self.secrets.lock().unwrap().clone();
        secrets.extend(self.sink.all().iter().filter_map(Mail::token));
        secrets
    }

    pub(super) fn master_key(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("key")).unwrap()
    }

    /// Every mail so far.
    pub(super) fn all_mails(&self) -> Vec<Mail> {
        self.sink.all()
    }

    /// Every mail to an address so far.
    pub(super) fn mails(&self, to: &str) -> Vec<Mail> {
        self.sink.all().into_iter().filter(|mail| mail.to.iter().any(|it| it == to)).collect()
    }

    /// Waits until an address has `count` mails with these words in the subject; the newest.
    #[track_caller]
    pub(super) fn mail(&self, to: &str, words: &str, count: usize) -> Mail {
        let started = Instant::now();
        loop {
            let mut found = self.mails(to);
            found.retain(|mail| mail.subject().contains(words));
            if found.len() >= count {
                return found.pop().unwrap();
            }
            let waited = started.elapsed() < Duration::from_secs(10);
            assert!(waited, "{} of {count} mails about {words:?} to {to}", found.len());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(super) fn register(&self, name: &str) -> Answer {
        self.call(Call::post("/api/auth/register").json(json!({
            "username": name, "email": format!("{name}@example.com"), "password": PASSWORD,
        })))
    }

    pub(super) fn login(&self, email: &str, password: &str) -> Answer {
        let body = json!({ "email": email, "password": password });
        self.call(Call::post("/api/auth/login").json(body))
    }

    /// Signs up and in, the address not proven.
    #[track_caller]
    pub(super) fn person(&self, name: &str) -> Person {
        let made = self.register(name);
        assert_eq!(made.status, 201, "{}", made.text());
        self.signed_in(&format!("{name}@example.com"), PASSWORD)
    }

    #[track_caller]
    pub(super) fn signed_in(&self, email: &str, password: &str) -> Person {
        let answer = self.login(email, password);
        assert_eq!(answer.status, 200, "{}", answer.text());
        Person {
            email: email.to_owned(),
            access: answer.field("access"),
            refresh: answer.field("refresh"),
            cookie: answer.cookie("refresh_token").unwrap(),
            device: answer.cookie("__Host-ironlatch_device").unwrap(),
        }
    }

    /// The status of `me`.
    pub(super) fn me(&self, access: &str) -> u16 {
        self.call(Call::get("/api/auth/me").bearer(access)).status
    }

    /// Proves an address by the contract's way with the newest verification mail.
    #[track_caller]
    pub(super) fn verify(&self, email: &str) {
        let token = self.mail(email, "Verify", 1).token().unwrap();
        let path = format!("/api/auth/verify-email/?token={token}");
        let answer = self.call(Call::get(&path).header("Accept", "application/json"));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    pub(super) fn browser(&self) -> Browser<'_> {
        Browser::new(self)
    }

    /// Stops and looks at the log.
    pub(super) fn close(mut self) {
        assert_eq!(self.call(Call::get("/readyz")).status, 200, "it still answers");
        assert!(self.server.stop("TERM").success());
        let log = self.log();
        for line in log.lines() {
            let read: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| unreachable!("a log line is JSON: {error}: {line}"));
            let is_error = read["level"] == "error" && !self.may_fail;
            assert!(!is_error && !line.contains("panicked"), "on {}: {line}", self.engine());
        }
        let bodies = self.bodies.lock().unwrap();
        for token in self.sink.all().iter().filter_map(Mail::token) {
            assert!(!bodies.contains(&token), "B06: a mailed secret stands in an answer");
        }
        let words: BTreeSet<_> = bodies.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        for code in self.sink.all().iter().filter_map(Mail::any_code) {
            assert!(!words.contains(code.as_str()), "B06: a mailed code stands in an answer");
        }
        for secret in self.secrets() {
            let at = log.lines().find(|line| line.contains(&secret));
            assert!(at.is_none(), "H13 on {}: {secret} stands in the log: {at:?}", self.engine());
        }
    }
}

/// Waits until something holds that another process did, polled within half a second.
#[track_caller]
pub(super) fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(5), "not within 5 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
