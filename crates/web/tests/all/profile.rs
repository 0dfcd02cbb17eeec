//! `/api/profile`, its picture, and how pictures are shown.

use http::Method;
use ironlatch_testkit::{Answer, PASSWORD, TestClient, TestServer};
use serde_json::{Value, json};

use crate::each_server;

const ADA: &str = "ada@example.com";
/// One red pixel.
const GIF: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\xff\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";

async fn signed_in(server: &TestServer) -> TestClient<'_> {
    let account = server.sign_up(ADA).await;
    let session = server.sign_in(ADA, &account.password).await;
    server.client().with_bearer(session.started.access.reveal())
}

/// A form with one file, as browsers send it.
fn form(field: &str, filename: &str, kind: &str, file: &[u8]) -> Vec<u8> {
    let head = format!(
        "--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--x\r\n\
         Content-Disposition: form-data; name=\"{field}\"; filename=\"{filename}\"\r\n\
         Content-Type: {kind}\r\n\r\n"
    );
    [head.as_bytes(), file, b"\r\n--x--\r\n"].concat()
}

async fn send(client: &mut TestClient<'_>, body: Vec<u8>) -> Answer {
    let kind = Some("multipart/form-data; boundary=x");
    client.send(Method::POST, "/api/profile/avatar/", kind, body).await
}

async fn patch(client: &mut TestClient<'_>, method: Method, body: &Value) -> Answer {
    let body = body.to_string().into_bytes();
    client.send(method, "/api/profile/", Some("application/json"), body).await
}

#[tokio::test]
async fn the_user_has_the_keys_and_types_of_the_contract() {
    each_server(async |server| {
        let mut client = signed_in(&server).await;
        let answer = client.get("/api/profile").await.expect(200);
        let user = answer.json();
        let keys: Vec<_> = user.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
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
                "bio",
                "date_of_birth",
                "created_at",
                "updated_at",
            ]
        );
        assert!(user["id"].is_i64());
        assert_eq!(user["full_name"], ADA);
        assert_eq!(user["initials"], "A");
        assert_eq!(user["display_username"], "ada");
        assert_eq!(user["avatar"], Value::Null);
        assert_eq!(user["unanswered_messages_count"], 0);
        for moment in ["date_joined", "last_login", "created_at", "updated_at"] {
            assert!(user[moment].as_str().unwrap().ends_with('Z'), "{moment}");
        }
    })
    .await;
}

#[tokio::test]
async fn put_and_patch_change_what_they_name_and_nothing_else() {
    each_server(async |server| {
        let mut client = signed_in(&server).await;
        let told = json!({
            "first_name": " Ada ", "last_name": "Lovelace", "company": "Engines",
            "position": "Countess", "phone": "+44 20 1234567", "bio": "one\r\ntwo",
            "date_of_birth": "1815-12-10",
        });
        let user = patch(&mut client, Method::PUT, &told).await.expect(200).json();
        assert_eq!(user["full_name"], "Ada Lovelace");
        assert_eq!(user["initials"], "AL");
        assert_eq!(user["bio"], "one\ntwo");
        assert_eq!(user["date_of_birth"], "1815-12-10");
        for method in [Method::PUT, Method::PATCH] {
            let told = json!({ "company": "", "date_of_birth": null });
            let user = patch(&mut client, method, &told).await.expect(200).json();
            assert_eq!(user["company"], "");
            assert_eq!(user["date_of_birth"], Value::Null);
            assert_eq!(user["position"], "Countess");
        }
        let form = Some("application/x-www-form-urlencoded");
        let body = b"position=&date_of_birth=".to_vec();
        let user = client.send(Method::PATCH, "/api/profile", form, body).await.expect(200);
        assert_eq!(user.json()["position"], "");
        assert_eq!(user.json(), client.get("/api/profile/").await.expect(200).json());
    })
    .await;
}

/// Attack C11: fields that are not anybody's to change stay, whatever a body says.
#[tokio::test]
async fn what_is_not_the_bearers_to_change_is_never_bound() {
    each_server(async |server| {
        let mut client = signed_in(&server).await;
        let before = client.get("/api/profile").await.expect(200).json();
        let account = server.account(ADA).await;
        let mut all = json!({
            "role": "admin", "email_verified": true, "is_active": false, "permissions": ["*"],
            "name": "x", "username": "root", "disabled_at": 1, "security_version": 99,
        });
        for (key, value) in before.as_object().unwrap() {
            let other = match value {
                Value::Bool(flag) => json!(!flag),
                Value::Number(_) => json!(1),
                _ => json!("2001-01-01"),
            };
            all[key] = other;
        }
        for told in
            ["first_name", "last_name", "company", "phone", "position", "bio", "date_of_birth"]
        {
            all.as_object_mut().unwrap().remove(told);
        }
        for method in [Method::PUT, Method::PATCH] {
            let after = patch(&mut client, method, &all).await.expect(200).json();
            assert_eq!(after, before);
        }
        assert_eq!(server.account(ADA).await, account);
    })
    .await;
}

#[tokio::test]
async fn every_mistake_is_named_at_its_field() {
    each_server(async |server| {
        let mut client = signed_in(&server).await;
        let wrong = json!({
            "first_name": "x".repeat(51), "last_name": "a\u{7}b", "company": "x".repeat(101),
            "phone": "call me", "position": null, "bio": "x".repeat(2_001),
            "date_of_birth": "2100-01-01",
        });
        let answer = patch(&mut client, Method::PATCH, &wrong).await.expect(400);
        assert_eq!(
            answer.json(),
            json!({
                "first_name": ["Ensure this field has no more than 50 characters."],
                "last_name": ["Control characters are not allowed."],
                "company": ["Ensure this field has no more than 100 characters."],
                "phone": ["Please enter a valid phone number."],
                "position": ["This field may not be null."],
                "bio": ["Ensure this field has no more than 2000 characters."],
                "date_of_birth": ["The date of birth cannot be in the future."],
            })
        );
        let wrong = json!({ "date_of_birth": "1999-02-29" });
        let answer = patch(&mut client, Method::PATCH, &wrong).await.expect(400);
        assert!(answer.text().contains("Date has wrong format."));
        assert_eq!(client.get("/api/profile").await.json()["first_name"], "");
    })
    .await;
}

#[tokio::test]
async fn hostile_values_are_stored_as_text_or_refused() {
    each_server(async |server| {
        let mut client = signed_in(&server).await;
        for field in
            ["first_name", "last_name", "company", "phone", "position", "bio", "date_of_birth"]
        {
            for value in [
                "true",
                "1",
                "-1",
                "1.5",
                "[]",
                "{}",
                "{\"$ne\":\"\"}",
                "\" \"",
                "\"\\u0000\"",
                "\"a\\u0000b\"",
                "\"\u{202e}\"",
                "\"' OR 1=1 --\"",
                "\"<img src=x onerror=alert(1)>\"",
                "\"=cmd|' /C calc'!A0\"",
                "\"%s%n\"",
                "\"0000-00-00\"",
                "\"-001-01-01\"",
            ] {
                let body = format!("{{\"{field}\":{value}}}").into_bytes();
                let kind = Some("application/json");
                let answer = client.send(Method::PATCH, "/api/profile", kind, body).await;
                assert!([200, 400].contains(&answer.status), "{field} {value}: {}", answer.status);
                assert_eq!(answer.header("content-type"), Some("application/json"));
                assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            }
        }
        let bio = client.get("/api/profile").await.json()["bio"].clone();
        assert_eq!(bio, "-001-01-01", "H15: the last that could stand, as it was typed");
    })
    .await;
}

#[tokio::test]
async fn strangers_hear_401_in_the_shape_of_the_contract() {
    each_server(async |server| {
        let mut anybody = server.client();
        for (method, path) in [
            (Method::GET, "/api/profile"),
            (Method::PUT, "/api/profile"),
            (Method::PATCH, "/api/profile/"),
            (Method::POST, "/api/profile/avatar"),
            (Method::DELETE, "/api/profile/avatar/"),
        ] {
            let answer = anybody.send(method, path, None, Vec::new()).await.expect(401);
            let body = r#"{"detail":"Authentication credentials were not provided."}"#;
            assert_eq!(answer.text(), body);
        }
        for nothing in [
            anybody.get("/api/profile/nothing").await.expect(404),
            anybody.post("/api/profile").await.expect(405),
        ] {
            assert!(nothing.json()["detail"].is_string());
        }
    })
    .await;
}

/// Attacks H18 and H21: a file that is also a page, with a name that climbs out.
#[tokio::test]
async fn a_picture_is_drawn_anew_and_shown_where_nothing_can_run() {
    each_server(async |server| {
        let mut client = signed_in(&server).await;
        let polyglot = [GIF, b"<script>alert(1)</script>"].concat();
        let body = form("avatar", "../../etc/passwd.html", "text/html", &polyglot);
        let user = send(&mut client, body).await.expect(200).json();
        let url = user["avatar"].as_str().unwrap();
        let path = url.strip_prefix(&server.auth.settings().public_url).unwrap().to_owned();
        assert!(path.starts_with("/avatars/"));

        let mut anybody = server.client().with_header("accept", "image/avif,image/*;q=0.8");
        let answer = anybody.get(&path).await.expect(200);
        assert!(answer.body.starts_with(b"\xff\xd8\xff"));
        assert!(!answer.body.windows(7).any(|part| part == b"<script"));
        for (name, value) in [
            ("content-type", "image/jpeg"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; sandbox"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("cache-control", "public, max-age=31536000, immutable"),
            ("content-disposition", "inline"),
        ] {
            assert_eq!(answer.header(name), Some(value));
        }
        let tag = answer.header("etag").unwrap().to_owned();
        let mut again = server.client().with_header("if-none-match", &format!("W/{tag}"));
        let known = again.get(&path).await.expect(304);
        assert!(known.body.is_empty());
        assert_eq!(known.header("etag"), Some(tag.as_str()));

        let user = client.delete("/api/profile/avatar").await.expect(200).json();
        assert_eq!(user["avatar"], Value::Null);
        let gone = server.client().get(&path).await.expect(404);
        assert_eq!(gone.header("cache-control"), Some("no-store"));
        for nothing in ["/avatars/x", "/avatars/../api/profile", "/avatars/%00"] {
            assert!(server.client().get(nothing).await.status >= 400);
        }
    })
    .await;
}

/// Attacks H18 and H20.
#[tokio::test]
async fn what_is_no_picture_is_refused() {
    each_server(async |server| {
        let mut client = signed_in(&server).await;
        for (file, kind, said) in [
            (&b"<html><script>alert(1)</script>"[..], "image/png", "Upload a valid image."),
            (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml", "Upload a valid image."),
            (&GIF[..20], "image/gif", "Upload a valid image."),
            (b"", "image/gif", "The submitted file is empty."),
        ] {
            let answer = send(&mut client, form("avatar", "a.png", kind, file)).await.expect(400);
            let sentences = answer.json();
            assert!(sentences["avatar"][0].as_str().unwrap().starts_with(said), "{sentences}");
        }
        let none = send(&mut client, form("photo", "a.gif", "image/gif", GIF)).await.expect(400);
        assert_eq!(none.text(), r#"{"error":"No avatar file provided"}"#);
        let none = client.post("/api/profile/avatar").await.expect(400);
        assert_eq!(none.text(), r#"{"error":"No avatar file provided"}"#);
        let words = b"--x\r\nContent-Disposition: form-data; name=\"avatar\"\r\n\r\nhttp://10.0.0.1/a.png\r\n--x--\r\n";
        let words = send(&mut client, words.to_vec()).await.expect(400);
        assert!(words.text().contains("The submitted data was not a file."));
        let twice = [&form("avatar", "a.gif", "image/gif", GIF)[..], b""].concat();
        let twice = [&twice[..twice.len() - 4], b"\r\n", &twice[..]].concat();
        send(&mut client, twice).await.expect(400);
        send(&mut client, b"--x\r\nContent-Dispo".to_vec()).await.expect(400);
        client.post_json("/api/profile/avatar", &json!({ "avatar": "x" })).await.expect(415);
    })
    .await;
}

#[tokio::test]
async fn large_bodies_are_refused_before_they_are_kept() {
    each_server(async |server| {
        let mut client = signed_in(&server).await;
        let over = form("avatar", "a.gif", "image/gif", &vec![0; 5 * 1_024 * 1_024 + 1]);
        let answer = send(&mut client, over).await.expect(400);
        assert_eq!(answer.text(), r#"{"avatar":["Ensure this file has no more than 5 MiB."]}"#);
        let over = form("note2", "a.gif", "image/gif", &vec![0; 6 * 1_024 * 1_024]);
        let answer = send(&mut client, over).await.expect(413);
        assert!(answer.json()["detail"].is_string());
        server.sign_in(ADA, PASSWORD).await;
    })
    .await;
}
