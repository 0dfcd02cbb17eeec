//! R01: `kill -9` while 32 writers write. Every acknowledged write is there afterwards, and no
//! token that was consumed or revoked lives again.
//!
//! `IRONLATCH_CRASH_CYCLES` says how often (20 an engine; `cargo xtask crash` for more).

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ironlatch_testkit::each_engine;
use serde_json::json;

use crate::keep_alive::Connection;
use crate::process::{Server, ironlatch};

const WRITERS: usize = 32;
/// A refresh token older than this is rotated by its next use, which is then a write.
const ROTATES_AFTER: Duration = Duration::from_secs(31);
const FIRST: &str = "the first long password";
const SECOND: &str = "the second long password";

/// One account as its owner knows it from answers alone.
struct Owner {
    email: String,
    password: &'static str,
    /// Asked for and not answered: both passwords may be right.
    password_in_doubt: bool,
    refresh: String,
    issued: Instant,
    state: Session,
}

/// What the owner knows of the session.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Session {
    /// Signed in, and the newest refresh token is known.
    Live,
    /// An answer was lost: anything may hold.
    InDoubt,
    /// Signed out, and the server said so.
    Ended,
}

#[derive(Default)]
struct Ledger {
    owners: Mutex<Vec<Owner>>,
    acknowledged: Mutex<usize>,
}

impl Ledger {
    fn count(&self) {
        *self.acknowledged.lock().unwrap() += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_acknowledged_survives_kill_9_and_what_was_ended_stays_ended() {
    let cycles = std::env::var("IRONLATCH_CRASH_CYCLES").ok().and_then(|n| n.parse().ok());
    let cycles: usize = cycles.unwrap_or(20);
    each_engine(async |url| {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Arc::new(Ledger::default());
        let mut slowest = Duration::ZERO;
        for cycle in 0..cycles {
            let started = Instant::now();
            let mut server = Server::start_with(&mut serve(folder.path(), &url));
            if cycle > 0 {
                slowest = slowest.max(started.elapsed());
                verify(server.address, &ledger, cycle);
            }
            write_until_killed(&mut server, &ledger, cycle);
        }
        let server = Server::start_with(&mut serve(folder.path(), &url));
        verify(server.address, &ledger, cycles);
        let acknowledged = *ledger.acknowledged.lock().unwrap();
        println!("{cycles} cycles, {acknowledged} acknowledged writes, ready after {slowest:?}");
        assert!(acknowledged > cycles * WRITERS, "the load was no load: {acknowledged}");
        assert!(!server.log().contains("panicked"), "{}", server.log());
    })
    .await;
}

fn serve(folder: &Path, url: &str) -> Command {
    let mut command = ironlatch(folder);
    let key = folder.join("given.key");
    if url.starts_with("postgres") && !key.exists() {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(&key, [9; 32]).unwrap();
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    }
    if url.starts_with("postgres") {
        command.env("IRONLATCH_DATABASE_URL", url).env("IRONLATCH_MASTER_KEY_FILE", key);
    }
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        // Tokens name their issuer, which must not change with the port.
        .env("IRONLATCH_PUBLIC_URL", "http://localhost:8000")
        .env("IRONLATCH_LIMITS__SIGN_INS_PER_NETWORK_MINUTE", "1000000")
        .env("IRONLATCH_LIMITS__SIGN_UPS_PER_NETWORK_HOUR", "1000000");
    command
}

/// 32 writers write for a while; then the server is killed in the middle of it.
fn write_until_killed(server: &mut Server, ledger: &Arc<Ledger>, cycle: usize) {
    let stop = Arc::new(AtomicBool::new(false));
    let address = server.address;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (ledger, stop) = (Arc::clone(ledger), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut round = 0;
                while !stop.load(Ordering::SeqCst) {
                    let email = format!("w{writer}c{cycle}r{round}@example.com");
                    if live(address, &ledger, email).is_none() {
                        return;
                    }
                    round += 1;
                }
            })
        })
        .collect();
    // Another moment each cycle, so that every step is cut somewhere.
    std::thread::sleep(Duration::from_millis(400 + (cycle as u64 * 67) % 300));
    server.stop("KILL");
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.join().unwrap();
    }
}

/// One account's life: signs up, in, changes the password, sometimes out; and refreshes an old
/// session of somebody. `None` when the server is gone.
fn live(address: SocketAddr, ledger: &Ledger, email: String) -> Option<()> {
    let mut connection = Connection::open(address).ok()?;
    let wish = json!({ "username": email.replace('@', "."), "email": email, "password": FIRST });
    let made = connection.post("/api/auth/register/", None, &wish).ok()?;
    assert_eq!(made.status, 201, "{}", made.body);
    ledger.count();
    let mut owner = Owner {
        email,
        password: FIRST,
        password_in_doubt: false,
        refresh: String::new(),
        issued: Instant::now(),
        state: Session::InDoubt,
    };
    let outcome = act(&mut connection, ledger, &mut owner);
    ledger.owners.lock().unwrap().push(owner);
    outcome?;
    refresh_an_old_session(&mut connection, ledger)
}

fn act(connection: &mut Connection, ledger: &Ledger, owner: &mut Owner) -> Option<()> {
    let known = json!({ "email": owner.email, "password": owner.password });
    let signed_in = connection.post("/api/auth/login/", None, &known).ok()?;
    assert_eq!(signed_in.status, 200, "{}", signed_in.body);
    ledger.count();
    let access = signed_in.text("access");
    owner.refresh = signed_in.text("refresh");
    owner.issued = Instant::now();
    owner.state = Session::Live;

    let change = json!({ "current_password": FIRST, "new_password": SECOND });
    owner.password_in_doubt = true;
    let changed = connection.post("/api/auth/password/change/", Some(&access), &change).ok()?;
    assert_eq!(changed.status, 200, "{}", changed.body);
    ledger.count();
    owner.password = SECOND;
    owner.password_in_doubt = false;

    if owner.email.len().is_multiple_of(2) {
        owner.state = Session::InDoubt;
        let body = json!({ "refresh": owner.refresh });
        let out = connection.post("/api/auth/logout/", None, &body).ok()?;
        assert_eq!(out.status, 200, "{}", out.body);
        ledger.count();
        owner.state = Session::Ended;
    }
    Some(())
}

/// Rotates the refresh token of some session that is old enough.
fn refresh_an_old_session(connection: &mut Connection, ledger: &Ledger) -> Option<()> {
    let is_old =
        |owner: &Owner| owner.state == Session::Live && owner.issued.elapsed() > ROTATES_AFTER;
    let mut owners = ledger.owners.lock().unwrap();
    let Some(place) = owners.iter().position(is_old) else { return Some(()) };
    let mut owner = owners.swap_remove(place);
    drop(owners);
    let presented = owner.refresh.clone();
    owner.state = Session::InDoubt;
    let answer = connection.post("/api/auth/token/refresh/", None, &json!({"refresh": presented}));
    if let Ok(answer) = &answer {
        assert_eq!(answer.status, 200, "{}: {}", owner.email, answer.body);
        owner.refresh = answer.text("refresh");
        assert!(owner.refresh != presented, "{}: an old token is rotated", owner.email);
        owner.issued = Instant::now();
        owner.state = Session::Live;
        ledger.count();
    }
    ledger.owners.lock().unwrap().push(owner);
    answer.ok().map(|_| ())
}

/// Asks the restarted server about everything it acknowledged since the last time.
fn verify(address: SocketAddr, ledger: &Ledger, cycle: usize) {
    let mut connection = Connection::open(address).unwrap();
    let mut owners = ledger.owners.lock().unwrap();
    let marker = format!("c{}r", cycle - 1);
    for owner in owners.iter_mut() {
        let is_news = owner.email.contains(&marker);
        let was_refreshed = owner.state == Session::Live && owner.issued.elapsed() < ROTATES_AFTER;
        if is_news {
            check_password(&mut connection, owner);
        }
        if is_news || was_refreshed {
            check_session(&mut connection, owner);
        }
    }
}

fn check_password(connection: &mut Connection, owner: &Owner) {
    let mut right = |password: &str| {
        let known = json!({ "email": owner.email, "password": password });
        connection.post("/api/auth/login/", None, &known).unwrap().status == 200
    };
    let (first, second) = (right(FIRST), right(SECOND));
    assert_ne!(first, second, "{}: exactly one password is right", owner.email);
    if !owner.password_in_doubt {
        assert_eq!(second, owner.password == SECOND, "{}: an acknowledged change", owner.email);
    }
}

fn check_session(connection: &mut Connection, owner: &mut Owner) {
    if owner.state == Session::InDoubt || owner.password_in_doubt {
        return;
    }
    let body = json!({ "refresh": owner.refresh });
    let answer = connection.post("/api/auth/token/refresh/", None, &body).unwrap();
    match owner.state {
        Session::Live => {
            assert_eq!(answer.status, 200, "{}: lost: {}", owner.email, answer.body);
            let kept = answer.text("refresh");
            if kept != owner.refresh {
                (owner.refresh, owner.issued) = (kept, Instant::now());
            }
        }
        Session::Ended => assert_eq!(answer.status, 401, "{}: lives again", owner.email),
        Session::InDoubt => {}
    }
}
