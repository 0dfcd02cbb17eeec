//! Over TLS, as every provider but those of tests is asked (ASVS 12.3).

use std::sync::Arc;

use super::server::{AUTHORITY, Moved, Names, Server, answer, impatient, outbound};
use crate::outbound::{Answer, Ask, Options, OutboundError};
use crate::ports::Resolver;

/// Asks a server on this machine that has a certificate for `localhost`.
async fn asked(
    server: &Server,
    host: &str,
    authority: Option<&[u8]>,
    allows_private: bool,
) -> Result<Answer, OutboundError> {
    let resolver: Arc<dyn Resolver> = Names::new([&["127.0.0.1"]]);
    let options = Options {
        resolver: Some(resolver),
        authority: authority.map(<[u8]>::to_vec),
        deadline: crate::time::seconds(5),
        ..impatient()
    };
    let url = format!("https://{host}:{}/token", server.port);
    let outbound = outbound(&Moved::new(), options);
    let ask = Ask::post(&url, &[("client_secret", "tres-secret")]);
    outbound.line("provider", allows_private).ask(ask).await
}

#[tokio::test]
async fn a_provider_is_asked_over_tls() {
    let server = Server::with_tls(answer(200, r#"{"ok":true}"#)).await;
    let answer = asked(&server, "localhost", Some(AUTHORITY), true).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, &br#"{"ok":true}"#[..]));
    assert!(server.asked()[0].ends_with("client_secret=tres-secret"));

    let refused = asked(&server, "localhost", Some(AUTHORITY), false).await.unwrap_err();
    assert_eq!(refused, OutboundError::Refused("127.0.0.1".parse().unwrap()));
    assert_eq!(server.connections(), 1, "a good certificate makes no private address public");
}

#[tokio::test]
async fn whoever_cannot_show_the_providers_certificate_hears_nothing() {
    let server = Server::with_tls(answer(200, "{}")).await;
    let stranger = asked(&server, "localhost", None, true).await.unwrap_err();
    assert_eq!(stranger, OutboundError::Unreachable, "an authority nobody knows");
    let other = asked(&server, "idp.example", Some(AUTHORITY), true).await.unwrap_err();
    assert_eq!(other, OutboundError::Unreachable, "another name");
    assert!(server.asked().is_empty());
}
