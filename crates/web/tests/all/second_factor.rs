//! A second factor through the API: enrolment, the challenge, recovery codes, and the recent
//! proof that acts ask for (B23, B25, B26, D09, E01, E06).

use http::Method;
use ironlatch_core::ports::Token;
use ironlatch_core::time::{hours, minutes, seconds};
use ironlatch_testkit::{Answer, Enrolled, PASSWORD, TestClient, TestServer, read_qr, totp_code};
use serde_json::{Value, json};

use crate::each_server;

const ADA: &str = "ada@example.com";
const REQUIRED: &str = r#"["This field is required."]"#;

async fn login(client: &mut TestClient<'_>) -> Answer {
    client.post_json("/api/auth/login", &json!({ "email": ADA, "password": PASSWORD })).await
}

/// The first step of somebody with an app: the challenge.
async fn challenge(client: &mut TestClient<'_>) -> String {
    login(client).await.expect(401).string("/challenge")
}

async fn answer(client: &mut TestClient<'_>, challenge: &str, method: &str, code: &str) -> Answer {
    let body = json!({ "challenge": challenge, "method": method, "code": code });
    client.post_json("/api/auth/2fa/verify", &body).await
}

/// Ada with an app and ten recovery codes, and the clock at the app's next code.
async fn enrolled(server: &TestServer) -> Enrolled {
    server.verified_account(ADA).await;
    let enrolled = server.enrol(ADA, PASSWORD).await;
    server.clock.advance(seconds(30));
    enrolled
}

/// Signs in with both steps; the clock moves on to the app's next code.
async fn strong<'a>(server: &'a TestServer, enrolled: &Enrolled) -> TestClient<'a> {
    let signed_in = server.sign_in_strongly(ADA, PASSWORD, enrolled).await;
    server.clock.advance(seconds(30));
    server.client().with_bearer(signed_in.started.access.reveal())
}

fn keys(answer: &Answer) -> Vec<String> {
    answer.json().as_object().unwrap().keys().cloned().collect()
}

#[tokio::test]
async fn an_app_is_enrolled_confirmed_and_asked_for() {
    each_server(async |server| {
        server.verified_account(ADA).await;
        let mut elsewhere = server.client();
        let other = login(&mut elsewhere).await.expect(200).string("/access");
        let mut elsewhere = elsewhere.with_bearer(&other);
        let mut client = server.client();
        let access = login(&mut client).await.expect(200).string("/access");
        let mut client = client.with_bearer(&access);

        let none = client.get("/api/auth/2fa").await.expect(200);
        assert_eq!(none.text(), r#"{"enrolled":false,"recovery_codes_left":0}"#);
        let begun = client.post("/api/auth/2fa/totp").await.expect(200);
        assert_eq!(keys(&begun), ["secret", "otpauth_uri", "qr_code", "expires_in"]);
        assert_eq!(begun.header("cache-control"), Some("no-store"));
        let (secret, uri) = (begun.string("/secret"), begun.string("/otpauth_uri"));
        let label = "otpauth://totp/Ironlatch:ada%40example.com";
        assert_eq!(uri, format!("{label}?secret={secret}&issuer=Ironlatch"));
        assert_eq!(read_qr(&begun.string("/qr_code")), uri);
        assert_eq!(begun.json()["expires_in"], 3_600);

        // Pending, it changes nothing.
        login(&mut server.client()).await.expect(200);
        let wrong = json!({ "code": "000000" });
        let refused = client.post_json("/api/auth/2fa/totp/confirm", &wrong).await.expect(400);
        assert_eq!(refused.text(), r#"{"code":["The code is not right."]}"#);

        let code = totp_code(&secret, server.now());
        let right = json!({ "code": code });
        let shown = client.post_json("/api/auth/2fa/totp/confirm", &right).await.expect(200);
        assert_eq!(keys(&shown), ["recovery_codes"]);
        assert_eq!(shown.json()["recovery_codes"].as_array().unwrap().len(), 10);
        let status = client.get("/api/auth/2fa").await.expect(200);
        assert_eq!(status.text(), r#"{"enrolled":true,"recovery_codes_left":10}"#);
        elsewhere.get("/api/auth/me").await.expect(401);
        server.deliver().await;
        let _ = server.inbox.latest_about(ADA, "authenticator app");

        let mut browser = server.client();
        let asked = login(&mut browser).await.expect(401);
        assert_eq!(keys(&asked), ["detail", "code", "challenge", "methods"]);
        assert_eq!(asked.string("/code"), "second_factor_required");
        assert_eq!(asked.json()["methods"], json!(["totp", "recovery_code"]));
        assert!(asked.set_cookies().is_empty(), "E01: nothing is opened by the first step");
        let challenge = asked.string("/challenge");
        let again = answer(&mut browser, &challenge, "totp", &code).await.expect(400);
        assert_eq!(again.text(), r#"{"code":["The code is not right."]}"#, "B23: confirmed with");
        server.clock.advance(seconds(30));
        let code = totp_code(&secret, server.now());
        let signed_in = answer(&mut browser, &challenge, "totp", &code).await.expect(200);
        assert_eq!(keys(&signed_in), ["access", "refresh", "user"]);
        assert_eq!(signed_in.set_cookies().len(), 2, "the refresh token and the known device");
        let mut browser = browser.with_bearer(&signed_in.string("/access"));
        browser.get("/api/auth/me").await.expect(200);
        let used = answer(&mut browser, &challenge, "totp", &code).await.expect(400);
        assert_eq!(used.string("/code"), "invalid_challenge", "E06");
    })
    .await;
}

#[tokio::test]
async fn mistakes_are_named_by_field() {
    each_server(async |server| {
        let enrolled = enrolled(&server).await;
        let mut client = server.client();
        let challenge = challenge(&mut client).await;
        let code = enrolled.code(server.now()).reveal().to_owned();
        let choose = r#"{"method":["Choose \"totp\" or \"recovery_code\"."]}"#;
        for (body, expected) in [
            (
                json!({}),
                format!(r#"{{"challenge":{REQUIRED},"method":{REQUIRED},"code":{REQUIRED}}}"#),
            ),
            (json!({ "challenge": challenge, "method": "sms", "code": code }), choose.to_owned()),
            (
                json!({ "challenge": true, "method": "totp", "code": {} }),
                r#"{"challenge":["Not a valid string."],"code":["Not a valid string."]}"#
                    .to_owned(),
            ),
            (
                json!({ "challenge": challenge, "method": "totp", "code": code, "cod": "" }),
                r#"{"cod":["Unknown field."]}"#.to_owned(),
            ),
        ] {
            let refused = client.post_json("/api/auth/2fa/verify", &body).await.expect(400);
            assert_eq!(refused.text(), expected);
        }
        for code in ["", "12345", "1234567", "abcdef", "💥", &"0".repeat(10_000)] {
            for method in ["totp", "recovery_code"] {
                server.clock.advance(minutes(10));
                let challenge = self::challenge(&mut client).await;
                let refused = answer(&mut client, &challenge, method, code).await.expect(400);
                assert_eq!(keys(&refused), ["code"], "{method} {code}");
            }
        }
        let made_up = answer(&mut client, "made up", "totp", &code).await.expect(400);
        assert_eq!(made_up.string("/code"), "invalid_challenge");

        let mut client = strong(&server, &enrolled).await;
        let twice = client.post("/api/auth/2fa/totp").await.expect(409);
        assert_eq!(twice.string("/code"), "already_enrolled");
        let confirm = json!({ "code": "123456" });
        let twice = client.post_json("/api/auth/2fa/totp/confirm", &confirm).await.expect(409);
        assert_eq!(twice.string("/code"), "already_enrolled");
        let junk = json!({ "force": true });
        let junk = client.delete_json("/api/auth/2fa/totp", &junk).await.expect(400);
        assert_eq!(junk.text(), r#"{"force":["Unknown field."]}"#);
        client.delete("/api/auth/2fa/totp").await.expect(204);
        let status = client.get("/api/auth/2fa").await.expect(200);
        assert_eq!(status.text(), r#"{"enrolled":false,"recovery_codes_left":0}"#);
        for (method, path) in
            [(Method::DELETE, "/api/auth/2fa/totp"), (Method::POST, "/api/auth/2fa/recovery-codes")]
        {
            let none = client.send(method, path, None, Vec::new()).await.expect(409);
            assert_eq!(none.string("/code"), "not_enrolled", "{path}");
        }
        let none = client.post_json("/api/auth/2fa/totp/confirm", &confirm).await.expect(409);
        assert_eq!(none.string("/code"), "nothing_pending");
        login(&mut server.client()).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn an_enrolment_waits_an_hour_in_its_own_session() {
    each_server(async |server| {
        server.verified_account(ADA).await;
        let mut sessions = Vec::new();
        for _ in 0..2 {
            let mut client = server.client();
            let access = login(&mut client).await.expect(200).string("/access");
            sessions.push(client.with_bearer(&access));
        }
        let [mut mine, mut other] = <[_; 2]>::try_from(sessions).ok().unwrap();
        let secret = mine.post("/api/auth/2fa/totp").await.expect(200).string("/secret");
        let right = json!({ "code": totp_code(&secret, server.now()) });
        let refused = other.post_json("/api/auth/2fa/totp/confirm", &right).await.expect(409);
        assert_eq!(refused.string("/code"), "nothing_pending", "begun in another session");
        let newer = mine.post("/api/auth/2fa/totp").await.expect(200).string("/secret");
        mine.post_json("/api/auth/2fa/totp/confirm", &right).await.expect(400);
        server.clock.advance(hours(1));
        let access = mine.post("/api/auth/token/refresh").await.expect(200).string("/access");
        let mut mine = mine.with_bearer(&access);
        let late = json!({ "code": totp_code(&newer, server.now()) });
        let late = mine.post_json("/api/auth/2fa/totp/confirm", &late).await.expect(409);
        assert_eq!(late.string("/code"), "nothing_pending");
    })
    .await;
}

#[tokio::test]
async fn recovery_codes_work_once_and_new_ones_replace_them() {
    each_server(async |server| {
        let enrolled = enrolled(&server).await;
        let code = |n: usize| enrolled.recovery_codes[n].reveal().to_owned();
        let mut client = server.client();
        let first = challenge(&mut client).await;
        let signed_in = answer(&mut client, &first, "recovery_code", &code(0)).await.expect(200);
        let second = challenge(&mut client).await;
        answer(&mut client, &second, "recovery_code", &code(0)).await.expect(400);
        let mut client = client.with_bearer(&signed_in.string("/access"));
        let status = client.get("/api/auth/2fa").await.expect(200);
        assert_eq!(status.text(), r#"{"enrolled":true,"recovery_codes_left":9}"#, "B26");

        let shown = client.post("/api/auth/2fa/recovery-codes").await.expect(200).json();
        let new: Vec<String> = serde_json::from_value(shown["recovery_codes"].clone()).unwrap();
        assert_eq!(new.len(), 10);
        let mut client = server.client();
        let third = challenge(&mut client).await;
        answer(&mut client, &third, "recovery_code", &code(1)).await.expect(400);
        answer(&mut client, &third, "recovery_code", &new[9]).await.expect(200);
        server.deliver().await;
        let _ = server.inbox.latest_about(ADA, "recovery codes");
    })
    .await;
}

#[tokio::test]
async fn guesses_are_answered_with_a_time_to_come_again() {
    each_server(async |server| {
        let enrolled = enrolled(&server).await;
        let mut client = server.client();
        let challenge = challenge(&mut client).await;
        for _ in 0..5 {
            answer(&mut client, &challenge, "totp", "000000").await.expect(400);
        }
        let code = enrolled.code(server.now()).reveal().to_owned();
        let blocked = answer(&mut client, &challenge, "totp", &code).await.expect(429);
        assert_eq!(blocked.header("retry-after"), Some("1"), "B25");
        assert_eq!(blocked.string("/code"), "throttled");
        // Recovery codes are counted apart: guesses at the app do not shut its owner out.
        let recovery = enrolled.recovery_codes[0].reveal();
        answer(&mut client, &challenge, "recovery_code", recovery).await.expect(200);
    })
    .await;
}

/// What takes an account for good, each refused to a session that is not fresh and strong.
fn sensitive() -> [(Method, &'static str, Value); 7] {
    [
        (Method::DELETE, "/api/auth/2fa/totp", json!({})),
        (Method::POST, "/api/auth/2fa/recovery-codes", json!({})),
        (Method::POST, "/api/auth/email/change", json!({ "email": "new@example.com" })),
        (
            Method::POST,
            "/api/auth/password/change",
            json!({ "current_password": PASSWORD, "new_password": "one more of them" }),
        ),
        (Method::DELETE, "/api/auth/account", json!({ "current_password": PASSWORD })),
        (Method::POST, "/api/auth/phone/change", json!({ "phone": "+4915120000000" })),
        (Method::POST, "/api/auth/2fa/totp", json!({})),
    ]
}

async fn try_act(client: &mut TestClient<'_>, method: Method, path: &str, body: &Value) -> Answer {
    client.send(method, path, Some("application/json"), body.to_string().into_bytes()).await
}

#[tokio::test]
async fn acts_that_take_the_account_need_a_recent_proof_with_the_app() {
    each_server(async |server| {
        server.verified_account(ADA).await;
        // Opened with the password alone: enrolling in it does not make it stronger.
        let weak = server.sign_in(ADA, PASSWORD).await;
        let enrolled = server.enrol_in(&weak).await;
        let weak = weak.started.access.reveal().to_owned();
        let stale = server.sign_in_strongly(ADA, PASSWORD, &enrolled).await;
        let stale = stale.started.access.reveal().to_owned();
        server.clock.advance(minutes(5));
        let fresh = server.sign_in_strongly(ADA, PASSWORD, &enrolled).await;
        let fresh = fresh.started.access.reveal().to_owned();
        let acts = sensitive();
        for (method, path, body) in &acts[..6] {
            for (name, access) in [("weak", &weak), ("stale", &stale)] {
                let mut client = server.client().with_bearer(access);
                let refused = try_act(&mut client, method.clone(), path, body).await.expect(403);
                assert_eq!(
                    refused.text(),
                    r#"{"detail":"Please sign in again to do this.","code":"reauthentication_required"}"#,
                    "D09: {name} {path}"
                );
            }
            // Allowed, whatever else is said of it: nothing of it changes the account here.
            if path.ends_with("recovery-codes") || path.ends_with("email/change") {
                let mut client = server.client().with_bearer(&fresh);
                try_act(&mut client, method.clone(), path, body).await.expect(200);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn without_an_app_enrolling_needs_a_recent_sign_in() {
    each_server(async |server| {
        server.verified_account(ADA).await;
        let mut client = server.client();
        let access = login(&mut client).await.expect(200).string("/access");
        let mut client = client.with_bearer(&access);
        server.clock.advance(minutes(5));
        let acts = sensitive();
        for (method, path, body) in [&acts[2], &acts[5], &acts[6]] {
            let refused = try_act(&mut client, method.clone(), path, body).await.expect(403);
            assert_eq!(refused.string("/code"), "reauthentication_required", "D09: {path}");
        }
        let missing = client.post_json("/api/auth/reauthenticate", &json!({})).await.expect(400);
        assert_eq!(missing.text(), format!(r#"{{"current_password":{REQUIRED}}}"#));
        let wrong = json!({ "current_password": "not the one" });
        let wrong = client.post_json("/api/auth/reauthenticate", &wrong).await.expect(400);
        assert_eq!(wrong.text(), r#"{"current_password":["The password is not right."]}"#);
        let right = json!({ "current_password": PASSWORD });
        let proven = client.post_json("/api/auth/reauthenticate", &right).await.expect(200);
        assert_eq!(keys(&proven), ["access", "refresh", "user"]);
        client.get("/api/auth/me").await.expect(401);
        let mut client = client.with_bearer(&proven.string("/access"));
        client.post("/api/auth/2fa/totp").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn whoever_has_an_app_proves_anew_with_password_and_code_in_place_of_the_old_session() {
    each_server(async |server| {
        let enrolled = enrolled(&server).await;
        let signed_in = server.sign_in_strongly(ADA, PASSWORD, &enrolled).await;
        let old_refresh = signed_in.started.refresh_body.reveal().to_owned();
        let mut client = server.client().with_bearer(signed_in.started.access.reveal());
        server.clock.advance(minutes(6));
        client.delete("/api/auth/2fa/totp").await.expect(403);

        let path = "/api/auth/reauthenticate";
        let code = |code: &Token| code.reveal().to_owned();
        let now = code(&enrolled.code(server.now()));
        let (method_and_code, choose) = (
            format!(r#"{{"method":{REQUIRED},"code":{REQUIRED}}}"#),
            r#"{"method":["Choose \"totp\" or \"recovery_code\"."]}"#,
        );
        for (body, expected) in [
            (json!({ "current_password": PASSWORD }), method_and_code.as_str()),
            (
                json!({ "current_password": PASSWORD, "code": now }),
                &format!(r#"{{"method":{REQUIRED}}}"#),
            ),
            (json!({ "current_password": PASSWORD, "method": "pin", "code": now }), choose),
            (
                json!({ "method": "totp", "code": now }),
                &format!(r#"{{"current_password":{REQUIRED}}}"#),
            ),
            (
                json!({ "current_password": "not it", "method": "totp", "code": now }),
                r#"{"current_password":["The password is not right."]}"#,
            ),
            (
                json!({ "current_password": PASSWORD, "method": "totp", "code": "000000" }),
                r#"{"code":["The code is not right."]}"#,
            ),
        ] {
            let refused = client.post_json(path, &body).await.expect(400);
            assert_eq!(refused.text(), expected, "{body}");
        }
        client.get("/api/auth/me").await.expect(200);
        client.delete("/api/auth/2fa/totp").await.expect(403);

        let right = json!({ "current_password": PASSWORD, "method": "totp", "code": now });
        let proven = client.post_json(path, &right).await.expect(200);
        client.get("/api/auth/me").await.expect(401);
        let body = json!({ "refresh": old_refresh });
        server.client().post_json("/api/auth/token/refresh", &body).await.expect(401);

        let mut client = client.with_bearer(&proven.string("/access"));
        let again = client.post_json(path, &right).await.expect(400);
        assert_eq!(again.text(), r#"{"code":["The code is not right."]}"#, "B23: no step twice");
        let recovery = code(&enrolled.recovery_codes[0]);
        let with_recovery =
            json!({ "current_password": PASSWORD, "method": "recovery_code", "code": recovery });
        let proven = client.post_json(path, &with_recovery).await.expect(200);
        let mut client = client.with_bearer(&proven.string("/access"));
        client.delete("/api/auth/2fa/totp").await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn a_code_by_mail_is_followed_by_the_app_and_answered_in_its_own_shape() {
    each_server(async |server| {
        let enrolled = enrolled(&server).await;
        let mut client = server.client();
        let ask = json!({ "identifier": ADA, "channel": "email" });
        client.post_json("/api/auth/otp/request", &ask).await.expect(200);
        server.deliver().await;
        let code = server.inbox.latest_about(ADA, "verification code").code();
        let typed = json!({ "identifier": ADA, "channel": "email", "otp_code": code });
        let asked = client.post_json("/api/auth/otp/verify", &typed).await.expect(401);
        assert_eq!(keys(&asked), ["detail", "code", "challenge", "methods"], "E01");
        assert_eq!(asked.set_cookies(), Vec::<&str>::new());
        let app = enrolled.code(server.now());
        let signed_in =
            answer(&mut client, &asked.string("/challenge"), "totp", app.reveal()).await;
        assert_eq!(keys(&signed_in.clone().expect(200)), ["success", "tokens", "user"]);
        let access = signed_in.string("/tokens/access");
        let mut client = client.with_bearer(&access);
        client.post("/api/auth/2fa/recovery-codes").await.expect(200);
    })
    .await;
}
