//! A browser's way to a provider and back, and the pages on it (F01, F03, D05).

use std::time::Duration;

use http::Method;
use ironlatch_core::settings::ProviderKind;
use ironlatch_core::sources::Wish;
use ironlatch_testkit::provider::{At, Fault, Person};
use ironlatch_testkit::{PASSWORD, TestAuth, TestServer};
use serde_json::json;

use super::{FLOW, KINDS, REFRESH, access_of, ada, each_changed, each_with, leave, me};

#[tokio::test]
async fn a_browser_goes_to_the_provider_and_comes_back_signed_in() {
    for kind in KINDS {
        each_with(kind, async |server, provider| {
            let mut browser = server.client();
            let back = leave(&mut browser, &provider, &ada(), "?next=/account").await;
            assert!(browser.cookie(FLOW).is_some(), "{kind:?}");
            let came = browser.get(&back.path()).await.expect(303);
            assert_eq!(came.header("location"), Some("/account"), "{kind:?}");
            assert_eq!(came.header("referrer-policy"), Some("no-referrer"));
            assert_eq!(came.header("cache-control"), Some("no-store"));
            assert_eq!(browser.cookie(FLOW), None, "{kind:?}");
            let told = me(&server, &access_of(&mut browser).await).await;
            assert_eq!(told["providers"], json!([provider.name()]));

            let mut other = server.client();
            let back = leave(&mut other, &provider, &ada(), "").await;
            let came = other.get(&back.path()).await.expect(303);
            assert_eq!(came.header("location"), Some("../../../../sign-in"));
            let page = other.get("/sign-in").await.expect(200);
            assert!(page.text().contains("You are signed in"), "{}", page.text());
            let page = other.get("/sign-in").await.expect(200);
            assert!(!page.text().contains("You are signed in"), "it is told once");
            assert_eq!(me(&server, &access_of(&mut other).await).await, told);
        })
        .await;
    }
}

#[tokio::test]
async fn both_spellings_of_a_path_lead_there_and_back() {
    each_with(ProviderKind::Google, async |server, provider| {
        let mut browser = server.client();
        let away = browser.get("/api/auth/social/google/start/?next=/account").await.expect(303);
        let back = provider.visit(away.header("location").unwrap(), &ada());
        let path = back.path().replace("/callback?", "/callback/?");
        browser.get(&path).await.expect(303);
        assert!(browser.cookie(REFRESH).is_some());
        let moved = browser.get("/sign-in/?next=/account").await.expect(303);
        assert_eq!(moved.header("location"), Some("../sign-in?next=/account"));
    })
    .await;
}

#[tokio::test]
async fn the_cookie_of_the_way_is_no_scripts_and_of_a_short_life() {
    let https = |settings: &mut ironlatch_core::settings::Settings| {
        settings.public_url = "https://auth.example.com".to_owned();
    };
    each_changed(ProviderKind::Google, https, async |server, provider| {
        let mut browser = server.client();
        let away = browser.get("/api/auth/social/google/start").await.expect(303);
        let [line] = away.set_cookies()[..] else { panic!("{:?}", away.set_cookies()) };
        assert!(line.starts_with("__Host-ironlatch_social_flow="), "{line}");
        assert!(line.ends_with("; HttpOnly; Max-Age=600; Path=/; SameSite=Lax; Secure"), "{line}");
        let flow = browser.cookie("__Host-ironlatch_social_flow").unwrap().to_owned();
        let target = away.header("location").unwrap();
        assert!(!target.contains(&flow) && !flow.contains("google"), "it is sealed");
        let back = provider.visit(target, &ada());
        let came = browser.get(&back.path()).await.expect(303);
        let gone = "__Host-ironlatch_social_flow=; Max-Age=0; Path=/; Secure";
        assert!(came.set_cookies().contains(&gone), "{:?}", came.set_cookies());
    })
    .await;
}

/// Each of them ends on the same page, and signs nobody in (C05, D05, F14).
#[tokio::test]
async fn a_way_back_that_does_not_fit_the_way_there_leads_nowhere() {
    each_with(ProviderKind::Google, async |server, provider| {
        let forged = "A".repeat(43);
        for what in
            ["cookie", "state", "no state", "no code", "two codes", "late", "issuer", "path"]
        {
            let mut browser = server.client();
            let back = leave(&mut browser, &provider, &ada(), "?next=/account").await;
            let path = match what {
                "state" => back.path().replace(back.state.as_deref().unwrap(), &forged),
                "no state" => back.path().replace("state=", "x="),
                "no code" => back.path().replace("code=", "x="),
                "two codes" => format!("{}&code=x", back.path()),
                "issuer" => {
                    format!("{}x", back.path().replace("&iss=", "&iss=https://evil.example&x="))
                }
                "path" => back.path().replace("/google/", "/github/"),
                _ => back.path(),
            };
            if what == "cookie" {
                browser.drop_cookie(FLOW);
            }
            if what == "late" {
                server.clock.advance(Duration::from_mins(11));
            }
            let came = browser.get(&path).await.expect(303);
            let known = !["cookie", "late", "path"].contains(&what);
            let told =
                if known { "../../../../sign-in?next=/account" } else { "../../../../sign-in" };
            assert_eq!(came.header("location"), Some(told), "{what}");
            assert_eq!(browser.cookie(REFRESH), None, "{what}");
            // A link that was opened here before hides nothing.
            browser.set_cookie("ironlatch_link_sign_in", &forged);
            let page = browser.get("/sign-in").await;
            assert!((400..500).contains(&page.status), "{what}: {}", page.status);
            assert!(page.text().contains("role=\"alert\""), "{what}: {}", page.text());
            assert!(page.text().contains("Continue with"), "{what}: one can begin again");
        }
    })
    .await;
}

/// Nobody's code works twice, in whatever browser (state and nonce replay).
#[tokio::test]
async fn a_way_back_works_once() {
    each_with(ProviderKind::Oidc, async |server, provider| {
        let mut browser = server.client();
        let back = leave(&mut browser, &provider, &ada(), "").await;
        let flow = browser.cookie(FLOW).unwrap().to_owned();
        browser.get(&back.path()).await.expect(303);
        assert!(browser.cookie(REFRESH).is_some());
        let mut thief = server.client();
        thief.set_cookie(FLOW, &flow);
        thief.get(&back.path()).await.expect(303);
        assert_eq!(thief.cookie(REFRESH), None);
        assert_eq!(provider.asked_at("/token").len(), 1, "the provider was asked once");
    })
    .await;
}

#[tokio::test]
async fn what_goes_wrong_at_the_provider_is_told_on_the_page() {
    each_with(ProviderKind::Google, async |server, provider| {
        for (fault, status, words) in [
            (Fault::Denied, 403, "did not agree"),
            (Fault::AuthorizationError("server_error"), 400, "could not be signed in"),
            (Fault::TokenError("invalid_grant"), 400, "could not be signed in"),
            (Fault::Status(At::Token, 500), 400, "could not be signed in"),
            (Fault::Claim("iss", json!("https://evil.example")), 400, "could not be signed in"),
        ] {
            let mut browser = server.client();
            provider.break_with(fault.clone());
            let back = leave(&mut browser, &provider, &ada(), "?next=/account").await;
            let came = browser.get(&back.path()).await.expect(303);
            provider.mend();
            let told = "../../../../sign-in?next=/account";
            assert_eq!(came.header("location"), Some(told), "{fault:?}");
            assert_eq!(browser.cookie(REFRESH), None);
            let page = browser.get("/sign-in?next=/account").await.expect(status);
            assert!(page.text().contains(words), "{fault:?}: {}", page.text());
            assert!(page.text().contains("start?next=/account"), "trying again leads there");
            assert!(!page.text().contains("<b>kit"), "nothing that the provider wrote is shown");
            browser.get("/sign-in").await.expect(200);
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_told_to_the_person_at_the_browser() {
    each_with(ProviderKind::Facebook, async |server, provider| {
        server.verified_account("ada@example.com").await;
        let mut browser = server.client();
        let back = leave(&mut browser, &provider, &ada(), "").await;
        browser.get(&back.path()).await.expect(303);
        let page = browser.get("/sign-in").await.expect(400);
        assert!(page.text().contains("exists already"), "{}", page.text());
        assert_eq!(browser.cookie(REFRESH), None);
    })
    .await;
}

/// HEAD asks what the answer would be; nothing is used up by it.
#[tokio::test]
async fn head_uses_nothing_up() {
    each_with(ProviderKind::Google, async |server, provider| {
        let mut browser = server.client();
        let back = leave(&mut browser, &provider, &ada(), "").await;
        browser.send(Method::HEAD, &back.path(), None, Vec::new()).await.expect(405);
        browser.get(&back.path()).await.expect(303);
        assert!(browser.cookie(REFRESH).is_some());
    })
    .await;
}

#[tokio::test]
async fn the_second_step_is_a_page_and_goes_on_to_where_the_way_led() {
    let goals = [
        ("?next=/account", Some("/account")),
        ("?next=https%3A%2F%2Fapp.example.com%2Fa%3Fb%3Dc", Some("https://app.example.com/a?b=c")),
        ("", None),
    ];
    for (query, goal) in goals {
        each_with(ProviderKind::Google, async |server, provider| {
            server.verified_account("ada@example.com").await;
            let app = server.enrol("ada@example.com", PASSWORD).await;
            server.clock.advance(Duration::from_secs(30));
            let mut browser = server.browser();
            let back = leave(browser.client(), &provider, &ada(), query).await;
            browser.visit(&back.path()).await;
            assert_eq!(
                (browser.status(), browser.title().as_str()),
                (200, "One more step – Ironlatch")
            );
            assert!(browser.path().starts_with("/sign-in"), "{}", browser.path());
            assert_eq!(browser.client().cookie(REFRESH), None, "no session yet");
            browser.visit("/sign-in").await;
            assert_eq!(browser.title(), "One more step – Ironlatch", "it waits");
            browser.visit(&format!("/sign-in{query}")).await;
            browser.fill("code", "000000").press("Sign in").await;
            assert_eq!(browser.status(), 400);
            assert!(browser.text().contains("This code is not right"), "{}", browser.text());
            browser.fill("code", app.code(server.now()).reveal()).press("Sign in").await;
            assert_eq!(
                (browser.status(), browser.title().as_str()),
                (200, "You are signed in – Ironlatch")
            );
            // A redirect that answers a form may not leave for another origin (CSP).
            let page = browser.answer().text().replace("&#38;", "&");
            match goal {
                Some(goal) => {
                    assert!(page.contains(&format!("content=\"0;url={goal}\"")), "{page}");
                }
                None => assert!(!page.contains("http-equiv"), "{page}"),
            }
            me(&server, &access_of(browser.client()).await).await;
            browser.visit("/sign-in").await;
            assert!(browser.text().contains("Continue with"), "{}", browser.text());
        })
        .await;
    }
}

#[tokio::test]
async fn whoever_cannot_pass_the_second_step_begins_again() {
    each_with(ProviderKind::Google, async |server, provider| {
        server.verified_account("ada@example.com").await;
        server.enrol("ada@example.com", PASSWORD).await;
        let mut browser = server.browser();
        let back = leave(browser.client(), &provider, &ada(), "").await;
        browser.visit(&back.path()).await.press("Sign in another way").await;
        assert!(browser.text().contains("Continue with"), "{}", browser.text());
        browser.visit("/sign-in").await;
        assert_eq!(browser.title(), "Sign in – Ironlatch");

        let back = leave(browser.client(), &provider, &ada(), "").await;
        browser.visit(&back.path()).await;
        server.clock.advance(Duration::from_mins(4));
        browser.visit("/sign-in").await;
        assert_eq!(browser.title(), "One more step – Ironlatch");
        server.clock.advance(Duration::from_mins(2));
        browser.fill("code", "123456").press("Sign in").await;
        assert_eq!(
            (browser.status(), browser.title().as_str()),
            (400, "Please sign in again – Ironlatch")
        );
    })
    .await;
}

/// F01, F03: whatever leads elsewhere is refused before anybody is sent anywhere; the list of
/// spellings is in `request/next.rs`.
#[tokio::test]
async fn f01_f03_nobody_is_sent_to_strangers() {
    each_with(ProviderKind::Google, async |server, _| {
        for next in [
            "%2F%2Fevil.example",
            "https%3A%2F%2Fevil.example",
            "https%3A%2F%2Fapp.example.com%40evil.example",
            "%2F%5Cevil.example",
            "%2F%09%2Fevil.example",
            "javascript%3Aalert(1)",
            "account",
            "%2F%252F%252Fevil.example",
        ] {
            let mut browser = server.client();
            let start = format!("/api/auth/social/google/start?next={next}");
            let refused = browser.get(&start).await.expect(400);
            assert!(refused.text().contains("next"), "{next}: {}", refused.text());
            assert!(refused.set_cookies().is_empty(), "{next}");
            let page = browser.get(&format!("/sign-in?next={next}")).await.expect(400);
            assert!(!page.text().contains("evil.example"), "{next}: {}", page.text());
        }
        let twice = "/api/auth/social/google/start?next=/a&next=//evil.example";
        server.client().get(twice).await.expect(400);
    })
    .await;
}

#[tokio::test]
async fn the_page_shows_a_link_for_each_provider() {
    let titled = |settings: &mut ironlatch_core::settings::Settings| {
        settings.mail.product = "Ex & Co".to_owned();
    };
    each_changed(ProviderKind::Google, titled, async |server, provider| {
        let mut browser = server.browser();
        browser.visit("/sign-in?next=/account%3Fa%3Db").await;
        assert_eq!((browser.status(), browser.title().as_str()), (200, "Sign in – Ex & Co"));
        let page = browser.answer().text();
        let link = "href=\"api/auth/social/google/start?next=/account%3Fa%3Db\"";
        assert!(page.contains(link), "{page}");
        assert!(!page.contains("<img") && !page.contains("<script"), "{page}");
        let left = browser
            .client()
            .get("/api/auth/social/google/start?next=/account%3Fa%3Db")
            .await
            .expect(303);
        let back = provider.visit(left.header("location").unwrap(), &Person::new("5"));
        let came = browser.client().get(&back.path()).await.expect(303);
        assert_eq!(came.header("location"), Some("/account?a=b"));
    })
    .await;
}

/// The provider's site would hide where somebody came from, and our pages send no `Referer`.
#[tokio::test]
async fn the_page_hands_on_where_somebody_came_from() {
    each_with(ProviderKind::Google, async |server, provider| {
        let campaign = "/sign-in?next=/account&utm_source=mail&utm_campaign=a%26b&other=secret";
        let led = [(campaign, "https://app.example.com/"), ("/sign-in", "https://blog.example/b")];
        for (page, referrer) in led {
            let mut browser = server.client().with_header("referer", referrer);
            let shown = browser.get(page).await.expect(200).text().to_owned();
            browser.unset_header("referer");
            let mut hrefs = shown.split("href=\"").filter_map(|part| part.split('"').next());
            let link = hrefs.find(|link| link.contains("google/start?")).unwrap();
            let link = format!("/{}", link.replace("&#38;", "&"));
            assert!(link.contains("source_url=http") && !link.contains("secret"), "{link}");
            assert_eq!(link.contains("?next=/account&"), page == campaign, "{link}");

            let left = browser.get(&link).await.expect(303);
            let back = provider.visit(left.header("location").unwrap(), &Person::new(referrer));
            browser.get(&back.path()).await.expect(303);
        }
        let report = server.auth.sources().top(&Wish::default()).await.unwrap();
        let mut found: Vec<_> = report.rows.iter().map(|row| row.source.url.as_str()).collect();
        found.sort_unstable();
        let own = "http://127.0.0.1:8000?utm_source=mail&utm_campaign=a%26b";
        assert_eq!(found, [own, "https://blog.example/b"]);
    })
    .await;
}

#[tokio::test]
async fn without_providers_the_page_says_so() {
    let server = TestServer::over(TestAuth::new().await);
    let mut browser = server.browser();
    browser.visit("/sign-in").await;
    assert_eq!(browser.status(), 200);
    assert!(browser.text().contains("no provider is set up"), "{}", browser.text());
    assert!(browser.buttons().is_empty());
    let mut client = server.client();
    client.get("/api/auth/social/google/start").await.expect(400);
    // A link that cannot be read is no sign-in page.
    browser.visit("/sign-in?token=a%0d%0ab").await;
    assert_eq!(browser.path(), "/sign-in");
}
