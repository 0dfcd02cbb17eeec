//! Tokens that are not what they seem (attacks G01, G02, G04, G07), and what ours say.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use ironlatch_core::sessions::RefreshError;
use ironlatch_core::settings::SigningAlgorithm;
use ironlatch_core::time::{days, minutes};
use ironlatch_core::tokens::{Chain, TokenError};
use ironlatch_testkit::TestAuth;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::{is_in, refresh, sign_in, with_ada};

fn encode(json: &Value) -> String {
    BASE64URL_NOPAD.encode(json.to_string().as_bytes())
}

fn part(token: &str, n: usize) -> Value {
    let part = token.split('.').nth(n).expect("three parts");
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

fn signed(header: &Value, payload: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{payload}", encode(header));
    let signature = BASE64URL_NOPAD.encode(&sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// Refused wherever a token is taken, as invalid and nothing else.
fn assert_refused(test: &TestAuth, token: &str, why: &str) {
    let tokens = test.auth.tokens();
    assert_eq!(tokens.read_access(token, test.now()), Err(TokenError::Invalid), "{why}: {token}");
    assert_eq!(tokens.read_refresh(token, test.now()), Err(TokenError::Invalid), "{why}: {token}");
}

#[tokio::test]
async fn an_access_token_says_what_clients_read_and_any_library_verifies_it() {
    with_ada(async |test| {
        let signed_in = sign_in(&test).await;
        let token = signed_in.started.access.reveal();
        assert_eq!(part(token, 0)["typ"], "at+jwt");
        let payload = part(token, 1);
        let names: Vec<_> = payload.as_object().unwrap().keys().collect();
        let expected = [
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "jti",
            "sid",
            "amr",
            "auth_time",
            "sv",
            "token_type",
            "user_id",
        ];
        assert_eq!(names, expected);
        assert_eq!(payload["sub"], signed_in.account.id.to_string());
        assert_eq!(payload["user_id"], signed_in.account.number.to_string());
        assert_eq!(payload["jti"].as_str().unwrap().len(), 32);
        assert_eq!(payload["exp"].as_i64(), Some(test.now().plus(minutes(15)).seconds()));

        let keys: JwkSet = serde_json::from_value(test.auth.tokens().jwks()).unwrap();
        let header = jsonwebtoken::decode_header(token).unwrap();
        let key = keys.find(&header.kid.unwrap()).expect("its key is published");
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[&test.auth.settings().public_url]);
        validation.set_issuer(&[&test.auth.settings().public_url]);
        validation.validate_exp = false;
        let key = DecodingKey::from_jwk(key).unwrap();
        jsonwebtoken::decode::<Value>(token, &key, &validation).expect("the oracle agrees");
    })
    .await;
}

#[tokio::test]
async fn unsigned_and_differently_signed_tokens_are_refused() {
    with_ada(async |test| {
        let started = sign_in(&test).await.started;
        for genuine in [started.access.reveal(), started.refresh_body.reveal()] {
            let header = part(genuine, 0);
            let (message, signature) = genuine.rsplit_once('.').unwrap();
            let payload = message.split_once('.').unwrap().1;
            for none in ["none", "None", "NONE", "nOnE", "", "HS256 ", "hs256", "EDDSA"] {
                let mut unsigned = header.clone();
                unsigned["alg"] = json!(none);
                let unsigned = encode(&unsigned);
                assert_refused(&test, &format!("{unsigned}.{payload}."), "G01");
                assert_refused(&test, &format!("{unsigned}.{payload}.{signature}"), "G01");
            }
            assert_refused(&test, &format!("{message}."), "G01: an empty signature");

            let jwks = test.auth.tokens().jwks();
            let public = jwks["keys"][0]["x"].as_str().unwrap();
            let raw = BASE64URL_NOPAD.decode(public.as_bytes()).unwrap();
            let whole = jwks["keys"][0].to_string();
            for secret in [raw.as_slice(), public.as_bytes(), whole.as_bytes(), b""] {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                let mac = |message: &[u8]| hmac::sign(&key, message).as_ref().to_vec();
                let mut confused = header.clone();
                for typ in ["at+jwt", "rt+jwt", "JWT"] {
                    confused["alg"] = json!("HS256");
                    confused["typ"] = json!(typ);
                    assert_refused(&test, &signed(&confused, payload, mac), "G02");
                }
                let plain = json!({ "alg": "HS256", "typ": "rt+jwt" });
                assert_refused(&test, &signed(&plain, payload, mac), "G02");
            }
        }
        assert!(is_in(&test, &started.access).await);
    })
    .await;
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_ignored() {
    with_ada(async |test| {
        let started = sign_in(&test).await.started;
        let genuine = started.access.reveal();
        let ours = part(genuine, 0)["kid"].clone();
        let payload = genuine.split('.').nth(1).unwrap();
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let sign = |message: &[u8]| pair.sign(message).as_ref().to_vec();
        let x = BASE64URL_NOPAD.encode(pair.public_key().as_ref());
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "theirs" });
        let place = "http://127.0.0.1:9/keys.json";
        for kid in [ours, json!("theirs"), json!(""), json!("../../etc/passwd"), Value::Null] {
            for (name, value) in [
                ("jwk", jwk.clone()),
                ("jku", json!(place)),
                ("x5u", json!(place)),
                ("x5c", json!([x])),
                ("none of them", Value::Null),
            ] {
                let mut header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid });
                header[name] = value;
                assert_refused(&test, &signed(&header, payload, sign), "G04");
            }
        }
    })
    .await;
}

/// The order of Ed25519's group, little-endian (RFC 8032 §5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[tokio::test]
async fn only_the_one_spelling_of_a_token_is_taken() {
    with_ada(async |test| {
        let started = sign_in(&test).await.started;
        for genuine in [started.access.reveal(), started.refresh_body.reveal()] {
            let (message, signature) = genuine.rsplit_once('.').unwrap();
            let (short, last) = signature.split_at(signature.len() - 1);
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            for other in alphabet.split("").filter(|other| !other.is_empty() && *other != last) {
                assert_refused(&test, &format!("{message}.{short}{other}"), "G07: stray bits");
            }
            let bytes = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
            let mut longer = bytes.clone();
            longer.push(0);
            for wrong in [&bytes[1..], &bytes[..bytes.len() - 1], &longer, &vec![0; bytes.len()]] {
                let wrong = BASE64URL_NOPAD.encode(wrong);
                assert_refused(&test, &format!("{message}.{wrong}"), "G07: length or zeros");
            }
            for spelt in [
                format!("{genuine}="),
                format!("{genuine}=="),
                format!(" {genuine}"),
                format!("{genuine}\n"),
                format!("{genuine}."),
                format!(".{genuine}"),
                format!("{message}.{signature}.{signature}"),
                genuine.replacen('.', "..", 1),
                genuine.replacen("eyJ", "ey J", 1),
                format!("Bearer {genuine}"),
                message.to_owned(),
                format!("{message}.{}", "A".repeat(5_000)),
                "A".repeat(100_000),
                String::new(),
                "..".to_owned(),
                "\0.\0.\0".to_owned(),
                json!({ "payload": "e30", "signatures": [] }).to_string(),
            ] {
                assert_refused(&test, &spelt, "G07: spelling");
            }
        }
        let access = started.access.reveal();
        let (message, signature) = access.rsplit_once('.').unwrap();
        let mut bytes = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
        let mut carry = 0;
        for (byte, order) in bytes[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        let malleable = BASE64URL_NOPAD.encode(&bytes);
        assert_refused(&test, &format!("{message}.{malleable}"), "G07: S + L");
        assert!(is_in(&test, &started.access).await);
    })
    .await;
}

#[tokio::test]
async fn zeros_and_der_are_no_ecdsa_signature() {
    with_ada(async |plain| {
        let change = |settings: &mut ironlatch_core::settings::Settings| {
            settings.tokens.algorithm = SigningAlgorithm::Es256;
        };
        let test = plain.node_with(change).await;
        let started = sign_in(&test).await.started;
        let (message, signature) = started.access.reveal().rsplit_once('.').unwrap();
        let fixed = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
        let (r, s) = fixed.split_at(32);
        let mut der = vec![0x30, 70, 2, 33, 0];
        der.extend_from_slice(r);
        der.extend_from_slice(&[2, 33, 0]);
        der.extend_from_slice(s);
        for wrong in [vec![0; 64], der, [r, &[0; 32]].concat(), [&[0; 32], s].concat()] {
            let wrong = BASE64URL_NOPAD.encode(&wrong);
            assert_refused(&test, &format!("{message}.{wrong}"), "G07");
        }
        assert!(is_in(&test, &started.access).await);
    })
    .await;
}

#[tokio::test]
async fn each_kind_of_token_is_refused_as_the_other() {
    with_ada(async |test| {
        let started = sign_in(&test).await.started;
        let (access, body) = (&started.access, &started.refresh_body);
        let tokens = test.auth.tokens();
        for refresh_token in [body, &started.refresh_cookie] {
            let read = tokens.read_access(refresh_token.reveal(), test.now());
            assert_eq!(read, Err(TokenError::WrongType));
        }
        assert_eq!(tokens.read_refresh(access.reveal(), test.now()), Err(TokenError::WrongType));
        let refused = refresh(&test, access, Chain::Body).await;
        assert!(matches!(refused, Err(RefreshError::WrongType)));

        test.clock.advance(minutes(15));
        let refused = refresh(&test, access, Chain::Body).await;
        assert!(matches!(refused, Err(RefreshError::Expired)));
        test.clock.advance(days(14));
        assert_eq!(tokens.read_access(body.reveal(), test.now()), Err(TokenError::Expired));
        assert_eq!(tokens.read_refresh(body.reveal(), test.now()), Err(TokenError::Expired));
    })
    .await;
}

#[tokio::test]
async fn tokens_of_another_installation_are_nobodys() {
    with_ada(async |test| {
        let elsewhere = TestAuth::new().await;
        elsewhere.verified_account(super::ADA).await;
        let theirs = sign_in(&elsewhere).await.started;
        assert_refused(&test, theirs.access.reveal(), "another key");
        // The kit's master key is the same everywhere, so the MAC is genuine: the session is not.
        let refused = refresh(&test, &theirs.refresh_body, Chain::Body).await;
        assert!(matches!(refused, Err(RefreshError::Invalid)));

        let renamed = test
            .node_with(|settings| settings.public_url = "http://localhost:8000".to_owned())
            .await;
        let ours = sign_in(&test).await.started;
        assert_refused(&renamed, ours.access.reveal(), "another issuer");
        assert_refused(&renamed, ours.refresh_body.reveal(), "another issuer");
    })
    .await;
}
