//! The keys of a provider, as they come and go (attacks G04, G09, R12).

use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::outbound::tests::server::{Moved, Reply, Server, answer, impatient, outbound};
use crate::outbound::{Outbound, OutboundError};
use crate::ports::Clock;
use crate::social::Directory;
use crate::social::jwks::UnverifiedError;
use crate::social::kept::FetchError;
use crate::time::{minutes, seconds};
use crate::tokens::{Expected, IdTokenError};

struct Key {
    kid: String,
    pair: EcdsaKeyPair,
}

impl Key {
    fn new(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: kid.to_owned(), pair }
    }

    fn jwk(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|half| BASE64URL_NOPAD.encode(half));
        json!({ "kty": "EC", "crv": "P-256", "kid": self.kid, "x": x, "y": y })
    }

    fn token(&self, more: &Value, now: i64) -> String {
        let mut header = json!({ "alg": "ES256", "kid": self.kid });
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let claims = json!({
            "iss": "https://idp.example", "aud": "client-1", "sub": "1", "iat": now, "exp": now + 60,
        });
        let [header, claims] =
            [header, claims].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()));
        let message = format!("{header}.{claims}");
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}

/// A provider whose keys change, and whoever checks its tokens.
struct World {
    server: Server,
    /// What it answers; `None`: nothing at all.
    published: Arc<Mutex<Option<String>>>,
    clock: Arc<Moved>,
    directory: Directory,
    outbound: Outbound,
}

impl World {
    async fn new(keys: &[&Key]) -> Self {
        let published = Arc::<Mutex<Option<String>>>::default();
        let shown = Arc::clone(&published);
        let server = Server::new(move |_| match &*shown.lock().unwrap() {
            Some(set) => Reply::Bytes(answer(200, set)),
            None => Reply::Bytes(Vec::new()),
        })
        .await;
        let clock = Moved::new();
        let outbound = outbound(&clock, impatient());
        let world = Self { server, published, clock, directory: Directory::default(), outbound };
        world.publish(keys);
        world
    }

    fn publish(&self, keys: &[&Key]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        *self.published.lock().unwrap() = Some(json!({ "keys": keys }).to_string());
    }

    async fn checks(&self, key: &Key) -> Result<(), UnverifiedError> {
        self.checks_with(key, &json!({})).await
    }

    async fn checks_with(&self, key: &Key, header: &Value) -> Result<(), UnverifiedError> {
        let now = self.clock.now();
        let expected = Expected {
            issuers: &["https://idp.example"],
            client_id: "client-1",
            nonce: None,
            access_token: None,
            longest_age: minutes(10),
            now,
        };
        let token = key.token(header, now.seconds());
        let line = self.outbound.line("idp", true);
        self.directory.verify(&line, &self.server.url("/jwks"), &token, expected).await.map(drop)
    }
}

fn is_unknown(result: &Result<(), UnverifiedError>) -> bool {
    matches!(result, Err(UnverifiedError::Refused(IdTokenError::UnknownKey)))
}

#[tokio::test]
async fn keys_are_fetched_once_and_kept() {
    let key = Key::new("one");
    let world = World::new(&[&key]).await;
    for _ in 0..10 {
        world.checks(&key).await.unwrap();
    }
    world.clock.advance(seconds(299));
    world.checks(&key).await.unwrap();
    assert_eq!(world.server.connections(), 1);
    world.clock.advance(seconds(1));
    world.checks(&key).await.unwrap();
    assert_eq!(world.server.connections(), 2);
}

#[tokio::test]
async fn g09_a_new_key_is_known_at_once_and_a_withdrawn_one_is_not() {
    let [old, new, other] = ["old", "new", "other"].map(Key::new);
    let world = World::new(&[&old]).await;
    world.checks(&old).await.unwrap();
    world.publish(&[&new, &old]);
    world.checks(&new).await.unwrap();
    world.checks(&old).await.unwrap();
    assert_eq!(world.server.connections(), 2);

    world.publish(&[&new]);
    world.clock.advance(minutes(5));
    assert!(is_unknown(&world.checks(&old).await), "withdrawn, and gone after five minutes");
    world.checks(&new).await.unwrap();
    // The name again, but another key behind it.
    let imposter = Key::new("new");
    let refused = world.checks(&imposter).await.unwrap_err();
    assert!(matches!(refused, UnverifiedError::Refused(IdTokenError::Signature)));
    assert!(is_unknown(&world.checks(&other).await));
}

#[tokio::test]
async fn g09_withdrawn_keys_do_not_outlive_a_provider_that_is_away() {
    let key = Key::new("one");
    let world = World::new(&[&key]).await;
    world.checks(&key).await.unwrap();
    *world.published.lock().unwrap() = None;
    world.clock.advance(minutes(14));
    world.checks(&key).await.unwrap();
    world.clock.advance(minutes(1));
    let refused = world.checks(&key).await.unwrap_err();
    let away = FetchError::Outbound(OutboundError::Unreachable);
    assert!(matches!(refused, UnverifiedError::NoKeys(error) if error == away));
    world.publish(&[&key]);
    world.checks(&key).await.unwrap();
}

#[tokio::test]
async fn unknown_keys_cost_the_provider_one_request_a_minute() {
    let key = Key::new("one");
    let world = World::new(&[&key]).await;
    world.checks(&key).await.unwrap();
    for n in 0..50 {
        assert!(is_unknown(&world.checks(&Key::new(&n.to_string())).await));
    }
    assert_eq!(world.server.connections(), 2);
    world.clock.advance(seconds(60));
    assert!(is_unknown(&world.checks(&Key::new("x")).await));
    world.checks(&key).await.unwrap();
    assert_eq!(world.server.connections(), 3);
}

#[tokio::test]
async fn g04_a_key_that_the_token_names_is_never_fetched() {
    let [key, attacker] = ["one", "one"].map(Key::new);
    let world = World::new(&[&key]).await;
    let theirs = json!({ "keys": [attacker.jwk()] }).to_string();
    let evil = Server::says(200, &theirs).await;
    for header in [
        json!({ "jku": evil.url("/jwks") }),
        json!({ "x5u": evil.url("/chain") }),
        json!({ "jwk": attacker.jwk() }),
        json!({ "kid": evil.url("/jwks") }),
    ] {
        assert!(world.checks_with(&attacker, &header).await.is_err(), "{header}");
    }
    assert_eq!(evil.connections(), 0);
}

#[tokio::test]
async fn what_is_no_key_set_is_refused() {
    let key = Key::new("one");
    let large = format!(r#"{{"keys":["{}"]}}"#, "x".repeat(300_000));
    for set in
        ["", "{}", "<html>", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AA"}]}"#, &large]
    {
        let world = World::new(&[]).await;
        *world.published.lock().unwrap() = Some(set.to_owned());
        let refused = world.checks(&key).await.unwrap_err();
        assert!(matches!(refused, UnverifiedError::NoKeys(_)), "{set}: {refused:?}");
        world.publish(&[&key]);
        world.checks(&key).await.unwrap();
    }
}
