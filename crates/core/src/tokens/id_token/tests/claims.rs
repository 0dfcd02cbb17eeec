//! What a genuine token must say, and to whom (attacks C03, F15, G06, H24).

use super::*;

#[test]
fn c03_the_issuer_is_pinned_byte_for_byte() {
    let provider = Provider::new();
    for issuer in [
        json!("https://idp.example/tenant/"),
        json!("https://idp.example/other"),
        json!("https://IDP.example/tenant"),
        json!("http://idp.example/tenant"),
        json!("https://idp.example"),
        json!(""),
        json!(null),
        json!([ISSUER]),
        json!(1),
    ] {
        assert_eq!(provider.refuses(&json!({ "iss": issuer })), IdTokenError::Issuer, "{issuer}");
    }
}

#[test]
fn tokens_for_others_are_refused() {
    let provider = Provider::new();
    for aud in [
        json!("client-2"),
        json!(null),
        json!(""),
        json!([]),
        json!(["client-2"]),
        json!(1),
        json!("client-1 "),
        json!({ "client-1": true }),
        json!([["client-1"]]),
    ] {
        assert_eq!(provider.refuses(&json!({ "aud": aud })), IdTokenError::Audience, "{aud}");
    }
    let both = json!(["client-1", "client-2"]);
    for azp in [json!(null), json!("client-2"), json!(""), json!(["client-1"])] {
        let changes = json!({ "aud": both, "azp": azp });
        assert_eq!(provider.refuses(&changes), IdTokenError::Audience, "{azp}");
    }
    let changes = json!({ "azp": "client-2" });
    assert_eq!(provider.refuses(&changes), IdTokenError::Audience, "made for another client");
    for (aud, azp) in [
        (json!(["client-1"]), json!(null)),
        (json!("client-1"), json!("client-1")),
        (both, json!("client-1")),
    ] {
        assert!(provider.says(&but(&json!({ "aud": aud, "azp": azp }))).is_ok());
    }
}

#[test]
fn h24_clocks_may_differ_by_a_minute() {
    let provider = Provider::new();
    let now = NOW.seconds();
    let taken = [
        json!({ "iat": now + 60 }),
        json!({ "exp": now - 59 }),
        json!({ "nbf": now + 60 }),
        json!({ "iat": now - 660 }),
        json!({ "iat": 1_767_225_600.5, "exp": 1_767_225_609.5 }),
    ];
    for changes in taken {
        assert!(provider.says(&but(&changes)).is_ok(), "{changes}");
    }
    for (changes, refusal) in [
        (json!({ "exp": now - 60 }), IdTokenError::Expired),
        (json!({ "exp": now - 300 }), IdTokenError::Expired),
        (json!({ "exp": null }), IdTokenError::Expired),
        (json!({ "exp": "soon" }), IdTokenError::Expired),
        (json!({ "iat": now - 661 }), IdTokenError::Expired),
        (json!({ "iat": now + 61 }), IdTokenError::Early),
        (json!({ "iat": now + 300 }), IdTokenError::Early),
        (json!({ "iat": null }), IdTokenError::Early),
        (json!({ "nbf": now + 61 }), IdTokenError::Early),
        (json!({ "nbf": "now" }), IdTokenError::Early),
        (json!({ "exp": i64::MIN }), IdTokenError::Expired),
        (json!({ "iat": i64::MAX, "exp": i64::MAX }), IdTokenError::Early),
        (json!({ "iat": 1e300, "exp": 1e300 }), IdTokenError::Early),
    ] {
        assert_eq!(provider.refuses(&changes), refusal, "{changes}");
    }
    let patient = Expected { longest_age: hours(2), ..expected() };
    assert!(provider.says_to(patient, &but(&json!({ "iat": now - 3_600 }))).is_ok());
}

#[test]
fn f15_the_nonce_is_there_and_ours() {
    let provider = Provider::new();
    for nonce in [json!(null), json!(""), json!("n-0S6_WzA2M"), json!("other"), json!([NONCE])] {
        assert_eq!(provider.refuses(&json!({ "nonce": nonce })), IdTokenError::Nonce, "{nonce}");
    }
    let nothing_sent = Expected { nonce: Some(""), ..expected() };
    let refused = provider.says_to(nothing_sent, &but(&json!({ "nonce": "" })));
    assert_eq!(refused.unwrap_err(), IdTokenError::Nonce);
    let not_ours = Expected { nonce: None, ..expected() };
    assert!(provider.says_to(not_ours, &claims()).is_ok());
}

#[test]
fn g06_an_access_tokens_hash_fits_or_the_token_is_refused() {
    for (alg, pair) in Pair::all() {
        let hash = match alg {
            "ES384" => &SHA384,
            "EdDSA" => &SHA512,
            _ => &SHA256,
        };
        let digest = digest::digest(hash, b"the access token");
        let half = BASE64URL_NOPAD.encode(&digest.as_ref()[..hash.output_len() / 2]);
        let whole = BASE64URL_NOPAD.encode(digest.as_ref());
        let keys = set(&[pair.jwk("one")]);
        let says = |at_hash: Value, access_token: Option<&str>| {
            let token = pair.token(&json!({ "alg": alg }), &but(&json!({ "at_hash": at_hash })));
            verify(&keys, &token, Expected { access_token, ..expected() }).map(drop)
        };
        let with = Some("the access token");
        assert_eq!(says(json!(half), with), Ok(()), "{alg}");
        assert_eq!(says(json!(null), with), Ok(()), "it is optional");
        assert_eq!(says(json!(half), None), Ok(()), "nothing to compare with");
        for wrong in [json!(whole), json!(""), json!(1), json!(&half[1..])] {
            assert_eq!(says(wrong, with), Err(IdTokenError::Hash), "{alg}");
        }
        assert_eq!(says(json!(half), Some("another")), Err(IdTokenError::Hash), "{alg}");
    }
}

#[test]
fn subjects_tell_people_apart() {
    let provider = Provider::new();
    for sub in [
        json!(null),
        json!(""),
        json!(1),
        json!("x".repeat(256)),
        json!("a\u{0}b"),
        json!("a\nb"),
        json!("ä"),
        json!("a\u{200B}"),
    ] {
        assert_eq!(provider.refuses(&json!({ "sub": sub })), IdTokenError::Subject, "{sub}");
    }
    assert_eq!(provider.refuses(&json!({ "sub": ["1"] })), IdTokenError::Malformed);
    assert!(provider.says(&but(&json!({ "sub": "x".repeat(255) }))).is_ok());
}

#[test]
fn what_a_token_says_of_a_person_is_not_printed() {
    let printed = format!("{:?}", Provider::new().says(&claims()).unwrap());
    assert!(printed.contains(ISSUER) && !printed.contains("ada@"), "{printed}");
    assert!(!printed.contains("248289761001"), "{printed}");
}
