//! `/api/users/*`.

mod refusals;

use http::Method;
use ironlatch_core::time::{hours, minutes, seconds};
use ironlatch_testkit::{
    Answer, PASSWORD, TestAuth, TestClient, TestServer, open_doors, read_qr, totp_code,
};
use serde_json::{Value, json};

use super::{ADA, each_open_server, expect_shape};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

async fn register(client: &mut TestClient<'_>) {
    let wish = json!({ "name": "Ada Lovelace", "email": ADA, "password": PASSWORD });
    client.post_json("/api/users/register/", &wish).await.expect(201);
}

async fn login(client: &mut TestClient<'_>, credentials: Value, method: &str) -> Answer {
    let body = json!({ "method": method, "credentials": credentials });
    client.post_json("/api/users/login/", &body).await
}

/// Signs in as the front end does, which always sends a code.
async fn traditional(client: &mut TestClient<'_>, email: &str, password: &str) -> Answer {
    login(client, json!({ "email": email, "password": password, "code": "" }), "traditional").await
}

/// A browser in which Ada has registered and signed in, as the front end does it.
async fn ada(server: &TestServer) -> TestClient<'_> {
    let mut client = server.client();
    register(&mut client).await;
    traditional(&mut client, ADA, PASSWORD).await.expect(200);
    client
}

/// The secret that an authenticator app reads off the picture.
async fn scanned(client: &mut TestClient<'_>) -> String {
    let shown = client.post_json("/api/users/2fa-qr/", &json!({})).await.expect(200);
    let uri = read_qr(&shown.string("/qr_code"));
    let (start, rest) = uri.split_once("?secret=").expect("a secret");
    assert_eq!(start, "otpauth://totp/Ironlatch:ada%40example.com");
    let (secret, rest) = rest.split_at(32);
    assert_eq!(rest.split('&').nth(1), Some("issuer=Ironlatch"), "{uri}");
    secret.to_owned()
}

/// Enrols an app and gives its secret.
async fn enrol(client: &mut TestClient<'_>) -> String {
    let secret = scanned(client).await;
    let code = totp_code(&secret, client.server().now());
    let answer = client.post_json("/api/users/2fa-check/", &json!({ "code": code })).await;
    assert_eq!(answer.expect(200).text(), r#"{"status":true}"#);
    client.server().clock.advance(seconds(30));
    secret
}

async fn two_factor(client: &mut TestClient<'_>, code: &str) -> Answer {
    login(client, json!({ "email": ADA, "password": PASSWORD, "code": code }), "2fa").await
}

#[tokio::test]
async fn register_makes_an_account_that_can_sign_in_at_once() {
    each_open_server(async |server| {
        let mut client = server.client();
        let wish = json!({
            "name": "  Ada Lovelace ", "email": "Ada@Example.com", "password": PASSWORD,
            "is_staff": true, "role": "business_owner",
        });
        let made = client.post_json("/api/users/register/", &wish).await.expect(201);
        assert_eq!(made.text(), r#"{"message":"User created successfully"}"#);
        assert!(made.set_cookies().is_empty());
        assert_eq!(made.header("allow"), Some("POST, OPTIONS"));
        assert_eq!(made.header("vary"), Some("Accept"));
        let account = server.account(ADA).await;
        assert_eq!(account.role, "business_owner");
        assert!(!account.is_staff && account.username.is_none());
        // The door's front end has no page for it, so the mail links to ours.
        server.deliver().await;
        let link = server.inbox.latest("Ada@Example.com").link();
        assert!(link.starts_with(&format!("{}/verify-email?token=", server.origin())), "{link}");

        traditional(&mut client, "ADA@example.COM", PASSWORD).await.expect(200);
        let me = client.get("/api/users/me/").await.expect(200);
        assert_eq!(
            me.text(),
            r#"{"email":"Ada@Example.com","name":"Ada Lovelace","role":"business_owner","business_id":null}"#
        );
    })
    .await;
}

#[tokio::test]
async fn login_puts_the_access_token_into_its_cookie() {
    each_open_server(async |server| {
        let mut client = server.client();
        register(&mut client).await;
        let answer = traditional(&mut client, ADA, PASSWORD).await.expect(200);
        assert_eq!(answer.string("/message"), "Login successful");
        let lines = answer.set_cookies();
        let line = lines.iter().find(|line| line.starts_with("access_token=ey")).unwrap();
        let (_, attributes) = line.split_once("; expires=").unwrap();
        let (_, attributes) = attributes.split_once(" GMT; ").unwrap();
        assert_eq!(attributes, "HttpOnly; Max-Age=86400; Path=/; SameSite=None; Secure");
        // The token in the body is of the same session, by the rules of every refresh token.
        let refresh = answer.string("/refresh");
        let body = json!({ "refresh": refresh });
        server.client().post_json("/api/auth/token/refresh/", &body).await.expect(200);
        client.post("/api/users/logout/").await.expect(200);
        server.client().post_json("/api/auth/token/refresh/", &body).await.expect(401);
        server.clock.advance(hours(24));
    })
    .await;
}

#[tokio::test]
async fn the_refresh_token_can_be_left_out() {
    let without = |settings: &mut ironlatch_core::settings::Settings| {
        open_doors(settings);
        settings.doors.users_refresh_in_body = false;
    };
    let server = TestServer::over(TestAuth::builder().settings(without).build().await);
    let mut client = server.client();
    register(&mut client).await;
    let answer = traditional(&mut client, ADA, PASSWORD).await.expect(200);
    assert_eq!(answer.text(), r#"{"message":"Login successful"}"#);
}

#[tokio::test]
async fn with_an_app_the_password_alone_is_not_enough() {
    each_open_server(async |server| {
        let mut client = ada(&server).await;
        let secret = enrol(&mut client).await;

        let mut other = server.client();
        let asked = traditional(&mut other, ADA, PASSWORD).await.expect(400);
        assert_eq!(asked.text(), r#"{"error":["Requires 2FA Code."]}"#);
        assert!(asked.set_cookies().is_empty());
        let wrong = two_factor(&mut other, "000000").await.expect(400);
        assert_eq!(wrong.text(), r#"{"error":["Wrong Authentication Code!"]}"#);
        let code = totp_code(&secret, server.now());
        two_factor(&mut other, &code).await.expect(200);
        other.get("/api/users/me/").await.expect(200);
        let again = two_factor(&mut server.client(), &code).await.expect(400);
        assert_eq!(again.text(), wrong.text(), "no step is accepted twice");
    })
    .await;
}

#[tokio::test]
async fn a_recovery_code_fits_into_the_field_for_the_code() {
    each_open_server(async |server| {
        register(&mut server.client()).await;
        let enrolled = server.enrol(ADA, PASSWORD).await;
        let code = enrolled.recovery_codes.first().unwrap().reveal();
        two_factor(&mut server.client(), code).await.expect(200);
        two_factor(&mut server.client(), code).await.expect(400);
    })
    .await;
}

#[tokio::test]
async fn me_answers_whoever_holds_the_cookie_and_nobody_else() {
    each_open_server(async |server| {
        let mut client = ada(&server).await;
        client.get("/api/users/me/").await.expect(200);
        client.get("/api/users/me").await.expect(200);
        let answer = client.send(Method::POST, "/api/users/me/", None, Vec::new()).await;
        assert_eq!(answer.expect(405).header("allow"), Some("GET, HEAD, OPTIONS"));
        for value in ["garbage", "\"\"", "ey.ey.ey"] {
            let mut stranger = server.client();
            stranger.set_cookie("access_token", value);
            let answer = stranger.get("/api/users/me/").await.expect(401);
            assert_eq!(
                answer.text(),
                r#"{"error":["Authentication credentials were not provided."],"detail":"Authentication credentials were not provided."}"#
            );
        }
        let token = client.cookie("access_token").unwrap().to_owned();
        server.client().with_bearer(&token).get("/api/users/me/").await.expect(401);
        server.clock.advance(hours(24));
        client.set_cookie("access_token", &token);
        client.get("/api/users/me/").await.expect(401);
    })
    .await;
}

#[tokio::test]
async fn deleting_and_removing_the_app_need_a_recent_sign_in() {
    each_open_server(async |server| {
        let mut client = ada(&server).await;
        let secret = enrol(&mut client).await;
        let again = r#"{"error":["Please sign in again to do this."]}"#;
        // The session that enrolled was not opened with the app.
        let refused = client.post_json("/api/users/2fa-remove/", &json!({})).await.expect(403);
        assert_eq!(refused.text(), again);
        assert_eq!(client.delete("/api/users/delete/").await.expect(403).text(), again);

        two_factor(&mut client, &totp_code(&secret, server.now())).await.expect(200);
        server.clock.advance(minutes(10));
        assert_eq!(client.delete("/api/users/delete/").await.expect(403).text(), again);
        let refused = client.post_json("/api/users/2fa-remove/", &json!({})).await.expect(403);
        assert_eq!(refused.text(), again);

        two_factor(&mut client, &totp_code(&secret, server.now())).await.expect(200);
        server.clock.advance(seconds(599));
        let removed = client.post_json("/api/users/2fa-remove/", &json!({})).await.expect(200);
        assert_eq!(removed.text(), r#"{"status":false}"#);
        traditional(&mut client, ADA, PASSWORD).await.expect(200);
        client.send(Method::POST, "/api/users/delete/", None, Vec::new()).await.expect(405);
        let gone = client.delete("/api/users/delete/").await.expect(200);
        assert_eq!(gone.text(), r#"{"message":"Account deleted successfully"}"#);
        assert_eq!(client.cookie("access_token"), None);
        client.get("/api/users/me/").await.expect(401);
        let refused = traditional(&mut client, ADA, PASSWORD).await.expect(400);
        assert_eq!(refused.text(), r#"{"error":["Incorrect email or password."]}"#);
        register(&mut server.client()).await;
    })
    .await;
}

#[tokio::test]
async fn an_app_is_enrolled_only_by_its_first_code() {
    each_open_server(async |server| {
        let mut client = ada(&server).await;
        let check = async |client: &mut TestClient<'_>, body: Value| {
            client.post_json("/api/users/2fa-check/", &body).await
        };
        for question in [json!({}), json!({ "code": "" }), json!({ "code": null })] {
            let answer = check(&mut client, question).await.expect(200);
            assert_eq!(answer.text(), r#"{"status":false}"#);
        }
        let early = check(&mut client, json!({ "code": "123456" })).await.expect(400);
        assert_eq!(early.text(), r#"{"status":false}"#);
        let first = scanned(&mut client).await;
        let secret = scanned(&mut client).await;
        assert_ne!(first, secret, "the second picture replaces the first");
        for wrong in [totp_code(&first, server.now()), "12".to_owned(), "abcdef".to_owned()] {
            let answer = check(&mut client, json!({ "code": wrong })).await.expect(400);
            assert_eq!(answer.text(), r#"{"status":false}"#);
        }
        traditional(&mut server.client(), ADA, PASSWORD).await.expect(200);
        let code = totp_code(&secret, server.now());
        let right = check(&mut client, json!({ "code": code })).await.expect(200);
        assert_eq!(right.text(), r#"{"status":true}"#);
        for question in [json!({ "code": "" }), json!({ "code": code })] {
            let answer = check(&mut client, question).await.expect(200);
            assert_eq!(answer.text(), r#"{"status":true}"#);
        }
        let refused = client.post_json("/api/users/2fa-qr/", &json!({})).await.expect(400);
        assert_eq!(refused.text(), r#"{"error":["2FA is already enabled."]}"#);
        for path in ["2fa-check", "2fa-qr", "2fa-remove"] {
            let answer = server.client().post(&format!("/api/users/{path}/")).await.expect(401);
            expect_shape("users", &answer);
        }
    })
    .await;
}

#[tokio::test]
async fn forgot_answers_alike_for_every_address() {
    each_open_server(async |server| {
        register(&mut server.client()).await;
        server.deliver().await;
        let before = server.inbox.all().len();
        let forgot = async |email: &str| {
            let body = json!({ "email": email });
            server.client().post_json("/api/users/password/forgot/", &body).await
        };
        let (known, unknown) = (forgot("ADA@example.com").await, forgot("bob@example.com").await);
        assert_eq!(known.clone().expect(200).text(), r#"{"message":"Password reset email sent"}"#);
        assert_eq!(known.body, unknown.body);
        let names = |answer: &Answer| answer.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!((known.status, names(&known)), (unknown.status, names(&unknown)));
        server.deliver().await;
        assert_eq!(server.inbox.all().len(), before + 1);
        assert_eq!(
            forgot("nowhere").await.expect(400).text(),
            r#"{"email":["Enter a valid email address."]}"#
        );
    })
    .await;
}

#[tokio::test]
async fn a_reset_link_sets_a_password_once() {
    each_open_server(async |server| {
        let mut client = ada(&server).await;
        let body = json!({ "email": ADA });
        client.post_json("/api/users/password/forgot/", &body).await.expect(200);
        server.deliver().await;
        let link = server.inbox.latest_about(ADA, "Reset your Ironlatch password").link();
        let (_, query) = link.split_once("?uid=").unwrap();
        let (uid, token) = query.split_once("&token=").unwrap();
        let reset = async |uid: &str, token: &str, password: &str| {
            let body = json!({ "uid": uid, "token": token, "new_password": password });
            server.client().post_json("/api/users/password/reset/", &body).await
        };
        let new = "an entirely new one";
        let invalid = r#"{"non_field_errors":["Invalid or expired token"]}"#;
        let unknown = r#"{"non_field_errors":["Invalid user identifier"]}"#;
        assert_eq!(reset("%%", token, new).await.expect(400).text(), unknown);
        assert_eq!(reset("MQ", token, new).await.expect(400).text(), invalid);
        assert_eq!(reset(uid, "wrong-token", new).await.expect(400).text(), invalid);
        let short = "Ensure this field has at least 8 characters.";
        assert_eq!(
            reset(uid, token, "short").await.expect(400).text(),
            format!("{{\"new_password\":[\"{short}\"],\"non_field_errors\":[\"{short}\"]}}")
        );
        assert!(reset(uid, token, ADA).await.expect(400).json()["non_field_errors"].is_array());
        let done = reset(uid, token, new).await.expect(200);
        assert_eq!(done.text(), r#"{"message":"Password has been reset"}"#);
        assert_eq!(reset(uid, token, new).await.expect(400).text(), invalid);
        client.get("/api/users/me/").await.expect(401);
        traditional(&mut client, ADA, PASSWORD).await.expect(400);
        traditional(&mut client, ADA, new).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_over_somebody_elses_cookie_ends_that_session() {
    each_open_server(async |server| {
        let mut client = ada(&server).await;
        let token = client.cookie("access_token").unwrap().to_owned();
        let wish = json!({ "name": "Bob", "email": "bob@example.com", "password": PASSWORD });
        server.client().post_json("/api/users/register/", &wish).await.expect(201);
        traditional(&mut client, "bob@example.com", PASSWORD).await.expect(200);
        client.set_cookie("access_token", &token);
        client.get("/api/users/me/").await.expect(401);
    })
    .await;
}

#[tokio::test]
async fn health_and_dashboard_are_what_the_front_end_waits_for() {
    each_open_server(async |server| {
        let health = server.client().get("/api/health/").await.expect(200);
        assert_eq!(health.text(), r#"{"status":"ok"}"#);
        let refused = server.client().get("/api/dashboard/").await.expect(401);
        assert_eq!(
            refused.text(),
            r#"{"error":["Authentication credentials were not provided."],"detail":"Authentication credentials were not provided."}"#
        );
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"api\""));
        let mut client = ada(&server).await;
        let token = client.cookie("access_token").unwrap().to_owned();
        // The header counts for nothing on this door.
        let mut bearer = server.client().with_bearer(&token);
        bearer.get("/api/dashboard/").await.expect(401);
        let dashboard = client.get("/api/dashboard/").await.expect(200);
        assert_eq!(
            dashboard.text(),
            r#"{"business":null,"linked_platforms":[],"posts_summary":null}"#
        );
        assert_eq!(dashboard.header("vary"), Some("Accept"));
        assert_eq!(dashboard.header("allow"), Some("GET, HEAD, OPTIONS"));
    })
    .await;
}

#[tokio::test]
async fn logout_ends_the_session_and_answers_200_to_everybody() {
    each_open_server(async |server| {
        let mut client = ada(&server).await;
        let token = client.cookie("access_token").unwrap().to_owned();
        for _ in 0..2 {
            let answer = client.post("/api/users/logout/").await.expect(200);
            assert_eq!(answer.json(), json!({ "message": "Logged out successfully" }));
            assert_eq!(
                answer.set_cookies(),
                ["access_token=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; \
                  SameSite=None; Secure"]
            );
        }
        client.set_cookie("access_token", &token);
        client.get("/api/dashboard/").await.expect(401);
    })
    .await;
}
