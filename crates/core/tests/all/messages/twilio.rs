//! Twilio's API, played by a server on this machine.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ironlatch_core::messages::{Twilio, TwilioSender, TwilioSettings};
use ironlatch_core::ports::{SendError, SmsTransport, Token};

use super::http_server::{Api, impostor};
use super::{sms, unused_port};

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const KEY: &str = "SK00000000000000000000000000000002";
const SERVICE: &str = "MG00000000000000000000000000000003";
const CREATED: &str = "HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}";

fn settings(url: &str) -> TwilioSettings {
    let token = Token::new("twilio-secret".to_owned());
    let sender = TwilioSender::From("+15005550006".to_owned());
    let settings = TwilioSettings::new(ACCOUNT.to_owned(), token, sender);
    TwilioSettings { base_url: url.to_owned(), deadline: Duration::from_millis(500), ..settings }
}

#[tokio::test]
async fn an_sms_is_handed_over_as_the_api_wants_it() {
    let api = Api::answering(CREATED).await;
    let twilio = Twilio::new(&settings(&api.url)).unwrap();
    twilio.send(&sms("Your verification code is: 042137 & more")).await.unwrap();
    let requests = api.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    let line = format!("POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1\r\n");
    assert!(head.starts_with(&line), "{head}");
    assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
    // `AC…1:twilio-secret` (RFC 7617 §2).
    let basic = "QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTp0d2lsaW8tc2VjcmV0";
    assert!(head.contains(&format!("authorization: Basic {basic}")), "{head}");
    assert_eq!(
        body,
        "To=%2B491701234567&From=%2B15005550006&\
         Body=Your+verification+code+is%3A+042137+%26+more&ValidityPeriod=300"
    );
}

#[tokio::test]
async fn a_key_signs_in_and_a_messaging_service_sends() {
    let api = Api::answering(CREATED).await;
    let twilio = Twilio::new(&TwilioSettings {
        key_sid: Some(KEY.to_owned()),
        sender: TwilioSender::MessagingService(SERVICE.to_owned()),
        ..settings(&api.url)
    });
    twilio.unwrap().send(&sms("Hello")).await.unwrap();
    let request = api.requests().swap_remove(0);
    // `SK…2:twilio-secret`.
    let basic = "U0swMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMjp0d2lsaW8tc2VjcmV0";
    assert!(request.contains(&format!("authorization: Basic {basic}")), "{request}");
    assert!(request.contains(&format!("/Accounts/{ACCOUNT}/")), "the account stays in the URL");
    assert!(request.contains(&format!("MessagingServiceSid={SERVICE}")), "{request}");
    assert!(!request.contains("From="), "{request}");
}

#[tokio::test]
async fn what_is_final_and_what_is_not() {
    let refused = "HTTP/1.1 400 Bad Request\r\ncontent-length: 76\r\n\r\n\
                   {\"code\": 21211, \"message\": \"The 'To' number +491701234567 is not valid\"}      ";
    let cases = [
        (refused, true),
        ("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 307 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 503 Oh\r\ncontent-length: 99999999999\r\n\r\n", false),
        // Taken, perhaps: whatever it was, it is not paid for twice.
        ("no HTTP at all\r\n\r\n", true),
        ("", true),
    ];
    for (answer, is_final) in cases {
        let api = Api::answering(answer).await;
        let twilio = Twilio::new(&settings(&api.url)).unwrap();
        let error = twilio.send(&sms("042137")).await.unwrap_err();
        assert_eq!(matches!(error, SendError::Never(_)), is_final, "{answer}: {error}");
        for secret in ["twilio-secret", "042137", "4917", ACCOUNT] {
            assert!(!error.to_string().contains(secret), "{error}");
        }
        assert_eq!(api.requests().len(), 1, "{answer}: no redirect, no second try");
    }
}

#[tokio::test]
async fn an_absent_server_means_later() {
    let url = format!("http://127.0.0.1:{}", unused_port());
    let error = Twilio::new(&settings(&url)).unwrap().send(&sms("Hello")).await.unwrap_err();
    assert!(matches!(error, SendError::Later(_)), "{error}");
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused() {
    let (url, fooled) = impostor().await;
    let error = Twilio::new(&settings(&url)).unwrap().send(&sms("042137")).await.unwrap_err();
    assert!(matches!(error, SendError::Later(_)), "{error}");
    assert_eq!(fooled.load(Ordering::SeqCst), 0);
}

#[test]
fn every_mistake_is_named_and_no_secret_shown() {
    let wrong = TwilioSettings {
        account_sid: "AC1/../..".to_owned(),
        key_sid: Some("SK".to_owned()),
        auth_token: Token::new("two\nlines".to_owned()),
        sender: TwilioSender::From("a name too long".to_owned()),
        ..settings("http://api.example.com")
    };
    let mistakes = Twilio::new(&wrong).err().unwrap();
    let keys: Vec<_> = mistakes.iter().map(|mistake| &*mistake.key).collect();
    for key in ["account_sid", "key_sid", "auth_token_file", "from", "base_url"] {
        assert!(keys.contains(&format!("sms.twilio.{key}").as_str()), "{key}: {keys:?}");
    }
    let service = TwilioSender::MessagingService("MG1".to_owned());
    let wrong = TwilioSettings { sender: service, ..settings("https://api.twilio.com") };
    assert_eq!(Twilio::new(&wrong).err().unwrap()[0].key, "sms.twilio.messaging_service_sid");
    for fine in ["+15005550006", "15005", "Example 1"] {
        let sender = TwilioSender::From(fine.to_owned());
        let settings = TwilioSettings { sender, ..settings("https://api.twilio.com") };
        assert!(Twilio::new(&settings).is_ok(), "{fine}");
    }
    assert!(!format!("{:?}", settings("https://x")).contains("twilio-secret"));
}
