//! What leaves and what is told of it: secrets travel, and appear nowhere else.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::server::{Moved, Reply, Server, impatient, outbound};
use crate::outbound::Ask;
use crate::ports::Token;

const SECRET: &str = "tres-secret";

#[tokio::test]
async fn a_request_says_what_it_must_and_no_more() {
    let server = Server::says(200, "{}").await;
    let outbound = outbound(&Moved::new(), impatient());
    let line = outbound.line("provider", true);
    let url = server.url("/token?kept=1");
    let token = Token::new("a.b.c".to_owned());
    line.ask(Ask::get(&url).query(&[("q", "ü &=")]).bearer(&token)).await.unwrap();
    let secret = Token::new("p:ass wörd%".to_owned());
    line.ask(
        Ask::post(&url, &[("code", "4/x+y"), ("grant_type", "authorization_code")])
            .basic("id", &secret),
    )
    .await
    .unwrap();
    let asked = server.asked();
    let port = server.port;
    assert_eq!(
        asked[0],
        format!(
            "GET /token?kept=1&q=%C3%BC+%26%3D HTTP/1.1\r\naccept: application/json\r\n\
             authorization: Bearer a.b.c\r\nuser-agent: Ironlatch\r\nhost: 127.0.0.1:{port}\r\n\r\n"
        ),
        "no encoding is offered that could hide a large answer in a small one"
    );
    // RFC 6749 §2.3.1: encoded as in forms before Basic; `id:p%3Aass+w%C3%B6rd%25`.
    assert!(asked[1].contains("authorization: Basic aWQ6cCUzQWFzcyt3JUMzJUI2cmQlMjU=\r\n"));
    assert!(asked[1].contains("content-type: application/x-www-form-urlencoded\r\n"));
    assert!(asked[1].ends_with("\r\n\r\ncode=4%2Fx%2By&grant_type=authorization_code"));
}

#[tokio::test]
async fn no_secret_is_logged_or_printed() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let server = Server::new(|_| Reply::Bytes(format!("{SECRET} is no HTTP").into())).await;
    let outbound = outbound(&Moved::new(), impatient());
    let line = outbound.line("provider", true);
    let token = Token::new(SECRET.to_owned());
    let url = server.url(&format!("/{SECRET}?client_secret={SECRET}"));
    let elsewhere = format!("http://127.0.0.1:1/{SECRET}");
    let foreign = format!("https://10.0.0.1/{SECRET}");
    let mut told = String::new();
    for _ in 0..5 {
        for url in [&url, &elsewhere] {
            let ask = Ask::post(url, &[("client_secret", SECRET)]).query(&[("code", SECRET)]);
            let error = line.ask(ask.bearer(&token)).await.unwrap_err();
            write!(told, "{error} {error:?}").unwrap();
        }
    }
    let other = outbound.line("other", false);
    let error = other.ask(Ask::get(&foreign)).await.unwrap_err();
    write!(told, "{error} {error:?}").unwrap();
    let well = Server::says(200, SECRET).await;
    let answer = outbound.line("well", true).ask(Ask::get(&well.url("/"))).await.unwrap();
    write!(told, "{answer:?}").unwrap();

    let log = log.0.lock().unwrap().clone();
    assert!(log.contains("provider=\"provider\" host=\"127.0.0.1\""), "{log}");
    assert!(log.contains("left alone") && log.contains("10.0.0.1 is an address"), "{log}");
    assert!(!log.contains(SECRET) && !told.contains(SECRET), "{log}{told}");
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        attributes.record(&mut Line(&mut self.0.lock().unwrap()));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
