//! Calls that other sites make a browser make (C01 by CSRF, D05, D06), and CORS.

use http::Method;
use ironlatch_testkit::{PASSWORD, TestAuth, TestServer, each_auth};
use ironlatch_web::Settings;
use serde_json::json;

const FRONT_END: &str = "https://app.example.com";

/// A server, on each engine, that lists one front end.
async fn each_listing_server(test: impl AsyncFn(TestServer)) {
    each_auth(async |auth| {
        let settings =
            Settings { allowed_origins: vec![FRONT_END.to_owned()], ..Settings::default() };
        test(TestServer::with_settings(auth, settings)).await;
    })
    .await;
}

/// Every write of the API and the pages.
const WRITES: [(&str, &str); 16] = [
    ("POST", "/api/auth/register"),
    ("POST", "/api/auth/verify-email/resend"),
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/token/refresh"),
    ("POST", "/api/auth/logout"),
    ("POST", "/api/auth/password/forgot"),
    ("POST", "/api/auth/password/reset"),
    ("POST", "/api/auth/password/change"),
    ("POST", "/api/auth/sessions/end-others"),
    ("DELETE", "/api/auth/account"),
    ("POST", "/verify-email"),
    ("POST", "/reset-password"),
    ("POST", "/sign-in"),
    ("POST", "/api/auth/social/google"),
    ("POST", "/api/auth/social/google/link"),
    ("DELETE", "/api/auth/social/018f4e5c-7a10-7000-8000-000000000000"),
];

#[tokio::test]
async fn every_write_from_another_site_is_refused_and_plants_no_cookie() {
    each_listing_server(async |server| {
        server.sign_up("ada@example.com").await;
        let body = format!("email=ada%40example.com&password={}", PASSWORD.replace(' ', "+"));
        for (method, path) in WRITES {
            for (header, value) in [
                ("origin", "https://evil.example"),
                ("origin", "null"),
                ("origin", "https://app.example.com.evil.example"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
            ] {
                let mut client = server.client().with_header(header, value);
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let form = Some("application/x-www-form-urlencoded");
                let answer = client.send(method, path, form, body.clone().into_bytes()).await;
                assert_eq!(answer.status, 403, "{path} with {header}: {value}");
                assert!(answer.set_cookies().is_empty(), "{path} with {header}: {value}");
                assert_eq!(answer.header("access-control-allow-origin"), None);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_listed_front_end_signs_in_refreshes_and_signs_out() {
    each_listing_server(async |server| {
        server.sign_up("ada@example.com").await;
        let mut client = server.client().with_header("origin", FRONT_END);
        let login = json!({ "email": "ada@example.com", "password": PASSWORD });
        let answer = client.post_json("/api/auth/login", &login).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some(FRONT_END));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("vary"), Some("Accept, Origin"));
        client.post("/api/auth/token/refresh").await.expect(200);
        client.post("/api/auth/logout").await.expect(200);
        client.post("/api/auth/token/refresh").await.expect(400);
    })
    .await;
}

#[tokio::test]
async fn a_preflight_is_granted_to_listed_origins_alone() {
    each_listing_server(async |server| {
        for (origin, granted) in
            [(FRONT_END, true), ("https://evil.example", false), ("null", false)]
        {
            let mut client = server
                .client()
                .with_header("origin", origin)
                .with_header("access-control-request-method", "POST");
            let answer = client.send(Method::OPTIONS, "/api/auth/login/", None, Vec::new()).await;
            let answer = answer.expect(200);
            let echoed = answer.header("access-control-allow-origin");
            assert_eq!(echoed, granted.then_some(origin));
            assert_eq!(answer.header("access-control-max-age").is_some(), granted);
            assert_eq!(answer.header("vary"), Some("Accept, Origin"));
        }
    })
    .await;
}

#[tokio::test]
async fn only_listed_hosts_are_answered_when_there_is_a_list() {
    let server = TestServer::with_settings(TestAuth::new().await, Settings::development());
    for (host, status) in [
        ("localhost:8000", 401),
        ("127.0.0.1", 401),
        ("[::1]:8000", 401),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("", 421),
    ] {
        let mut client = server.client().with_header("host", host);
        assert_eq!(client.get("/api/auth/me").await.status, status, "{host:?}");
    }
}
