//! What a provider can cost: bytes, time, places (R12).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::server::{Moved, Reply, Server, answer, impatient, outbound};
use crate::outbound::{Ask, Options, OutboundError};
use crate::time::seconds;

const UNAVAILABLE_FOR_A_SECOND: OutboundError =
    OutboundError::Unavailable { retry_after: seconds(1) };

#[tokio::test]
async fn f17_ten_megabytes_are_not_taken() {
    let server = Server::new(|_| Reply::Bytes(answer(200, &" ".repeat(10_000_000)))).await;
    let outbound = outbound(&Moved::new(), Options::default());
    let line = outbound.line("provider", true);
    let refused = line.ask(Ask::get(&server.url("/"))).await.unwrap_err();
    assert_eq!(refused, OutboundError::TooLarge);

    // Without a length, or with one that is not told: nothing is read beyond the bound.
    let server = Server::new(|_| Reply::Floods).await;
    let refused = line.ask(Ask::get(&server.url("/")).at_most(1 << 18)).await.unwrap_err();
    assert_eq!(refused, OutboundError::TooLarge);
    let taken = server.flooded.load(Ordering::SeqCst);
    assert!(taken < 10_000_000, "{taken} bytes left, most of them into buffers of the system");
}

#[tokio::test]
async fn the_largest_answer_is_taken_whole() {
    let body = "x".repeat(5_000);
    let exactly = body.clone();
    let server = Server::new(move |_| Reply::Bytes(answer(200, &exactly))).await;
    let outbound = outbound(&Moved::new(), impatient());
    let line = outbound.line("provider", true);
    let answer = line.ask(Ask::get(&server.url("/")).at_most(5_000)).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, body.as_bytes()));
    let refused = line.ask(Ask::get(&server.url("/")).at_most(4_999)).await.unwrap_err();
    assert_eq!(refused, OutboundError::TooLarge);
}

#[tokio::test]
async fn r12_what_hangs_or_drips_ends_at_the_deadline() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec();
    let ways = [Reply::Stalls(Vec::new()), Reply::Stalls(head), Reply::Drips];
    for (n, way) in ways.into_iter().enumerate() {
        let server = Server::new(move |_| way.clone()).await;
        let outbound = outbound(&Moved::new(), impatient());
        let begun = Instant::now();
        let refused =
            outbound.line("provider", true).ask(Ask::get(&server.url("/"))).await.unwrap_err();
        assert_eq!(refused, OutboundError::TimedOut, "way {n}");
        let took = begun.elapsed();
        assert!(took > Duration::from_millis(250) && took < seconds(5), "way {n}: {took:?}");
    }
}

#[tokio::test]
async fn what_breaks_or_is_no_http_is_no_answer() {
    let headers = "x: y\r\n".repeat(1_000);
    let bomb = format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n");
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(2_000_000));
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
    for bytes in [&bomb, &long, short, "220 mail.example ESMTP\r\n", ""] {
        let bytes = bytes.as_bytes().to_vec();
        let server = Server::new(move |_| Reply::Bytes(bytes.clone())).await;
        let outbound = outbound(&Moved::new(), Options::default());
        let line = outbound.line("provider", true);
        let refused = line.ask(Ask::get(&server.url("/"))).await.unwrap_err();
        assert_eq!(refused, OutboundError::Unreachable);
    }
    let outbound = outbound(&Moved::new(), Options::default());
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let line = outbound.line("provider", true);
    let refused = line.ask(Ask::get(&format!("http://{closed}/"))).await.unwrap_err();
    assert_eq!(refused, OutboundError::Unreachable);
}

#[tokio::test]
async fn r12_a_hanging_provider_holds_its_own_places_only() {
    let tarpit = Server::new(|_| Reply::Stalls(Vec::new())).await;
    let well = Server::says(200, "{}").await;
    let options = Options { deadline: seconds(20), errand: seconds(20), ..Options::default() };
    let outbound = Arc::new(outbound(&Moved::new(), options));
    let held: Vec<_> = (0..16)
        .map(|_| {
            let (outbound, url) = (Arc::clone(&outbound), tarpit.url("/"));
            tokio::spawn(async move { outbound.line("slow", true).ask(Ask::get(&url)).await })
        })
        .collect();
    while tarpit.asked().len() < 16 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begun = Instant::now();
    let url = tarpit.url("/");
    let refused = outbound.line("slow", true).ask(Ask::get(&url)).await.unwrap_err();
    assert_eq!(refused, UNAVAILABLE_FOR_A_SECOND, "full: turned away at once");
    let answer = outbound.line("well", true).ask(Ask::get(&well.url("/"))).await.unwrap();
    assert!(answer.is_success());
    assert!(begun.elapsed() < seconds(2), "{:?}", begun.elapsed());
    assert_eq!(tarpit.connections(), 16, "one place is one socket");

    for one in &held {
        one.abort();
    }
    for one in held {
        assert!(one.await.unwrap_err().is_cancelled());
    }
    let line = outbound.line("slow", true);
    let again = tokio::time::timeout(Duration::from_millis(50), line.ask(Ask::get(&url))).await;
    assert!(again.is_err(), "whoever goes leaves the place: it is asked again");
}

#[tokio::test]
async fn r12_a_provider_that_is_away_is_left_alone_and_probed() {
    let is_well = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&is_well);
    let server = Server::new(move |_| {
        let status = if state.load(Ordering::SeqCst) { 200 } else { 503 };
        Reply::Bytes(answer(status, "{}"))
    })
    .await;
    let clock = Moved::new();
    let outbound = outbound(&clock, impatient());
    let ask = async || outbound.line("provider", true).ask(Ask::get(&server.url("/"))).await;
    for _ in 0..5 {
        assert_eq!(ask().await.unwrap().status, 503);
    }
    let refused = ask().await.unwrap_err();
    assert_eq!(refused, OutboundError::Unavailable { retry_after: seconds(30) });
    assert_eq!(server.connections(), 5, "nothing is asked");
    clock.advance(Duration::from_millis(29_500));
    assert_eq!(ask().await.unwrap_err(), UNAVAILABLE_FOR_A_SECOND);

    clock.advance(seconds(1));
    assert_eq!(ask().await.unwrap().status, 503, "the probe");
    assert!(ask().await.is_err(), "and it opens again");
    is_well.store(true, Ordering::SeqCst);
    clock.advance(seconds(30));
    for _ in 0..3 {
        assert_eq!(ask().await.unwrap().status, 200);
    }
}

/// Whoever brings a made-up code makes the provider refuse it; that must shut nobody out.
#[tokio::test]
async fn strangers_cannot_open_the_breaker() {
    let server = Server::new(|request| {
        let status = request.split([' ', '/']).nth(2).unwrap().parse().unwrap();
        Reply::Bytes(answer(status, r#"{"error":"invalid_grant"}"#))
    })
    .await;
    let outbound = outbound(&Moved::new(), impatient());
    let line = outbound.line("provider", true);
    for status in [400, 401, 404, 429, 500] {
        for _ in 0..6 {
            let url = server.url(&format!("/{status}"));
            let answer = line.ask(Ask::post(&url, &[("code", "made-up")])).await.unwrap();
            assert_eq!(answer.status, status);
        }
    }
}

/// What cannot be asked, and a profile that its owner made too large, say nothing of the provider.
#[tokio::test]
async fn questions_without_end_do_not_open_the_breaker() {
    let server = Server::new(|_| Reply::Bytes(answer(200, &" ".repeat(5_000)))).await;
    let outbound = outbound(&Moved::new(), impatient());
    let line = outbound.line("provider", true);
    let code = "%".repeat(30_000);
    for _ in 0..6 {
        let query = [("code", code.as_str())];
        let refused = line.ask(Ask::get(&server.url("/")).query(&query)).await.unwrap_err();
        assert_eq!(refused, OutboundError::BadUrl);
        let refused = line.ask(Ask::get(&server.url("/")).at_most(4_999)).await.unwrap_err();
        assert_eq!(refused, OutboundError::TooLarge);
    }
    assert!(line.ask(Ask::get(&server.url("/"))).await.is_ok());
}

/// An errand that waited elsewhere until its end was near says nothing of the provider.
#[tokio::test]
async fn time_lost_elsewhere_does_not_open_the_breaker() {
    let server = Server::new(|_| Reply::Stalls(Vec::new())).await;
    let options = Options { errand: Duration::from_millis(20), ..Options::default() };
    let outbound = outbound(&Moved::new(), options);
    for _ in 0..6 {
        let line = outbound.line("provider", true);
        let late = line.ask(Ask::get(&server.url("/"))).await.unwrap_err();
        assert_eq!(late, OutboundError::TimedOut);
    }
}

#[tokio::test]
async fn an_errand_has_one_end() {
    let server = Server::says(200, "{}").await;
    let options = Options { errand: Duration::from_millis(50), ..Options::default() };
    let outbound = outbound(&Moved::new(), options);
    let url = server.url("/");
    let line = outbound.line("provider", true);
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(line.ask(Ask::get(&url)).await.unwrap_err(), OutboundError::TimedOut);
    assert!(outbound.line("provider", true).ask(Ask::get(&url)).await.is_ok());
}
