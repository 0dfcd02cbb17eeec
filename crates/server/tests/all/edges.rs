//! H07, R14: slow and oversized requests are cut off; hostile ones get a clear answer.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::process::{Server, status};

/// How long until the server closes the connection.
fn closed_after(stream: &mut std::net::TcpStream) -> Duration {
    let started = Instant::now();
    let mut bytes = [0; 1024];
    while matches!(stream.read(&mut bytes), Ok(1..)) {}
    started.elapsed()
}

#[test]
fn slow_heads_and_bodies_are_cut_off_and_idle_connections_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut silent = server.connect();
    let mut head = server.connect();
    head.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n").unwrap();
    let mut body = server.connect();
    body.write_all(
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
          Content-Length: 100\r\n\r\n{\"email\"",
    )
    .unwrap();
    let mut idle = server.connect();
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    idle.write_all(request).unwrap();
    let mut bytes = [0; 1024];
    assert!(idle.read(&mut bytes).unwrap() > 0);

    // A byte now and then does not help: the deadline is for the whole head.
    let mut dripping = head.try_clone().unwrap();
    std::thread::spawn(move || {
        while dripping.write_all(b"a").is_ok() {
            std::thread::sleep(Duration::from_secs(2));
        }
    });
    let took = closed_after(&mut head).as_secs_f32();
    assert!((8.0..13.0).contains(&took), "a slow head is cut off after {took} s");
    assert!(closed_after(&mut silent).as_secs_f32() < 3.0);
    let took = closed_after(&mut body).as_secs_f32();
    assert!((15.0..25.0).contains(&took), "a slow body is cut off after 10 s and {took} s");
    idle.write_all(request).unwrap();
    assert!(idle.read(&mut bytes).unwrap() > 0, "an idle connection is kept");
}

#[test]
fn one_network_cannot_take_the_places_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    // This machine may have 1,024; each is answered once, so that all of them are counted.
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut bytes = [0; 1024];
    let mut ask = |stream: &mut std::net::TcpStream| {
        let _ = stream.write_all(request);
        stream.read(&mut bytes).unwrap_or(0)
    };
    let mut kept: Vec<_> = (0..1_024).map(|_| server.connect()).collect();
    assert!(kept.iter_mut().all(|stream| ask(stream) > 0));
    assert_eq!(ask(&mut server.connect()), 0, "one more is closed without an answer");
    drop(kept.pop());
    let again = (0..50).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        ask(&mut server.connect()) > 0
    });
    assert!(again, "a place that is given back is there for the next");
}

#[test]
fn oversized_and_malformed_heads_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let long = format!("X-Long: {}\r\n", "a".repeat(40_000));
    assert_eq!(status(&server.get("/healthz", &long)), 431);
    let many = (0..200).map(|n| format!("X-{n}: a\r\n")).collect::<Vec<_>>().concat();
    assert_eq!(status(&server.get("/healthz", &many)), 431);
    let long_path = format!("/{}", "a".repeat(70_000));
    assert!([414, 431].contains(&status(&server.get(&long_path, ""))));
    for malformed in [
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        "\u{16}\u{3}\u{1}\r\n\r\n",
    ] {
        assert_eq!(status(&server.raw(malformed)), 400, "{malformed:?}");
    }
    assert_eq!(status(&server.get("/healthz", "")), 200);
}
