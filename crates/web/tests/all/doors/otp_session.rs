//! `/users/*` and `/user/*`.

use http::Method;
use ironlatch_core::accounts::AccountRef;
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Arrival, PasswordAttempt, Step};
use ironlatch_core::time::{days, hours, minutes};
use ironlatch_testkit::{Answer, PASSWORD, TestClient, TestServer, address};
use serde_json::{Value, json};

use super::{ADA, each_open_server, expect_shape};

const BOB: &str = "bob@example.com";
const SENT: &str =
    r#"{"success":true,"detail":"user sent for verification","email":"bob@example.com"}"#;
const WRONG: &str = r#"{"success":false,"detail":"wrong otp"}"#;
const UNKNOWN: &str = r#"{"success":false,"detail":"No such user found, request a signup first"}"#;
const EXPIRED: &str = r#"{"success":false,"detail":"OTP expired"}"#;
const NOT_FOUND: &str = r#"{"success":false,"detail":"user not found"}"#;

async fn signup(client: &mut TestClient<'_>, username: &str, email: &str) -> Answer {
    client.post_json("/users/signup/", &json!({ "username": username, "email": email })).await
}

async fn verify(client: &mut TestClient<'_>, otp: Value) -> Answer {
    let body = json!({ "email": BOB, "username": "bob", "password": PASSWORD, "otp": otp });
    client.post_json("/users/verification/", &body).await
}

async fn login(client: &mut TestClient<'_>, username: &str, password: &str) -> Answer {
    let body = json!({ "username": username, "password": password });
    client.post_json("/users/login/", &body).await
}

/// Asks for Bob's code and takes it out of the mailbox.
async fn code(client: &mut TestClient<'_>) -> String {
    assert_eq!(signup(client, "bob", BOB).await.expect(200).text(), SENT);
    client.server().deliver().await;
    client.server().inbox.latest(BOB).code()
}

/// A browser in which Bob has signed up and in.
async fn bob(server: &TestServer) -> TestClient<'_> {
    let mut client = server.client();
    let code = code(&mut client).await;
    verify(&mut client, json!(code)).await.expect(200);
    login(&mut client, "bob", PASSWORD).await.expect(200);
    client
}

/// A session's cookie.
async fn cookie(server: &TestServer) -> Token {
    let attempt = PasswordAttempt {
        identifier: address(ADA).into(),
        password: Token::new(PASSWORD.to_owned()),
        expects_second_factor: false,
        arrival: Arrival::new(server.stranger()).through(Door::OtpSession),
    };
    match server.auth.sign_in().with_password(attempt).await.unwrap() {
        Step::SignedIn(signed_in) => signed_in.started.cookie.unwrap().0,
        Step::SecondFactor(_) => panic!("no second factor is enrolled"),
    }
}

#[tokio::test]
async fn signup_mails_a_code_and_makes_nothing() {
    each_open_server(async |server| {
        let mut client = server.client();
        let answer = signup(&mut client, "bob", BOB).await.expect(200);
        assert_eq!(answer.text(), SENT);
        assert!(answer.set_cookies().is_empty());
        assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
        assert_eq!(answer.header("vary"), Some("Accept, Cookie"));
        server.deliver().await;
        let mail = server.inbox.latest(BOB);
        assert_eq!(mail.subject, "Email verification for Ironlatch");
        assert!(!answer.text().contains(&mail.code()), "B06");
        let found = server.auth.accounts().find(&AccountRef::Email(address(BOB))).await.unwrap();
        assert!(found.is_none(), "no account before the code");
        assert_eq!(login(&mut client, "bob", PASSWORD).await.expect(404).text(), NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn verification_makes_an_account_that_can_sign_in() {
    each_open_server(async |server| {
        let mut client = server.client();
        let code = code(&mut client).await;
        let unknown = json!({ "email": BOB, "username": "eve", "password": PASSWORD, "otp": code });
        let unknown = client.post_json("/users/verification/", &unknown).await.expect(404);
        assert_eq!(unknown.text(), UNKNOWN, "tied to address and name");
        // Exactly as a client of the original sends it: a number.
        let otp: u32 = code.parse().unwrap();
        let wrong = verify(&mut client, json!((otp + 1) % 1_000_000)).await.expect(401);
        assert_eq!(wrong.text(), WRONG);
        assert_eq!(wrong.header("www-authenticate"), None);
        let made = verify(&mut client, json!(otp)).await.expect(200);
        assert_eq!(made.text(), r#"{"success":true}"#);
        assert!(made.set_cookies().is_empty(), "nobody is signed in by it");
        let account = server.account(BOB).await;
        assert!(!account.is_staff && !account.is_superuser && account.email_verified_at.is_some());
        assert_eq!(verify(&mut client, json!(otp)).await.expect(404).text(), UNKNOWN, "once");

        let answer = login(&mut client, "bob", PASSWORD).await.expect(200);
        assert_eq!(answer.text(), r#"{"success":true}"#);
        let me = client.get("/users/who_am_i/").await.expect(200);
        assert_eq!(me.text(), r#"{"username":"bob","email":"bob@example.com"}"#);
    })
    .await;
}

#[tokio::test]
async fn a_code_dies_of_five_tries_and_of_ten_minutes_with_the_same_words() {
    each_open_server(async |server| {
        let mut client = server.client();
        let otp = code(&mut client).await;
        for _ in 0..5 {
            assert_eq!(verify(&mut client, json!("no code")).await.expect(401).text(), WRONG);
        }
        assert_eq!(verify(&mut client, json!(otp)).await.expect(410).text(), EXPIRED, "B01");
        // The failures are not forgotten with the code.
        let otp = code(&mut client).await;
        let throttled = verify(&mut client, json!(otp)).await.expect(429);
        expect_shape("otp_session", &throttled);
        assert!(throttled.header("retry-after").is_some());
        server.clock.advance(minutes(10));
        assert_eq!(verify(&mut client, json!(otp)).await.expect(410).text(), EXPIRED, "B07");
    })
    .await;
}

#[tokio::test]
async fn a_taken_name_is_told_and_a_taken_address_is_not() {
    each_open_server(async |server| {
        server.verified_account(ADA).await;
        let mut client = server.client();
        let taken = signup(&mut client, "ADA", BOB).await.expect(200);
        assert_eq!(taken.text(), r#"{"success":false,"detail":"username already exist"}"#);
        let taken = signup(&mut client, "eve", ADA).await.expect(200);
        let free = signup(&mut server.client(), "eve", "adb@example.com").await.expect(200);
        assert_eq!(taken.text().replace(ADA, "adb@example.com"), free.text(), "A03");
        server.deliver().await;
        assert!(server.inbox.latest(ADA).subject.contains("already"));
        let tell = |email: &str| json!({ "email": email, "username": "eve", "password": PASSWORD, "otp": 123_456 });
        let taken = client.post_json("/users/verification/", &tell(ADA)).await.expect(401);
        assert_eq!(taken.text(), WRONG, "A03: as if a code were on its way");
    })
    .await;
}

#[tokio::test]
async fn whoever_was_faster_has_the_name() {
    each_open_server(async |server| {
        let mut client = server.client();
        let otp = code(&mut client).await;
        server.sign_up("bob@elsewhere.example").await;
        let late = verify(&mut client, json!(otp)).await.expect(200);
        assert_eq!(late.text(), r#"{"success":false,"detail":"username already exist"}"#);
    })
    .await;
}

#[tokio::test]
async fn login_opens_a_session_of_thirty_days() {
    each_open_server(async |server| {
        let mut client = bob(&server).await;
        let first = client.cookie("sessionid").unwrap().to_owned();
        let again = login(&mut client, "bob", PASSWORD).await.expect(200);
        let lines = again.set_cookies();
        let line = lines.iter().find(|line| line.starts_with("sessionid=")).unwrap();
        let (_, attributes) = line.split_once(" GMT; ").unwrap();
        assert!(
            attributes.starts_with("HttpOnly; Max-Age=2592000; Path=/; SameSite=Lax"),
            "{line}"
        );
        let second = client.cookie("sessionid").unwrap().to_owned();
        assert_ne!(first, second, "D01: a new session at every sign-in");
        client.set_cookie("sessionid", "chosen-by-somebody-else");
        login(&mut client, "bob", PASSWORD).await.expect(200);
        assert_ne!(client.cookie("sessionid"), Some("chosen-by-somebody-else"), "D01");

        client.set_cookie("sessionid", &second);
        server.clock.advance(days(29) + hours(23));
        client.set_cookie("sessionid", &second);
        client.get("/users/who_am_i/").await.expect(200);
        server.clock.advance(hours(1));
        client.set_cookie("sessionid", &second);
        client.get("/users/who_am_i/").await.expect(403);
    })
    .await;
}

#[tokio::test]
async fn whoever_may_not_sign_in_is_not_found() {
    each_open_server(async |server| {
        bob(&server).await;
        let mut client = server.client();
        for (username, password) in [
            ("nobody", PASSWORD),
            ("bob", "not the password"),
            ("no name!", PASSWORD),
            (BOB, PASSWORD),
        ] {
            let answer = login(&mut client, username, password).await.expect(404);
            assert_eq!(answer.text(), NOT_FOUND, "{username}");
            assert!(answer.set_cookies().is_empty());
        }
        let account = server.account(BOB).await;
        server.auth.accounts().disable(&AccountRef::Id(account.id)).await.unwrap();
        assert_eq!(login(&mut client, "bob", PASSWORD).await.expect(404).text(), NOT_FOUND, "C14");
    })
    .await;
}

#[tokio::test]
async fn e01_an_account_with_an_app_does_not_get_in_by_the_password_alone() {
    each_open_server(async |server| {
        server.verified_account(ADA).await;
        server.enrol(ADA, PASSWORD).await;
        let mut client = server.client();
        let refused = login(&mut client, "ada", PASSWORD).await.expect(401);
        expect_shape("otp_session", &refused);
        assert!(refused.set_cookies().is_empty());
        assert!(!refused.text().contains("challenge"), "there is no place to answer one");
        client.get("/users/who_am_i/").await.expect(403);
        server.deliver().await;
        let told = server.inbox.latest(ADA);
        assert!(told.text.contains("Nobody was let in."), "its owner is told: {}", told.text);
    })
    .await;
}

#[tokio::test]
async fn guessing_a_password_is_slowed_down_in_the_envelope() {
    each_open_server(async |server| {
        bob(&server).await;
        let mut client = server.client();
        let mut known = Vec::new();
        for _ in 0..8 {
            let mine = login(&mut client, "bob", "not the password").await;
            let nobodys = login(&mut client, "nobody", "not the password").await;
            assert_eq!((mine.status, mine.text()), (nobodys.status, nobodys.text()), "A01");
            expect_shape("otp_session", &mine);
            known.push(mine.status);
        }
        assert_eq!(known[..5], [404; 5]);
        assert!(known.contains(&429));
    })
    .await;
}

#[tokio::test]
async fn whatever_cannot_be_read_is_said_in_the_envelope() {
    each_open_server(async |server| {
        let long = "n".repeat(51);
        let (both, all) = (
            "username and email are required",
            "email, username, password and otp are required",
        );
        let full = |key: &str, value: Value| {
            let mut body = json!({ "email": BOB, "username": "bob", "password": PASSWORD, "otp": 1 });
            body[key] = value;
            body
        };
        for (path, body, said) in [
            ("signup", json!({}), both),
            ("signup", json!([]), both),
            ("signup", json!(null), both),
            ("signup", json!({ "username": "bob" }), both),
            ("signup", json!({ "username": "", "email": BOB }), both),
            ("signup", json!({ "username": "bob", "email": null }), both),
            ("signup", json!({ "username": "bob", "email": "nonsense" }), "email: Enter a valid email address."),
            ("signup", json!({ "username": ["bob"], "email": BOB }), "username: Not a valid string."),
            ("signup", json!({ "username": long, "email": BOB }), "username: Ensure this field has no more than 50 characters."),
            ("signup", json!({ "username": "a b", "email": BOB }), "username: Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters."),
            ("verification", json!({}), all),
            ("verification", json!([]), all),
            ("verification", full("otp", json!(null)), all),
            ("verification", full("otp", json!("")), all),
            ("verification", full("password", json!("")), all),
            ("verification", full("otp", json!({})), "otp: Not a valid string."),
            ("verification", full("otp", json!(true)), "otp: Not a valid string."),
            ("verification", full("password", json!("short")), "password: Ensure this field has at least 8 characters."),
            ("login", json!({}), "username and password are required"),
            ("login", json!("text"), "username and password are required"),
            ("login", json!({ "username": "bob" }), "username and password are required"),
            ("login", json!({ "username": "bob", "password": [] }), "password: Not a valid string."),
        ] {
            let path = format!("/users/{path}/");
            let answer = server.client().post_json(&path, &body).await.expect(400);
            expect_shape("otp_session", &answer);
            assert_eq!(answer.string("/detail"), said, "{path} {body}");
        }
        server.deliver().await;
        assert!(server.inbox.all().is_empty());
    })
    .await;
}

#[tokio::test]
async fn bodies_of_other_kinds_and_pairs_nobody_asked_for_are_refused_in_the_envelope() {
    each_open_server(async |server| {
        for path in ["signup", "verification", "login"] {
            for prefix in ["/users", "/user"] {
                let path = format!("{prefix}/{path}");
                let mut client = server.client();
                let json = Some("application/json");
                let malformed =
                    client.send(Method::POST, &path, json, b"{bad".to_vec()).await.expect(400);
                assert!(malformed.string("/detail").starts_with("JSON parse error - "));
                let plain = client
                    .send(Method::POST, &path, Some("text/plain"), b"a".to_vec())
                    .await
                    .expect(415);
                let huge = vec![b' '; 64 * 1024 + 1];
                let huge = client.send(Method::POST, &path, json, huge).await.expect(413);
                let get = client.get(&path).await.expect(405);
                for answer in [malformed, plain, huge, get] {
                    expect_shape("otp_session", &answer);
                }
            }
        }
        for (email, username) in [("nonsense", "bob"), (BOB, "a b"), (BOB, "bob")] {
            let body =
                json!({ "email": email, "username": username, "password": PASSWORD, "otp": 1 });
            let answer = server.client().post_json("/users/verification/", &body).await.expect(404);
            assert_eq!(answer.text(), UNKNOWN);
        }
    })
    .await;
}

#[tokio::test]
async fn forms_do_what_json_does() {
    each_open_server(async |server| {
        let mut client = server.client();
        let wish = [("username", "bob"), ("email", BOB)];
        assert_eq!(client.post_form("/user/signup", &wish).await.expect(200).text(), SENT);
        server.deliver().await;
        let otp = server.inbox.latest(BOB).code();
        let told = [("email", BOB), ("username", "bob"), ("password", PASSWORD), ("otp", &otp)];
        client.post_form("/user/verification", &told).await.expect(200);
        let credentials = [("username", "bob"), ("password", PASSWORD)];
        client.post_form("/user/login", &credentials).await.expect(200);
        client.get("/user/who_am_i").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn c11_fields_that_the_contract_does_not_have_change_nothing() {
    each_open_server(async |server| {
        let mut client = server.client();
        let otp = code(&mut client).await;
        let body = json!({
            "email": BOB, "username": "bob", "password": PASSWORD, "otp": otp, "is_Admin": true,
            "is_staff": true, "is_superuser": true, "role": "admin", "id": 1, "number": 1,
        });
        client.post_json("/users/verification/", &body).await.expect(200);
        let account = server.account(BOB).await;
        assert!(!account.is_staff && !account.is_superuser);
        assert_eq!(account.role, server.auth.settings().default_role(Door::OtpSession));
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_over_anothers_session_ends_that_one() {
    each_open_server(async |server| {
        server.verified_account(ADA).await;
        let mut client = bob(&server).await;
        let bobs = client.cookie("sessionid").unwrap().to_owned();
        login(&mut client, "ada", PASSWORD).await.expect(200);
        client.set_cookie("sessionid", &bobs);
        client.get("/users/who_am_i/").await.expect(403);
    })
    .await;
}

#[tokio::test]
async fn who_am_i_answers_whoever_holds_the_cookie() {
    each_open_server(async |server| {
        server.sign_up(ADA).await;
        let mut client = server.client();
        let refused = client.get("/users/who_am_i/").await.expect(403);
        expect_shape("otp_session", &refused);
        assert_eq!(refused.header("www-authenticate"), None);
        assert_eq!(refused.header("vary"), Some("Accept, Cookie"));
        client.set_cookie("sessionid", cookie(&server).await.reveal());
        for path in ["/users/who_am_i/", "/user/who_am_i/", "/users/who_am_i", "/user/who_am_i"] {
            let answer = client.get(path).await.expect(200);
            assert_eq!(answer.text(), r#"{"username":"ada","email":"ada@example.com"}"#, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn logout_ends_the_cookie_s_session() {
    each_open_server(async |server| {
        server.sign_up(ADA).await;
        let cookie = cookie(&server).await;
        let mut client = server.client();
        client.set_cookie("sessionid", cookie.reveal());
        client.get("/users/who_am_i/").await.expect(200);
        for _ in 0..2 {
            let answer = client.post("/user/logout/").await.expect(200);
            assert_eq!(answer.text(), r#"{"success":true,"detail":"logged out"}"#);
        }
        assert_eq!(client.cookie("sessionid"), None);
        client.set_cookie("sessionid", cookie.reveal());
        client.get("/users/who_am_i/").await.expect(403);
    })
    .await;
}
