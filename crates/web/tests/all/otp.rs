//! Sign-in by a code or its link: `/api/auth/otp/*` and the page `/sign-in` (contract otp-api).

use std::net::IpAddr;
use std::time::Duration;

use ironlatch_testkit::{Answer, PASSWORD, TestClient, TestServer};
use serde_json::json;

use crate::each_server;

const ADA: &str = "ada@example.com";
const REQUEST: &str = "/api/auth/otp/request/";
const VERIFY: &str = "/api/auth/otp/verify/";
const WRONG: &str = r#"{"success":false,"error":"Invalid or expired OTP"}"#;

async fn ask(client: &mut TestClient<'_>, identifier: &str) -> Answer {
    client.post_json(REQUEST, &json!({ "identifier": identifier })).await
}

async fn tell(client: &mut TestClient<'_>, identifier: &str, code: &str) -> Answer {
    client.post_json(VERIFY, &json!({ "identifier": identifier, "otp_code": code })).await
}

/// Asks for a code and takes it out of the mailbox.
async fn code_for(server: &TestServer, client: &mut TestClient<'_>, email: &str) -> String {
    ask(client, email).await.expect(200);
    server.deliver().await;
    server.inbox.latest(email).code()
}

/// A code that is certainly another one.
fn other_than(code: &str) -> String {
    let number: u32 = code.parse().unwrap();
    format!("{:06}", (number + 1) % 1_000_000)
}

#[tokio::test]
async fn a_code_makes_the_account_and_signs_in() {
    each_server(async |server| {
        let mut client = server.client();
        let requested = ask(&mut client, ADA).await.expect(200);
        assert_eq!(requested.text(), r#"{"success":true,"message":"OTP sent to email"}"#);
        server.deliver().await;
        let mail = server.inbox.latest(ADA);
        assert_eq!(mail.subject, "Your verification code");
        let code = mail.code();
        assert!(
            server.try_sign_in(ADA, "no password at all").await.is_err(),
            "no account before the code"
        );

        let signed_in = tell(&mut client, ADA, &code).await.expect(200);
        let body = signed_in.json();
        let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["success", "tokens", "user"]);
        assert_eq!(body["user"]["email"], ADA);
        assert_eq!(
            (&body["user"]["first_name"], &body["user"]["last_name"]),
            (&json!(""), &json!(""))
        );
        let mut bearer = server.client().with_bearer(&signed_in.string("/tokens/access"));
        let me = bearer.get("/api/auth/me").await.expect(200);
        assert_eq!(me.json()["email_verified"], true);
        bearer.get("/api/profile").await.expect(200);

        assert_eq!(tell(&mut client, ADA, &code).await.expect(400).text(), WRONG, "once");
        let again = code_for(&server, &mut client, ADA).await;
        let again = tell(&mut client, ADA, &again).await.expect(200);
        assert_eq!(again.json()["user"]["id"], body["user"]["id"], "the same account");
    })
    .await;
}

#[tokio::test]
async fn three_guesses_and_five_minutes() {
    each_server(async |server| {
        let mut client = server.client();
        let code = code_for(&server, &mut client, ADA).await;
        for _ in 0..3 {
            assert_eq!(tell(&mut client, ADA, &other_than(&code)).await.expect(400).text(), WRONG);
        }
        assert_eq!(tell(&mut client, ADA, &code).await.expect(400).text(), WRONG, "dead");

        let code = code_for(&server, &mut client, "eve@example.com").await;
        server.clock.advance(Duration::from_secs(301));
        let late = tell(&mut client, "eve@example.com", &code).await.expect(400);
        assert_eq!(late.text(), WRONG, "expired");
        let never = tell(&mut client, "nobody@example.com", "123456").await.expect(400);
        assert_eq!(never.text(), WRONG, "never sent");
    })
    .await;
}

#[tokio::test]
async fn the_link_signs_in_the_browser_that_asked_and_no_other() {
    each_server(async |server| {
        let mut asking = server.browser();
        asking.client().post_json(REQUEST, &json!({ "identifier": ADA })).await.expect(200);
        server.deliver().await;
        let mail = server.inbox.latest(ADA);

        let mut other = server.browser();
        other.visit(&mail.path()).await;
        assert_eq!(other.status(), 403);
        assert!(other.title().starts_with("This link belongs to another browser"));
        for _ in 0..20 {
            asking.visit(&mail.path()).await;
            assert_eq!(asking.status(), 200, "opening consumes nothing (B10)");
        }
        assert_eq!(asking.path(), "/sign-in", "the token has left the address bar");
        assert!(asking.text().contains("a•••@example.com"));
        asking.press("Sign in").await;
        assert_eq!(asking.status(), 200);
        assert!(asking.title().starts_with("You are signed in"));
        asking.client().post("/api/auth/token/refresh").await.expect(200);

        asking.visit(&mail.path()).await;
        assert_eq!(asking.status(), 400, "once");
        let used = tell(&mut server.client(), ADA, &mail.code()).await.expect(400);
        assert_eq!(used.text(), WRONG, "the code went with its link");
    })
    .await;
}

#[tokio::test]
async fn a_front_end_redeems_the_link_itself() {
    each_server(async |server| {
        const LINK: &str = "/api/auth/otp/link";
        let mut client = server.client();
        ask(&mut client, ADA).await.expect(200);
        server.deliver().await;
        let token = json!({ "token": server.inbox.latest(ADA).token() });
        let elsewhere = server.client().post_json(LINK, &token).await.expect(403);
        assert_eq!(elsewhere.json()["code"], "other_browser");
        let signed_in = client.post_json(LINK, &token).await.expect(200);
        assert_eq!(signed_in.string("/user/email"), ADA);
        let mut bearer = server.client().with_bearer(&signed_in.string("/tokens/access"));
        bearer.get("/api/auth/me").await.expect(200);
        for dead in [token, json!({ "token": "x" })] {
            let refused = client.post_json(LINK, &dead).await.expect(400);
            assert_eq!(refused.text(), r#"{"detail":"Invalid token"}"#, "{dead}");
        }
        let missing = client.post_json(LINK, &json!({})).await.expect(400);
        assert_eq!(missing.text(), r#"{"token":["This field is required."]}"#);
    })
    .await;
}

#[tokio::test]
async fn the_links_page_asks_for_the_app_as_well() {
    each_server(async |server| {
        server.verified_account(ADA).await;
        let app = server.enrol(ADA, PASSWORD).await;
        server.clock.advance(Duration::from_secs(30));
        let mut browser = server.browser();
        browser.client().post_json(REQUEST, &json!({ "identifier": ADA })).await.expect(200);
        server.deliver().await;
        browser.visit(&server.inbox.latest(ADA).path()).await;
        browser.press("Sign in").await;
        assert_eq!(browser.title(), "One more step – Ironlatch");
        assert_eq!(browser.client().cookie("refresh_token"), None, "no session yet");
        browser.fill("code", "000000").submit().await;
        assert_eq!(browser.status(), 400);
        assert!(browser.text().contains("This code is not right"), "{}", browser.text());
        let code = app.code(server.now());
        browser.fill("code", code.reveal()).submit().await;
        assert_eq!(
            (browser.status(), browser.title().as_str()),
            (200, "You are signed in – Ironlatch")
        );
        browser.client().post("/api/auth/token/refresh").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_number_gets_its_code_by_sms() {
    each_server(async |server| {
        let mut client = server.client();
        let body = json!({ "identifier": "+49 170 1234567", "channel": "sms" });
        let requested = client.post_json(REQUEST, &body).await.expect(200);
        assert_eq!(requested.text(), r#"{"success":true,"message":"OTP sent to phone"}"#);
        server.deliver().await;
        let code = server.inbox.latest("+491701234567").code();
        let signed_in = tell(&mut client, "+491701234567", &code).await.expect(200);
        let email = signed_in.string("/user/email");
        assert!(email.ends_with("@users.noreply.invalid"), "{email}");
        let abroad = ask(&mut client, "+18765550123").await.expect(400);
        assert_eq!(abroad.text(), r#"{"identifier":["No SMS can be sent to this number."]}"#);
    })
    .await;
}

#[tokio::test]
async fn forms_and_whole_numbers_are_codes_too() {
    each_server(async |server| {
        let mut client = server.client();
        client.post_form(REQUEST, &[("identifier", ADA)]).await.expect(200);
        server.deliver().await;
        let code = server.inbox.latest(ADA).code();
        client.post_form(VERIFY, &[("identifier", ADA), ("otp", &code)]).await.expect(200);
        let number = json!({ "identifier": ADA, "otp_code": 123_456 });
        assert_eq!(client.post_json(VERIFY, &number).await.expect(400).text(), WRONG);
    })
    .await;
}

#[tokio::test]
async fn strangers_neither_deny_nor_cancel_nor_wear_out_a_code() {
    each_server(async |server| {
        let at = |last: u8| IpAddr::from([192, 0, 2, last]);
        let mut ada = server.client_at(at(1));
        let code = code_for(&server, &mut ada, ADA).await;
        for stranger in 2..12 {
            let mut stranger = server.client_at(at(stranger));
            ask(&mut stranger, ADA).await;
            for _ in 0..3 {
                tell(&mut stranger, ADA, &other_than(&code)).await;
            }
        }
        tell(&mut ada, ADA, &code).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn over_the_limit_a_live_code_is_sent_once_more_and_stays_valid() {
    each_server(async |server| {
        let mut client = server.client();
        let mut code = String::new();
        for _ in 0..3 {
            code = code_for(&server, &mut client, ADA).await;
        }
        assert_eq!(code_for(&server, &mut client, ADA).await, code, "the same one again");
        let refused = ask(&mut client, ADA).await.expect(429);
        let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert_eq!(
            refused.text(),
            format!(
                r#"{{"success":false,"error":"Too many requests","error_code":"hourly_limit","retry_after":{after}}}"#
            )
        );
        tell(&mut client, ADA, &code).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn bad_values_are_named_as_the_contract_names_them() {
    each_server(async |server| {
        let mut client = server.client();
        for (path, body, answer) in [
            (REQUEST, json!({}), r#"{"identifier":["This field is required."]}"#),
            (
                REQUEST,
                json!({ "identifier": "" }),
                r#"{"identifier":["This field may not be blank."]}"#,
            ),
            (REQUEST, json!({ "identifier": "a@" }), r#"{"identifier":["Invalid email format."]}"#),
            (
                REQUEST,
                json!({ "identifier": "12345" }),
                r#"{"identifier":["Phone number must be at least 10 digits."]}"#,
            ),
            (
                REQUEST,
                json!({ "identifier": ADA, "channel": "fax" }),
                r#"{"channel":["\"fax\" is not a valid choice."]}"#,
            ),
            (
                REQUEST,
                json!({ "identifier": ADA, "source_url": "nowhere" }),
                r#"{"source_url":["Enter a valid URL."]}"#,
            ),
            (VERIFY, json!({ "identifier": ADA }), r#"{"otp_code":["This field is required."]}"#),
            (
                VERIFY,
                json!({ "identifier": ADA, "otp_code": "123" }),
                r#"{"otp_code":["Ensure this field has at least 6 characters."]}"#,
            ),
            (
                VERIFY,
                json!({ "identifier": ADA, "otp_code": "1234567" }),
                r#"{"otp_code":["Ensure this field has no more than 6 characters."]}"#,
            ),
            (
                VERIFY,
                json!({ "identifier": ADA, "otp_code": "12345a" }),
                r#"{"otp_code":["OTP must contain only digits."]}"#,
            ),
        ] {
            let refused = client.post_json(path, &body).await.expect(400);
            assert_eq!(refused.text(), answer, "{path} {body}");
        }
        assert!(server.inbox.all().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_cookie_that_is_not_ours_gets_a_new_one() {
    each_server(async |server| {
        let mut client = server.client();
        for strange in ["no/secret\"of,ours", "short", &"x".repeat(5_000)] {
            client.set_cookie("ironlatch_code_flow", strange);
            ask(&mut client, ADA).await.expect(200);
            let flow = client.cookie("ironlatch_code_flow").unwrap();
            assert_eq!(flow.len(), 43, "{flow}");
        }
    })
    .await;
}
