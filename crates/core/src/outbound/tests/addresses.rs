//! Attack F17: nobody makes us ask what they cannot ask themselves.

use std::sync::Arc;

use super::server::{Moved, Names, Reply, Server, impatient, outbound};
use crate::outbound::{Ask, Options, Outbound, OutboundError};
use crate::ports::Resolver;

fn with_names(names: &Arc<Names>) -> Outbound {
    let resolver: Arc<dyn Resolver> = Arc::<Names>::clone(names);
    outbound(&Moved::new(), Options { resolver: Some(resolver), ..impatient() })
}

#[tokio::test]
async fn f17_no_spelling_of_a_private_address_is_connected_to() {
    let server = Server::says(200, "{}").await;
    let outbound = outbound(&Moved::new(), impatient());
    let line = outbound.line("provider", false);
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "127.0.0.01",
        "１２７.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0",
        "0.0.0.0",
        "[::]",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fd12::1]",
        "100.64.0.1",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "255.255.255.255",
        "224.0.0.1",
    ];
    for host in hosts {
        let url = format!("https://{host}:{}/", server.port);
        let refused = line.ask(Ask::get(&url)).await.unwrap_err();
        assert!(matches!(refused, OutboundError::Refused(_)), "{host}: {refused:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn f17_a_name_at_a_private_address_is_not_connected_to() {
    let server = Server::says(200, "{}").await;
    let url = format!("https://idp.example:{}/keys", server.port);
    let answers: [&[&str]; 4] =
        [&["127.0.0.1"], &["8.8.8.8", "127.0.0.1"], &["::ffff:10.0.0.1"], &["169.254.169.254"]];
    for answer in answers {
        let outbound = with_names(&Names::new([answer]));
        let refused = outbound.line("provider", false).ask(Ask::get(&url)).await.unwrap_err();
        assert!(matches!(refused, OutboundError::Refused(_)), "{answer:?}: {refused:?}");
    }
    assert_eq!(server.connections(), 0);
    let localhost = format!("https://localhost:{}/", server.port);
    let outbound = outbound(&Moved::new(), impatient());
    let refused = outbound.line("provider", false).ask(Ask::get(&localhost)).await.unwrap_err();
    assert!(matches!(refused, OutboundError::Refused(_)), "by the system's resolver: {refused:?}");
}

/// DNS rebinding: the name points at the provider while it is checked, and elsewhere when it is
/// connected to. Here both are one question, asked anew for every connection.
#[tokio::test]
async fn f17_a_name_that_changes_its_mind_is_checked_each_time() {
    let server = Server::says(200, "{}").await;
    let names = Names::new([&["127.0.0.1"], &["169.254.169.254"], &["127.0.0.1", "8.8.8.8"]]);
    let outbound = with_names(&names);
    let line = outbound.line("provider", true);
    let url = format!("http://idp.example:{}/", server.port);
    assert!(line.ask(Ask::get(&url)).await.unwrap().is_success());
    assert_eq!((names.asked(), server.connections()), (1, 1), "checked and connected to by one");

    let metadata = "169.254.169.254".parse().unwrap();
    let refused = line.ask(Ask::get(&url)).await.unwrap_err();
    assert_eq!(refused, OutboundError::Refused(metadata), "private ones are allowed, not these");
    let refused = line.ask(Ask::get(&url)).await.unwrap_err();
    assert_eq!(refused, OutboundError::Refused("8.8.8.8".parse().unwrap()), "nothing in the clear");
    assert_eq!((names.asked(), server.connections()), (3, 1));
}

#[tokio::test]
async fn f17_a_connection_one_provider_may_open_is_not_used_for_another() {
    let server = Server::says(200, "{}").await;
    let outbound = outbound(&Moved::new(), impatient());
    let url = server.url("/");
    assert!(outbound.line("at-home", true).ask(Ask::get(&url)).await.unwrap().is_success());
    let refused = outbound.line("abroad", false).ask(Ask::get(&url)).await.unwrap_err();
    assert_eq!(refused, OutboundError::BadUrl, "http is for private addresses");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn f17_only_the_webs_own_schemes_are_asked() {
    let outbound = outbound(&Moved::new(), impatient());
    let line = outbound.line("provider", true);
    let urls = [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "data:,",
        "unix:/run/x",
        "//127.0.0.1/",
        "",
        "https://",
        "http://user@127.0.0.1/",
        "http://:pass@127.0.0.1/",
    ];
    for url in urls {
        let refused = line.ask(Ask::get(url)).await.unwrap_err();
        assert_eq!(refused, OutboundError::BadUrl, "{url}");
    }
}

#[tokio::test]
async fn f17_nobody_is_sent_elsewhere() {
    let inside = Server::says(200, "secrets").await;
    let target = inside.url("/admin");
    let provider = Server::new(move |request| {
        let status = request.split([' ', '/']).nth(2).unwrap();
        let head = format!("HTTP/1.1 {status} Moved\r\nlocation: {target}\r\n");
        Reply::Bytes(format!("{head}content-length: 0\r\nconnection: close\r\n\r\n").into())
    })
    .await;
    let outbound = outbound(&Moved::new(), impatient());
    let line = outbound.line("provider", true);
    for status in ["300", "301", "302", "303", "307", "308"] {
        let url = provider.url(&format!("/{status}"));
        let refused = line.ask(Ask::get(&url)).await.unwrap_err();
        assert_eq!(refused, OutboundError::Redirected, "{status}");
        let refused = line.ask(Ask::post(&url, &[("code", "x")])).await.unwrap_err();
        assert_eq!(refused, OutboundError::Redirected, "{status}");
    }
    assert_eq!((provider.connections(), inside.connections()), (12, 0));
}
