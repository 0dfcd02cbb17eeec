//! G01, G02, G04, G09 and H24: ID tokens that nobody signed, or not for now.

use std::net::TcpListener;

use ironlatch_core::ports::{Clock as _, SystemClock};
use ironlatch_testkit::provider::{FakeProvider, Fault};
use serde_json::{Value, json};

use super::super::house::House;
use super::super::http::Answer;
use super::{ADA, GOOGLE, Providers, assert_refused, bring, each_social, post, signed_in, someone};

/// Posts an ID token on its own, and lets the provider give it beside a code.
fn both_ways(house: &House, providers: &Providers, fault: Fault) -> [Answer; 2] {
    let google = providers.google();
    google.break_with(fault);
    let ada = someone(1, ADA);
    let token = google.id_token(&ada);
    house.keep(&token);
    let answers = [
        post(house, "google", json!({ "id_token": token })),
        bring(house, providers, "google", &ada),
    ];
    google.mend();
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g01_g02_g04_unsigned_confused_and_self_certified_id_tokens_are_refused() {
    each_social(&GOOGLE, "", |house, providers| {
        let lure = TcpListener::bind("127.0.0.1:0").unwrap();
        lure.set_nonblocking(true).unwrap();
        let url = format!("http://{}/keys", lure.local_addr().unwrap());
        let own = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" });
        let mut faults: Vec<(&str, Fault)> = ["none", "None", "NONE", "nOnE", ""]
            .map(|word| ("G01", Fault::Unsigned(word)))
            .to_vec();
        faults.extend([
            ("G02", Fault::MacWithPublicKey),
            ("G02", Fault::ForeignKey),
            ("G02", Fault::Header("alg", json!("HS256"))),
            ("G02", Fault::Header("alg", json!("ES256"))),
            ("G02", Fault::Header("alg", json!("PS256"))),
            ("G02", Fault::Header("alg", json!("RS512"))),
            ("G02", Fault::Header("alg", Value::Null)),
            ("G02", Fault::Header("kid", json!("another"))),
            ("G04", Fault::Header("crit", json!(["b64"]))),
            ("G07", Fault::Header("typ", json!("at+jwt"))),
        ]);
        for (id, fault) in faults {
            for answer in both_ways(house, providers, fault.clone()) {
                assert_refused(&answer, &format!("{id}: {fault:?}"));
            }
        }
        // Keys that the token brings along are not looked at; whether the genuine signature
        // then counts is of no matter.
        for (name, value) in
            [("jku", json!(url)), ("x5u", json!(url)), ("jwk", own), ("x5c", json!(["AQAB"]))]
        {
            let google = providers.google();
            google.break_with(Fault::ForeignKey);
            for answer in both_ways(house, providers, Fault::Header(name, value.clone())) {
                let refused = answer.status == 400;
                assert!(refused || answer.status == 200, "G04: {name}: {}", answer.text());
            }
            google.break_with(Fault::ForeignKey);
            google.break_with(Fault::Header(name, value));
            let token = google.id_token(&someone(9, "eve@example.com"));
            house.keep(&token);
            assert_refused(&post(house, "google", json!({ "id_token": token })), name);
            google.mend();
        }
        assert!(lure.accept().is_err(), "G04: somebody was asked for keys");
        signed_in(house, providers, "google", &someone(2, "bob@example.com"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g07_texts_that_are_no_token_are_refused() {
    each_social(&GOOGLE, "", |house, providers| {
        let genuine = providers.google().id_token(&someone(1, ADA));
        house.keep(&genuine);
        let [header, payload, signature] =
            genuine.split('.').collect::<Vec<_>>().try_into().unwrap();
        for odd in [
            "x".to_owned(),
            "..".to_owned(),
            "a.b.c".to_owned(),
            format!("{header}.{payload}"),
            format!("{header}.{payload}."),
            format!("{header}.{payload}.{signature}.{signature}"),
            format!("{header}.{payload}.{}", &signature[..signature.len() - 2]),
            format!("{header}.{payload}.{signature}AAAA"),
            format!("{header}..{signature}"),
            format!("{header}=.{payload}.{signature}"),
            "e30.e30.".to_owned(),
            "x".repeat(60_000),
        ] {
            let answer = post(house, "google", json!({ "id_token": odd }));
            assert_refused(&answer, &format!("G07: {odd:.60}"));
        }
        for wrong in [json!(1), json!(["x"]), json!({}), json!(true)] {
            let answer = post(house, "google", json!({ "id_token": wrong }));
            assert!((400..500).contains(&answer.status), "{wrong}: {}", answer.text());
        }
    })
    .await;
}

fn key_requests(provider: &FakeProvider) -> usize {
    provider.asked_at("/keys").len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g09_new_keys_are_fetched_once_and_unknown_ones_do_not_make_us_ask_and_ask() {
    each_social(&GOOGLE, "", |house, providers| {
        let google = providers.google();
        signed_in(house, providers, "google", &someone(1, ADA));
        assert_eq!(key_requests(google), 1, "the first sign-in fetches the keys");
        signed_in(house, providers, "google", &someone(1, ADA));
        assert_eq!(key_requests(google), 1, "they are kept");
        // The provider signs with another key from now on: nobody is turned away.
        google.rotate_keys();
        signed_in(house, providers, "google", &someone(1, ADA));
        assert!(key_requests(google) <= 2, "G09: one more fetch");
        let known = key_requests(google);
        // Anybody can post tokens with names of keys that do not exist.
        for n in 0..30 {
            google.break_with(Fault::Header("kid", json!(format!("unknown-{n}"))));
            let token = google.id_token(&someone(1, ADA));
            google.mend();
            house.keep(&token);
            assert_refused(&post(house, "google", json!({ "id_token": token })), "G09");
        }
        assert!(key_requests(google) <= known + 1, "G09: {} fetches", key_requests(google));
        signed_in(house, providers, "google", &someone(1, ADA));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h24_a_minute_of_skew_is_forgiven_and_not_five() {
    each_social(&GOOGLE, "", |house, providers| {
        let google = providers.google();
        let ada = someone(1, ADA);
        let count = std::cell::Cell::new(0);
        let token = |changes: &[(&str, i64)]| {
            let now = SystemClock.now().seconds();
            let mut claims = google.claims(&ada);
            // No two are the same text: each is good once.
            claims["jti"] = json!(count.replace(count.get() + 1));
            for (name, offset) in changes {
                claims[*name] = json!(now + offset);
            }
            google.sign(&claims)
        };
        let brings = |token: String| {
            house.keep(&token);
            post(house, "google", json!({ "id_token": token }))
        };
        for fine in [
            token(&[]),
            token(&[("iat", 50)]),
            token(&[("iat", -100), ("exp", -50)]),
            token(&[("nbf", 50)]),
        ] {
            let answer = brings(fine);
            assert_eq!(answer.status, 200, "H24: {}", answer.text());
        }
        for (what, skewed) in [
            ("issued in five minutes", token(&[("iat", 300), ("exp", 3_900)])),
            ("issued in 70 s", token(&[("iat", 70)])),
            ("over for 70 s", token(&[("iat", -3_600), ("exp", -70)])),
            ("over for five minutes", token(&[("iat", -3_600), ("exp", -300)])),
            ("valid in five minutes", token(&[("nbf", 300)])),
            ("of last year", token(&[("iat", -31_536_000), ("exp", 3_600)])),
            ("of the year 10,000", token(&[("iat", 251_000_000_000), ("exp", 252_000_000_000)])),
        ] {
            assert_refused(&brings(skewed), &format!("H24: {what}"));
        }
        for (name, value) in [
            ("exp", Value::Null),
            ("iat", Value::Null),
            ("exp", json!("9999999999")),
            ("exp", json!(-1)),
            ("exp", json!(1e300)),
            ("exp", json!(i64::MAX)),
        ] {
            let mut claims = google.claims(&ada);
            claims[name] = value.clone();
            let answer = brings(google.sign(&claims));
            let is_far = value == json!(i64::MAX) || value == json!(1e300);
            assert!(answer.status == 400 || is_far, "H24: {name} {value}: {}", answer.text());
        }
    })
    .await;
}
