//! What only somebody with the keys could make, and what the readers still refuse.

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use super::keys::{KeyRing, NewKey, PublishedKey, SigningKey};
use super::refresh::RefreshTokens;
use super::{AccessClaims, Chain, RefreshClaims, access, compact};
use crate::ids::Id;
use crate::settings::{Settings, SigningAlgorithm};
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const ISSUER: &str = "http://127.0.0.1:8000";
const KEY: [u8; 32] = [7; 32];

fn key(algorithm: SigningAlgorithm) -> (SigningKey, KeyRing) {
    let new = NewKey::generate(algorithm).unwrap();
    let jwk = new.published_jwk("ours", algorithm).to_string();
    let signing = SigningKey::open("ours", algorithm, &new.private, NOW).unwrap();
    let published = PublishedKey::new(&jwk, algorithm, None, &Settings::default()).unwrap();
    (signing, KeyRing { signing: Vec::new(), published: vec![published] })
}

fn claims() -> AccessClaims {
    AccessClaims {
        account: Id::parse("019b76da-a800-716f-913e-cdf391a49897").unwrap(),
        number: 42,
        session: Id::parse("019b76da-a800-7b1e-b6ff-349f3912d8f8").unwrap(),
        amr: vec!["pwd".to_owned()],
        auth_time: NOW.seconds(),
        security_version: 3,
        issued_at: NOW.seconds(),
        expires_at: NOW.seconds() + 900,
    }
}

fn payload() -> Value {
    json!({
        "iss": ISSUER, "sub": claims().account.to_string(), "aud": ISSUER,
        "exp": claims().expires_at, "iat": claims().issued_at, "jti": "0",
        "sid": claims().session.to_string(), "amr": ["pwd"], "auth_time": NOW.seconds(), "sv": 3,
        "token_type": "access", "user_id": "42",
    })
}

fn signed(key: &SigningKey, header: &Value, payload: &Value) -> String {
    let header = data_encoding::BASE64URL_NOPAD.encode(header.to_string().as_bytes());
    let token = compact::write(&header, payload, |message| key.sign(message)).unwrap();
    token.reveal().to_owned()
}

#[test]
fn every_algorithm_writes_what_its_reader_takes() {
    for algorithm in [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
        let (key, ring) = key(algorithm);
        let token = access::write(&claims(), [1; 16], &key, &Settings::default()).unwrap();
        let (read, by) = access::read(token.reveal(), &ring, NOW).expect("it is genuine");
        assert_eq!(read, claims());
        assert_eq!(&*by, "ours");
        assert_eq!(key.algorithm, algorithm);
    }
}

#[test]
fn a_genuine_signature_is_not_enough_for_an_access_token() {
    let (key, ring) = key(SigningAlgorithm::EdDsa);
    let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "ours" });
    let good = signed(&key, &header, &payload());
    assert!(access::read(&good, &ring, NOW).is_some());

    let headers = [
        ("typ", json!("JWT")),
        ("typ", json!("rt+jwt")),
        ("typ", json!("AT+JWT")),
        ("typ", json!("application/at+jwt")),
        ("typ", Value::Null),
        ("kid", json!("theirs")),
        ("kid", Value::Null),
        ("alg", json!("ES256")),
        ("alg", json!("RS256")),
        ("alg", json!("HS256")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
    ];
    for (name, value) in headers {
        let mut other = header.clone();
        other[name] = value;
        let token = signed(&key, &other, &payload());
        assert!(access::read(&token, &ring, NOW).is_none(), "{other}");
    }
    let members = [
        ("iss", json!("http://elsewhere")),
        ("iss", Value::Null),
        ("aud", json!("http://elsewhere")),
        ("aud", Value::Null),
        ("token_type", json!("refresh")),
        ("exp", json!("soon")),
        ("exp", Value::Null),
        ("sub", json!("42")),
        ("sid", json!("")),
        ("user_id", json!("a")),
        ("amr", json!("pwd")),
        ("sv", Value::Null),
    ];
    for (name, value) in members {
        let mut other = payload();
        other[name] = value;
        let token = signed(&key, &header, &other);
        assert!(access::read(&token, &ring, NOW).is_none(), "{other}");
    }
    // Members that mean nothing to us do no harm.
    let mut more = header;
    more["jku"] = json!("http://127.0.0.1:9/");
    assert!(access::read(&signed(&key, &more, &payload()), &ring, NOW).is_some());
}

#[test]
fn a_doubled_member_is_refused() {
    let (key, ring) = key(SigningAlgorithm::EdDsa);
    let encode = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
    let sign = |header: &str, payload: &str| {
        let message = format!("{}.{}", encode(header), encode(payload));
        let signature = key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", data_encoding::BASE64URL_NOPAD.encode(&signature))
    };
    let header = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"ours"}"#;
    let payload = payload().to_string();
    assert!(access::read(&sign(header, &payload), &ring, NOW).is_some());
    let twice = header.replace("{\"alg\"", "{\"alg\":\"HS256\",\"alg\"");
    assert!(access::read(&sign(&twice, &payload), &ring, NOW).is_none());
    let twice = payload.replacen('{', "{\"sub\":\"019b76da-a800-7b1e-b6ff-349f3912d8f8\",", 1);
    assert!(access::read(&sign(header, &twice), &ring, NOW).is_none());
}

#[test]
fn a_key_no_longer_published_verifies_nothing() {
    let (key, mut ring) = key(SigningAlgorithm::EdDsa);
    let token = access::write(&claims(), [1; 16], &key, &Settings::default()).unwrap();
    ring.published[0].expires_at = Some(NOW);
    assert!(access::read(token.reveal(), &ring, NOW).is_none());
    ring.published.clear();
    assert!(access::read(token.reveal(), &ring, NOW).is_none());
}

#[test]
fn a_genuine_mac_is_not_enough_for_a_refresh_token() {
    let tokens = RefreshTokens::new(&KEY, ISSUER);
    let claims = RefreshClaims {
        door: crate::settings::Door::Api,
        session: claims().session,
        chain: Chain::Cookie,
        generation: 9,
        issued_at: NOW.seconds(),
        expires_at: NOW.seconds() + 900,
        account: claims().account,
        number: 42,
        amr: vec!["pwd".to_owned()],
        auth_time: NOW.seconds(),
        security_version: 3,
    };
    let good = tokens.write(&claims, [1; 16], ISSUER).unwrap();
    assert_eq!(tokens.read(good.reveal()), Some(claims.clone()));
    assert_eq!(RefreshTokens::new(&[8; 32], ISSUER).read(good.reveal()), None, "another key");
    let elsewhere = tokens.write(&claims, [1; 16], "http://elsewhere").unwrap();
    assert_eq!(tokens.read(elsewhere.reveal()), None);

    let mut payload = payload();
    payload.as_object_mut().unwrap().remove("aud");
    payload["door"] = json!("api");
    payload["chain"] = json!("cookie");
    payload["g"] = json!(9);
    payload["token_type"] = json!("refresh");
    let encode = |header: &Header, payload: &Value| {
        jsonwebtoken::encode(header, payload, &EncodingKey::from_secret(&KEY)).unwrap()
    };
    for algorithm in ["HS256", "HS384", "HS512"] {
        let mut header = Header::new(serde_json::from_value(json!(algorithm)).unwrap());
        for typ in [None, Some("JWT"), Some("at+jwt")] {
            header.typ = typ.map(str::to_owned);
            assert_eq!(tokens.read(&encode(&header, &payload)), None, "{algorithm} {typ:?}");
        }
    }
    let header = r#"{"alg":"HS256","typ":"rt+jwt"}"#;
    let mac = |payload: &Value| {
        let header = data_encoding::BASE64URL_NOPAD.encode(header.as_bytes());
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &KEY);
        let sign = |message: &[u8]| Ok(aws_lc_rs::hmac::sign(&key, message));
        compact::write(&header, payload, sign).unwrap().reveal().to_owned()
    };
    assert!(tokens.read(&mac(&payload)).is_some());
    for (name, value) in [
        ("token_type", json!("access")),
        ("chain", json!("both")),
        ("door", json!("back")),
        ("g", json!("9")),
        ("sid", Value::Null),
    ] {
        let mut other = payload.clone();
        other[name] = value;
        assert_eq!(tokens.read(&mac(&other)), None, "{other}");
    }
}
