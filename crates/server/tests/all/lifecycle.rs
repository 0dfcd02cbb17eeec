//! R26, R30: start, health, and a stop that loses nothing.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::process::{Server, body, header, ironlatch, run, said, status};

#[test]
fn it_starts_answers_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    assert_eq!(status(&server.get("/healthz", "")), 200);
    assert_eq!(body(&server.get("/readyz", "")), "ready\n");
    assert_eq!(status(&server.get("/metrics", "")), 404);
    assert_eq!(status(&server.get("/dev/inbox", "")), 404);
    let started = Instant::now();
    assert!(server.stop("TERM").success());
    assert!(started.elapsed() < Duration::from_secs(3), "{}", server.log());
    assert!(server.log().contains("\"stopped\""), "{}", server.log());
    let mut again = Server::start(folder.path());
    assert!(again.stop("INT").success());
}

#[test]
fn a_request_under_way_is_finished_and_idle_connections_do_not_hold_the_stop_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let mut idle = server.connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut some = [0; 16];
    idle.read_exact(&mut some).unwrap();
    let mut busy = server.connect();
    let account =
        r#"{"username": "ada", "email": "ada@example.com", "password": "a long way home"}"#;
    let (first, rest) = account.split_at(20);
    write!(
        busy,
        "POST /api/auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{first}",
        account.len()
    )
    .unwrap();
    let sender = std::thread::spawn({
        let rest = rest.to_owned();
        move || {
            std::thread::sleep(Duration::from_millis(500));
            busy.write_all(rest.as_bytes()).unwrap();
            let mut answer = String::new();
            busy.read_to_string(&mut answer).unwrap();
            answer
        }
    });
    std::thread::sleep(Duration::from_millis(200));
    assert!(server.stop("TERM").success());
    let answer = sender.join().unwrap();
    assert_eq!(status(&answer), 201, "{answer}");
    let shown = said(&run(folder.path(), &["account", "show", "ada@example.com"]));
    assert!(shown.contains("username      ada"), "{shown}");
}

#[test]
fn a_second_server_on_the_same_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _server = Server::start(folder.path());
    let output = run(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(said(&output).contains("another server is using"), "{}", said(&output));
}

#[test]
fn metrics_are_on_a_listener_of_their_own_and_count_by_route() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = ironlatch(folder.path());
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("IRONLATCH_METRICS_LISTEN", "0");
    let server = Server::start_with(&mut command);
    let line = server.log();
    let line = line.lines().find(|line| line.contains("\"metrics\"")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let address = line["address"].as_str().unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    server.get("/healthz", "");
    server.get("/no/such/path-1", "");
    server.get("/no/such/path-2", "");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let count = |labels: &str| {
        let line = format!("ironlatch_http_requests_total{{{labels}}} ");
        text.lines().find_map(|found| found.strip_prefix(&line)).map(str::to_owned)
    };
    let healthy = r#"method="GET",route="/healthz",status="200""#;
    assert_eq!(count(healthy).as_deref(), Some("1"), "{text}");
    let unmatched = r#"method="GET",route="unmatched",status="404""#;
    assert_eq!(count(unmatched).as_deref(), Some("2"), "{text}");
    assert!(!text.contains("path-1"), "{text}");
}

#[test]
fn documents_load_nothing_and_can_be_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let page = server.get("/docs", "");
    assert_eq!(status(&page), 200);
    assert!(body(&page).contains("/api/auth/register"));
    assert!(header(&page, "content-security-policy").unwrap().contains("default-src 'none'"));
    let description: serde_json::Value =
        serde_json::from_str(body(&server.get("/openapi.json", ""))).unwrap();
    assert!(description["paths"]["/api/auth/register"].is_object());
    drop(server);
    let mut command = ironlatch(folder.path());
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("IRONLATCH_HTTP__DOCUMENTS", "false");
    let server = Server::start_with(&mut command);
    assert_eq!(status(&server.get("/docs", "")), 404);
    assert_eq!(status(&server.get("/openapi.json", "")), 404);
}

#[test]
fn logs_are_json_and_the_access_log_shows_no_query_and_can_be_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    server.get("/verify-email?token=very-secret", "X-Request-Id: mine\r\n");
    let answer = server.get("/healthz", "X-Request-Id: mine\r\n");
    let id = header(&answer, "x-request-id").unwrap().to_owned();
    assert_ne!(id, "mine");
    server.stop("TERM");
    let log = server.log();
    assert!(!log.contains("very-secret") && !log.contains("mine"), "{log}");
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["request_id"] == id.as_str()).unwrap();
    assert_eq!(line["path"], "/healthz");
    assert_eq!(line["status"], 200);
    let mut command = ironlatch(folder.path());
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("IRONLATCH_HTTP__ACCESS_LOG", "false");
    let mut server = Server::start_with(&mut command);
    server.get("/healthz", "");
    server.stop("TERM");
    assert!(!server.log().contains("/healthz"), "{}", server.log());
}
