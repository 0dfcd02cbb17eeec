//! The server-driven way: the browser that left comes back, once, from where it went.

use std::sync::Arc;

use ironlatch_core::database::Statement;
use ironlatch_core::ports::Token;
use ironlatch_core::settings::ProviderKind;
use ironlatch_core::social::{Departure, Errand, Returned, SocialError};
use ironlatch_core::time::{minutes, seconds};
use ironlatch_testkit::provider::{Back, FakeProvider, Fault, Person};
use ironlatch_testkit::{TestAuth, each_engine};

use super::{House, KINDS, ada, refusal};

async fn left(house: &House) -> (Departure, Back) {
    let departure = house.depart().await;
    let back = house.provider.visit(&departure.authorization_url, &ada());
    (departure, back)
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?').unwrap();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

#[tokio::test]
async fn what_goes_with_the_browser_is_new_every_time_and_no_secret_of_ours() {
    for kind in KINDS {
        let house = House::with(kind).await;
        let (one, two) = (house.depart().await, house.depart().await);
        let has_pkce = kind != ProviderKind::Facebook;
        let has_nonce = matches!(kind, ProviderKind::Google | ProviderKind::Oidc);
        for (name, is_there) in
            [("state", true), ("nonce", has_nonce), ("code_challenge", has_pkce)]
        {
            let of = |departure: &Departure| parameter(&departure.authorization_url, name);
            assert_eq!(of(&one).is_some(), is_there, "{kind:?} {name}");
            if is_there {
                assert_ne!(of(&one), of(&two), "{kind:?} {name}");
                assert_eq!(of(&one).unwrap().len(), 43, "{kind:?} {name}: 256 bits");
            }
        }
        let method = parameter(&one.authorization_url, "code_challenge_method");
        assert_eq!(method.as_deref(), has_pkce.then_some("S256"), "{kind:?}");
        assert_eq!(one.flow_lifetime, minutes(10));
        let state = parameter(&one.authorization_url, "state").unwrap();
        assert!(!one.flow.reveal().contains(&state), "the cookie is sealed");
    }
}

#[tokio::test]
async fn a_way_back_works_once_and_on_any_node() {
    each_engine(async |url| {
        for kind in KINDS {
            let house = House::on(&url, kind).await;
            let departure = house.depart().await;
            let person = Person::new("1815");
            let back = house.provider.visit(&departure.authorization_url, &person);
            let other =
                House { test: house.test.second_node().await, provider: house.provider.clone() };
            other.come_back(&departure, back.returned()).await.unwrap();
            for node in [&house, &other] {
                let again = refusal(node.come_back(&departure, back.returned()).await);
                assert!(matches!(again, SocialError::ForeignReturn), "{kind:?}: {again:?}");
            }
            let codes = house
                .provider
                .asked()
                .into_iter()
                .filter(|asked| asked.parameter("code") == back.code.as_deref());
            assert_eq!(codes.count(), 1, "{kind:?}: the code was sent once");
        }
    })
    .await;
}

#[tokio::test]
async fn only_the_browser_that_left_comes_back() {
    let house = House::with(ProviderKind::Google).await;
    let (departure, back) = left(&house).await;
    let (other, _) = left(&house).await;
    let with = |change: &dyn Fn(&mut Returned)| {
        let mut returned = back.returned();
        change(&mut returned);
        returned
    };
    let token = |text: &str| Some(Token::new(text.to_owned()));
    let state = back.state.clone().unwrap();
    for (what, departure, returned) in [
        ("another browser's cookie", &other, back.returned()),
        ("no state", &departure, with(&|returned| returned.state = None)),
        ("an empty state", &departure, with(&|returned| returned.state = token(""))),
        ("a forged state", &departure, with(&|returned| returned.state = token("forged"))),
        ("a cut state", &departure, with(&|returned| returned.state = token(&state[1..]))),
        ("another issuer", &departure, with(&|returned| returned.issuer = Some("x".into()))),
    ] {
        let refused = refusal(house.come_back(departure, returned).await);
        assert!(matches!(refused, SocialError::ForeignReturn), "{what}: {refused:?}");
    }
    let sign_in = house.test.auth.sign_in();
    for flow in [None, token(""), token("forged")] {
        let back =
            sign_in.come_back(house.name(), flow.as_ref(), back.returned(), house.arrival()).await;
        assert!(back.is_err(), "no cookie, or one of somebody's own making");
    }
    assert!(house.provider.asked_at("/token").is_empty(), "the code went nowhere");
    house.come_back(&departure, back.returned()).await.unwrap();
}

#[tokio::test]
async fn a_way_lasts_ten_minutes() {
    let house = House::with(ProviderKind::Github).await;
    for (after, fine) in [(minutes(10).saturating_sub(seconds(1)), true), (minutes(10), false)] {
        let departure = house.depart().await;
        house.test.clock.advance(after);
        let back = house.provider.visit(&departure.authorization_url, &ada());
        let result = house.come_back(&departure, back.returned()).await;
        assert_eq!(result.is_ok(), fine, "{after:?}");
    }
}

#[tokio::test]
async fn what_comes_back_is_the_end_whatever_it_is() {
    let house = House::with(ProviderKind::Google).await;
    for (fault, is_denied) in [
        (Fault::Denied, true),
        (Fault::AuthorizationError("server_error"), false),
        (Fault::AuthorizationError("<script>alert(1)</script>"), false),
    ] {
        house.provider.break_with(fault.clone());
        let (departure, back) = left(&house).await;
        let refused = refusal(house.come_back(&departure, back.returned()).await);
        assert_eq!(matches!(refused, SocialError::Denied), is_denied, "{fault:?}: {refused:?}");
        house.provider.mend();
        // A code that somebody adds later finds the way used up.
        let code = house.provider.code_for(&ada()).code;
        let late = Returned { code: Some(Token::new(code)), error: None, ..back.returned() };
        let late = refusal(house.come_back(&departure, late).await);
        assert!(matches!(late, SocialError::ForeignReturn), "{late:?}");
    }
    let (departure, back) = left(&house).await;
    let nothing = Returned { code: None, ..back.returned() };
    let nothing = refusal(house.come_back(&departure, nothing).await);
    assert!(matches!(nothing, SocialError::NothingBrought), "{nothing:?}");
}

/// Mix-up (RFC 9207, RFC 9700 §4.4): a code of one provider, or its name, at another's path.
#[tokio::test]
async fn providers_are_not_taken_for_each_other() {
    let house = House::with(ProviderKind::Oidc).await;
    // It said in its metadata that it names itself.
    for issuer in [None, Some("https://evil.example".to_owned()), Some(String::new())] {
        house.provider.break_with(Fault::ResponseIssuer(issuer.clone()));
        let (departure, back) = left(&house).await;
        let refused = refusal(house.come_back(&departure, back.returned()).await);
        assert!(matches!(refused, SocialError::ForeignReturn), "{issuer:?}: {refused:?}");
        house.provider.mend();
    }
    assert!(house.provider.asked_at("/token").is_empty(), "the code went nowhere");

    let clock = Arc::clone(&house.test.clock);
    let github = FakeProvider::start(ProviderKind::Github, clock).await;
    let (oidc, other) = (house.provider.clone(), github.clone());
    let builder = TestAuth::builder().clock(&house.test.clock).settings(move |settings| {
        oidc.offer_in(settings);
        other.offer_in(settings);
    });
    let both = House { test: builder.build().await, provider: house.provider.clone() };
    let (departure, back) = left(&both).await;
    let at_github = House { test: both.test, provider: github };
    let refused = refusal(at_github.come_back(&departure, back.returned()).await);
    assert!(matches!(refused, SocialError::ForeignReturn), "{refused:?}");
    assert!(at_github.provider.asked().is_empty(), "GitHub never saw the other's code");
}

#[tokio::test]
async fn github_may_name_itself_or_not() {
    let house = House::changed(ProviderKind::Github, |settings| {
        let github = settings.social.get_mut("github").unwrap();
        github.endpoints.issuer = None;
    })
    .await;
    for issuer in [None, Some("https://github.com/login/oauth".to_owned())] {
        house.provider.break_with(Fault::ResponseIssuer(issuer.clone()));
        house.round_trip(&ada()).await.unwrap();
        house.provider.mend();
    }
    house.provider.break_with(Fault::ResponseIssuer(Some("https://gitlab.com".to_owned())));
    assert!(matches!(refusal(house.round_trip(&ada()).await), SocialError::ForeignReturn));
}

#[tokio::test]
async fn unknown_providers_and_what_cannot_be_found_send_nobody_away() {
    let house = House::with(ProviderKind::Oidc).await;
    let depart = async |name: &str| {
        house.test.auth.social().depart(name, Errand::SignIn { next: None, source_url: None }).await
    };
    for name in ["myspace", "", "../google", "Oidc"] {
        assert!(matches!(depart(name).await, Err(SocialError::UnknownProvider)), "{name}");
    }
    let offers = house.test.auth.social().offers();
    let names: Vec<_> = offers.iter().map(|offer| (&*offer.name, &*offer.title)).collect();
    assert_eq!(names, [("oidc", "Single sign-on")]);
}

#[tokio::test]
async fn leaving_writes_nothing_and_what_was_used_is_forgotten_when_it_is_too_old() {
    each_engine(async |url| {
        let house = House::on(&url, ProviderKind::Github).await;
        let rows = async || {
            let count = Statement::new("SELECT count(*) FROM spent_proofs", []);
            let row = house.test.auth.database().read_one(count).await.unwrap().unwrap();
            row.int(0).unwrap()
        };
        for _ in 0..50 {
            house.depart().await;
        }
        assert_eq!(rows().await, 0, "H10");
        house.round_trip(&ada()).await.unwrap();
        assert_eq!(rows().await, 1);
        house.test.clock.advance(minutes(14));
        ironlatch_core::workers::sweep(&house.test.auth).await.unwrap();
        assert_eq!(rows().await, 1, "still needed");
        house.test.clock.advance(minutes(1));
        ironlatch_core::workers::sweep(&house.test.auth).await.unwrap();
        assert_eq!(rows().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_page_loaded_many_times_at_once_signs_in_once() {
    each_engine(async |url| {
        let house = House::on(&url, ProviderKind::Google).await;
        for _ in 0..5 {
            let (departure, back) = left(&house).await;
            let tries = (0..8).map(|_| house.come_back(&departure, back.returned()));
            let results = futures_util::future::join_all(tries).await;
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        }
        let exchanges = house.provider.asked_at("/token").len();
        assert_eq!(exchanges, 5, "each code was sent once");
    })
    .await;
}
