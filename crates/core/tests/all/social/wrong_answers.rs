//! What a provider can answer instead of an answer: nobody is signed in, nothing is learned from
//! it but that it did not work, and nobody else waits.

use std::time::Duration;

use ironlatch_core::settings::ProviderKind;
use ironlatch_core::social::SocialError;
use ironlatch_core::time::seconds;
use ironlatch_testkit::provider::{At, Fault};

use super::{House, KINDS, ada, refusal};

/// The endpoints that a sign-in asks in this dialect.
fn asked(kind: ProviderKind) -> Vec<At> {
    match kind {
        ProviderKind::Google => vec![At::Token, At::Keys],
        ProviderKind::Oidc => vec![At::Metadata, At::Token, At::Keys, At::Userinfo],
        ProviderKind::Facebook => vec![At::Token, At::Userinfo],
        ProviderKind::Github | ProviderKind::Linkedin => {
            vec![At::Token, At::Userinfo, At::Emails]
        }
    }
}

#[tokio::test]
async fn no_answer_but_the_right_one_signs_anybody_in() {
    for kind in KINDS {
        for at in asked(kind) {
            for fault in [
                Fault::Huge(at),
                Fault::Redirects(at, "http://127.0.0.1:9/".to_owned()),
                Fault::Status(at, 500),
                Fault::Status(at, 503),
                Fault::Status(at, 204),
                Fault::Text(at, ""),
                Fault::Text(at, "null"),
                Fault::Text(at, "[]"),
                Fault::Text(at, "{}"),
                Fault::Text(at, "{\"access_token\":"),
            ] {
                // LinkedIn without addresses, GitHub with none: people may have none.
                let no_address = matches!(fault, Fault::Text(At::Emails, "[]" | "{}"));
                if no_address || fault == Fault::Text(At::Emails, "null") {
                    continue;
                }
                let name = format!("{kind:?} {fault:?}");
                let house = House::with(kind).await;
                house.provider.break_with(fault);
                let refused = refusal(house.bring_code(&ada()).await);
                let fits = matches!(refused, SocialError::ExchangeFailed | SocialError::NotVouched);
                assert!(fits, "{name}: {refused:?}");
                house.provider.mend();
                // Keys and metadata are not asked for at once again.
                house.test.clock.advance(seconds(61));
                assert!(house.bring_code(&ada()).await.unwrap().is_new, "{name}: nobody was made");
            }
        }
    }
}

#[tokio::test]
async fn errors_of_the_token_endpoint_are_one_refusal() {
    for kind in KINDS {
        let house = House::with(kind).await;
        for error in ["invalid_grant", "invalid_client", "server_error", "<b>x</b>"] {
            house.provider.break_with(Fault::TokenError(error));
            let refused = refusal(house.bring_code(&ada()).await);
            assert!(matches!(refused, SocialError::ExchangeFailed), "{kind:?}: {refused:?}");
            house.provider.mend();
        }
    }
}

#[tokio::test]
async fn a_secret_that_is_wrong_is_our_own_matter() {
    for kind in KINDS {
        let house = House::changed(kind, |settings| {
            for provider in settings.social.values_mut() {
                provider.client_secret =
                    Some(ironlatch_core::ports::Token::new("another".to_owned()));
            }
        })
        .await;
        let refused = refusal(house.bring_code(&ada()).await);
        assert!(matches!(refused, SocialError::ExchangeFailed), "{kind:?}: {refused:?}");
    }
}

/// A provider that hangs is left alone after a few attempts, and then nobody waits for it.
#[tokio::test]
async fn a_provider_that_hangs_is_left_alone() {
    let house = House::with(ProviderKind::Github).await;
    house.provider.break_with(Fault::Hangs(At::Token));
    let begun = std::time::Instant::now();
    let person = ada();
    let attempts = (0..5).map(|_| house.bring_code(&person));
    for result in futures_util::future::join_all(attempts).await {
        assert!(matches!(refusal(result), SocialError::ExchangeFailed));
    }
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    let at_once = std::time::Instant::now();
    let refused = refusal(house.bring_code(&ada()).await);
    assert!(matches!(refused, SocialError::Unavailable { .. }), "{refused:?}");
    assert!(at_once.elapsed() < Duration::from_secs(1));
    house.provider.mend();
    house.test.clock.advance(seconds(31));
    house.bring_code(&ada()).await.unwrap();
}
