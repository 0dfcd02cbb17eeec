//! F05 to F08, F14 and F15, and token substitution, as the side that relies on a provider.

use ironlatch_core::settings::ProviderKind;
use ironlatch_testkit::provider::{CLIENT_ID, FRONT_END, FakeProvider, Fault};
use serde_json::json;

use super::super::http::Call;
use super::{
    ADA, EVERY, GOOGLE, assert_refused, assert_turned_away, come_back, each_social, leave, me,
    owner, post, signed_in, someone, through,
};

/// How often a provider was asked for tokens.
fn exchanges(provider: &FakeProvider) -> usize {
    let asked = provider.asked();
    asked.iter().filter(|it| it.path != "/authorize" && it.parameter("code").is_some()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f05_f06_a_code_without_a_good_verifier_is_not_even_taken_to_the_provider() {
    each_social(&EVERY, "", |house, providers| {
        let long = "a".repeat(128);
        for (n, (name, kind)) in (1..).zip(EVERY) {
            let provider = providers.at(name);
            if kind == ProviderKind::Facebook {
                // The contract's row 5: the client always sends one, it is never passed on.
                signed_in(house, providers, name, &someone(n, &format!("{n}@example.com")));
                let passed =
                    provider.asked().iter().any(|it| it.parameter("code_verifier").is_some());
                assert!(!passed, "F05: {name} got a verifier");
                continue;
            }
            let code = || {
                let brought = provider.code_for(&someone(n, &format!("{n}@example.com")));
                super::body(house, &brought)["code"].clone()
            };
            let bad = [
                String::new(),
                "a".repeat(42),
                "a".repeat(129),
                "a".repeat(5_000),
                // Blanks at the ends are no part of a field (contract, as DRF has it).
                format!("{} a", "a".repeat(43)),
                format!("{}\u{e9}", "a".repeat(43)),
                format!("{}+", "a".repeat(43)),
                format!("{}=", "a".repeat(43)),
                format!("{}\na", "a".repeat(43)),
            ];
            let before = exchanges(provider);
            for verifier in bad {
                let body = json!({ "code": code(), "code_verifier": verifier });
                assert_refused(&post(house, name, body), &format!("F06: {name} {verifier:.50?}"));
            }
            for none in
                [json!({ "code": code() }), json!({ "code": code(), "code_verifier": null })]
            {
                let answer = post(house, name, none);
                assert!((400..500).contains(&answer.status), "F05: {name}: {}", answer.text());
            }
            assert_eq!(exchanges(provider), before, "F05: {name} was asked");
            // Those that the ABNF allows are passed on as they are; a wrong one uses the code up.
            let brought = provider.code_for(&someone(n, &format!("{n}@example.com")));
            let guess = |verifier: &str| {
                let mut body = super::body(house, &brought);
                body["code_verifier"] = json!(verifier);
                post(house, name, body)
            };
            assert_refused(&guess(&long), &format!("F05: {name}: another verifier"));
            assert_refused(&guess(&brought.verifier), &format!("F06: {name}: a second guess"));
            assert_eq!(exchanges(provider), before + 2, "F06: {name} decides");
            let sent = provider.asked();
            let sent = sent.iter().rev().find_map(|it| it.parameter("code_verifier")).unwrap();
            assert_eq!(sent, brought.verifier, "F05: {name}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f05_every_way_of_ours_has_a_challenge_a_state_and_a_nonce_of_its_own() {
    each_social(&EVERY, "", |house, providers| {
        for (name, kind) in EVERY {
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..5 {
                let url = leave(&mut house.browser(), name);
                // The kit refuses what RFC 6749 and RFC 7636 do not allow, plain included.
                let _ = providers.at(name).visit(&url, &someone(1, ADA));
                let query = url.split_once('?').unwrap().1;
                for key in ["state", "code_challenge", "nonce"] {
                    let value = query.split('&').find_map(|it| it.strip_prefix(&format!("{key}=")));
                    let is_openid = matches!(kind, ProviderKind::Google | ProviderKind::Oidc);
                    let wanted = match key {
                        "state" => true,
                        "nonce" => is_openid,
                        _ => kind != ProviderKind::Facebook,
                    };
                    assert!(!wanted || value.is_some(), "F05: {name}: {key} in {url}");
                    if let Some(value) = value {
                        assert!(value.len() >= 43, "F05: {name}: {key} can be guessed");
                        assert!(seen.insert(value.to_owned()), "F05: {name}: {key} came twice");
                    }
                }
                assert!(!url.contains("client_secret"), "{url}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f07_a_code_is_good_for_one_sign_in_one_after_another_and_at_once() {
    each_social(&EVERY, "", |house, providers| {
        for (n, (name, _)) in (1..).zip(EVERY) {
            let ada = someone(n, &format!("{n}@example.com"));
            let brought = providers.at(name).code_for(&ada);
            let body = super::body(house, &brought);
            let path = format!("/api/auth/social/{name}/");
            let call = Call::post(&path).json(body.clone());
            let answers = house.race(vec![call; 12]);
            let won = answers.iter().filter(|it| it.status == 200).count();
            assert_eq!(won, 1, "F07: {name}");
            assert_refused(&post(house, name, body), &format!("F07: {name}, later"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f08_a_code_for_the_front_end_is_none_for_our_callback_nor_the_other_way_round() {
    each_social(&EVERY, "", |house, providers| {
        for (n, (name, _)) in (1..).zip(EVERY) {
            let ada = someone(n, &format!("{n}@example.com"));
            // The front end's code, put into a way of ours.
            let brought = providers.at(name).code_for(&ada);
            house.keep(&brought.code);
            let mut browser = house.browser();
            let back = through(&mut browser, providers, name, &ada);
            let own = back.code.clone().unwrap();
            let page = come_back(&mut browser, &back.path().replace(&own, &brought.code));
            assert_turned_away(&mut browser, &page, &format!("F08: {name}"));
            // Ours, posted as the front end's.
            let body = json!({ "code": own, "code_verifier": brought.verifier });
            assert_refused(&post(house, name, body), &format!("F08: {name}, posted"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f14_two_providers_are_not_mixed_up() {
    each_social(
        &[("google", ProviderKind::Google), ("evil", ProviderKind::Oidc)],
        "",
        |house, providers| {
            let (google, evil) = (providers.google(), providers.at("evil"));
            let ada = someone(1, ADA);
            // Begun at evil, which sends the browser on to google; google's code comes back
            // under evil's path, or under google's own.
            let mut browser = house.browser();
            let started = leave(&mut browser, "evil");
            let state = started.split("state=").nth(1).unwrap().split('&').next().unwrap();
            let honest = through(&mut house.browser(), providers, "google", &ada);
            let code = honest.code.unwrap();
            let before = exchanges(evil);
            for name in ["evil", "google"] {
                for issuer in [Some(google.issuer()), None, Some(String::new())] {
                    let iss = issuer.map_or(String::new(), |it| format!("&iss={it}"));
                    let path =
                        format!("/api/auth/social/{name}/callback?code={code}&state={state}{iss}");
                    let mut copy = house.browser();
                    copy.jar = browser.jar.clone();
                    let page = come_back(&mut copy, &path);
                    assert_turned_away(&mut copy, &page, &format!("F14: at {name}, {iss}"));
                }
            }
            assert_eq!(exchanges(evil), before, "F14: evil was given the code");
            assert_eq!(exchanges(google), 0, "F14: google was asked for another's way");

            // The provider's own redirect, under another issuer's name or under none.
            for issuer in [Some(evil.issuer()), Some(format!("{}/", google.issuer())), None] {
                google.break_with(Fault::ResponseIssuer(issuer.clone()));
                let mut browser = house.browser();
                let back = through(&mut browser, providers, "google", &ada);
                let page = come_back(&mut browser, &back.path());
                if issuer.is_some() {
                    assert_turned_away(&mut browser, &page, &format!("F14: {issuer:?}"));
                    assert_eq!(exchanges(google), 0, "F14: {issuer:?} reached the token endpoint");
                }
                google.mend();
            }
            // Whose metadata promises it must send it (RFC 9207 §2.4).
            let asked = exchanges(evil);
            evil.break_with(Fault::ResponseIssuer(None));
            let mut browser = house.browser();
            let back = through(&mut browser, providers, "evil", &ada);
            let page = come_back(&mut browser, &back.path());
            assert_turned_away(&mut browser, &page, "F14: no iss");
            assert_eq!(exchanges(evil), asked, "F14: no iss");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f15_an_id_token_without_our_nonce_ends_no_way_of_ours() {
    each_social(
        &[("google", ProviderKind::Google), ("generic", ProviderKind::Oidc)],
        "",
        |house, providers| {
            for name in ["google", "generic"] {
                let provider = providers.at(name);
                let nonces = [json!(null), json!(""), json!("another"), json!(["x"]), json!(true)];
                for nonce in nonces {
                    provider.break_with(Fault::Claim("nonce", nonce.clone()));
                    let mut browser = house.browser();
                    let back = through(&mut browser, providers, name, &someone(1, ADA));
                    let page = come_back(&mut browser, &back.path());
                    assert_turned_away(&mut browser, &page, &format!("F15: {name}: {nonce}"));
                    provider.mend();
                }
                // The nonce of another way of the same browser.
                let mut browser = house.browser();
                let first = leave(&mut browser, name);
                let nonce = first.split("nonce=").nth(1).unwrap().split('&').next().unwrap();
                provider.break_with(Fault::Claim("nonce", json!(nonce)));
                let back = through(&mut browser, providers, name, &someone(1, ADA));
                let page = come_back(&mut browser, &back.path());
                assert_turned_away(&mut browser, &page, &format!("F15: {name}: an older nonce"));
                provider.mend();
                let back = through(&mut browser, providers, name, &someone(1, ADA));
                assert_eq!(come_back(&mut browser, &back.path()).status, 200);
                assert!(owner(&mut browser).is_some(), "the test itself");
            }
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_other_clients_sign_nobody_in() {
    each_social(&EVERY, "", |house, providers| {
        for (n, (name, _)) in (1..).zip(EVERY) {
            let ada = signed_in(house, providers, name, &someone(n, &format!("{n}@example.com")));
            let given = providers.at(name).given();
            let token = given.iter().find(|it| it.starts_with("at-")).unwrap();
            // Row 4 of the contract: the text is fixed, the provider is not asked.
            let before = providers.at(name).asked().len();
            for body in [
                json!({ "access_token": token }),
                json!({ "access_token": token, "id_token": "" }),
                json!({ "access_token": token, "code": "", "code_verifier": "" }),
            ] {
                let answer = post(house, name, body);
                assert_refused(&answer, &format!("row 4: {name}"));
                assert_eq!(answer.field("error"), "access_token is not accepted; send code");
            }
            assert_eq!(providers.at(name).asked().len(), before, "row 4: {name} was asked");
            assert_eq!(me(house, &ada.access)["providers"], json!([name]));
        }
        let google = providers.google();
        for (claim, value) in [
            ("aud", json!("another-client")),
            ("aud", json!([])),
            ("aud", json!(["another-client", "third"])),
            ("aud", json!(null)),
            ("aud", json!(format!("{CLIENT_ID} "))),
            ("aud", json!([CLIENT_ID, "another-client"])),
            ("azp", json!("another-client")),
            ("iss", json!(FRONT_END)),
            ("sub", json!("")),
            ("sub", json!(null)),
            ("sub", json!("x".repeat(256))),
            ("sub", json!(["1"])),
        ] {
            let mut claims = google.claims(&someone(1, "1@example.com"));
            claims[claim] = value.clone();
            if claim == "aud" && value == json!([CLIENT_ID, "another-client"]) {
                // OpenID Connect Core §3.1.3.7: several audiences need the `azp` that is us.
                claims["azp"] = json!("another-client");
            }
            let token = google.sign(&claims);
            house.keep(&token);
            let answer = post(house, "google", json!({ "id_token": token }));
            assert_refused(&answer, &format!("{claim} {value:.60}"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn userinfo_of_somebody_else_is_nobodys() {
    each_social(&[("generic", ProviderKind::Oidc)], "", |house, providers| {
        let provider = providers.at("generic");
        provider.break_with(Fault::OtherSubject);
        let answer = super::bring(house, providers, "generic", &someone(1, ADA));
        assert_refused(&answer, "OpenID Connect Core §5.3.2");
        provider.mend();
        provider.break_with(Fault::NoIdToken);
        let answer = super::bring(house, providers, "generic", &someone(1, ADA));
        assert_refused(&answer, "no ID token");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_token_is_good_for_one_sign_in_one_after_another_and_at_once() {
    each_social(&GOOGLE, "", |house, providers| {
        for round in 0..3 {
            let token =
                providers.google().id_token(&someone(round + 1, &format!("{round}@e.example")));
            house.keep(&token);
            let call = Call::post("/api/auth/social/google/").json(json!({ "id_token": token }));
            let answers = house.race(vec![call; 12]);
            let won = answers.iter().filter(|it| it.status == 200).count();
            assert_eq!(won, 1, "F07: the ID token, round {round}");
            let again = post(house, "google", json!({ "id_token": token }));
            assert_refused(&again, "F07: the ID token, later");
            // Another spelling of the same token is no other token.
            for odd in [format!("{token}="), format!(" {token}"), format!("{token}\n")] {
                let answer = post(house, "google", json!({ "id_token": odd }));
                assert_refused(&answer, "G07: another spelling");
            }
        }
    })
    .await;
}
