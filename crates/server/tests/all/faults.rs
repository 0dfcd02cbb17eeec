//! R04, R05, R30: a disk that fills up and a database that goes away, under a running server.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ironlatch_testkit::PostgresServer;
use serde_json::json;

use crate::keep_alive::{Answer, Connection};
use crate::process::{Server, ironlatch};

const PASSWORD: &str = "a long way home";

fn unlimited(command: &mut Command) -> &mut Command {
    command
        .env("IRONLATCH_LIMITS__SIGN_INS_PER_NETWORK_MINUTE", "1000000")
        .env("IRONLATCH_LIMITS__SIGN_UPS_PER_NETWORK_HOUR", "1000000")
        .env("IRONLATCH_PUBLIC_URL", "http://localhost:8000")
}

fn register(connection: &mut Connection, email: &str) -> std::io::Result<Answer> {
    let wish = json!({ "username": email.replace('@', "."), "email": email, "password": PASSWORD });
    connection.post("/api/auth/register/", None, &wish)
}

fn log_in(connection: &mut Connection, email: &str) -> std::io::Result<Answer> {
    let known = json!({ "email": email, "password": PASSWORD });
    connection.post("/api/auth/login/", None, &known)
}

/// `serve` in a process whose file sizes can be limited from outside without killing it.
fn serve_within_limits(folder: &Path) -> Server {
    let mut plain = ironlatch(folder);
    unlimited(plain.args(["serve", "--listen", "127.0.0.1:0"]));
    let mut wrapped = Command::new("/bin/sh");
    wrapped.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    wrapped.arg(plain.get_program()).args(plain.get_args()).env_clear();
    for (key, value) in plain.get_envs() {
        if let Some(value) = value {
            wrapped.env(key, value);
        }
    }
    Server::start_with(&mut wrapped)
}

fn let_files_grow_to(server: &Server, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let pid = server.pid().to_string();
    let done = Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap();
    assert!(done.success(), "prlimit --pid {pid} {limit}");
}

#[test]
fn r04_on_a_full_disk_writes_answer_503_checks_go_on_and_it_recovers_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve_within_limits(folder.path());
    let mut connection = Connection::open(server.address).unwrap();
    assert_eq!(register(&mut connection, "before@example.com").unwrap().status, 201);
    let access = log_in(&mut connection, "before@example.com").unwrap().text("access");
    let me = |connection: &mut Connection| connection.get("/api/auth/me/", Some(&access)).unwrap();
    assert_eq!(me(&mut connection).status, 200);

    let_files_grow_to(&server, "4096");
    for n in 0..10 {
        let started = Instant::now();
        let refused = register(&mut connection, &format!("during{n}@example.com")).unwrap();
        assert_eq!(refused.status, 503, "{}", refused.body);
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        assert_eq!(me(&mut connection).status, 200, "checks need no disk");
        assert_eq!(connection.get("/.well-known/jwks.json", None).unwrap().status, 200);
    }

    let_files_grow_to(&server, "unlimited");
    let since = Instant::now();
    while register(&mut connection, "after@example.com").unwrap().status != 201 {
        assert!(since.elapsed() < Duration::from_secs(5), "it does not recover");
        std::thread::sleep(Duration::from_millis(100));
    }
    for n in 0..10 {
        let email = format!("during{n}@example.com");
        let unknown = log_in(&mut connection, &email).unwrap();
        assert_eq!(unknown.status, 400, "{email} was refused and must not be there");
    }
    assert_eq!(log_in(&mut connection, "before@example.com").unwrap().status, 200);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// What a client did while the database came and went.
#[derive(Default)]
struct Seen {
    made: Mutex<Vec<String>>,
    strange: Mutex<Vec<String>>,
}

/// Signs people up, one after the other, and notes every answer that is neither 201 nor 503.
fn keep_signing_up(address: SocketAddr, client: usize, seen: &Seen, stop: &AtomicBool) {
    let mut connection = Connection::open(address).unwrap();
    let mut n = 0;
    while !stop.load(Ordering::SeqCst) {
        n += 1;
        let email = format!("client{client}n{n}@example.com");
        match register(&mut connection, &email) {
            Ok(answer) if answer.status == 201 => seen.made.lock().unwrap().push(email),
            Ok(answer) if answer.status == 503 => std::thread::sleep(Duration::from_millis(20)),
            Ok(answer) => {
                let text = format!("{email}: {} {}", answer.status, answer.body);
                seen.strange.lock().unwrap().push(text);
            }
            Err(error) => seen.strange.lock().unwrap().push(format!("{email}: {error}")),
        }
    }
}

fn ready(address: SocketAddr) -> bool {
    let mut connection = Connection::open(address).unwrap();
    connection.get("/readyz", None).unwrap().status == 200
}

fn wait_until(what: &str, within: Duration, is_so: impl Fn() -> bool) -> Duration {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < within, "{what} within {within:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn r05_a_database_restart_loses_nothing_answers_503_and_needs_no_help() {
    let Some(mut database) = PostgresServer::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("given.key");
    std::fs::write(&key, [9; 32]).unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    let mut command = ironlatch(folder.path());
    unlimited(command.args(["serve", "--listen", "127.0.0.1:0"]));
    command.env("IRONLATCH_DATABASE_URL", &database.url).env("IRONLATCH_MASTER_KEY_FILE", key);
    let server = Server::start_with(&mut command);
    let address = server.address;
    wait_until("ready", Duration::from_secs(5), || ready(address));

    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            std::thread::spawn(move || keep_signing_up(address, client, &seen, &stop))
        })
        .collect();
    for restart in 0..3 {
        std::thread::sleep(Duration::from_millis(500));
        database.crash();
        wait_until("not ready", Duration::from_secs(8), || !ready(address));
        database.resume().await;
        let before = seen.made.lock().unwrap().len();
        let back = wait_until("ready again", Duration::from_secs(10), || ready(address));
        wait_until("writes again", Duration::from_secs(5), || {
            seen.made.lock().unwrap().len() > before
        });
        println!("restart {restart}: ready {back:?} after the database");
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().unwrap();
    }
    let strange = seen.strange.lock().unwrap();
    assert!(strange.is_empty(), "neither 201 nor 503: {strange:#?}");
    let mut connection = Connection::open(address).unwrap();
    let made = seen.made.lock().unwrap();
    for email in made.iter() {
        assert_eq!(log_in(&mut connection, email).unwrap().status, 200, "{email} was lost");
    }
    println!("{} sign-ups over three restarts", made.len());
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
