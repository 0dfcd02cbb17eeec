//! G: forged tokens at every place that takes one. The corpus itself is the core's
//! (`sessions/tokens.rs`); here the server answers it.

use std::net::TcpListener;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::house::{House, each_house};
use super::http::Call;

fn encode(json: &Value) -> String {
    BASE64URL_NOPAD.encode(json.to_string().as_bytes())
}

fn decode(part: &str) -> Value {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

/// Header, payload and signature, as texts.
fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

/// Tokens made out of a genuine one, each with its attack.
fn forgeries(genuine: &str, jwks: &Value, lure: &str) -> Vec<(&'static str, String)> {
    let [header, payload, signature] = parts(genuine);
    let with = |changes: &[(&str, Value)]| {
        let mut changed = decode(header);
        for (name, value) in changes {
            changed[name] = value.clone();
        }
        format!("{}.{payload}", encode(&changed))
    };
    let mut forged = Vec::new();
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let message = with(&[("alg", json!(none))]);
        forged.push(("G01", format!("{message}.")));
        forged.push(("G01", format!("{message}.{signature}")));
    }
    forged.push(("G01", format!("{header}.{payload}.")));

    let key = &jwks["keys"][0];
    let x = key["x"].as_str().unwrap();
    let secrets = [
        x.as_bytes().to_vec(),
        BASE64URL_NOPAD.decode(x.as_bytes()).unwrap(),
        key.to_string().into_bytes(),
        Vec::new(),
    ];
    for secret in secrets {
        for typ in ["at+jwt", "rt+jwt", "JWT"] {
            let message = with(&[("alg", json!("HS256")), ("typ", json!(typ))]);
            let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
            forged.push(("G02", format!("{message}.{}", BASE64URL_NOPAD.encode(mac.as_ref()))));
        }
    }

    let pair = Ed25519KeyPair::generate().unwrap();
    let theirs = BASE64URL_NOPAD.encode(pair.public_key().as_ref());
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": theirs, "kid": "theirs" });
    for (name, value) in
        [("jwk", jwk), ("jku", json!(lure)), ("x5u", json!(lure)), ("x5c", json!([theirs]))]
    {
        for kid in [decode(header)["kid"].clone(), json!("theirs"), json!(lure)] {
            let changes = [("alg", json!("EdDSA")), ("kid", kid), (name, value.clone())];
            let message = with(&changes);
            let signed = pair.sign(message.as_bytes());
            forged.push(("G04", format!("{message}.{}", BASE64URL_NOPAD.encode(signed.as_ref()))));
        }
    }

    forged.extend(misspelt(genuine));
    forged
}

/// The same token with its signature or its claims written otherwise.
fn misspelt(genuine: &str) -> Vec<(&'static str, String)> {
    let [header, payload, signature] = parts(genuine);
    let mut forged = Vec::new();
    let (short, last) = signature.split_at(signature.len() - 1);
    let stray = if last == "A" { "B" } else { "A" };
    let zeros = BASE64URL_NOPAD.encode(&[0; 64]);
    for signature in [
        format!("{short}{stray}"),
        short.to_owned(),
        format!("{signature}A"),
        format!("{signature}="),
        zeros,
    ] {
        forged.push(("G07", format!("{header}.{payload}.{signature}")));
    }
    for (claim, value) in [("user_id", json!("1")), ("exp", json!(99_999_999_999_i64))] {
        let mut claims = decode(payload);
        claims[claim] = value;
        forged.push(("claims", format!("{header}.{}.{signature}", encode(&claims))));
    }
    forged
}

/// The answers to a token at every place that takes one.
fn present(house: &House, token: &str) -> [(&'static str, u16); 5] {
    let refresh = || Call::post("/api/auth/token/refresh");
    let status = |call| house.call(call).status;
    [
        ("me", status(Call::get("/api/auth/me").bearer(token))),
        ("sessions", status(Call::get("/api/auth/sessions").bearer(token))),
        ("end others", status(Call::post("/api/auth/sessions/end-others").bearer(token))),
        ("refresh by body", status(refresh().json(json!({ "refresh": token })))),
        ("refresh by cookie", status(refresh().cookie(&format!("refresh_token={token}")))),
    ]
}

#[tokio::test]
async fn g01_g02_g04_g07_a_forged_token_is_nobodys_and_nobody_is_asked_for_its_key() {
    each_house(&[], |house| {
        let lure = TcpListener::bind("127.0.0.1:0").unwrap();
        lure.set_nonblocking(true).unwrap();
        let place = format!("http://{}/keys.json", lure.local_addr().unwrap());
        let ada = house.person("ada");
        let jwks = house.call(Call::get("/.well-known/jwks.json")).json();
        for private in ["d", "p", "q", "k"] {
            assert!(jwks["keys"][0].get(private).is_none(), "F24: {private} is published");
        }
        let cookie = ada.cookie.split_once('=').unwrap().1.to_owned();
        for genuine in [&ada.access, &ada.refresh, &cookie] {
            for (id, token) in forgeries(genuine, &jwks, &place) {
                for (where_to, status) in present(house, &token) {
                    assert_eq!(status, 401, "{id}: {token} at {where_to}");
                }
                // Signing out with it signs nobody out.
                let out = Call::post("/api/auth/logout").bearer(&token);
                house.call(out.json(json!({ "refresh": token })));
            }
        }
        assert_eq!(house.me(&ada.access), 200, "the genuine one is still good");
        assert!(lure.accept().is_err(), "G04: somebody went to fetch a key");
    })
    .await;
}
