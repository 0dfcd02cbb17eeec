//! `/api/auth/social`: what is connected to one's own account (C05, D09).

use std::time::Duration;

use ironlatch_core::settings::{ProviderKind, Settings};
use ironlatch_testkit::provider::Person;
use ironlatch_testkit::{PASSWORD, TestClient, TestServer};
use serde_json::json;

use super::{FLOW, ada, bring, each_changed, each_with, me};

const LIST: &str = "/api/auth/social/";

/// Somebody signed in with their password a moment ago.
async fn member<'a>(server: &'a TestServer, email: &str) -> TestClient<'a> {
    server.verified_account(email).await;
    let signed_in = server.sign_in(email, PASSWORD).await;
    server.client().with_bearer(signed_in.started.access.reveal())
}

#[tokio::test]
async fn connections_are_listed_added_and_removed() {
    each_with(ProviderKind::Github, async |server, provider| {
        let mut grace = member(&server, "grace@example.com").await;
        let none = grace.get(LIST).await.expect(200);
        assert_eq!(none.json(), json!({ "connections": [] }));

        let link = format!("/api/auth/social/{}/link", provider.name());
        let brought = provider.code_for(&ada());
        let body = json!({ "code": brought.code, "code_verifier": brought.verifier });
        let made = grace.post_json(&link, &body).await.expect(200).json();
        let listed = grace.get(LIST).await.expect(200).json();
        assert_eq!(listed["connections"], json!([made]));
        let keys: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
        let known = ["id", "provider", "subject", "email", "created_at", "last_used_at"];
        assert_eq!(keys, known);
        assert_eq!((&made["provider"], &made["subject"]), (&json!("github"), &json!("1001")));

        // It signs in to this account now, whatever its own address is.
        let signed_in = bring(&mut server.client(), &provider, &ada()).await.expect(200);
        assert_eq!(signed_in.string("/user/email"), "grace@example.com");
        let told = me(&server, &signed_in.string("/access")).await;
        assert_eq!(told["providers"], json!(["github"]));

        let id = made["id"].as_str().unwrap();
        let mut stranger = member(&server, "eve@example.com").await;
        for other in [id, "018f4e5c-7a10-7000-8000-000000000000", "github", "x"] {
            stranger.delete(&format!("{LIST}{other}")).await.expect(404);
        }
        grace.delete(&format!("{LIST}{id}/")).await.expect(204);
        let gone = grace.get(LIST).await.expect(200);
        assert_eq!(gone.json(), json!({ "connections": [] }));
        grace.delete(&format!("{LIST}{id}")).await.expect(404);
    })
    .await;
}

#[tokio::test]
async fn what_belongs_to_somebody_else_or_is_the_last_way_in_stays() {
    each_with(ProviderKind::Github, async |server, provider| {
        let hers = Person::new("77").named("Octocat");
        let new = bring(&mut server.client(), &provider, &hers).await.expect(200);
        let mut owner = server.client().with_bearer(&new.string("/access"));
        let id = owner.get(LIST).await.expect(200).string("/connections/0/id");
        let refused = owner.delete(&format!("{LIST}{id}")).await.expect(409);
        assert_eq!(refused.json()["code"], "last_way_in");

        let mut grace = member(&server, "grace@example.com").await;
        let brought = provider.code_for(&hers);
        let body = json!({ "code": brought.code, "code_verifier": brought.verifier });
        let refused = grace.post_json("/api/auth/social/github/link", &body).await.expect(409);
        assert_eq!(refused.json()["code"], "identity_taken");
    })
    .await;
}

/// With the name of an account signs in who finds a door that asks for it.
#[tokio::test]
async fn a_password_and_a_name_are_a_way_in_where_they_sign_in() {
    for is_open in [false, true] {
        let doors = |settings: &mut Settings| settings.doors.otp_session.enabled = is_open;
        each_changed(ProviderKind::Github, doors, async |server, provider| {
            let hers = Person::new("77").named("Octocat");
            let new = bring(&mut server.client(), &provider, &hers).await.expect(200);
            let name = new.string("/user/username");
            let mut owner = server.client().with_bearer(&new.string("/access"));
            let set = json!({ "new_password": PASSWORD });
            owner.post_json("/api/auth/password/change", &set).await.expect(200);
            let id = owner.get(LIST).await.expect(200).string("/connections/0/id");
            let removed = owner.delete(&format!("{LIST}{id}")).await;
            let login = json!({ "username": name, "password": PASSWORD });
            let signed_in = server.client().post_json("/users/login/", &login).await;
            if is_open {
                removed.expect(204);
                signed_in.expect(200);
            } else {
                assert_eq!(removed.expect(409).json()["code"], "last_way_in");
                signed_in.expect(404);
            }
        })
        .await;
    }
}

/// A stolen session connects and removes nothing for long (D09).
#[tokio::test]
async fn d09_connecting_and_removing_need_a_recent_sign_in() {
    each_with(ProviderKind::Github, async |server, provider| {
        let mut grace = member(&server, "grace@example.com").await;
        let link = "/api/auth/social/github/link";
        let brought = provider.code_for(&ada());
        let body = json!({ "code": brought.code, "code_verifier": brought.verifier });
        let made = grace.post_json(link, &body).await.expect(200).json();
        server.clock.advance(Duration::from_mins(5));
        let other = provider.code_for(&Person::new("2002"));
        let body = json!({ "code": other.code, "code_verifier": other.verifier });
        let id = made["id"].as_str().unwrap();
        for refused in [
            grace.post_json(link, &body).await,
            grace.post(link).await,
            grace.delete(&format!("{LIST}{id}")).await,
        ] {
            assert_eq!(refused.status, 403, "{}", refused.text());
            assert_eq!(refused.json()["code"], "reauthentication_required");
            assert!(refused.set_cookies().is_empty());
        }
        let listed = grace.get(LIST).await.expect(200).json();
        assert_eq!(listed["connections"].as_array().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_browser_connects_by_the_providers_page_and_goes_on() {
    each_with(ProviderKind::Google, async |server, provider| {
        for (n, (next, lands)) in [
            (json!({}), "../../../../sign-in"),
            (json!({ "next": "/account" }), "/account"),
            (json!({ "next": "https://app.example.com/me" }), "https://app.example.com/me"),
        ]
        .into_iter()
        .enumerate()
        {
            let email = format!("member{n}@example.com");
            let mut browser = member(&server, &email).await;
            let asked = browser.post_json("/api/auth/social/google/link/", &next).await.expect(200);
            assert!(browser.cookie(FLOW).is_some());
            let person = Person::new(&format!("30{n}"));
            let back = provider.visit(&asked.string("/authorization_url"), &person);
            let bearer = browser.clone();
            // The browser comes back without a bearer token.
            browser.unset_header("authorization");
            let ended = browser.get(&back.path()).await.expect(303);
            assert_eq!(ended.header("location"), Some(lands));
            assert_eq!(browser.cookie(FLOW), None);
            assert_eq!(browser.cookie("refresh_token"), None, "nobody is signed in by it");
            let mut bearer = bearer;
            let listed = bearer.get(LIST).await.expect(200).json();
            assert_eq!(listed["connections"][0]["subject"], person_subject(n));
            if n == 0 {
                let told = browser.get("/sign-in").await.expect(200);
                assert!(told.text().contains("It is connected"), "{}", told.text());
            }
        }
    })
    .await;
}

fn person_subject(n: usize) -> String {
    format!("30{n}")
}

#[tokio::test]
async fn what_link_cannot_read_is_named() {
    each_with(ProviderKind::Google, async |server, _| {
        let mut grace = member(&server, "grace@example.com").await;
        let link = "/api/auth/social/google/link";
        for (body, field) in [
            (json!({ "next": "//evil.example" }), "next"),
            (json!({ "next": "javascript:alert(1)" }), "next"),
            (json!({ "next": "" }), "next"),
            (json!({ "next": "/account", "code": "x" }), "next"),
            (json!({ "nxt": "/account" }), "nxt"),
        ] {
            let refused = grace.post_json(link, &body).await.expect(400);
            assert!(refused.json()[field].is_array(), "{body}: {}", refused.text());
            assert!(refused.set_cookies().is_empty());
        }
        let unknown = grace.post("/api/auth/social/myspace/link").await.expect(400);
        assert_eq!(unknown.json(), json!({ "detail": "Unsupported provider" }));
        server.client().post(link).await.expect(401);
        server.client().get(LIST).await.expect(401);
    })
    .await;
}
