//! `/cfg/accounts/otp/*`: sign-in with a code, as the generated client asks for it.

use http::Method;
use ironlatch_core::accounts::AccountRef;
use ironlatch_core::settings::Settings;
use ironlatch_core::time::{minutes, seconds};
use ironlatch_testkit::{Answer, PASSWORD, TestAuth, TestClient, TestServer, address, open_doors};
use serde_json::{Value, json};

use super::cfg::{at, expect_user};
use super::{ADA, each_open_server};

const PHONE: &str = "+4915112345678";
const WRONG: &str = r#"{"error":"Invalid or expired OTP"}"#;

async fn request(client: &mut TestClient<'_>, body: &Value) -> Answer {
    client.post_json(&at("otp/request"), body).await
}

async fn verify(client: &mut TestClient<'_>, identifier: &str, code: &str) -> Answer {
    let body = json!({ "identifier": identifier, "otp": code });
    client.post_json(&at("otp/verify"), &body).await
}

/// Asks for a code and takes it out of the mailbox or the telephone.
async fn code_for(client: &mut TestClient<'_>, identifier: &str) -> String {
    request(client, &json!({ "identifier": identifier })).await.expect(200);
    client.server().deliver().await;
    client.server().inbox.latest(identifier).code()
}

fn other_than(code: &str) -> String {
    let number: u32 = code.parse().unwrap();
    format!("{:06}", (number + 1) % 1_000_000)
}

#[tokio::test]
async fn a_code_makes_the_account_and_brings_the_whole_user() {
    each_open_server(async |server| {
        let mut client = server.client();
        // As the demo's page sends it.
        let asked = request(&mut client, &json!({ "identifier": ADA, "channel": "email" })).await;
        assert_eq!(asked.expect(200).text(), r#"{"message":"OTP sent to your email address"}"#);
        server.deliver().await;
        let mail = server.inbox.latest(ADA);
        assert_eq!(mail.subject, "Your verification code");
        server.try_sign_in(ADA, PASSWORD).await.unwrap_err();

        let answer = verify(&mut client, ADA, &mail.code()).await.expect(200);
        let body = answer.json();
        let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["refresh", "access", "user"]);
        expect_user(&body["user"]);
        assert_eq!(client.cookie("refresh_token"), None, "its client keeps tokens itself");
        let account = server.account(ADA).await;
        assert_eq!(body["user"]["id"], account.number);
        assert!(account.email_verified_at.is_some());

        let mut bearer = server.client().with_bearer(&answer.string("/access"));
        let profile = bearer.get(&at("profile")).await.expect(200).json();
        assert_eq!(profile["id"], body["user"]["id"]);
        let refresh = json!({ "refresh": answer.string("/refresh") });
        server.client().post_json(&at("token/refresh"), &refresh).await.expect(200);

        assert_eq!(verify(&mut client, ADA, &mail.code()).await.expect(400).text(), WRONG, "once");
        let again = code_for(&mut client, ADA).await;
        let again = verify(&mut client, ADA, &again).await.expect(200).json();
        assert_eq!(again["user"]["id"], body["user"]["id"], "the same account");
    })
    .await;
}

#[tokio::test]
async fn a_number_gets_its_code_by_sms() {
    each_open_server(async |server| {
        for body in [
            json!({ "identifier": PHONE, "channel": "phone" }),
            json!({ "identifier": PHONE, "channel": "sms" }),
        ] {
            let mut client = server.client();
            let asked = request(&mut client, &body).await.expect(200);
            assert_eq!(asked.text(), r#"{"message":"OTP sent to your phone number"}"#);
        }
        let mut client = server.client();
        let code = code_for(&mut client, PHONE).await;
        let user = verify(&mut client, PHONE, &code).await.expect(200).json()["user"].clone();
        expect_user(&user);
        assert!(user["email"].as_str().unwrap().ends_with("@users.noreply.invalid"), "{user}");
    })
    .await;
}

/// What a path refuses, said so.
async fn expect_refusals<const N: usize>(
    server: &TestServer,
    path: &str,
    wrong: [(Value, &str); N],
) {
    for (body, said) in wrong {
        let answer = server.client().post_json(&at(path), &body).await.expect(400);
        assert_eq!(answer.text(), said, "{path} {body}");
        assert!(answer.set_cookies().is_empty(), "{path} {body}");
    }
    server.deliver().await;
    assert!(server.inbox.all().is_empty());
}

#[tokio::test]
async fn mistakes_in_a_request_come_in_the_order_of_the_fields() {
    each_open_server(async |server| {
        let wrong = [
            (json!({}), r#"{"identifier":["This field is required."]}"#),
            (
                json!({ "identifier": " " }),
                r#"{"identifier":["This field may not be blank."]}"#,
            ),
            (
                json!({ "identifier": null }),
                r#"{"identifier":["This field may not be null."]}"#,
            ),
            (
                json!({ "identifier": true }),
                r#"{"identifier":["Not a valid string."]}"#,
            ),
            (
                json!({ "identifier": "a@b" }),
                r#"{"identifier":["Invalid email format."]}"#,
            ),
            (
                json!({ "identifier": "030 123" }),
                r#"{"identifier":["Phone number must be at least 10 digits."]}"#,
            ),
            (
                json!({ "identifier": ADA, "channel": "phone" }),
                r#"{"identifier":["Phone number must be at least 10 digits."]}"#,
            ),
            (
                json!({ "identifier": ADA, "channel": "fax", "source_url": "javascript:alert(1)" }),
                r#"{"channel":["\"fax\" is not a valid choice."],"source_url":["Enter a valid URL."]}"#,
            ),
        ];
        expect_refusals(&server, "otp/request", wrong).await;
    })
    .await;
}

#[tokio::test]
async fn mistakes_beside_a_code_come_in_the_order_of_the_fields() {
    each_open_server(async |server| {
        let wrong = [
            (
                json!({}),
                r#"{"identifier":["This field is required."],"otp":["This field is required."]}"#,
            ),
            (
                json!({ "identifier": ADA, "channel": "fax", "source_url": "x", "otp": "12345" }),
                r#"{"channel":["\"fax\" is not a valid choice."],"source_url":["Enter a valid URL."],"otp":["Ensure this field has at least 6 characters."]}"#,
            ),
            (
                json!({ "identifier": ADA, "otp": "1234567" }),
                r#"{"otp":["Ensure this field has no more than 6 characters."]}"#,
            ),
            (
                json!({ "identifier": ADA, "otp": "12345a" }),
                r#"{"otp":["OTP must contain only digits."]}"#,
            ),
            (json!({ "identifier": ADA, "otp": 123_456 }), WRONG),
            (json!({ "identifier": ADA, "otp_code": "123456" }), WRONG),
            (json!({ "identifier": PHONE, "otp": "123456" }), WRONG),
        ];
        expect_refusals(&server, "otp/verify", wrong).await;
    })
    .await;
}

#[tokio::test]
async fn forms_are_read_as_json_is() {
    each_open_server(async |server| {
        let mut client = server.client();
        let asked = [("identifier", ADA), ("source_url", "")];
        client.post_form(&at("otp/request"), &asked).await.expect(200);
        server.deliver().await;
        let code = server.inbox.latest(ADA).code();
        let body = format!(
            "--x\r\nContent-Disposition: form-data; name=\"identifier\"\r\n\r\n{ADA}\r\n--x\r\n\
             Content-Disposition: form-data; name=\"otp\"\r\n\r\n{code}\r\n--x--\r\n"
        );
        let kind = Some("multipart/form-data; boundary=x");
        client.send(Method::POST, &at("otp/verify"), kind, body.into()).await.expect(200);
    })
    .await;
}

/// One answer for everything that is not a session: wrong, dead, late, of nobody, of somebody
/// who may not come in (the original told closed accounts apart).
#[tokio::test]
async fn what_is_refused_is_refused_alike() {
    each_open_server(async |server| {
        let refused = async |identifier: &str, code: &str| {
            let answer = verify(&mut server.client(), identifier, code).await.expect(400);
            assert!(answer.set_cookies().is_empty());
            assert_eq!(answer.text(), WRONG);
        };
        refused(ADA, "123456").await;
        let mut client = server.client();
        let code = code_for(&mut client, ADA).await;
        for _ in 0..3 {
            let answer = verify(&mut client, ADA, &other_than(&code)).await.expect(400);
            assert_eq!(answer.text(), WRONG);
        }
        let answer = verify(&mut client, ADA, &code).await.expect(400);
        assert_eq!(answer.text(), WRONG, "after three attempts the code is dead");

        let disabled = AccountRef::Email(address("bob@example.com"));
        server.verified_account("bob@example.com").await;
        let code = code_for(&mut client, "bob@example.com").await;
        server.auth.accounts().disable(&disabled).await.unwrap();
        let answer = verify(&mut client, "bob@example.com", &code).await.expect(400);
        assert_eq!(answer.text(), WRONG, "disabled");
        let asked = json!({ "identifier": "bob@example.com" });
        request(&mut server.client(), &asked).await.expect(200);

        let mut client = server.client();
        let code = code_for(&mut client, "eve@example.com").await;
        server.clock.advance(minutes(5) + seconds(1));
        let answer = verify(&mut client, "eve@example.com", &code).await.expect(400);
        assert_eq!(answer.text(), WRONG, "late");
    })
    .await;
}

/// A04: status, body, names of headers and the shape of cookies.
#[tokio::test]
async fn a04_a_request_is_answered_alike_for_every_address() {
    each_open_server(async |server| {
        for email in [ADA, "bob@example.com", "eve@example.com"] {
            server.verified_account(email).await;
        }
        server.sign_up("unproven@example.com").await;
        let disabled = AccountRef::Email(address("bob@example.com"));
        server.auth.accounts().disable(&disabled).await.unwrap();
        server.enrol("eve@example.com", PASSWORD).await;
        let seen = async |identifier: &str| {
            let answer = request(&mut server.client(), &json!({ "identifier": identifier })).await;
            let names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
            let cookies: Vec<_> = answer.set_cookies().iter().map(|line| line.len()).collect();
            (answer.status, answer.text().to_owned(), names, cookies)
        };
        let nobody = seen("nobody@example.com").await;
        assert_eq!(nobody.0, 200);
        for identifier in [ADA, "bob@example.com", "eve@example.com", "unproven@example.com"] {
            assert_eq!(seen(identifier).await, nobody, "{identifier}");
        }
    })
    .await;
}

#[tokio::test]
async fn too_many_requests_are_told_in_a_sentence_the_client_shows() {
    each_open_server(async |server| {
        let mut client = server.client();
        // The third code stays, and is sent once more.
        for _ in 0..4 {
            request(&mut client, &json!({ "identifier": ADA })).await.expect(200);
        }
        let answer = request(&mut client, &json!({ "identifier": ADA })).await.expect(429);
        let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert_eq!(
            answer.json(),
            json!({
                "error": "Too many requests",
                "error_code": "hourly_limit",
                "retry_after": after,
                "detail": format!("Too many requests. Try again in {after} seconds."),
            })
        );
        // Nobody can deny the owner's code from elsewhere.
        request(&mut server.client(), &json!({ "identifier": ADA })).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn an_app_is_asked_for_where_one_is_enrolled() {
    each_open_server(async |server| {
        server.verified_account(ADA).await;
        let enrolled = server.enrol(ADA, PASSWORD).await;
        let mut client = server.client();
        let code = code_for(&mut client, ADA).await;
        let asked = verify(&mut client, ADA, &code).await.expect(401);
        let keys: Vec<_> = asked.json().as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["detail", "code", "challenge", "methods"]);
        assert!(asked.set_cookies().is_empty());
        let recovery_code = enrolled.recovery_codes.first().unwrap().reveal();
        let body = json!({
            "challenge": asked.string("/challenge"), "method": "recovery_code", "code": recovery_code,
        });
        let answer = client.post_json("/api/auth/2fa/verify/", &body).await.expect(200);
        assert!(answer.text().contains("access"));
    })
    .await;
}

/// Its front end has no page for the link, so that it never leads there.
#[tokio::test]
async fn the_mails_link_is_to_our_own_page() {
    let with_front_end = |settings: &mut Settings| {
        open_doors(settings);
        settings.doors.cfg.frontend_url = Some("https://demo.example.com".to_owned());
    };
    let server = TestServer::over(TestAuth::builder().settings(with_front_end).build().await);
    let mut browser = server.browser();
    request(browser.client(), &json!({ "identifier": ADA })).await.expect(200);
    server.deliver().await;
    let mail = server.inbox.latest(ADA);
    assert!(mail.link().starts_with(&format!("{}/sign-in?token=", server.origin())));
    browser.visit(&mail.path()).await;
    assert_eq!(browser.status(), 200);
}
