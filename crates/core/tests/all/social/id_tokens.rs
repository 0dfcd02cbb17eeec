//! ID tokens, by the code and brought by the client: everything that OpenID Connect Core
//! §3.1.3.7 asks, and each used once.

use ironlatch_core::settings::ProviderKind;
use ironlatch_core::social::SocialError;
use ironlatch_core::time::{minutes, seconds};
use ironlatch_testkit::each_engine;
use ironlatch_testkit::provider::{CLIENT_ID, Fault};
use serde_json::{Value, json};

use super::{House, ada, refusal};

/// Faults that every way refuses.
fn faults() -> Vec<Fault> {
    let now = ironlatch_testkit::START.seconds();
    vec![
        Fault::Claim("iss", json!("https://evil.example")),
        Fault::Claim("iss", Value::Null),
        Fault::Claim("aud", json!("somebody-else")),
        Fault::Claim("azp", json!("somebody-else")),
        Fault::Claim("exp", json!(now - 61)),
        Fault::Claim("exp", Value::Null),
        Fault::Claim("iat", json!(now + 120)),
        Fault::Claim("iat", json!(now - 3_000)),
        Fault::Claim("sub", Value::Null),
        Fault::Claim("sub", json!("")),
        Fault::Claim("sub", json!("x".repeat(256))),
        Fault::Unsigned("none"),
        Fault::Unsigned("nOnE"),
        Fault::Unsigned("RS256"),
        Fault::MacWithPublicKey,
        Fault::ForeignKey,
        Fault::Header("kid", json!("another")),
    ]
}

#[tokio::test]
async fn a_token_that_is_not_whole_signs_nobody_in_either_way() {
    for kind in [ProviderKind::Google, ProviderKind::Oidc] {
        let house = House::with(kind).await;
        for fault in faults() {
            let name = format!("{kind:?} {fault:?}");
            house.provider.break_with(fault);
            let posted = refusal(house.bring_id_token(&house.provider.id_token(&ada())).await);
            assert!(matches!(posted, SocialError::NotVouched), "{name}: {posted:?}");
            let by_code = refusal(house.bring_code(&ada()).await);
            assert!(matches!(by_code, SocialError::NotVouched), "{name}: {by_code:?}");
            let there_and_back = refusal(house.round_trip(&ada()).await);
            assert!(matches!(there_and_back, SocialError::NotVouched), "{name}");
            house.provider.mend();
        }
        assert!(house.bring_code(&ada()).await.unwrap().is_new, "{kind:?}: nobody was made");
    }
}

#[tokio::test]
async fn the_nonce_must_come_back_and_be_the_same() {
    for kind in [ProviderKind::Google, ProviderKind::Oidc] {
        let house = House::with(kind).await;
        for nonce in [Value::Null, json!(""), json!("another"), json!(7)] {
            house.provider.break_with(Fault::Claim("nonce", nonce.clone()));
            let refused = refusal(house.round_trip(&ada()).await);
            assert!(matches!(refused, SocialError::NotVouched), "{kind:?} {nonce}: {refused:?}");
            house.provider.mend();
        }
        house.round_trip(&ada()).await.unwrap();
    }
}

#[tokio::test]
async fn an_id_token_of_another_way_is_not_taken_from_a_client() {
    let house = House::with(ProviderKind::Google).await;
    house.provider.break_with(Fault::Claim("nonce", json!("of another way")));
    let token = house.provider.id_token(&ada());
    assert!(matches!(refusal(house.bring_id_token(&token).await), SocialError::NotVouched));
    // With a code and its verifier, the nonce is between the client and the provider.
    house.bring_code(&ada()).await.unwrap();
}

#[tokio::test]
async fn an_id_token_works_once_on_every_node() {
    each_engine(async |url| {
        let house = House::on(&url, ProviderKind::Google).await;
        let token = house.provider.id_token(&ada());
        house.bring_id_token(&token).await.unwrap();
        let again = refusal(house.bring_id_token(&token).await);
        assert!(matches!(again, SocialError::NotVouched), "{again:?}");
        let other = House { test: house.test.second_node().await, ..house };
        let elsewhere = refusal(other.bring_id_token(&token).await);
        assert!(matches!(elsewhere, SocialError::NotVouched), "{elsewhere:?}");
        // As long as anybody might bring it again, it is remembered; then it is too old anyhow.
        for _ in 0..14 {
            other.test.clock.advance(minutes(1));
            ironlatch_core::workers::sweep(&other.test.auth).await.unwrap();
            let later = refusal(other.bring_id_token(&token).await);
            assert!(matches!(later, SocialError::NotVouched), "{later:?}");
        }
        other.test.clock.advance(seconds(1));
        let fresh = other.provider.id_token(&ada());
        assert!(!other.bring_id_token(&fresh).await.unwrap().is_new);
    })
    .await;
}

/// The signature is not part of what is remembered: whoever has an ECDSA signature has another.
#[tokio::test]
async fn an_id_token_with_another_signature_is_the_same_token() {
    let house = House::with(ProviderKind::Oidc).await;
    let claims = house.provider.claims(&ada());
    let token = house.provider.sign(&claims);
    house.bring_id_token(&token).await.unwrap();
    // ECDSA signs the same text differently every time.
    let resigned = house.provider.sign(&claims);
    assert_ne!(token, resigned);
    let again = refusal(house.bring_id_token(&resigned).await);
    assert!(matches!(again, SocialError::NotVouched), "{again:?}");
}

#[tokio::test]
async fn keys_change_without_a_word() {
    for kind in [ProviderKind::Google, ProviderKind::Oidc] {
        let house = House::with(kind).await;
        let first = house.bring_code(&ada()).await.unwrap();
        house.provider.rotate_keys();
        let again = house.bring_code(&ada()).await.unwrap();
        assert_eq!(first.account.id, again.account.id, "{kind:?}");
        assert_eq!(house.provider.asked_at("/keys").len(), 2, "{kind:?}: asked when it changed");
    }
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_not_looked_at() {
    let house = House::with(ProviderKind::Oidc).await;
    let elsewhere = format!("{}/evil-keys", house.provider.url());
    for name in ["jku", "x5u"] {
        house.provider.break_with(Fault::Header(name, json!(elsewhere)));
        house.provider.break_with(Fault::ForeignKey);
        let refused = refusal(house.bring_code(&ada()).await);
        assert!(matches!(refused, SocialError::NotVouched), "{name}: {refused:?}");
        house.provider.mend();
    }
    assert!(house.provider.asked_at("/evil-keys").is_empty(), "G04: nobody was asked");
}

#[tokio::test]
async fn clocks_may_differ_by_a_minute() {
    let house = House::with(ProviderKind::Google).await;
    let now = ironlatch_testkit::START.seconds();
    for (claim, fine, wrong) in [("iat", now + 59, now + 62), ("exp", now - 58, now - 61)] {
        house.provider.break_with(Fault::Claim(claim, json!(wrong)));
        let refused = refusal(house.bring_code(&ada()).await);
        assert!(matches!(refused, SocialError::NotVouched), "{claim}: {refused:?}");
        house.provider.mend();
        house.provider.break_with(Fault::Claim(claim, json!(fine)));
        house.bring_code(&ada()).await.unwrap();
        house.provider.mend();
    }
}

#[tokio::test]
async fn an_access_token_of_somebody_else_does_not_fit() {
    let house = House::with(ProviderKind::Google).await;
    house.provider.break_with(Fault::Claim("at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ")));
    assert!(matches!(refusal(house.bring_code(&ada()).await), SocialError::NotVouched));
}

#[tokio::test]
async fn a_token_for_several_says_who_asked_for_it() {
    let house = House::with(ProviderKind::Oidc).await;
    house.provider.break_with(Fault::Claim("aud", json!([CLIENT_ID, "somebody-else"])));
    assert!(matches!(refusal(house.bring_code(&ada()).await), SocialError::NotVouched));
    house.provider.break_with(Fault::Claim("azp", json!("somebody-else")));
    assert!(matches!(refusal(house.bring_code(&ada()).await), SocialError::NotVouched));
    house.provider.break_with(Fault::Claim("azp", json!(CLIENT_ID)));
    house.bring_code(&ada()).await.unwrap();
}
