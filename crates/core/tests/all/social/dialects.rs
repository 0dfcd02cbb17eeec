//! Each provider signs in, signs in again as the same account, and is believed no more than it
//! says.

use ironlatch_core::database::Statement;
use ironlatch_core::ports::Token;
use ironlatch_core::settings::ProviderKind;
use ironlatch_core::social::{Errand, Grant, SocialError};
use ironlatch_testkit::each_engine;
use ironlatch_testkit::provider::{At, CLIENT_SECRET, FRONT_END, Fault, Person};
use serde_json::{Value, json};

use super::{House, KINDS, ada, refusal};

/// Whether its addresses count as proven.
fn proves(kind: ProviderKind) -> bool {
    !matches!(kind, ProviderKind::Facebook | ProviderKind::Linkedin)
}

#[tokio::test]
async fn everybody_signs_in_and_again_as_the_same_account() {
    each_engine(async |url| {
        for kind in KINDS {
            let house = House::on(&url, kind).await;
            let person = Person::new("1815").with_email(&format!("{}@example.com", house.name()));
            let first = house.bring_code(&person).await.unwrap();
            assert!(first.is_new, "{kind:?}");
            let email = first.account.email.as_ref().map(|email| email.as_str().to_owned());
            let expected = proves(kind).then(|| format!("{}@example.com", house.name()));
            assert_eq!(email, expected, "{kind:?}");
            assert_eq!(first.account.email_verified_at.is_some(), proves(kind), "{kind:?}");

            let again = house.bring_code(&person).await.unwrap();
            assert!(!again.is_new, "{kind:?}");
            assert_eq!(again.account.id, first.account.id, "{kind:?}");
            let there_and_back = house.round_trip(&person).await.unwrap();
            assert_eq!(there_and_back.account.id, first.account.id, "{kind:?}");
            let other = house.round_trip(&Person::new("1816")).await.unwrap();
            assert_ne!(other.account.id, first.account.id, "{kind:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn linkedin_speaks_openid_as_well_and_names_people_alike() {
    let house = House::with(ProviderKind::Linkedin).await;
    let earlier = house.bring_code(&ada()).await.unwrap();
    assert!(house.provider.asked_at("/v2/me").len() == 1, "the earlier dialect");
    // The same application, moved to OpenID Connect.
    let provider = house.provider.clone().speaking_openid();
    let test = house.test.node_with(|settings| provider.offer_in(settings)).await;
    let moved = House { test, provider };
    let now = moved.bring_code(&ada()).await.unwrap();
    assert_eq!(now.account.id, earlier.account.id);
    let verified = Person::new("7").with_email("grace@example.com");
    let grace = moved.round_trip(&verified).await.unwrap();
    assert_eq!(grace.account.email.as_deref(), Some("grace@example.com"));
    assert!(grace.account.email_verified_at.is_some());
}

#[tokio::test]
async fn an_address_that_is_not_said_to_be_proven_is_nobodys() {
    for kind in [ProviderKind::Google, ProviderKind::Github, ProviderKind::Oidc] {
        let house = House::with(kind).await;
        let made = house.bring_code(&ada().unverified()).await.unwrap();
        assert_eq!(made.account.email, None, "{kind:?}");
        assert_eq!(made.account.email_verified_at, None, "{kind:?}");
    }
    // Texts and numbers are no booleans (attack C02).
    for kind in [ProviderKind::Google, ProviderKind::Oidc] {
        for (n, value) in
            [json!("true"), json!("false"), json!(1), json!([true]), json!(null)].iter().enumerate()
        {
            let house = House::with(kind).await;
            let person = ada().with_claim("email_verified", value.clone());
            let made = house.bring_code(&person).await.unwrap();
            assert_eq!(made.account.email, None, "{kind:?} {n}");
        }
    }
}

#[tokio::test]
async fn githubs_address_is_the_primary_one_and_only_if_it_is_proven() {
    let mail = |email: &str, primary: bool, verified: bool| json!({ "email": email, "primary": primary, "verified": verified, "visibility": null });
    for (emails, expected) in [
        (json!([mail("b@example.com", false, true), mail("a@example.com", true, true)]), true),
        (json!([mail("a@example.com", false, true), mail("b@example.com", true, false)]), false),
        (json!([mail("a@example.com", false, true)]), false),
        (json!([]), false),
    ] {
        let house = House::with(ProviderKind::Github).await;
        // What `/user` shows was chosen by whoever owns the account.
        let person = Person::new("1").with_email("a@example.com").with_emails(emails.clone());
        let made = house.bring_code(&person).await.unwrap();
        let email = made.account.email;
        assert_eq!(email.as_deref(), expected.then_some("a@example.com"), "{emails}");
    }
}

#[tokio::test]
async fn githubs_people_are_numbers_whatever_they_are_called() {
    let house = House::with(ProviderKind::Github).await;
    let first = house.bring_code(&ada()).await.unwrap();
    let renamed = ada().with_claim("login", json!("lovelace")).named("Countess");
    let again = house.bring_code(&renamed).await.unwrap();
    assert_eq!(again.account.id, first.account.id);
    for id in [json!("1815"), json!(-1), json!(18.15), json!(null)] {
        let refused = refusal(house.bring_code(&ada().with_claim("id", id.clone())).await);
        assert!(matches!(refused, SocialError::NotVouched), "{id}: {refused:?}");
    }
}

#[tokio::test]
async fn a_providers_word_counts_for_its_domains_only() {
    for (email, counts) in [
        ("ada@example.com", true),
        ("Ada@EXAMPLE.com", true),
        ("ada@xn--bcher-kva.example", true),
        ("ada@example.org", false),
        ("ada@mail.example.com", false),
        ("ada@evilexample.com", false),
        ("ada@example.com.evil.example", false),
    ] {
        let house = House::changed(ProviderKind::Google, |settings| {
            let google = settings.social.get_mut("google").unwrap();
            google.email_domains = vec!["Example.com".to_owned(), "bücher.example".to_owned()];
        })
        .await;
        let made = house.bring_code(&Person::new("1").with_email(email)).await.unwrap();
        assert_eq!(made.account.email.is_some(), counts, "{email}");
    }
}

#[tokio::test]
async fn what_goes_to_a_provider_is_what_its_dialect_has() {
    for kind in KINDS {
        let house = House::with(kind).await;
        house.bring_code(&ada()).await.unwrap();
        let asked = house.provider.asked();
        let token = asked.iter().find(|asked| asked.parameter("code").is_some()).unwrap();
        let is_facebook = kind == ProviderKind::Facebook;
        assert_eq!(token.method, if is_facebook { "GET" } else { "POST" }, "{kind:?}");
        assert_eq!(token.parameter("redirect_uri"), Some(FRONT_END), "{kind:?}");
        assert_eq!(token.parameter("code_verifier").is_none(), is_facebook, "{kind:?}");
        let by_header = kind == ProviderKind::Oidc;
        assert_eq!(token.authorization.is_some(), by_header, "{kind:?}: its metadata says so");
        let secret = token.parameter("client_secret");
        assert_eq!(secret, (!by_header).then_some(CLIENT_SECRET), "{kind:?}");
        let uses: Vec<_> = asked.iter().filter(|asked| asked.authorization.is_some()).collect();
        assert!(uses.iter().all(|asked| asked.method == "GET" || by_header), "{kind:?}");
    }
}

#[tokio::test]
async fn facebook_hears_that_we_have_the_secret() {
    let house = House::with(ProviderKind::Facebook).await;
    house.bring_code(&ada()).await.unwrap();
    let me = house.provider.asked_at("/me").remove(0);
    assert_eq!(me.parameter("fields"), Some("id,name,email"));
    assert_eq!(me.parameter("appsecret_proof").unwrap().len(), 64);
}

#[tokio::test]
async fn the_contracts_client_needs_its_verifier() {
    let short = "a".repeat(42);
    let long = "a".repeat(129);
    for kind in KINDS {
        let house = House::with(kind).await;
        for verifier in
            [None, Some(""), Some(&*short), Some(&*long), Some("not a verifier at all…")]
        {
            let brought = house.provider.code_for(&ada());
            let verifier = verifier.map(|text| Token::new(text.to_owned()));
            let result = house.bring(Grant { verifier, ..brought.grant() }).await;
            if kind == ProviderKind::Facebook {
                result.unwrap();
            } else {
                let refused = refusal(result);
                assert!(matches!(refused, SocialError::BadVerifier), "{kind:?}: {refused:?}");
            }
        }
        if kind != ProviderKind::Facebook {
            assert!(house.provider.asked().is_empty(), "{kind:?}: nobody was asked");
            // Somebody else's verifier, of the right form.
            let (mine, theirs) = (house.provider.code_for(&ada()), house.provider.code_for(&ada()));
            let mixed = Grant { verifier: theirs.grant().verifier, ..mine.grant() };
            let refused = refusal(house.bring(mixed).await);
            assert!(matches!(refused, SocialError::ExchangeFailed), "{kind:?}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn only_what_proves_something_is_taken() {
    let house = House::with(ProviderKind::Google).await;
    let token = |text: &str| Some(Token::new(text.to_owned()));
    let nothing = Grant { code: token(""), id_token: token(""), ..Grant::default() };
    for grant in [Grant::default(), nothing] {
        assert!(matches!(refusal(house.bring(grant).await), SocialError::NothingBrought));
    }
    let access = Grant { access_token: token("of another client"), ..Grant::default() };
    assert!(matches!(refusal(house.bring(access).await), SocialError::AccessTokenBrought));
    assert!(house.provider.asked().is_empty());
    for kind in [ProviderKind::Github, ProviderKind::Facebook, ProviderKind::Linkedin] {
        let house = House::with(kind).await;
        let id_token = house.provider.id_token(&ada());
        let refused = refusal(house.bring_id_token(&id_token).await);
        assert!(matches!(refused, SocialError::NothingBrought), "{kind:?}: {refused:?}");
    }
    let sign_in = house.test.auth.sign_in();
    let brought = house.provider.code_for(&ada()).grant();
    let unknown = sign_in.with_social("myspace", brought, house.arrival()).await;
    assert!(unknown.is_err());
}

#[tokio::test]
async fn a_code_is_good_once() {
    for kind in KINDS {
        let house = House::with(kind).await;
        let brought = house.provider.code_for(&ada());
        house.bring(brought.grant()).await.unwrap();
        let again = refusal(house.bring(brought.grant()).await);
        assert!(matches!(again, SocialError::ExchangeFailed), "{kind:?}: {again:?}");
    }
}

#[tokio::test]
async fn google_without_openid_tells_at_userinfo_but_not_where_a_nonce_must_come_back() {
    let house = House::with(ProviderKind::Google).await;
    house.provider.break_with(Fault::NoIdToken);
    let made = house.bring_code(&ada()).await.unwrap();
    assert_eq!(made.account.email.as_deref(), Some("ada@example.com"));
    assert!(matches!(refusal(house.round_trip(&ada()).await), SocialError::NotVouched));
    let oidc = House::with(ProviderKind::Oidc).await;
    oidc.provider.break_with(Fault::NoIdToken);
    assert!(matches!(refusal(oidc.bring_code(&ada()).await), SocialError::NotVouched));
}

#[tokio::test]
async fn userinfo_of_somebody_else_is_not_believed() {
    let house = House::with(ProviderKind::Oidc).await;
    house.provider.break_with(Fault::OtherSubject);
    assert!(matches!(refusal(house.bring_code(&ada()).await), SocialError::NotVouched));
    assert_eq!(house.provider.asked_at("/userinfo").len(), 1);
}

#[tokio::test]
async fn an_issuer_is_known_by_its_configured_name_only() {
    let house = House::changed(ProviderKind::Oidc, |settings| {
        let oidc = settings.social.get_mut("oidc").unwrap();
        let slash = oidc.endpoints.issuer.clone().unwrap() + "/";
        oidc.endpoints.issuer = Some(slash);
    })
    .await;
    let refused = refusal(house.bring_code(&ada()).await);
    assert!(matches!(refused, SocialError::ExchangeFailed), "{refused:?}");
    assert!(house.provider.asked_at("/token").is_empty(), "the code stayed here");
}

#[tokio::test]
async fn a_providers_tokens_are_kept_only_where_that_is_configured() {
    for kind in KINDS {
        for keeps in [false, true] {
            let house = House::changed(kind, |settings| {
                settings.social.values_mut().for_each(|one| one.store_tokens = keeps);
            })
            .await;
            let signed_in = house.bring_code(&ada()).await.unwrap();
            let social = house.test.auth.social();
            let kept = social.provider_tokens(signed_in.account.id, house.name()).await.unwrap();
            assert_eq!(kept.is_some(), keeps, "{kind:?}");
            if let Some(kept) = kept {
                let kept: Value = serde_json::from_str(kept.reveal()).unwrap();
                assert!(kept["access_token"].as_str().unwrap().starts_with("at-"), "{kept}");
                let expires_at = house.test.now().seconds() + 3_599;
                assert_eq!(kept["expires_at"], json!(expires_at), "{kind:?}");
                assert!(kept.get("id_token").is_none(), "it has done its work");
            }
        }
    }
}

#[tokio::test]
async fn of_a_profile_is_kept_what_may_be_shown() {
    let house = House::with(ProviderKind::Google).await;
    let person = ada()
        .with_claim("picture", json!("javascript:alert(1)"))
        .with_claim("given_name", json!("x".repeat(501)))
        .with_claim("locale", json!({ "language": "en" }))
        .with_claim("hd", json!("example.com"))
        .with_claim("groups", json!(["wheel"]));
    house.bring_code(&person).await.unwrap();
    let told = Statement::new("SELECT profile FROM identities", []);
    let row = house.test.auth.database().read_one(told).await.unwrap().unwrap();
    let told: Value = serde_json::from_str(&row.text(0).unwrap()).unwrap();
    let expected = json!({
        "name": "Ada Lovelace",
        "hd": "example.com",
        "email": "ada@example.com",
        "email_verified": true,
    });
    assert_eq!(told, expected);
}

/// The contract's client goes to the provider itself, so nobody here needs to know its page.
#[tokio::test]
async fn a_token_endpoint_and_keys_are_enough_for_the_contracts_client() {
    let house = House::changed(ProviderKind::Google, |settings| {
        let endpoints = &mut settings.social.get_mut("google").unwrap().endpoints;
        endpoints.authorization_endpoint = None;
    })
    .await;
    house.provider.break_with(Fault::Status(At::Metadata, 404));
    house.bring_code(&ada()).await.unwrap();
    let social = house.test.auth.social();
    let departure = social.depart("google", Errand::SignIn { next: None, source_url: None }).await;
    assert!(matches!(departure, Err(SocialError::NotVouched)), "there is nowhere to go");
}
