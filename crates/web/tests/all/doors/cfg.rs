//! `/cfg/accounts/*`, as its generated client calls it.

use http::Method;
use ironlatch_core::time::{days, minutes};
use ironlatch_testkit::{Answer, PASSWORD, TestAuth, TestClient, TestServer, open_doors};
use ironlatch_web::Settings;
use serde_json::{Value, json};

use super::{ADA, each_open_server, expect_shape};

const JSON: Option<&str> = Some("application/json");
const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
const MULTIPART: Option<&str> = Some("multipart/form-data; boundary=x");
/// One red pixel.
const GIF: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\xff\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";

/// Every path with the methods it takes.
const PATHS: [(&str, &[Method]); 8] = [
    ("otp/request", &[Method::POST]),
    ("otp/verify", &[Method::POST]),
    ("token/refresh", &[Method::POST]),
    ("token/blacklist", &[Method::POST]),
    ("profile", &[Method::GET]),
    ("profile/update", &[Method::PUT, Method::PATCH]),
    ("profile/partial", &[Method::PUT, Method::PATCH]),
    ("profile/avatar", &[Method::POST]),
];

pub(super) fn at(path: &str) -> String {
    format!("/cfg/accounts/{path}/")
}

/// Ada's client with her access token, and her refresh token.
async fn ada(server: &TestServer) -> (TestClient<'_>, String) {
    server.sign_up(ADA).await;
    let started = server.sign_in(ADA, PASSWORD).await.started;
    let client = server.client().with_bearer(started.access.reveal());
    (client, started.refresh_body.reveal().to_owned())
}

async fn refresh(server: &TestServer, token: &str) -> Answer {
    let body = json!({ "refresh": token });
    server.client().post_json(&at("token/refresh"), &body).await
}

async fn blacklist(server: &TestServer, token: &str) -> Answer {
    let body = json!({ "refresh": token });
    server.client().post_json(&at("token/blacklist"), &body).await
}

async fn change(client: &mut TestClient<'_>, how: (Method, &str), body: &Value) -> Answer {
    client.send(how.0, &at(how.1), JSON, body.to_string().into_bytes()).await
}

/// A form with one file.
fn form(field: &str, file: &[u8]) -> Vec<u8> {
    let head = format!(
        "--x\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"a.gif\"\r\n\
         Content-Type: image/gif\r\n\r\n"
    );
    [head.as_bytes(), file, b"\r\n--x--\r\n"].concat()
}

/// What the client's generated schema checks of a user.
#[track_caller]
pub(super) fn expect_user(user: &Value) {
    let keys: Vec<_> = user.as_object().unwrap().keys().map(String::as_str).collect();
    let asked = [
        "id",
        "email",
        "first_name",
        "last_name",
        "full_name",
        "initials",
        "display_username",
        "company",
        "phone",
        "position",
        "avatar",
        "is_staff",
        "is_superuser",
        "date_joined",
        "last_login",
        "unanswered_messages_count",
    ];
    assert_eq!(keys.get(..asked.len()), Some(&asked[..]), "{user}");
    assert!(user["id"].is_i64() && user["unanswered_messages_count"].is_i64(), "{user}");
    assert!(user["email"].as_str().unwrap().contains('@'), "{user}");
    assert!(user["is_staff"].is_boolean() && user["is_superuser"].is_boolean(), "{user}");
    for moment in ["date_joined", "last_login"] {
        let ends = |text: &str| text.ends_with('Z');
        let is_fine = user[moment].as_str().map_or(moment == "last_login", ends);
        assert!(is_fine, "{user}");
    }
    assert!(user["avatar"].is_null() || user["avatar"].as_str().unwrap().starts_with("http"));
}

#[tokio::test]
async fn refresh_answers_both_tokens_and_reads_no_cookie() {
    each_open_server(async |server| {
        let (_, first) = ada(&server).await;
        let answer = refresh(&server, &first).await.expect(200);
        let keys: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["access", "refresh"]);
        assert!(answer.set_cookies().is_empty());
        let access = answer.string("/access");
        server.client().with_bearer(&access).get(&at("profile")).await.expect(200);

        let mut with_cookie = server.client();
        let login = json!({ "email": ADA, "password": PASSWORD });
        with_cookie.post_json("/api/auth/login/", &login).await.expect(200);
        assert!(with_cookie.cookie("refresh_token").is_some());
        let required = r#"{"refresh":["This field is required."]}"#;
        let answer = with_cookie.post(&at("token/refresh")).await.expect(400);
        assert_eq!(answer.text(), required);
        let cookie = with_cookie.cookie("refresh_token").unwrap().to_owned();
        let of_the_cookie = refresh(&server, &cookie).await.expect(401);
        assert_eq!(of_the_cookie.string("/detail"), "Token is invalid");
    })
    .await;
}

/// What the client stores after a refresh: the new access token and the refresh token it had.
#[tokio::test]
async fn a_client_that_keeps_its_first_refresh_token_stays_signed_in() {
    each_open_server(async |server| {
        let (_, kept) = ada(&server).await;
        for _ in 0..10 {
            server.clock.advance(minutes(15));
            let answer = refresh(&server, &kept).await.expect(200);
            let mut client = server.client().with_bearer(&answer.string("/access"));
            client.get(&at("profile")).await.expect(200);
        }
    })
    .await;
}

#[tokio::test]
async fn what_refresh_refuses_it_names() {
    each_open_server(async |server| {
        let (_, token) = ada(&server).await;
        let access = server.sign_in(ADA, PASSWORD).await.started.access.reveal().to_owned();
        for path in ["token/refresh", "token/blacklist"] {
            for (kind, body, status, said) in [
                (None, String::new(), 400, r#"{"refresh":["This field is required."]}"#),
                (JSON, "{}".to_owned(), 400, r#"{"refresh":["This field is required."]}"#),
                (
                    JSON,
                    r#"{"refresh":null}"#.to_owned(),
                    400,
                    r#"{"refresh":["This field may not be null."]}"#,
                ),
                (
                    FORM,
                    "refresh=".to_owned(),
                    400,
                    r#"{"refresh":["This field may not be blank."]}"#,
                ),
                (
                    JSON,
                    r#"{"refresh":[]}"#.to_owned(),
                    400,
                    r#"{"refresh":["Not a valid string."]}"#,
                ),
                (
                    FORM,
                    "refresh=garbage".to_owned(),
                    401,
                    r#"{"detail":"Token is invalid","code":"token_not_valid"}"#,
                ),
                (
                    FORM,
                    format!("refresh={access}"),
                    401,
                    r#"{"detail":"Token has wrong type","code":"token_not_valid"}"#,
                ),
            ] {
                // A bad bearer token is no reason to refuse what needs none.
                let mut client = server.client().with_bearer("junk");
                let answer = client.send(Method::POST, &at(path), kind, body.into()).await;
                assert_eq!((answer.status, answer.text()), (status, said), "{path}");
            }
        }
        server.clock.advance(days(100));
        let answer = refresh(&server, &token).await.expect(401);
        assert_eq!(answer.text(), r#"{"detail":"Token is expired","code":"token_not_valid"}"#);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"api\""));
        let answer = blacklist(&server, &token).await.expect(401);
        assert_eq!(answer.text(), r#"{"detail":"Token is expired","code":"token_not_valid"}"#);
    })
    .await;
}

#[tokio::test]
async fn a_blacklisted_token_ends_its_session_at_once() {
    each_open_server(async |server| {
        let (mut client, first) = ada(&server).await;
        client.get(&at("profile")).await.expect(200);
        let child = refresh(&server, &first).await.expect(200).string("/refresh");
        // The token that the client kept counts as well as the newest.
        assert_eq!(blacklist(&server, &first).await.expect(200).text(), "{}");
        for token in [&first, &child] {
            let answer = blacklist(&server, token).await.expect(401);
            let said = r#"{"detail":"Token is blacklisted","code":"token_not_valid"}"#;
            assert_eq!(answer.text(), said);
            assert_eq!(refresh(&server, token).await.expect(401).text(), said);
        }
        client.get(&at("profile")).await.expect(401);
        server.deliver().await;
        let mails = server.inbox.to(ADA);
        let subjects: Vec<_> = mails.iter().map(|mail| mail.subject.as_str()).collect();
        assert_eq!(subjects, ["Verify your email"], "nobody is told of a theft");
    })
    .await;
}

#[tokio::test]
async fn the_profile_is_the_user_as_the_clients_schema_has_it() {
    each_open_server(async |server| {
        let (mut client, _) = ada(&server).await;
        let user = client.get(&at("profile")).await.expect(200).json();
        expect_user(&user);
        assert_eq!(user, client.get("/cfg/accounts/profile").await.expect(200).json());
        assert_eq!(user, client.get("/api/profile/").await.expect(200).json());
        assert_eq!(user["display_username"], "ada");
    })
    .await;
}

#[tokio::test]
async fn update_and_partial_change_what_they_name() {
    each_open_server(async |server| {
        let (mut client, _) = ada(&server).await;
        for (n, (path, methods)) in PATHS.iter().filter(|(path, _)| path.contains("e/")).enumerate()
        {
            for method in methods.iter().filter(|method| **method != Method::POST) {
                let company = format!("Engines {n} {method}");
                let body = json!({ "company": company, "email": "eve@example.com", "id": 1 });
                let user = change(&mut client, (method.clone(), path), &body).await.expect(200);
                expect_user(&user.json());
                assert_eq!(user.string("/company"), company);
                assert_eq!(user.string("/email"), ADA);
            }
        }
        let told = json!({ "first_name": "Ada", "last_name": "Lovelace", "phone": "+44 20 1234" });
        let user = change(&mut client, (Method::PATCH, "profile/partial"), &told).await;
        assert_eq!(user.expect(200).string("/full_name"), "Ada Lovelace");
        let form = b"position=Countess".to_vec();
        let user = client.send(Method::PUT, &at("profile/update"), FORM, form).await.expect(200);
        assert_eq!(user.string("/position"), "Countess");
        assert_eq!(user.string("/first_name"), "Ada");
        assert_eq!(user.json(), client.get(&at("profile")).await.expect(200).json());
    })
    .await;
}

#[tokio::test]
async fn mistakes_in_a_profile_are_lists_by_field() {
    each_open_server(async |server| {
        let (mut client, _) = ada(&server).await;
        let before = client.get(&at("profile")).await.expect(200).json();
        let wrong = json!({
            "first_name": "X", "last_name": "Y", "company": "x".repeat(101),
            "phone": "call me", "position": 1.5e3,
        });
        let long = json!({ "first_name": "x".repeat(51), "position": "x".repeat(101) });
        for path in ["profile/update", "profile/partial"] {
            let answer = change(&mut client, (Method::PATCH, path), &wrong).await.expect(400);
            assert_eq!(
                answer.json(),
                json!({
                    "first_name": ["First name must be at least 2 characters long."],
                    "last_name": ["Last name must be at least 2 characters long."],
                    "company": ["Ensure this field has no more than 100 characters."],
                    "phone": ["Please enter a valid phone number."],
                })
            );
            let answer = change(&mut client, (Method::PUT, path), &long).await.expect(400);
            assert_eq!(
                answer.json(),
                json!({
                    "first_name": ["Ensure this field has no more than 50 characters."],
                    "position": ["Ensure this field has no more than 100 characters."],
                })
            );
        }
        assert_eq!(client.get(&at("profile")).await.expect(200).json(), before);
    })
    .await;
}

#[tokio::test]
async fn a_picture_is_taken_in_and_shown_by_its_whole_address() {
    each_open_server(async |server| {
        let (mut client, _) = ada(&server).await;
        let path = at("profile/avatar");
        let body = form("avatar", GIF);
        let user = client.send(Method::POST, &path, MULTIPART, body).await.expect(200).json();
        expect_user(&user);
        let url = user["avatar"].as_str().unwrap();
        let shown = url.strip_prefix(&server.auth.settings().public_url).unwrap();
        server.client().get(shown).await.expect(200);

        let none = r#"{"error":"No avatar file provided"}"#;
        let answer = client.post(&path).await.expect(400);
        assert_eq!(answer.text(), none);
        let answer = client.send(Method::POST, &path, MULTIPART, form("photo", GIF)).await;
        assert_eq!(answer.expect(400).text(), none);
        let answer = client.send(Method::POST, &path, MULTIPART, form("avatar", b"<svg/>")).await;
        assert!(answer.expect(400).json()["avatar"][0].is_string());
        let over = form("avatar", &vec![0; 5 * 1_024 * 1_024 + 1]);
        let answer = client.send(Method::POST, &path, MULTIPART, over).await.expect(400);
        assert_eq!(answer.text(), r#"{"avatar":["Ensure this file has no more than 5 MiB."]}"#);
        let over = form("other", &vec![0; 6 * 1_024 * 1_024]);
        let answer = client.send(Method::POST, &path, MULTIPART, over).await.expect(413);
        expect_shape("cfg", &answer);
        let answer = client.post_json(&path, &json!({ "avatar": "x" })).await.expect(415);
        assert_eq!(
            answer.text(),
            r#"{"detail":"Unsupported media type \"application/json\" in request."}"#
        );
    })
    .await;
}

#[tokio::test]
async fn every_path_refuses_in_the_shape_its_client_reads() {
    each_open_server(async |server| {
        let (client, _) = ada(&server).await;
        for (path, methods) in PATHS {
            let path = at(path);
            for spelling in [path.as_str(), path.trim_end_matches('/')] {
                let mut client = client.clone();
                let answer = client.delete(spelling).await.expect(405);
                assert_eq!(answer.text(), r#"{"detail":"Method \"DELETE\" not allowed."}"#);
                let allow = answer.header("allow").unwrap().to_owned();
                assert!(methods.iter().all(|method| allow.contains(method.as_str())), "{allow}");
            }
            for method in methods.iter().filter(|method| **method != Method::GET) {
                let call = async |mut client: TestClient<'_>, kind, body: Vec<u8>| {
                    client.send(method.clone(), &path, kind, body).await
                };
                let xml = call(client.clone(), Some("text/xml"), b"<a/>".to_vec()).await;
                let said = r#"{"detail":"Unsupported media type \"text/xml\" in request."}"#;
                assert_eq!(xml.expect(415).text(), said);
                for (name, value) in [
                    ("origin", "https://evil.example"),
                    ("origin", "null"),
                    ("sec-fetch-site", "cross-site"),
                ] {
                    let elsewhere = client.clone().with_header(name, value);
                    let answer = call(elsewhere, JSON, b"{}".to_vec()).await.expect(403);
                    expect_shape("cfg", &answer);
                    assert_eq!(answer.header("access-control-allow-origin"), None);
                }
                if path.ends_with("avatar/") {
                    continue;
                }
                let huge = call(client.clone(), JSON, vec![b' '; 64 * 1024 + 1]).await;
                expect_shape("cfg", &huge.expect(413));
                let broken = call(client.clone(), JSON, b"{".to_vec()).await.expect(400);
                assert!(broken.string("/detail").starts_with("JSON parse error - "));
                let list = call(client.clone(), JSON, b"[]".to_vec()).await.expect(400);
                assert_eq!(
                    list.text(),
                    r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}"#
                );
            }
        }
        for nothing in ["", "nothing", "profile/nothing", "token", "token/verify"] {
            let answer = server.client().get(&at(nothing)).await.expect(404);
            assert_eq!(answer.text(), r#"{"detail":"Not found."}"#, "{nothing}");
        }
    })
    .await;
}

#[tokio::test]
async fn strangers_hear_401_and_how_to_sign_in() {
    each_open_server(async |server| {
        let (_, refresh) = ada(&server).await;
        for (path, methods) in PATHS.iter().filter(|(path, _)| path.starts_with("profile")) {
            for method in *methods {
                for (header, said) in [
                    (None, r#"{"detail":"Authentication credentials were not provided."}"#),
                    (
                        Some("Bearer"),
                        r#"{"detail":"Authorization header must contain two space-delimited values","code":"bad_authorization_header"}"#,
                    ),
                    (
                        Some("Bearer garbage"),
                        r#"{"detail":"Given token not valid for any token type","code":"token_not_valid","messages":[{"token_class":"AccessToken","token_type":"access","message":"Token is invalid"}]}"#,
                    ),
                    (
                        Some(&*format!("Bearer {refresh}")),
                        r#"{"detail":"Given token not valid for any token type","code":"token_not_valid","messages":[{"token_class":"AccessToken","token_type":"access","message":"Token has wrong type"}]}"#,
                    ),
                ] {
                    let mut client = server.client();
                    if let Some(value) = header {
                        client.set_header("authorization", value);
                    }
                    let answer = client.send(method.clone(), &at(path), JSON, b"{}".to_vec()).await;
                    assert_eq!(answer.clone().expect(401).text(), said);
                    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"api\""));
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_is_throttled_hears_when_to_come_again() {
    let few = |settings: &mut ironlatch_core::settings::Settings| {
        open_doors(settings);
        settings.limits.avatars_per_account_hour = 1;
    };
    let server = TestServer::over(TestAuth::builder().settings(few).build().await);
    let (mut client, _) = ada(&server).await;
    let path = at("profile/avatar");
    client.send(Method::POST, &path, MULTIPART, form("avatar", GIF)).await.expect(200);
    let answer = client.send(Method::POST, &path, MULTIPART, form("avatar", GIF)).await;
    let answer = answer.expect(429);
    let after = answer.header("retry-after").unwrap();
    assert_eq!(
        answer.string("/detail"),
        format!("Request was throttled. Expected available in {after} seconds.")
    );
}

/// The client sends cookies along and, where it finds a cookie `csrftoken`, that in a header.
#[tokio::test]
async fn its_front_end_may_call_from_its_own_origin() {
    let front_end = "https://demo.example.com";
    let settings = Settings { allowed_origins: vec![front_end.to_owned()], ..Settings::default() };
    let auth = TestAuth::builder().settings(open_doors).build().await;
    let server = TestServer::with_settings(auth, settings);
    for (path, methods) in PATHS {
        for method in methods {
            let mut client = server
                .client()
                .with_header("origin", front_end)
                .with_header("access-control-request-method", method.as_str())
                .with_header("access-control-request-headers", "authorization,x-csrftoken");
            let answer = client.send(Method::OPTIONS, &at(path), None, Vec::new()).await;
            let answer = answer.expect(200);
            assert_eq!(answer.header("access-control-allow-origin"), Some(front_end));
            assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
            let methods = answer.header("access-control-allow-methods").unwrap();
            assert!(methods.contains(method.as_str()), "{methods}");
            let headers = answer.header("access-control-allow-headers").unwrap();
            assert!(headers.contains("authorization") && headers.contains("x-csrftoken"));
        }
    }
    let mut client = server.client().with_header("origin", front_end);
    client.set_header("x-csrftoken", "whatever");
    let answer = client.get(&at("profile")).await.expect(401);
    assert_eq!(answer.header("access-control-allow-origin"), Some(front_end));
    assert_eq!(answer.header("vary"), Some("Accept, Origin"));
}
