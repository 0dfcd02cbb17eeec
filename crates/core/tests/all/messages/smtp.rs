//! SMTP against a server that behaves, and against servers that do not (reliability R11,
//! attack B17).

use std::time::Duration;

use ironlatch_core::messages::{Smtp, SmtpSecurity, SmtpSettings};
use ironlatch_core::ports::{Mail, MailTransport, SendError, Token};

use super::mail;
use super::smtp_server::{AUTHORITY, Fault, Protection, SmtpServer};

fn settings(server: &SmtpServer, security: SmtpSecurity) -> SmtpSettings {
    SmtpSettings {
        port: Some(server.port),
        security,
        authority: Some(AUTHORITY.to_vec()),
        deadline: Duration::from_secs(5),
        ..SmtpSettings::new("localhost")
    }
}

fn client(server: &SmtpServer, security: SmtpSecurity) -> Smtp {
    Smtp::new(settings(server, security)).unwrap()
}

async fn plain(fault: Fault) -> (SmtpServer, Smtp) {
    let server = SmtpServer::start(Protection::None, fault).await;
    let client = client(&server, SmtpSecurity::PlainOnLoopback);
    (server, client)
}

/// Undoes quoted-printable (RFC 2045 §6.7), as far as our mails use it.
fn readable(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = match (first, tail) {
            (b'=', [high, low, ..]) => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|code| u8::from_str_radix(code, 16).ok()),
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_mail_arrives_whole() {
    let (server, client) = plain(Fault::None).await;
    let mail = mail("ada@bücher.example");
    client.send(&mail).await.unwrap();
    let text = server.seen(|seen| seen.texts.concat());
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    for header in [
        "From: Ironlatch <noreply@example.com>",
        "To: ada@xn--bcher-kva.example",
        "Subject: Verify your email",
        "Message-ID: <019aa3f0-0000-7000-8000-000000000001@example.com>",
        "Auto-Submitted: auto-generated",
        "Content-Type: multipart/alternative;",
    ] {
        assert!(head.contains(header), "{header} is missing in\n{head}");
    }
    assert!(head.lines().all(|line| line.len() <= 998) && text.is_ascii());
    let body = readable(body).replace("\r\n", "\n");
    assert!(body.contains(&mail.text) && body.contains(&mail.html), "{body}");
    assert!(server.heard("MAIL FROM:<noreply@example.com>"));
    assert!(server.heard("RCPT TO:<ada@xn--bcher-kva.example>"));
}

#[tokio::test]
async fn every_try_sends_the_same_bytes() {
    let (server, client) = plain(Fault::DropAfterData).await;
    for _ in 0..2 {
        assert!(matches!(client.send(&mail("ada@example.com")).await, Err(SendError::Later(_))));
    }
    server.behave(Fault::None);
    client.send(&mail("ada@example.com")).await.unwrap();
    server.seen(|seen| {
        assert_eq!(seen.texts.len(), 3);
        assert!(seen.texts.iter().all(|text| *text == seen.texts[0]));
    });
}

#[tokio::test]
async fn one_connection_serves_many_mails() {
    let (server, client) = plain(Fault::None).await;
    for _ in 0..3 {
        client.send(&mail("ada@example.com")).await.unwrap();
    }
    assert_eq!(server.seen(|seen| (seen.connections, seen.texts.len())), (1, 3));
}

#[tokio::test]
async fn what_is_final_and_what_is_not() {
    let cases = [
        (Fault::At("RCPT", 450), false),
        (Fault::At("RCPT", 550), true),
        (Fault::At("TEXT", 451), false),
        (Fault::At("TEXT", 554), true),
        (Fault::At("DATA", 421), false),
        // Our configuration's fault, not the mail's.
        (Fault::At("MAIL", 550), false),
        (Fault::At("RCPT", 530), false),
        (Fault::At("EHLO", 554), false),
        (Fault::DropAfterData, false),
    ];
    for (fault, is_final) in cases {
        let (_server, client) = plain(fault).await;
        let error = client.send(&mail("ada@example.com")).await.unwrap_err();
        assert_eq!(matches!(error, SendError::Never(_)), is_final, "{fault:?}: {error}");
        assert!(!error.to_string().contains("ada@"), "no address in the log: {error}");
    }
}

#[tokio::test]
async fn an_absent_server_means_later() {
    let (server, client) = plain(Fault::None).await;
    let port = server.port;
    drop(client);
    // A port where nobody listens: bound, read, let go.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_ne!(free, port);
    let mut settings = settings(&server, SmtpSecurity::PlainOnLoopback);
    settings.port = Some(free);
    let error = Smtp::new(settings).unwrap().send(&mail("ada@example.com")).await.unwrap_err();
    assert!(matches!(error, SendError::Later(_)));
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_and_its_connection_not_used_again() {
    for fault in [Fault::HangAfterData, Fault::HangAtOnce] {
        let server = SmtpServer::start(Protection::None, fault).await;
        let mut settings = settings(&server, SmtpSecurity::PlainOnLoopback);
        settings.deadline = Duration::from_millis(300);
        let client = Smtp::new(settings).unwrap();
        let error = client.send(&mail("ada@example.com")).await.unwrap_err();
        assert!(matches!(error, SendError::Later(_)), "{fault:?}");

        server.behave(Fault::None);
        client.send(&mail("bob@example.com")).await.unwrap();
        let last = server.seen(|seen| (seen.connections, seen.texts.last().cloned().unwrap()));
        assert_eq!(last.0, 2, "a connection of its own");
        assert!(last.1.contains("bob@") && !last.1.contains("ada@"), "never mixed: {}", last.1);
    }
}

#[tokio::test]
async fn starttls_comes_before_anything_worth_hiding() {
    let server = SmtpServer::start(Protection::StartTls, Fault::None).await;
    let mut settings = settings(&server, SmtpSecurity::StartTls);
    settings.credentials = Some(("ada".to_owned(), Token::new("open sesame".to_owned())));
    Smtp::new(settings).unwrap().send(&mail("ada@example.com")).await.unwrap();
    assert!(server.heard("*AUTH") && server.heard("*MAIL") && server.heard("*RCPT"));
    assert!(!server.heard("AUTH") && !server.heard("MAIL"));
    // `\0ada\0open sesame` (RFC 4616 §2).
    assert!(server.heard("*AUTH PLAIN AGFkYQBvcGVuIHNlc2FtZQ=="));
    assert_eq!(server.seen(|seen| seen.texts.len()), 1);
}

#[tokio::test]
async fn what_is_said_before_tls_does_not_count_as_said_within() {
    let server = SmtpServer::start(Protection::StartTls, Fault::InjectAtStartTls).await;
    let mut settings = settings(&server, SmtpSecurity::StartTls);
    settings.deadline = Duration::from_secs(1);
    settings.credentials = Some(("ada".to_owned(), Token::new("open sesame".to_owned())));
    let outcome = Smtp::new(settings).unwrap().send(&mail("ada@example.com")).await;
    assert!(matches!(outcome, Err(SendError::Later(_))), "{outcome:?}");
    assert!(!server.heard("AUTH") && !server.heard("*"), "the handshake fails");
}

#[tokio::test]
async fn tls_from_the_first_byte_works() {
    let server = SmtpServer::start(Protection::Tls, Fault::None).await;
    client(&server, SmtpSecurity::Tls).send(&mail("ada@example.com")).await.unwrap();
    assert!(server.heard("*EHLO") && !server.heard("EHLO"));
}

#[tokio::test]
async fn a_server_without_tls_hears_nothing_when_tls_is_required() {
    for security in [SmtpSecurity::StartTls, SmtpSecurity::Tls] {
        let server = SmtpServer::start(Protection::None, Fault::None).await;
        let mut settings = settings(&server, security);
        settings.deadline = Duration::from_secs(1);
        let error = Smtp::new(settings).unwrap().send(&mail("ada@example.com")).await.unwrap_err();
        assert!(matches!(error, SendError::Later(_)), "{security:?}: {error}");
        assert!(!server.heard("MAIL") && !server.heard("AUTH"), "{security:?}");
    }
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused() {
    for (host, authority) in [("localhost", None), ("127.0.0.1", Some(AUTHORITY.to_vec()))] {
        for (protection, security) in
            [(Protection::StartTls, SmtpSecurity::StartTls), (Protection::Tls, SmtpSecurity::Tls)]
        {
            let server = SmtpServer::start(protection, Fault::None).await;
            let mut settings = settings(&server, security);
            host.clone_into(&mut settings.host);
            settings.authority.clone_from(&authority);
            let error =
                Smtp::new(settings).unwrap().send(&mail("a@example.com")).await.unwrap_err();
            assert!(matches!(error, SendError::Later(_)), "{host} {security:?}: {error}");
            assert_eq!(server.seen(|seen| seen.connections), 1);
            assert!(!server.heard("*EHLO") && !server.heard("MAIL"));
        }
    }
}

#[tokio::test]
async fn a_refused_password_keeps_the_mail() {
    let server = SmtpServer::start(Protection::StartTls, Fault::At("AUTH", 535)).await;
    let mut settings = settings(&server, SmtpSecurity::StartTls);
    settings.credentials = Some(("ada".to_owned(), Token::new("wrong".to_owned())));
    let error = Smtp::new(settings).unwrap().send(&mail("ada@example.com")).await.unwrap_err();
    assert!(matches!(error, SendError::Later(_)), "{error}");
}

#[test]
fn mail_leaves_this_machine_only_encrypted() {
    for host in ["mail.example.com", "192.0.2.1", "localhost.example.com", "", "a b"] {
        let mut settings = SmtpSettings::new(host);
        settings.security = SmtpSecurity::PlainOnLoopback;
        assert!(Smtp::new(settings).is_err(), "{host}");
    }
    for host in ["localhost", "127.0.0.1", "::1"] {
        let mut settings = SmtpSettings::new(host);
        settings.security = SmtpSecurity::PlainOnLoopback;
        assert!(Smtp::new(settings).is_ok(), "{host}");
    }
    let mut settings = SmtpSettings::new("mail.example.com");
    settings.authority = Some(b"no certificate".to_vec());
    assert!(Smtp::new(settings).is_err());
}

#[tokio::test]
async fn b17_line_breaks_reach_no_server() {
    let (server, client) = plain(Fault::None).await;
    let sound = mail("ada@example.com");
    let hostile = [
        Mail { to: "ada@example.com>\r\nRCPT TO:<eve@example.com".to_owned(), ..sound.clone() },
        Mail { to: "ada@example.com\0".to_owned(), ..sound.clone() },
        Mail { from: "a@b.example\r\nBcc: eve@example.com".to_owned(), ..sound.clone() },
        Mail { subject: "Hello\r\nBcc: eve@example.com".to_owned(), ..sound.clone() },
        Mail { subject: "Hello\nBcc: eve@example.com".to_owned(), ..sound.clone() },
    ];
    for mail in hostile {
        assert!(matches!(client.send(&mail).await, Err(SendError::Never(_))));
    }
    assert_eq!(server.seen(|seen| seen.connections), 0);
    // A lone dot in the text ends nothing early.
    let text = "one\n.\nRCPT TO:<eve@example.com>\n".to_owned();
    client.send(&Mail { text, ..sound }).await.unwrap();
    assert!(!server.heard("RCPT TO:<eve"));
}
