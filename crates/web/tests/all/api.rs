//! What the API does with a request before and after the core.

use http::Method;
use ironlatch_core::tokens::KEY_SET_KEPT;
use ironlatch_testkit::{PASSWORD, TestAuth, TestServer};
use ironlatch_web::Settings;
use serde_json::json;

use crate::each_server;

#[tokio::test]
async fn both_spellings_of_a_path_are_served_directly() {
    each_server(async |server| {
        server.sign_up("ada@example.com").await;
        for path in ["/api/auth/login", "/api/auth/login/"] {
            let body = json!({ "email": "ada@example.com", "password": PASSWORD });
            server.client().post_json(path, &body).await.expect(200);
        }
    })
    .await;
}

#[tokio::test]
async fn fields_nobody_asked_for_are_never_bound_under_the_contract() {
    each_server(async |server| {
    let body = json!({
        "username": "eve", "email": "eve@example.com", "password": PASSWORD,
        "id": 1, "role": "admin", "is_staff": true, "is_superuser": true, "email_verified": true,
    });
    server.client().post_json("/api/auth/register", &body).await.expect(201);
    let account = server.account("eve@example.com").await;
    assert_eq!(account.role, "user");
    assert!(!account.is_staff && !account.is_superuser);
    assert_eq!(account.email_verified_at, None);
    assert_ne!(account.number, 1);
    })
    .await;
}

#[tokio::test]
async fn our_own_paths_refuse_fields_they_do_not_know() {
    each_server(async |server| {
        let body = json!({ "email": "ada@example.com", "emial": "typo" });
        let answer =
            server.client().post_json("/api/auth/password/forgot", &body).await.expect(400);
        assert_eq!(answer.text(), r#"{"emial":["Unknown field."]}"#);
    })
    .await;
}

#[tokio::test]
async fn a_key_in_the_body_means_the_body_chain_and_no_cookie() {
    each_server(async |server| {
        server.sign_up("ada@example.com").await;
        let mut client = server.client();
        let login = json!({ "email": "ada@example.com", "password": PASSWORD });
        let tokens = client.post_json("/api/auth/login", &login).await.expect(200);

        let body = json!({ "refresh": tokens.string("/refresh") });
        let answer = client.post_json("/api/auth/token/refresh", &body).await.expect(200);
        assert!(answer.set_cookies().is_empty());
        let keys: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["access", "refresh"]);

        let answer = client.post("/api/auth/token/refresh").await.expect(200);
        assert_eq!(answer.set_cookies().len(), 1);
        let keys: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["access"]);

        // A broken token in the body is refused even beside a good cookie.
        for broken in [json!(""), json!(null), json!(["x"]), json!("x")] {
            let answer =
                client.post_json("/api/auth/token/refresh", &json!({ "refresh": broken })).await;
            assert!([400, 401].contains(&answer.status), "{}", answer.text());
            assert!(answer.set_cookies().is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn a_refresh_cookie_that_comes_twice_is_no_cookie() {
    each_server(async |server| {
        server.sign_up("ada@example.com").await;
        let mut client = server.client();
        let login = json!({ "email": "ada@example.com", "password": PASSWORD });
        client.post_json("/api/auth/login", &login).await.expect(200);
        let token = client.cookie("refresh_token").unwrap().to_owned();
        let mut tossed = server
            .client()
            .with_header("cookie", &format!("refresh_token={token}; refresh_token=planted"));
        let answer = tossed.post("/api/auth/token/refresh").await.expect(400);
        assert_eq!(answer.text(), r#"{"detail":"No refresh token"}"#);
    })
    .await;
}

#[tokio::test]
async fn logout_answers_200_whatever_comes_along() {
    each_server(async |server| {
        for (kind, body) in [
            (None, ""),
            (Some("text/plain"), "junk"),
            (Some("application/json"), "{"),
            (Some("application/json"), "[]"),
            (Some("application/json"), "{\"refresh\":7}"),
        ] {
            let mut client = server.client().with_bearer("junk");
            let body = body.as_bytes().to_vec();
            let answer =
                client.send(Method::POST, "/api/auth/logout", kind, body).await.expect(200);
            assert_eq!(answer.text(), r#"{"detail":"Logged out"}"#);
        }
    })
    .await;
}

#[tokio::test]
async fn other_peoples_sessions_are_as_unknown_as_none() {
    each_server(async |server| {
        for email in ["ada@example.com", "eve@example.com"] {
            server.sign_up(email).await;
        }
        let ada = server.sign_in("ada@example.com", PASSWORD).await;
        let eve = server.sign_in("eve@example.com", PASSWORD).await;
        let path = format!("/api/auth/sessions/{}", ada.started.session);
        let mut thief = server.client().with_bearer(eve.started.access.reveal());
        thief.delete(&path).await.expect(404);
        let mut owner = server.client().with_bearer(ada.started.access.reveal());
        owner.get("/api/auth/me").await.expect(200);
        owner.delete(&path).await.expect(204);
        owner.get("/api/auth/me").await.expect(401);
    })
    .await;
}

#[tokio::test]
async fn what_is_the_same_for_everybody_is_kept_only_when_it_is_that() {
    let server = TestServer::with_settings(TestAuth::new().await, Settings::development());
    // New keys stay silent until whoever kept the old set has fetched it again.
    let kept = format!("public, max-age={}", KEY_SET_KEPT.as_secs());
    for path in ["/.well-known/jwks.json", "/assets/ironlatch.css"] {
        for accept in ["*/*", "text/css,*/*;q=0.1", "text/css", "image/png"] {
            let mut client = server.client().with_header("accept", accept);
            let answer = client.get(path).await.expect(200);
            assert_eq!(answer.header("cache-control"), Some(&*kept), "{accept}");
        }
        let mut elsewhere = server.client().with_header("host", "evil.example");
        let answer = elsewhere.get(path).await.expect(421);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let answer = server.client().post(path).await.expect(405);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn hostile_requests_get_a_clear_4xx() {
    each_server(async |server| {
        let huge = format!("{{\"email\":\"{}\"}}", "a".repeat(70_000));
        let deep = format!("{{\"email\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
        let nul =
            r#"{"username":"a\u0000b","email":"a@example.com\u0000","password":"pass\u0000word"}"#;
        let many = (0..13_000).map(|n| format!("{n:x}")).collect::<Vec<_>>().join("&");
        for (kind, body, status) in [
            ("application/json", huge.as_str(), 413),
            ("application/json", &deep, 400),
            ("application/json", nul, 400),
            ("application/json", r#"{"email":"a","email":"b"}"#, 400),
            ("application/json", "\u{0}", 400),
            ("application/x-www-form-urlencoded", "email=%FF", 400),
            ("application/x-www-form-urlencoded", "email=a&email=b", 400),
            ("application/x-www-form-urlencoded", many.trim_end_matches('&'), 400),
            ("multipart/form-data", "x", 400),
            ("multipart/form-data; boundary=x", "--x\r\n", 400),
            ("text/xml", "<a/>", 415),
        ] {
            for path in ["/api/auth/register", "/api/auth/login", "/api/auth/password/reset"] {
                let body = body.as_bytes().to_vec();
                let answer = server.client().send(Method::POST, path, Some(kind), body).await;
                assert_eq!(answer.status, status, "{path} {kind}: {}", answer.text());
                assert_eq!(answer.header("content-type"), Some("application/json"));
                assert!(answer.json().is_object());
            }
        }
    })
    .await;
}
