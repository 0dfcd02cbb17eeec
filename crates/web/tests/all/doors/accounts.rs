//! `/accounts/*`.

mod refusals;

use http::Method;
use ironlatch_core::accounts::AccountRef;
use ironlatch_core::time::{days, minutes, seconds};
use ironlatch_testkit::{Answer, PASSWORD, TestClient, TestServer, address, totp_code};
use serde_json::{Value, json};

use super::{ADA, each_open_server, expect_shape};

const NEW: &str = "an entirely new one";

/// Every write of the door.
const WRITES: [(&str, &str); 7] = [
    ("POST", "signup"),
    ("POST", "login"),
    ("POST", "refresh"),
    ("POST", "logout"),
    ("POST", "password-reset"),
    ("POST", "password-reset/confirm"),
    ("DELETE", "sessions/4abe78dd-54f5-40d4-a482-22b7390235b2"),
];

async fn post(client: &mut TestClient<'_>, act: &str, body: Value) -> Answer {
    client.post_json(&format!("/accounts/{act}/"), &body).await
}

async fn signup(client: &mut TestClient<'_>, email: &str) -> Answer {
    post(client, "signup", json!({ "email": email, "password": PASSWORD })).await
}

/// The token of the newest verification mail.
async fn mailed(server: &TestServer, email: &str, words: &str) -> String {
    server.deliver().await;
    server.inbox.latest_about(email, words).token()
}

async fn verify(server: &TestServer, token: &str) -> Answer {
    let mut client = server.client().with_header("accept", "application/json");
    client.get(&format!("/accounts/verify-email/?token={token}")).await
}

async fn login(server: &TestServer, email: &str, password: &str) -> Answer {
    post(&mut server.client(), "login", json!({ "email": email, "password": password })).await
}

async fn refresh(server: &TestServer, token: &str) -> Answer {
    post(&mut server.client(), "refresh", json!({ "refresh_token": token })).await
}

/// Ada's two tokens, after everything that her client does for them.
async fn ada(server: &TestServer) -> (String, String) {
    signup(&mut server.client(), ADA).await.expect(201);
    let token = mailed(server, ADA, "Verify").await;
    verify(server, &token).await.expect(200);
    signed_in(server).await
}

async fn signed_in(server: &TestServer) -> (String, String) {
    let answer = login(server, ADA, PASSWORD).await.expect(200);
    (answer.string("/access_token"), answer.string("/refresh_token"))
}

async fn protected(server: &TestServer, access: &str) -> Answer {
    server.client().with_bearer(access).get("/accounts/protected/").await
}

#[tokio::test]
async fn signup_makes_an_account_that_waits_for_its_address() {
    each_open_server(async |server| {
        let mut client = server.client().with_header("referer", "https://blog.example.com/a");
        let wish = json!({
            "email": "Ada@Example.com", "password": PASSWORD,
            "is_verified": true, "is_staff": true, "role": "admin",
        });
        let made = post(&mut client, "signup", wish).await.expect(201);
        assert_eq!(made.text(), r#"{"message":"Signup successful. Please verify your email."}"#);
        assert_eq!(made.header("allow"), Some("POST, OPTIONS"));
        assert_eq!(made.header("vary"), Some("Accept"));
        let account = server.account(ADA).await;
        assert_eq!((account.role.as_str(), account.is_staff), ("user", false), "C11");
        assert!(account.email_verified_at.is_none() && account.username.is_none());
        server.deliver().await;
        let link = server.inbox.latest("Ada@Example.com").link();
        let page = format!("{}/verify-email/?token=", server.origin());
        assert!(link.starts_with(&page), "{link}");

        let waits = login(&server, ADA, PASSWORD).await.expect(401);
        assert_eq!(waits.text(), r#"{"detail":"Email not verified."}"#);
        let wrong = login(&server, ADA, "not the one").await.expect(401);
        assert_eq!(wrong.text(), r#"{"detail":"Invalid credentials."}"#, "A08");
    })
    .await;
}

#[tokio::test]
async fn where_somebody_came_from_is_noted_at_signup() {
    each_open_server(async |server| {
        let mut client = server.client().with_header("referer", "https://blog.example.com/a");
        signup(&mut client, ADA).await.expect(201);
        let mut staff = server.client().with_bearer(&operator(&server).await);
        let top = staff.get("/api/auth/sources/top").await.expect(200);
        assert!(top.text().contains("blog.example.com"), "{}", top.text());
    })
    .await;
}

/// The access token of somebody who may read reports.
async fn operator(server: &TestServer) -> String {
    let new = ironlatch_core::sign_in::NewAccount {
        email: address("staff@example.com"),
        username: None,
        password: Some(ironlatch_core::ports::Token::new(PASSWORD.to_owned())),
        is_staff: true,
        is_superuser: false,
        role: None,
    };
    server.auth.sign_in().create_account(new).await.unwrap();
    let signed_in = server.sign_in("staff@example.com", PASSWORD).await;
    signed_in.started.access.reveal().to_owned()
}

#[tokio::test]
async fn verify_email_consumes_for_those_alone_who_ask_for_json_by_name() {
    each_open_server(async |server| {
        signup(&mut server.client(), ADA).await.expect(201);
        let token = mailed(&server, ADA, "Verify").await;
        // B10: scanners, browsers and questions about an answer.
        for accept in ["*/*", "text/html", ""] {
            let mut client = server.client().with_header("accept", accept);
            for method in [Method::GET, Method::HEAD] {
                for (path, to) in [
                    ("/accounts/verify-email/", "../../verify-email"),
                    ("/accounts/verify-email", "../verify-email"),
                ] {
                    let path = format!("{path}?token={token}");
                    let answer = client.send(method.clone(), &path, None, Vec::new()).await;
                    let answer = answer.expect(303);
                    let page = format!("{to}?token={token}");
                    assert_eq!(answer.header("location"), Some(page.as_str()));
                    assert!(answer.set_cookies().is_empty(), "B11");
                }
            }
        }
        let mut head = server.client().with_header("accept", "application/json");
        let path = format!("/accounts/verify-email/?token={token}");
        head.send(Method::HEAD, &path, None, Vec::new()).await.expect(303);
        assert!(server.account(ADA).await.email_verified_at.is_none());

        let required = r#"{"error":"Token is required."}"#;
        for path in ["/accounts/verify-email/", "/accounts/verify-email/?token="] {
            assert_eq!(head.get(path).await.expect(400).text(), required);
        }
        let invalid = r#"{"error":"Invalid or expired token."}"#;
        for other in ["garbage", "4abe78dd-54f5-40d4-a482-22b7390235b2", "%00"] {
            assert_eq!(verify(&server, other).await.expect(400).text(), invalid, "{other}");
        }
        let verified = r#"{"message":"Email verified successfully."}"#;
        assert_eq!(verify(&server, &token).await.expect(200).text(), verified);
        assert_eq!(verify(&server, &token).await.expect(200).text(), verified, "a moment ago");
        server.clock.advance(minutes(10) + seconds(1));
        assert_eq!(verify(&server, &token).await.expect(400).text(), invalid, "B09");
        login(&server, ADA, PASSWORD).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn b07_a_verification_link_lives_ten_minutes_here() {
    each_open_server(async |server| {
        for (email, after, status) in
            [(ADA, seconds(599), 200), ("bob@example.com", minutes(10), 400)]
        {
            signup(&mut server.client(), email).await.expect(201);
            let token = mailed(&server, email, "Verify").await;
            server.clock.advance(after);
            verify(&server, &token).await.expect(status);
        }
        // Through our own API it is a day, whichever account it is about.
        let body = json!({ "email": "bob@example.com" });
        server.client().post_json("/api/auth/verify-email/resend", &body).await.expect(200);
        let token = mailed(&server, "bob@example.com", "Verify").await;
        server.clock.advance(minutes(60));
        verify(&server, &token).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn login_answers_with_both_tokens() {
    each_open_server(async |server| {
        let (access, refresh_token) = ada(&server).await;
        let answer = login(&server, "ADA@example.com", PASSWORD).await.expect(200);
        let body = answer.json();
        let keys: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["access_token", "refresh_token", "message"]);
        assert_eq!(answer.string("/message"), "Login successful");
        for (email, password) in [(ADA, "not the one"), ("nobody@example.com", PASSWORD)] {
            let refused = login(&server, email, password).await.expect(401);
            assert_eq!(refused.text(), r#"{"detail":"Invalid credentials."}"#);
            assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"api\""));
            assert!(refused.set_cookies().is_empty());
        }
        protected(&server, &access).await.expect(200);
        server.clock.advance(minutes(5));
        let late = protected(&server, &access).await.expect(401);
        assert_eq!(late.string("/messages/0/message"), "Token is expired");
        let wrong = protected(&server, &refresh_token).await.expect(401);
        assert_eq!(wrong.string("/code"), "token_not_valid");
    })
    .await;
}

#[tokio::test]
async fn e01_with_an_app_the_password_alone_is_not_enough() {
    each_open_server(async |server| {
        ada(&server).await;
        let app = server.enrol(ADA, PASSWORD).await;
        let refused = login(&server, ADA, PASSWORD).await.expect(401);
        let body = refused.json();
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        assert_eq!(body["detail"], "Confirm it is you with your second factor.");
        assert!(refused.set_cookies().is_empty());
        let wrong = login(&server, ADA, "not the one").await.expect(401);
        assert_eq!(wrong.text(), r#"{"detail":"Invalid credentials."}"#);
        let told = async || {
            server.deliver().await;
            let mails = server.inbox.to(ADA);
            mails.iter().filter(|mail| mail.subject.contains("stopped half-way")).count()
        };
        assert_eq!(told().await, 1, "the owner is told");
        login(&server, ADA, PASSWORD).await.expect(401);
        assert_eq!(told().await, 1, "once while that is news");
        server.clock.advance(minutes(5));
        login(&server, ADA, PASSWORD).await.expect(401);
        assert_eq!(told().await, 2);
        // A code in the body is no field of the contract.
        let code = totp_code(app.secret.reveal(), server.now());
        let body = json!({ "email": ADA, "password": PASSWORD, "code": code });
        post(&mut server.client(), "login", body).await.expect(401);
    })
    .await;
}

#[tokio::test]
async fn refresh_goes_on_with_the_token_of_the_sign_in() {
    each_open_server(async |server| {
        let (_, token) = ada(&server).await;
        // Thirteen times within a week of the sign-in, and never after it.
        let apart = days(7).saturating_sub(seconds(13)) / 13;
        for _ in 0..13 {
            let answer = refresh(&server, &token).await.expect(200);
            let body = answer.json();
            assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
            protected(&server, body["access_token"].as_str().unwrap()).await.expect(200);
            assert!(answer.set_cookies().is_empty());
            server.clock.advance(apart);
        }
        server.clock.advance(seconds(60));
        let late = refresh(&server, &token).await.expect(401);
        assert_eq!(late.text(), r#"{"detail":"Invalid token"}"#);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_refresh_token_of_a_live_session_is_refused() {
    each_open_server(async |server| {
        let (access, token) = ada(&server).await;
        let missing = r#"{"error":"Refresh token required"}"#;
        for body in [json!({}), json!({ "refresh_token": "" }), json!({ "refresh_token": null })] {
            for act in ["refresh", "logout"] {
                let answer = post(&mut server.client(), act, body.clone()).await.expect(400);
                assert_eq!(answer.text(), missing);
            }
        }
        for body in [json!({ "refresh_token": [] }), json!({ "refresh_token": { "a": 1 } })] {
            post(&mut server.client(), "refresh", body).await.expect(400);
        }
        assert_eq!(server.client().post("/accounts/refresh").await.expect(400).text(), missing);
        let unknown = r#"{"detail":"Invalid session"}"#;
        let (header, rest) = token.split_once('.').unwrap();
        let forged = format!("{header}.{}x", rest.split_at(rest.len() - 1).0);
        for other in ["garbage", "1", &access, &forged] {
            let refused = refresh(&server, other).await.expect(401);
            assert_eq!(refused.text(), unknown, "{other}");
            assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"api\""));
        }
        let started = server.sign_in(ADA, PASSWORD).await.started;
        let cookie = started.refresh_cookie.reveal();
        assert_eq!(refresh(&server, cookie).await.expect(401).text(), unknown, "B05");
    })
    .await;
}

#[tokio::test]
async fn c14_a_disabled_account_gets_nothing_more() {
    each_open_server(async |server| {
        let (access, token) = ada(&server).await;
        let account = AccountRef::Email(address(ADA));
        server.auth.accounts().disable(&account).await.unwrap();
        let refused = refresh(&server, &token).await.expect(401);
        assert_eq!(refused.text(), r#"{"detail":"User is inactive."}"#);
        let refused = protected(&server, &access).await.expect(401);
        assert_eq!(refused.text(), r#"{"detail":"User is inactive","code":"user_inactive"}"#);
        let refused = login(&server, ADA, PASSWORD).await.expect(401);
        assert_eq!(refused.text(), r#"{"detail":"Invalid credentials."}"#, "A08");
    })
    .await;
}

#[tokio::test]
async fn d03_logout_ends_the_session_of_the_token() {
    each_open_server(async |server| {
        let (access, token) = ada(&server).await;
        let (other_access, other) = signed_in(&server).await;
        let done = r#"{"message":"Logged out successfully"}"#;
        for body in [&token, &token, "garbage"] {
            let body = json!({ "refresh_token": body });
            assert_eq!(post(&mut server.client(), "logout", body).await.expect(200).text(), done);
        }
        assert_eq!(
            refresh(&server, &token).await.expect(401).text(),
            r#"{"detail":"Invalid session"}"#
        );
        protected(&server, &access).await.expect(401);
        refresh(&server, &other).await.expect(200);
        protected(&server, &other_access).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn protected_greets_whoever_has_an_access_token() {
    each_open_server(async |server| {
        server.sign_up(ADA).await;
        let refused = server.client().get("/accounts/protected/").await.expect(401);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"api\""));
        let started = server.sign_in(ADA, PASSWORD).await.started;
        let mut client = server.client().with_bearer(started.access.reveal());
        let answer = client.get("/accounts/protected/").await.expect(200);
        assert_eq!(answer.text(), r#"{"message":"Hello ada@example.com"}"#);
    })
    .await;
}

#[tokio::test]
async fn a_reset_link_sets_a_password_once_and_ends_every_session() {
    each_open_server(async |server| {
        let (access, token) = ada(&server).await;
        let asked = r#"{"message":"If the account exists, a reset link has been sent."}"#;
        for email in ["Ada@example.com", "nobody@example.com"] {
            let body = json!({ "email": email });
            let answer = post(&mut server.client(), "password-reset", body).await.expect(200);
            assert_eq!(answer.text(), asked, "A04");
        }
        let link = mailed(&server, ADA, "Reset").await;
        assert!(server.inbox.to("nobody@example.com").is_empty());
        let confirm = async |token: &str, password: &str| {
            let body = json!({ "token": token, "new_password": password });
            post(&mut server.client(), "password-reset/confirm", body).await
        };
        let invalid = r#"{"error":"Invalid or expired token."}"#;
        assert_eq!(confirm("garbage", NEW).await.expect(400).text(), invalid);
        assert_eq!(
            confirm(&link, "short").await.expect(400).text(),
            r#"{"new_password":["Ensure this field has at least 8 characters."]}"#
        );
        assert!(confirm(&link, ADA).await.expect(400).json()["new_password"].is_array());
        assert_eq!(
            post(&mut server.client(), "password-reset/confirm", json!({})).await.text(),
            r#"{"token":["This field is required."],"new_password":["This field is required."]}"#
        );
        assert_eq!(
            confirm(&link, NEW).await.expect(200).text(),
            r#"{"message":"Password has been reset."}"#
        );
        assert_eq!(confirm(&link, NEW).await.expect(400).text(), invalid);
        protected(&server, &access).await.expect(401);
        assert_eq!(
            refresh(&server, &token).await.expect(401).text(),
            r#"{"detail":"Invalid session"}"#
        );
        login(&server, ADA, PASSWORD).await.expect(401);
        login(&server, ADA, NEW).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner_alone() {
    each_open_server(async |server| {
        ada(&server).await;
        server.clock.advance(seconds(1));
        let mut client = server.client().with_header("user-agent", "Browser/1.0");
        client.move_to("2001:db8:1:2:3::4".parse().unwrap());
        let body = json!({ "email": ADA, "password": PASSWORD });
        let answer = post(&mut client, "login", body).await.expect(200);
        let access = answer.string("/access_token");
        let mut client = client.with_bearer(&access);
        let list = client.get("/accounts/sessions/").await.expect(200).json();
        let [newest, oldest] = &list.as_array().unwrap()[..] else { panic!("{list}") };
        let keys: Vec<_> = newest.as_object().unwrap().keys().collect();
        let named = ["id", "device_name", "ip_address", "created_at", "expires_at", "is_revoked"];
        assert_eq!(keys, named);
        assert_eq!(newest["device_name"], "Browser/1.0");
        assert_eq!(newest["ip_address"], "2001:db8:1:2::", "an address; the network is kept");
        assert_eq!(newest["is_revoked"], false);
        assert!(newest["created_at"].as_str().unwrap().ends_with('Z'));
        assert!(newest["expires_at"].as_str() > newest["created_at"].as_str());
        assert_eq!(oldest["device_name"], Value::Null);
        assert!(oldest["ip_address"].as_str().unwrap().parse::<std::net::Ipv4Addr>().is_ok());

        let end = async |access: &str, id: &Value| {
            let path = format!("/accounts/sessions/{}/", id.as_str().unwrap());
            server.client().with_bearer(access).delete(&path).await
        };
        server.verified_account("eve@example.com").await;
        let eve = login(&server, "eve@example.com", PASSWORD).await.string("/access_token");
        let gone = r#"{"detail":"Not found."}"#;
        assert_eq!(end(&eve, &oldest["id"]).await.expect(404).text(), gone, "D16");
        for id in ["garbage", "4abe78dd-54f5-40d4-a482-22b7390235b2", "%00"] {
            assert_eq!(end(&access, &id.into()).await.expect(404).text(), gone, "{id}");
        }
        let ended = end(&access, &oldest["id"]).await.expect(204);
        assert!(ended.body.is_empty());
        end(&access, &oldest["id"]).await.expect(404);
        let list = client.get("/accounts/sessions").await.expect(200).json();
        assert_eq!(list.as_array().unwrap().len(), 1);
        end(&access, &newest["id"]).await.expect(204);
        client.get("/accounts/sessions").await.expect(401);
        for answer in
            [server.client().get("/accounts/sessions/").await, end("garbage", &newest["id"]).await]
        {
            expect_shape("accounts", &answer.expect(401));
        }
    })
    .await;
}
