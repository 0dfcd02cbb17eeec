//! The pages that mails lead to, used as a person would (B10, B11, B12, C01).

use http::Method;
use ironlatch_testkit::{Browser, PASSWORD, TestAuth, TestServer, each_auth, each_engine};
use serde_json::json;

use crate::each_server;

/// Signs up in this browser, as a front end's script would.
async fn sign_up(browser: &mut Browser<'_>, name: &str) -> String {
    let email = format!("{name}@example.com");
    let body = json!({ "username": name, "email": email, "password": PASSWORD });
    browser.client().post_json("/api/auth/register", &body).await.expect(201);
    browser.client().server().deliver().await;
    email
}

/// Path and query of the newest link mailed to an address.
fn link(server: &TestServer, email: &str, page: &str) -> String {
    format!("{page}?token={}", server.inbox.latest(email).token())
}

#[tokio::test]
async fn the_browser_that_signed_up_confirms_with_one_click() {
    each_server(async |server| {
        let mut browser = server.browser();
        let email = sign_up(&mut browser, "ada").await;
        browser.visit(&link(&server, &email, "/verify-email")).await;
        assert_eq!(browser.path(), "/verify-email", "the token has left the address bar");
        assert_eq!(browser.buttons(), ["Confirm"]);
        assert!(server.account(&email).await.email_verified_at.is_none());
        browser.press("Confirm").await;
        assert_eq!(
            (browser.status(), browser.title().as_str()),
            (200, "Your address is confirmed – Ironlatch")
        );
        assert!(server.account(&email).await.email_verified_at.is_some());
        assert_eq!(browser.client().cookie("refresh_token"), None, "no page opens a session");
    })
    .await;
}

#[tokio::test]
async fn opening_a_link_consumes_nothing_for_anybody() {
    each_server(async |server| {
        let mut owner = server.browser();
        let email = sign_up(&mut owner, "ada").await;
        let link = link(&server, &email, "/verify-email");
        let mut scanner = server.client().with_header("accept", "*/*");
        for _ in 0..20 {
            scanner.get(&link).await.expect(303);
            scanner.send(Method::HEAD, &link, None, Vec::new()).await.expect(303);
            scanner.get("/verify-email").await.expect(200);
            let api = link.replace("/verify-email", "/api/auth/verify-email/");
            scanner.get(&api).await.expect(303);
        }
        let mut naming_json = server.client().with_header("accept", "application/json");
        let api = link.replace("/verify-email", "/api/auth/verify-email/");
        naming_json.send(Method::HEAD, &api, None, Vec::new()).await.expect(303);
        assert!(server.account(&email).await.email_verified_at.is_none());
        assert_eq!(scanner.cookie("refresh_token"), None);
        owner.visit(&link).await.press("Confirm").await;
        assert_eq!(owner.status(), 200);
        assert!(server.account(&email).await.email_verified_at.is_some());
    })
    .await;
}

#[tokio::test]
async fn elsewhere_the_page_says_who_signed_up_and_takes_the_password() {
    each_server(async |server| {
        let email = sign_up(&mut server.browser(), "ada").await;
        let mut other = server.browser();
        other.visit(&link(&server, &email, "/verify-email")).await;
        assert!(other.text().contains("Testkit-Browser"), "{}", other.text());
        other.fill("password", "a wrong guess").press("Confirm").await;
        assert_eq!((other.status(), other.alert().as_str()), (400, "The password is not right."));
        assert!(server.account(&email).await.email_verified_at.is_none());
        other.fill("password", PASSWORD).press("Confirm").await;
        assert_eq!(other.status(), 200);
        assert!(server.account(&email).await.email_verified_at.is_some());
        server.sign_in(&email, PASSWORD).await;
    })
    .await;
}

#[tokio::test]
async fn whoever_owns_the_mailbox_throws_the_stranger_out() {
    each_server(async |server| {
        let mut thief = server.browser();
        let email = sign_up(&mut thief, "ada").await;
        let session = server.sign_in(&email, PASSWORD).await;
        let mut owner = server.browser();
        owner.visit(&link(&server, &email, "/verify-email")).await;
        owner.fill("new_password", "short").press("Set password and confirm").await;
        assert_eq!(owner.status(), 400);
        assert!(owner.alert().contains("8 characters"), "{}", owner.alert());
        owner.fill("new_password", "mine and mine alone").press("Set password and confirm").await;
        assert_eq!(owner.status(), 200);
        assert!(server.try_sign_in(&email, PASSWORD).await.is_err());
        server.sign_in(&email, "mine and mine alone").await;
        let mut stranger = server.client().with_bearer(session.started.access.reveal());
        stranger.get("/api/auth/me").await.expect(401);
    })
    .await;
}

#[tokio::test]
async fn not_me_is_asked_twice_and_closes_the_account() {
    each_server(async |server| {
        let email = sign_up(&mut server.browser(), "ada").await;
        let mut owner = server.browser();
        owner.visit(&link(&server, &email, "/verify-email")).await;
        owner.press("Close the account …").await;
        server.sign_in(&email, PASSWORD).await;
        owner.press("Yes, it was not me: close it").await;
        assert_eq!(owner.status(), 200);
        assert!(server.try_sign_in(&email, PASSWORD).await.is_err());
        sign_up(&mut owner, "ada").await;
    })
    .await;
}

#[tokio::test]
async fn a_link_that_does_not_work_offers_another_one() {
    each_server(async |server| {
        let mut browser = server.browser();
        let email = sign_up(&mut browser, "ada").await;
        for path in ["/verify-email", "/verify-email?token=junk", "/verify-email?token=a%0d%0ab"] {
            browser.visit(path).await;
            assert_eq!((browser.status(), browser.path()), (400, "/verify-email"));
        }
        browser.fill("email", &email).press("Send a new link").await;
        assert_eq!(browser.status(), 200);
        server.deliver().await;
        browser.visit(&link(&server, &email, "/verify-email")).await;
        assert_eq!(browser.status(), 200);
    })
    .await;
}

#[tokio::test]
async fn a_reset_link_sets_a_password_once_and_opens_no_session() {
    each_server(async |server| {
        let ada = server.verified_account("ada@example.com").await;
        let body = json!({ "email": ada.email });
        server.client().post_json("/api/auth/password/forgot", &body).await.expect(200);
        server.deliver().await;
        let link = link(&server, &ada.email, "/reset-password");
        let mut browser = server.browser();
        browser.visit(&link).await;
        assert_eq!((browser.status(), browser.path()), (200, "/reset-password"));
        browser.fill("new_password", "short").submit().await;
        assert_eq!(browser.status(), 400);
        browser.fill("new_password", "an entirely new one").submit().await;
        assert_eq!(browser.status(), 200);
        assert_eq!(browser.client().cookie("refresh_token"), None);
        assert!(server.try_sign_in(&ada.email, PASSWORD).await.is_err());
        server.sign_in(&ada.email, "an entirely new one").await;
        browser.visit(&link).await;
        assert_eq!(browser.status(), 400, "the link works once");
    })
    .await;
}

#[tokio::test]
async fn a_form_acts_on_the_link_it_was_shown_for_alone() {
    each_server(async |server| {
        let forgotten = async |email: &str| {
            server.verified_account(email).await;
            let body = json!({ "email": email });
            server.client().post_json("/api/auth/password/forgot", &body).await.expect(200);
            server.deliver().await;
            link(&server, email, "/reset-password")
        };
        let own = forgotten("ada@example.com").await;
        let foreign = forgotten("eve@example.com").await;
        let mut browser = server.browser();
        browser.visit(&own).await;
        assert!(browser.text().contains("a•••@example.com"), "{}", browser.text());
        let username = "autocomplete=\"username\" value=\"ada@example.com\"";
        assert!(browser.answer().text().contains(username), "{}", browser.answer().text());
        // Any site can open a link in another tab; the cookie then holds that one.
        browser.client().get(&foreign).await.expect(303);
        browser.fill("new_password", "an entirely new one").submit().await;
        assert_eq!(browser.status(), 400);
        assert!(browser.alert().contains("Another link"), "{}", browser.alert());
        assert!(browser.text().contains("e•••@example.com"), "{}", browser.text());
        for email in ["ada@example.com", "eve@example.com"] {
            server.sign_in(email, PASSWORD).await;
        }
        browser.visit(&own).await.fill("new_password", "an entirely new one").submit().await;
        assert_eq!(browser.status(), 200);
        server.sign_in("ada@example.com", "an entirely new one").await;
    })
    .await;
}

#[tokio::test]
async fn no_button_of_a_verification_page_acts_on_another_link() {
    each_server(async |server| {
        let foreign = sign_up(&mut server.browser(), "eve").await;
        let foreign = link(&server, &foreign, "/verify-email");
        let mut same = server.browser();
        let email = sign_up(&mut same, "ada").await;
        let own = link(&server, &email, "/verify-email");
        same.visit(&own).await;
        assert!(same.text().contains("a•••@example.com"), "{}", same.text());
        same.client().get(&foreign).await.expect(303);
        same.press("Confirm").await;
        assert_eq!(same.status(), 400);
        assert!(same.alert().contains("Another link"), "{}", same.alert());
        assert!(same.text().contains("e•••@example.com"), "{}", same.text());

        let mut other = server.browser();
        for button in ["Confirm", "Set password and confirm", "Close the account …"] {
            other.visit(&own).await;
            other.fill("password", PASSWORD).fill("new_password", "mine and mine alone");
            other.client().get(&foreign).await.expect(303);
            other.press(button).await;
            assert_eq!(other.status(), 400, "{button}");
        }
        other.visit(&own).await.press("Close the account …").await;
        other.client().get(&foreign).await.expect(303);
        other.press("Yes, it was not me: close it").await;
        assert_eq!(other.status(), 400);
        for email in ["ada@example.com", "eve@example.com"] {
            server.sign_in(email, PASSWORD).await;
            assert!(server.account(email).await.email_verified_at.is_none());
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_link_the_reset_page_asks_for_the_address() {
    each_server(async |server| {
        let ada = server.verified_account("ada@example.com").await;
        let mut browser = server.browser();
        browser.visit("/reset-password").await;
        assert_eq!((browser.status(), browser.alert().as_str()), (200, ""));
        assert!(!browser.text().contains("does not work"), "{}", browser.text());
        browser.fill("email", "nobody").press("Send a link").await;
        assert_eq!(
            (browser.status(), browser.alert().as_str()),
            (400, "This is not an e-mail address.")
        );
        let mut said = Vec::new();
        for email in ["stranger@example.com", &ada.email] {
            browser.visit("/reset-password").await.fill("email", email);
            browser.press("Send a link").await;
            said.push((browser.status(), browser.text()));
        }
        assert_eq!(said[0], said[1], "known and unknown addresses look alike");
        assert_eq!(said[0].0, 200);
        server.deliver().await;
        browser.visit(&link(&server, &ada.email, "/reset-password")).await;
        browser.fill("new_password", "an entirely new one").submit().await;
        assert_eq!(browser.status(), 200);
        browser.visit("/reset-password?token=junk").await;
        assert_eq!((browser.status(), browser.buttons()), (400, vec!["Send a new link"]));
    })
    .await;
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere_and_cannot_be_framed() {
    each_server(async |server| {
        let mut browser = server.browser();
        for path in ["/verify-email", "/reset-password", "/verify-email?token=abc"] {
            browser.visit(path).await;
            let answer = browser.answer();
            let policy = answer.header("content-security-policy").unwrap();
            assert!(
                policy.starts_with("default-src 'none'")
                    && policy.contains("frame-ancestors 'none'")
            );
            assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let html = answer.text();
            assert!(!html.contains("://") && !html.contains("<script") && !html.contains("style="));
            assert!(html.contains("lang=\"en\""));
        }
        let css = browser.client().get("/assets/ironlatch.css").await.expect(200);
        assert!(!css.text().contains("url(") && !css.text().contains("@import"));
    })
    .await;
}

#[tokio::test]
async fn under_a_prefix_links_forms_and_style_stay_under_it() {
    each_auth(async |auth| {
        let inner = ironlatch_web::router(auth.auth.clone(), ironlatch_web::Settings::default());
        let server = TestServer::with_router(auth, axum::Router::new().nest("/auth", inner));
        let mut browser = server.browser();
        let body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
        browser.client().post_json("/auth/api/auth/register", &body).await.expect(201);
        server.deliver().await;
        let link = link(&server, "ada@example.com", "/auth/api/auth/verify-email/");
        browser.visit(&link).await;
        assert_eq!((browser.status(), browser.path()), (200, "/auth/verify-email"));
        assert!(browser.answer().text().contains("href=\"assets/ironlatch.css\""));
        browser.client().get("/auth/assets/ironlatch.css").await.expect(200);
        browser.press("Confirm").await;
        assert_eq!((browser.status(), browser.path()), (200, "/auth/verify-email"));
        assert!(server.account("ada@example.com").await.email_verified_at.is_some());
    })
    .await;
}

#[tokio::test]
async fn with_https_every_cookie_is_secure_and_ours_belong_to_the_host() {
    each_engine(async |url| {
        let https = "https://auth.example.com";
        let auth = TestAuth::builder().database(&url).settings(|it| it.public_url = https.into());
        let server = TestServer::over(auth.build().await);
        let mut browser = server.browser();
        let email = sign_up(&mut browser, "ada").await;
        let login = json!({ "email": email, "password": PASSWORD });
        let answer = browser.client().post_json("/api/auth/login", &login).await.expect(200);
        let cookies = answer.set_cookies();
        assert!(cookies[0].starts_with("refresh_token="), "{}", cookies[0]);
        assert!(cookies[1].starts_with("__Host-ironlatch_device="), "{}", cookies[1]);
        assert!(cookies.iter().all(|it| it.ends_with("; Path=/; SameSite=Lax; Secure")));
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
        browser.visit(&link(&server, &email, "/verify-email")).await;
        assert_eq!(browser.buttons(), ["Confirm"], "the sign-up cookie is known again");
        let all = browser.answer().set_cookies().join("\n");
        assert!(!all.contains("refresh_token"));
    })
    .await;
}

/// Whatever is posted to the pages in whatever order, without a link's proof nothing happens.
#[tokio::test]
async fn b19_no_step_of_a_page_can_be_skipped() {
    each_server(async |server| {
        let ada = server.verified_account("ada@example.com").await;
        let mut client = server.client();
        client.set_header("origin", &server.origin());
        let steps = [
            ("/reset-password", vec![("new_password", "an entirely new one"), ("act", "reset")]),
            ("/reset-password", vec![("new_password", "an entirely new one"), ("link", "x")]),
            ("/verify-email", vec![("act", "confirm")]),
            ("/verify-email", vec![("act", "new-password"), ("new_password", "something new")]),
            ("/verify-email", vec![("act", "close"), ("link", "x")]),
            ("/sign-in", vec![("act", "sign-in")]),
            ("/sign-in", vec![("act", "second-step"), ("challenge", "x"), ("code", "123456")]),
            ("/confirm-email", vec![("act", "confirm"), ("link", "x")]),
            ("/undo-address", vec![("act", "undo"), ("link", "x")]),
        ];
        // Each after each other, with the cookies that the one before left.
        for (first, first_fields) in &steps {
            for (then, fields) in &steps {
                client.post_form(first, first_fields).await.expect(400);
                client.post_form(then, fields).await.expect(400);
                assert_eq!(client.cookie("refresh_token"), None, "{first} {then}");
            }
        }
        server.sign_in("ada@example.com", PASSWORD).await;
        assert_eq!(server.account("ada@example.com").await.id, ada.id);
    })
    .await;
}

/// What a browser says of itself in a cookie of its own making proves nothing.
#[tokio::test]
async fn c15_a_forged_cookie_proves_nothing() {
    each_server(async |server| {
        let email = sign_up(&mut server.browser(), "ada").await;
        let verify = link(&server, &email, "/verify-email");
        let asked = json!({ "identifier": email });
        server.client().post_json("/api/auth/otp/request", &asked).await.expect(200);
        server.deliver().await;
        let sign_in = server.inbox.latest_about(&email, "verification code").path();
        let forged = "A".repeat(43);
        for value in ["1", "true", email.as_str(), forged.as_str()] {
            let mut thief = server.browser();
            for name in ["ironlatch_sign_up", "ironlatch_code_flow", "ironlatch_device"] {
                thief.client().set_cookie(name, value);
            }
            thief.visit(&verify).await;
            assert!(thief.text().contains("Is this account yours?"), "{}", thief.text());
            thief.visit(&sign_in).await;
            assert_eq!(thief.status(), 403, "{value}");
        }
        assert!(server.account(&email).await.email_verified_at.is_none());
    })
    .await;
}
