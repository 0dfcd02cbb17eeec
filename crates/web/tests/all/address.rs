//! Another address through the API and the mailed pages (A09, B10 to B13, B18, C10, D09).

use http::Method;
use ironlatch_testkit::{PASSWORD, TestServer};
use serde_json::json;

use crate::each_server;

const ADA: &str = "ada@example.com";
const NEW: &str = "new@example.com";

/// A verified account that has just signed in: its access token.
async fn signed_in(server: &TestServer, email: &str) -> String {
    server.verified_account(email).await;
    server.sign_in(email, PASSWORD).await.started.access.reveal().to_owned()
}

async fn ask(server: &TestServer, access: &str, new: &str) {
    let mut client = server.client().with_bearer(access);
    client.post_json("/api/auth/email/change", &json!({ "email": new })).await.expect(200);
    server.deliver().await;
}

#[tokio::test]
async fn the_pages_confirm_a_new_address_and_take_it_back() {
    each_server(async |server| {
        let access = signed_in(&server, ADA).await;
        ask(&server, &access, NEW).await;
        let mut browser = server.browser();
        browser.visit(&server.inbox.latest(NEW).path()).await;
        assert_eq!(browser.path(), "/confirm-email", "the token has left the address bar");
        assert!(browser.text().contains("a•••@example.com"), "{}", browser.text());
        assert!(browser.text().contains(NEW), "{}", browser.text());
        assert!(!browser.text().contains("never confirmed"), "{}", browser.text());
        browser.press("Yes, this is my account: confirm").await;
        assert_eq!(
            (browser.status(), browser.title().as_str()),
            (200, "Your new address is confirmed – Ironlatch")
        );
        assert_eq!(
            browser.client().cookie("refresh_token"),
            None,
            "B11, B13: no page opens a session"
        );
        server.client().with_bearer(&access).get("/api/auth/me").await.expect(200);

        server.deliver().await;
        let told = server.inbox.latest_about(ADA, "was changed");
        browser.visit(&told.path()).await;
        assert_eq!(browser.path(), "/undo-address");
        browser.press("It was not me: take it back").await;
        assert_eq!(
            (browser.status(), browser.title().as_str()),
            (200, "The change is taken back – Ironlatch")
        );
        server.client().with_bearer(&access).get("/api/auth/me").await.expect(401);
        assert!(server.try_sign_in(ADA, PASSWORD).await.is_err());
        server.deliver().await;
        browser.visit(&server.inbox.latest_about(ADA, "choose a new password").path()).await;
        browser.fill("new_password", "mine and mine alone").submit().await;
        assert_eq!(browser.status(), 200);
        server.sign_in(ADA, "mine and mine alone").await;

        browser.visit(&told.path()).await;
        assert_eq!(
            (browser.status(), browser.title().as_str()),
            (400, "This link does not work – Ironlatch")
        );
    })
    .await;
}

#[tokio::test]
async fn opening_the_links_consumes_nothing_for_anybody() {
    each_server(async |server| {
        let access = signed_in(&server, ADA).await;
        ask(&server, &access, NEW).await;
        let open = async |link: &str, page: &str| {
            let mut scanner = server.client().with_header("accept", "*/*");
            for _ in 0..20 {
                scanner.get(link).await.expect(303);
                scanner.send(Method::HEAD, link, None, Vec::new()).await.expect(303);
                let shown = scanner.get(page).await.expect(200);
                assert!(!shown.text().contains("token="), "B12: {}", shown.text());
                scanner.send(Method::HEAD, page, None, Vec::new()).await.expect(200);
            }
            assert_eq!(scanner.cookie("refresh_token"), None);
        };
        open(&server.inbox.latest(NEW).path(), "/confirm-email").await;
        assert!(server.account(ADA).await.email_verified_at.is_some(), "B10: still there");
        let token = server.inbox.latest(NEW).token();
        let body = json!({ "token": token });
        server.client().post_json("/api/auth/email/confirm", &body).await.expect(200);
        let again = server.client().post_json("/api/auth/email/confirm", &body).await.expect(400);
        assert_eq!(again.text(), r#"{"detail":"Invalid token"}"#);
        server.deliver().await;
        open(&server.inbox.latest_about(ADA, "was changed").path(), "/undo-address").await;
        assert!(server.account(NEW).await.email_verified_at.is_some(), "B10: still there");
        let body = json!({ "token": server.inbox.latest_about(ADA, "was changed").token() });
        server.client().post_json("/api/auth/address/undo", &body).await.expect(200);
        server.client().post_json("/api/auth/address/undo", &body).await.expect(400);
    })
    .await;
}

#[tokio::test]
async fn a09_taken_free_and_unproven_addresses_get_one_answer() {
    each_server(async |server| {
        let access = signed_in(&server, ADA).await;
        server.verified_account("taken@example.com").await;
        server.sign_up("claimed@example.com").await;
        let mut client = server.client().with_bearer(&access);
        let mut answers = Vec::new();
        for email in ["taken@example.com", "claimed@example.com", NEW] {
            let body = json!({ "email": email });
            let answer = client.post_json("/api/auth/email/change", &body).await.expect(200);
            answers.push(answer.text().to_owned());
        }
        assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
        server.deliver().await;
        let mut browser = server.browser();
        browser.visit(&server.inbox.latest("claimed@example.com").path()).await;
        assert!(
            browser.text().contains("never confirmed. It will be closed."),
            "{}",
            browser.text()
        );

        ask(&server, &access, "late@example.com").await;
        browser.visit(&server.inbox.latest("late@example.com").path()).await;
        server.verified_account("late@example.com").await;
        browser.press("Yes, this is my account: confirm").await;
        assert_eq!(
            (browser.status(), browser.title().as_str()),
            (409, "This address is taken – Ironlatch")
        );
    })
    .await;
}

#[tokio::test]
async fn d09_an_old_session_is_sent_to_sign_in_again() {
    each_server(async |server| {
        let access = signed_in(&server, ADA).await;
        server.clock.advance(ironlatch_core::time::minutes(6));
        let mut client = server.client().with_bearer(&access);
        let body = json!({ "email": NEW });
        let answer = client.post_json("/api/auth/email/change", &body).await.expect(403);
        assert_eq!(answer.string("/code"), "reauthentication_required");
        server.client().post_json("/api/auth/email/change", &body).await.expect(401);
        let access = server.sign_in(ADA, PASSWORD).await;
        let mut client = server.client().with_bearer(access.started.access.reveal());
        let silent = json!({ "email": NEW, "notify": false });
        let answer = client.post_json("/api/auth/email/change", &silent).await.expect(400);
        assert_eq!(answer.text(), r#"{"notify":["Unknown field."]}"#);
        let own = json!({ "email": "ADA@example.com" });
        let answer = client.post_json("/api/auth/email/change", &own).await.expect(400);
        assert_eq!(answer.text(), r#"{"email":["This is the address of your account already."]}"#);
    })
    .await;
}

#[tokio::test]
async fn a_form_acts_on_the_link_it_was_shown_for() {
    each_server(async |server| {
        let access = signed_in(&server, ADA).await;
        let eve = signed_in(&server, "eve@example.com").await;
        ask(&server, &access, NEW).await;
        let mut browser = server.browser();
        browser.visit(&server.inbox.latest(NEW).path()).await;
        ask(&server, &eve, "third@example.com").await;
        let others = server.inbox.latest("third@example.com").path();
        browser.client().get(&others).await.expect(303);
        browser.press("Yes, this is my account: confirm").await;
        assert_eq!(browser.status(), 400);
        assert!(browser.alert().contains("Another link was opened"), "{}", browser.alert());
        assert!(browser.text().contains("e•••@example.com"), "{}", browser.text());
        server.account("eve@example.com").await;
    })
    .await;
}

#[tokio::test]
async fn a_number_is_changed_with_a_code_and_taken_back_on_the_page() {
    each_server(async |server| {
        let access = signed_in(&server, ADA).await;
        let mut client = server.client().with_bearer(&access);
        for (phone, sentence) in [
            ("12345", "Ensure this number has at least 10 digits."),
            ("call me", "Enter a phone number with its country code."),
            ("+33612345678", "No SMS can be sent to this number."),
        ] {
            let body = json!({ "phone": phone });
            let answer = client.post_json("/api/auth/phone/change", &body).await.expect(400);
            assert_eq!(answer.json(), json!({ "phone": [sentence] }));
        }
        let body = json!({ "phone": "+49 151 2345678" });
        client.post_json("/api/auth/phone/change", &body).await.expect(200);
        server.deliver().await;
        let code = server.inbox.latest("+491512345678").code();
        let wrong = if code == "000000" { "111111" } else { "000000" };
        let body = json!({ "phone": "+491512345678", "code": wrong });
        client.post_json("/api/auth/phone/confirm", &body).await.expect(400);
        let body = json!({ "phone": "+491512345678", "code": code });
        client.post_json("/api/auth/phone/confirm", &body).await.expect(200);
        server.deliver().await;
        let mut browser = server.browser();
        browser.visit(&server.inbox.latest_about(ADA, "phone number").path()).await;
        assert!(browser.text().contains("The new number is removed"), "{}", browser.text());
        browser.press("It was not me: take it back").await;
        assert_eq!(browser.status(), 200);
        client.get("/api/auth/me").await.expect(401);
    })
    .await;
}
