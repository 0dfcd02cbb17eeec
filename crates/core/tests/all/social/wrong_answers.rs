//! What a provider can answer instead of an answer: nobody is signed in, nothing is learned from
//! it but that it did not work, and nobody else waits.

use std::time::Duration;

use ironlatch_core::ports::Token;
use ironlatch_core::settings::ProviderKind;
use ironlatch_core::social::SocialError;
use ironlatch_core::time::{hours, minutes, seconds};
use ironlatch_testkit::provider::{At, Fault, Person};

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

fn wrong_answers(at: At) -> Vec<Fault> {
    let mut wrong = vec![
        Fault::Huge(at),
        Fault::Redirects(at, "http://127.0.0.1:9/".to_owned()),
        Fault::Status(at, 500),
        Fault::Status(at, 503),
        Fault::Status(at, 204),
        Fault::Text(at, ""),
        Fault::Text(at, "{\"access_token\":"),
    ];
    // Of addresses, people may have none.
    if at != At::Emails {
        wrong.extend(["null", "[]", "{}"].map(|text| Fault::Text(at, text)));
    }
    wrong
}

#[tokio::test]
async fn no_answer_but_the_right_one_signs_anybody_in() {
    for kind in KINDS {
        let house = House::with(kind).await;
        let faults = asked(kind).into_iter().flat_map(wrong_answers);
        for (n, fault) in faults.enumerate() {
            let name = format!("{kind:?} {fault:?}");
            let email = format!("{n}@example.com");
            let person = Person::new(&n.to_string()).with_email(&email).named("Ada Lovelace");
            house.provider.break_with(fault);
            let refused = refusal(house.bring_code(&person).await);
            let fits = matches!(refused, SocialError::ExchangeFailed | SocialError::NotVouched);
            assert!(fits, "{name}: {refused:?}");
            house.provider.mend();
            // Keys and metadata that failed are not asked for at once again.
            house.test.clock.advance(minutes(2));
            let made = house.bring_code(&person).await.unwrap();
            assert!(made.is_new, "{name}: nobody was made before");
            // And those that are known by now are forgotten.
            house.test.clock.advance(hours(25));
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

/// A code that no provider gives is sent to none, and keeps nobody else out.
#[tokio::test]
async fn codes_without_end_go_nowhere() {
    for kind in KINDS {
        let house = House::with(kind).await;
        for _ in 0..6 {
            let mut grant = house.provider.code_for(&ada()).grant();
            grant.code = Some(Token::new("%".repeat(30_000)));
            let before = house.provider.asked().len();
            let refused = refusal(house.bring(grant).await);
            assert!(matches!(refused, SocialError::ExchangeFailed), "{kind:?}: {refused:?}");
            assert_eq!(house.provider.asked().len(), before, "{kind:?}");
        }
        assert!(house.bring_code(&ada()).await.is_ok(), "{kind:?}");
    }
}
