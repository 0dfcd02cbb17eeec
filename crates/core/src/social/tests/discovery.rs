//! Where a provider says it is (attacks C03, F14, F17).

use serde_json::{Value, json};

use crate::outbound::tests::server::{Moved, Reply, Server, answer, impatient, outbound};
use crate::outbound::{Outbound, OutboundError};
use crate::ports::Clock;
use crate::settings::Endpoints;
use crate::social::Directory;
use crate::social::discovery::Metadata;
use crate::social::kept::FetchError;
use crate::time::{hours, minutes};

/// A provider whose document has these members instead.
async fn provider(changes: Value) -> Server {
    Server::new(move |request| {
        let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let base = format!("http://{host}");
        let mut document = json!({
            "issuer": base,
            "authorization_endpoint": format!("{base}/auth"),
            "token_endpoint": format!("{base}/token"),
            "userinfo_endpoint": format!("{base}/me"),
            "jwks_uri": format!("{base}/jwks"),
            "grant_types_supported": ["authorization_code"],
        });
        for (name, value) in changes.as_object().unwrap() {
            document[name] = value.clone();
        }
        Reply::Bytes(answer(200, &document.to_string()))
    })
    .await
}

fn at(issuer: &str) -> Endpoints {
    Endpoints { issuer: Some(issuer.to_owned()), ..Endpoints::default() }
}

async fn found(
    directory: &Directory,
    outbound: &Outbound,
    configured: &Endpoints,
    clock: &Moved,
) -> Result<Metadata, FetchError> {
    directory.metadata(&outbound.line("idp", true), configured, clock.now()).await
}

/// The answer of a directory that knows nothing yet.
async fn fresh(configured: &Endpoints) -> Result<Metadata, FetchError> {
    let clock = Moved::new();
    found(&Directory::default(), &outbound(&clock, impatient()), configured, &clock).await
}

#[tokio::test]
async fn a_provider_says_where_it_is() {
    let server = provider(json!({ "authorization_response_iss_parameter_supported": true })).await;
    let metadata = fresh(&at(&server.url(""))).await.unwrap();
    let expected = Metadata {
        issuer: server.url(""),
        authorization_endpoint: server.url("/auth"),
        token_endpoint: server.url("/token"),
        userinfo_endpoint: Some(server.url("/me")),
        jwks_uri: server.url("/jwks"),
        names_itself: true,
        wants_secret_in_form: false,
    };
    assert_eq!(metadata, expected);
    assert!(server.asked()[0].starts_with("GET /.well-known/openid-configuration HTTP/1.1"));

    let only_form = json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] });
    let server = provider(only_form).await;
    assert!(fresh(&at(&server.url(""))).await.unwrap().wants_secret_in_form);
}

#[tokio::test]
async fn what_is_configured_wins() {
    let server = provider(json!({})).await;
    let mut configured = at(&server.url(""));
    configured.token_endpoint = Some("http://127.0.0.1:9/token".to_owned());
    let metadata = fresh(&configured).await.unwrap();
    assert_eq!(metadata.token_endpoint, "http://127.0.0.1:9/token");
    assert_eq!(metadata.jwks_uri, server.url("/jwks"));

    configured.authorization_endpoint = Some("http://127.0.0.1:9/auth".to_owned());
    configured.jwks_uri = Some("http://127.0.0.1:9/jwks".to_owned());
    let metadata = fresh(&configured).await.unwrap();
    assert_eq!((metadata.userinfo_endpoint, server.connections()), (None, 1), "nothing is missing");
    let nobody = Endpoints { issuer: None, ..configured };
    assert!(matches!(fresh(&nobody).await, Err(FetchError::Unusable(_))));
}

/// Discovery §4.3: whoever answers at an issuer's address must be that issuer, byte for byte.
#[tokio::test]
async fn f14_the_document_is_of_the_issuer_that_was_asked() {
    let server = provider(json!({})).await;
    let slash = fresh(&at(&server.url("/"))).await.unwrap_err();
    let other = Server::says(200, r#"{"issuer":"https://accounts.google.com"}"#).await;
    let foreign = fresh(&at(&other.url(""))).await.unwrap_err();
    for refused in [slash, foreign] {
        assert_eq!(refused, FetchError::Unusable("the metadata is of another issuer"));
    }
}

#[tokio::test]
async fn f17_no_endpoint_is_anything_but_https() {
    for name in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"] {
        for url in ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "/auth", ""] {
            let server = provider(json!({ name: url })).await;
            let refused = fresh(&at(&server.url(""))).await.unwrap_err();
            assert_eq!(
                refused,
                FetchError::Unusable("an endpoint is no https URL"),
                "{name} {url}"
            );
        }
    }
    let clock = Moved::new();
    let outbound = outbound(&clock, impatient());
    let line = outbound.line("abroad", false);
    let mut configured = at("https://idp.example");
    configured.authorization_endpoint = Some("http://idp.example/auth".to_owned());
    configured.token_endpoint = Some("https://idp.example/token".to_owned());
    configured.jwks_uri = Some("https://idp.example/jwks".to_owned());
    let refused = Directory::default().metadata(&line, &configured, clock.now()).await;
    assert_eq!(refused.unwrap_err(), FetchError::Unusable("an endpoint is no https URL"));
}

#[tokio::test]
async fn what_is_no_document_is_refused() {
    let large = format!(r#"{{"issuer":"{}"}}"#, "x".repeat(300_000));
    let answers = [
        (404, "{}"),
        (500, "{}"),
        (201, "{}"),
        (200, ""),
        (200, "<html>"),
        (200, "[]"),
        (200, r#"{"issuer":1}"#),
        (200, "{}"),
    ];
    for (status, body) in answers {
        let server = Server::says(status, body).await;
        let refused = fresh(&at(&server.url(""))).await.unwrap_err();
        assert!(matches!(refused, FetchError::Unusable(_)), "{status} {body}: {refused:?}");
    }
    let server = Server::says(200, &large).await;
    let refused = fresh(&at(&server.url(""))).await.unwrap_err();
    assert_eq!(refused, FetchError::Outbound(OutboundError::TooLarge));
    let server = provider(json!({ "jwks_uri": null })).await;
    let refused = fresh(&at(&server.url(""))).await.unwrap_err();
    assert_eq!(refused, FetchError::Unusable("the metadata lacks an endpoint"));
}

#[tokio::test]
async fn it_is_asked_once_an_hour_and_remembered_for_a_day() {
    let server = provider(json!({})).await;
    let clock = Moved::new();
    let (directory, outbound) = (Directory::default(), outbound(&clock, impatient()));
    let configured = at(&server.url(""));
    let asks = async || found(&directory, &outbound, &configured, &clock).await;
    for _ in 0..5 {
        assert!(asks().await.is_ok());
    }
    clock.advance(minutes(59));
    assert!(asks().await.is_ok());
    assert_eq!(server.connections(), 1);
    clock.advance(minutes(1));
    assert!(asks().await.is_ok());
    assert_eq!(server.connections(), 2);
    clock.advance(hours(24));
    assert!(asks().await.is_ok());
    assert_eq!(server.connections(), 3);
}
