//! Gateways of several tastes, played by a server on this machine.

use std::sync::Arc;
use std::time::Duration;

use ironlatch_core::Auth;
use ironlatch_core::messages::{Gateway, GatewayFormat, GatewayMethod, GatewaySettings, Message};
use ironlatch_core::ports::{SendError, SmsTransport, Token};
use ironlatch_core::time::minutes;
use ironlatch_testkit::{MASTER_KEY, MovedClock, cheap_settings, each_engine};
use serde_json::{Value, json};

use super::http_server::Api;
use super::{sms, unused_port};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const JSON: &str = r#"{"to": "{to}", "text": "{text}", "parts": 1}"#;
const FORM: &str = "to={digits}&msg={text}&from=Example&key={token}";

fn settings(url: &str, body: &str) -> GatewaySettings {
    let settings = GatewaySettings::new(format!("{url}/send?v=2"), body.to_owned());
    GatewaySettings { deadline: Duration::from_millis(500), ..settings }
}

fn secret() -> Token {
    Token::new("gateway-secret".to_owned())
}

async fn sent(api: &Api, settings: &GatewaySettings, text: &str) -> (String, String) {
    Gateway::new(settings).unwrap().send(&sms(text)).await.unwrap();
    let request = api.requests().swap_remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn json_is_filled_and_the_secret_is_a_bearer_token() {
    let api = Api::answering(OK).await;
    let body = r#"{"messages": [{"destinations": [{"to": "{to}"}], "text": "{text}", "n": 1}],
                   "reference": "sms-{id}", "ttl": "{seconds}"}"#;
    let settings = GatewaySettings { token: Some(secret()), ..settings(&api.url, body) };
    let (head, body) = sent(&api, &settings, "Code: 042137").await;
    assert!(head.starts_with("POST /send?v=2 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(head.contains("authorization: Bearer gateway-secret"), "{head}");
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({
            "messages": [{
                "destinations": [{ "to": "+491701234567" }], "text": "Code: 042137", "n": 1,
            }],
            "reference": "sms-019aa3f0-0000-7000-8000-000000000001",
            "ttl": "300",
        })
    );
}

#[tokio::test]
async fn a_form_is_filled_and_the_secret_stands_where_the_operator_wants_it() {
    let api = Api::answering(OK).await;
    let settings = GatewaySettings {
        format: GatewayFormat::Form,
        method: GatewayMethod::Put,
        token: Some(secret()),
        headers: vec![("X-Request-Id".to_owned(), "{id}".to_owned())],
        ..settings(&api.url, FORM)
    };
    let (head, body) = sent(&api, &settings, "a&to=1=ü").await;
    assert!(head.starts_with("PUT /send?v=2 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
    assert!(head.contains("x-request-id: 019aa3f0-0000-7000-8000-000000000001"), "{head}");
    assert!(!head.contains("authorization"), "{head}");
    assert_eq!(body, "to=491701234567&msg=a%26to%3D1%3D%C3%BC&from=Example&key=gateway-secret");
}

#[tokio::test]
async fn a_gateway_that_knows_only_get_has_it_in_the_query() {
    let api = Api::answering(OK).await;
    let settings = GatewaySettings {
        format: GatewayFormat::Form,
        method: GatewayMethod::Get,
        token: Some(secret()),
        headers: vec![("X-Api-Key".to_owned(), "{token}".to_owned())],
        ..settings(&api.url, "to={to}&msg={text}")
    };
    let (head, body) = sent(&api, &settings, "Hello you").await;
    assert!(head.starts_with("GET /send?v=2&to=%2B491701234567&msg=Hello+you HTTP/1.1"), "{head}");
    assert!(head.contains("x-api-key: gateway-secret") && body.is_empty(), "{head}");
}

#[tokio::test]
async fn b16_a_text_becomes_neither_structure_nor_template() {
    let text = "\",\"to\":\"+19005550123\"} {token} {to}\r\nX: y";
    let api = Api::answering(OK).await;
    let (head, body) =
        sent(&api, &GatewaySettings { token: Some(secret()), ..settings(&api.url, JSON) }, text)
            .await;
    assert!(!head.contains("X: y"), "{head}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body, json!({ "to": "+491701234567", "text": text, "parts": 1 }));
}

#[tokio::test]
async fn what_is_final_and_what_is_not() {
    let cases = [
        ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.1 422 No\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 429 Slow Down\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 302 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 502 Oh\r\ncontent-length: 0\r\n\r\n", false),
        ("no HTTP at all\r\n\r\n", true),
        ("", true),
    ];
    for (answer, is_final) in cases {
        let api = Api::answering(answer).await;
        let settings = GatewaySettings { token: Some(secret()), ..settings(&api.url, JSON) };
        let error = Gateway::new(&settings).unwrap().send(&sms("042137")).await.unwrap_err();
        assert_eq!(matches!(error, SendError::Never(_)), is_final, "{answer}: {error}");
        for hidden in ["gateway-secret", "042137", "4917", "127.0.0.1"] {
            assert!(!error.to_string().contains(hidden), "{error}");
        }
        assert_eq!(api.requests().len(), 1, "{answer}: no redirect, no second try");
    }
    let url = format!("http://127.0.0.1:{}", unused_port());
    let error = Gateway::new(&settings(&url, JSON)).unwrap().send(&sms("Hi")).await.unwrap_err();
    assert!(matches!(error, SendError::Later(_)), "{error}");
}

#[tokio::test]
async fn failures_told_with_200_are_told_from_success() {
    let cases = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nOK: 1 sent", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nERROR: 101", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false),
        // These never end.
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nOK: 1 sent", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nERROR: 101", false),
    ];
    for (answer, is_taken) in cases {
        let api = Api::answering(answer).await;
        let settings =
            GatewaySettings { answer_contains: Some("OK:".to_owned()), ..settings(&api.url, JSON) };
        let outcome = Gateway::new(&settings).unwrap().send(&sms("Hello")).await;
        assert_eq!(outcome.is_ok(), is_taken, "{answer}: {outcome:?}");
        assert!(!matches!(outcome, Err(SendError::Later(_))), "it may have left: {outcome:?}");
    }
}

#[tokio::test]
async fn the_outbox_hands_over_once_and_tries_again_what_has_not_left() {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let busy = "HTTP/1.1 503 Oh\r\ncontent-length: 0\r\n\r\n";
        let (away, back) = (Api::answering(busy).await, Api::answering(OK).await);
        let body = r#"{"to": "{to}", "text": "{text}", "id": "{id}", "for": "{seconds}"}"#;
        let node = async |api: &Api| {
            let gateway = Gateway::new(&settings(&api.url, body)).unwrap();
            let builder = Auth::builder().settings(cheap_settings()).database(url.as_str());
            let builder = builder.master_key(MASTER_KEY).clock(Arc::<MovedClock>::clone(&clock));
            builder.sms(Arc::new(gateway)).build().await.unwrap()
        };
        let (first, second) = (node(&away).await, node(&back).await);
        let now = first.clock().now();
        let code = Message::SignInCode { code: "042137".to_owned(), link: None };
        let queued = first.messages().queue_sms("+491701234567", &code, now, now.plus(minutes(5)));
        first.database().write(queued.unwrap().into()).await.unwrap();
        first.messages().deliver_due().await.unwrap();
        clock.advance(Duration::from_secs(5));
        for _ in 0..2 {
            second.messages().deliver_due().await.unwrap();
        }
        assert_eq!((away.requests().len(), back.requests().len()), (1, 1));
        let body = |api: &Api| -> Value {
            serde_json::from_str(api.requests()[0].split_once("\r\n\r\n").unwrap().1).unwrap()
        };
        assert_eq!(body(&away)["id"], body(&back)["id"], "one SMS");
        assert_eq!(body(&back)["text"], "Your verification code is: 042137");
        assert_eq!((&body(&away)["for"], &body(&back)["for"]), (&json!("300"), &json!("295")));
    })
    .await;
}

#[test]
fn every_mistake_is_named_and_no_secret_shown() {
    let good = settings("https://gateway.example.com", JSON);
    assert!(Gateway::new(&good).is_ok());
    let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let with = |change: fn(&mut GatewaySettings)| {
        let mut settings = good.clone();
        change(&mut settings);
        settings
    };
    let headers = |name, value| GatewaySettings { headers: header(name, value), ..good.clone() };
    for (wrong, key) in [
        (with(|it| it.url = "http://gateway.example.com".to_owned()), "sms.http.url"),
        (with(|it| it.url = "https://ada:key@gateway.example.com".to_owned()), "sms.http.url"),
        (with(|it| it.body = "to={to}".to_owned()), "sms.http.body"),
        (with(|it| it.body = r#"{"to": "{to}"}"#.to_owned()), "sms.http.body"),
        (with(|it| it.body = r#"{"text": "{text}"}"#.to_owned()), "sms.http.body"),
        (with(|it| it.body = r#"["{to}", "{text}", "{secret}"]"#.to_owned()), "sms.http.body"),
        (with(|it| it.body = r#"["{to}", "{text}", "{token}"]"#.to_owned()), "sms.http.token_file"),
        (with(|it| it.method = GatewayMethod::Get), "sms.http.format"),
        (with(|it| it.token = Some(Token::new("two\nlines".to_owned()))), "sms.http.token_file"),
        (headers("host", "elsewhere"), "sms.http.headers"),
        (headers("not a name", "x"), "sms.http.headers"),
        (headers("x-text", "{text}"), "sms.http.headers"),
        (headers("x-break", "a\r\nb: c"), "sms.http.headers"),
    ] {
        let mistakes = Gateway::new(&wrong).err().unwrap();
        assert!(mistakes.iter().any(|mistake| mistake.key == key), "{key}: {mistakes:?}");
    }
    let shown = format!("{:?}", GatewaySettings { token: Some(secret()), ..good });
    assert!(!shown.contains("gateway-secret"));
}
