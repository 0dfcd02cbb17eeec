//! `SendGrid`'s API, played by a server on this machine.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ironlatch_core::messages::{SendGrid, SendGridSettings};
use ironlatch_core::ports::{Mail, MailTransport, SendError, Token};
use ironlatch_testkit::{MovedClock, each_engine};
use serde_json::{Value, json};

use super::http_server::{Api, impostor};
use super::{mail, node, queue, rows};

fn client(api: &Api) -> SendGrid {
    let mut settings = SendGridSettings::new(Token::new("SG.key".to_owned()));
    settings.base_url.clone_from(&api.url);
    settings.deadline = Duration::from_millis(500);
    SendGrid::new(&settings).unwrap()
}

#[tokio::test]
async fn a_mail_is_handed_over_as_the_api_wants_it() {
    let api = Api::answering("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await;
    let mail = mail("ada@example.com");
    client(&api).send(&mail).await.unwrap();
    let requests = api.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v3/mail/send HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Bearer SG.key"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["personalizations"], json!([{ "to": [{ "email": "ada@example.com" }] }]));
    assert_eq!(body["from"], json!({ "email": "noreply@example.com", "name": "Ironlatch" }));
    assert_eq!(body["subject"], "Verify your email");
    assert_eq!(body["content"][0], json!({ "type": "text/plain", "value": mail.text }));
    assert_eq!(body["content"][1], json!({ "type": "text/html", "value": mail.html }));
    let id = "<019aa3f0-0000-7000-8000-000000000001@example.com>";
    assert_eq!(body["headers"]["Message-ID"], id);
    for tracking in ["click_tracking", "open_tracking", "subscription_tracking"] {
        assert_eq!(body["tracking_settings"][tracking]["enable"], false, "{tracking}");
    }
}

#[tokio::test]
async fn what_is_final_and_what_is_not() {
    let cases = [
        ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 429 Slow Down\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 503 Oh\r\ncontent-length: 99999999999\r\n\r\n", false),
        ("no HTTP at all\r\n\r\n", false),
        ("", false),
    ];
    for (answer, is_final) in cases {
        let api = Api::answering(answer).await;
        let error = client(&api).send(&mail("ada@example.com")).await.unwrap_err();
        assert_eq!(matches!(error, SendError::Never(_)), is_final, "{answer}: {error}");
        assert!(!error.to_string().contains("SG.key"), "{error}");
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    // Both answers of one server: were the redirect followed, a second request would come.
    let api =
        Api::answering("HTTP/1.1 307 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n");
    let api = api.await;
    let error = client(&api).send(&mail("ada@example.com")).await.unwrap_err();
    assert!(matches!(error, SendError::Later(_)));
    assert_eq!(api.requests().len(), 1);
}

#[tokio::test]
async fn b17_line_breaks_reach_no_server() {
    let api = Api::answering("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await;
    let sound = mail("ada@example.com");
    let hostile = [
        Mail { to: "ada@example.com\r\nBcc: eve@example.com".to_owned(), ..sound.clone() },
        Mail { subject: "Hello\r\nBcc: eve@example.com".to_owned(), ..sound },
    ];
    for mail in hostile {
        assert!(matches!(client(&api).send(&mail).await, Err(SendError::Never(_))));
    }
    assert_eq!(api.requests().len(), 0);
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused() {
    let (url, fooled) = impostor().await;
    let mut settings = SendGridSettings::new(Token::new("SG.key".to_owned()));
    settings.base_url = url;
    let error = SendGrid::new(&settings).unwrap().send(&mail("a@example.com")).await.unwrap_err();
    assert!(matches!(error, SendError::Later(_)), "{error}");
    assert_eq!(fooled.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_outbox_tries_again_with_the_same_mail() {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let busy = "HTTP/1.1 503 Oh\r\ncontent-length: 0\r\n\r\n";
        let taken = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
        let (away, back) = (Api::answering(busy).await, Api::answering(taken).await);
        let first = node(&url, &clock, Arc::new(client(&away))).await;
        queue(&first, "ada@example.com").await;
        first.messages().deliver_due().await.unwrap();
        clock.advance(Duration::from_secs(5));
        let second = node(&url, &clock, Arc::new(client(&back))).await;
        for _ in 0..2 {
            second.messages().deliver_due().await.unwrap();
        }
        assert_eq!((away.requests().len(), back.requests().len()), (1, 1));
        let body = |api: &Api| api.requests()[0].split_once("\r\n\r\n").unwrap().1.to_owned();
        assert_eq!(body(&away), body(&back), "Message-ID included");
        assert_eq!(rows(&second).await[0].1.as_deref(), Some("sent"));
    })
    .await;
}

#[test]
fn the_key_travels_only_encrypted_and_is_never_shown() {
    for url in
        ["http://api.example.com", "ftp://127.0.0.1", "nonsense", "http://localhost.evil.example"]
    {
        let mut settings = SendGridSettings::new(Token::new("SG.key".to_owned()));
        url.clone_into(&mut settings.base_url);
        assert!(SendGrid::new(&settings).is_err(), "{url}");
    }
    let settings = SendGridSettings::new(Token::new("SG.key".to_owned()));
    assert!(SendGrid::new(&settings).is_ok());
    assert!(!format!("{settings:?}").contains("SG.key"));
    let broken = SendGridSettings::new(Token::new("SG.key\r\nx: y".to_owned()));
    assert!(SendGrid::new(&broken).is_err());
}
