//! What the door refuses, as its client reads it.

use super::*;

#[tokio::test]
async fn register_names_every_mistake_in_the_order_of_the_fields() {
    each_open_server(async |server| {
        register(&mut server.client()).await;
        let long = "n".repeat(256);
        for (wish, said) in [
            (
                json!({}),
                r#"{"name":["This field is required."],"email":["This field is required."],"password":["This field is required."]}"#,
            ),
            (
                json!({ "role": "boss", "name": "", "email": "nowhere", "password": "short" }),
                r#"{"name":["This field may not be blank."],"email":["Enter a valid email address."],"password":["Ensure this field has at least 8 characters."],"role":["\"boss\" is not a valid choice."]}"#,
            ),
            (
                json!({ "name": null, "email": null, "password": null }),
                r#"{"name":["This field may not be null."],"email":["This field may not be null."],"password":["This field may not be null."]}"#,
            ),
            (
                json!({ "name": "Eve", "email": "eve@example.com", "password": PASSWORD, "role": "admin" }),
                r#"{"role":["\"admin\" is not a valid choice."]}"#,
            ),
            (
                json!({ "name": long, "email": "eve@example.com", "password": PASSWORD }),
                r#"{"name":["Ensure this field has no more than 255 characters."]}"#,
            ),
            (
                json!({ "name": "Ada", "email": "ADA@EXAMPLE.COM", "password": PASSWORD }),
                r#"{"email":["user with this email already exists."]}"#,
            ),
            (
                json!([]),
                r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}"#,
            ),
        ] {
            let answer = server.client().post_json("/api/users/register/", &wish).await.expect(400);
            assert_eq!(answer.text(), said);
            expect_shape("users", &answer);
        }
    })
    .await;
}

#[tokio::test]
async fn four_paths_take_json_alone_and_the_others_forms_as_well() {
    each_open_server(async |server| {
        for path in ["register", "login", "password/forgot", "password/reset"] {
            let path = format!("/api/users/{path}/");
            for kind in ["text/plain", "application/x-www-form-urlencoded"] {
                let mut client = server.client();
                let answer = client.send(Method::POST, &path, Some(kind), b"a=b".to_vec()).await;
                let sentence = format!("Unsupported media type \\\"{kind}\\\" in request.");
                assert_eq!(
                    answer.expect(415).text(),
                    format!("{{\"error\":[\"{sentence}\"],\"detail\":\"{sentence}\"}}")
                );
            }
            let huge = vec![b' '; 64 * 1024 + 1];
            let mut client = server.client();
            let answer = client.send(Method::POST, &path, Some("application/json"), huge).await;
            expect_shape("users", &answer.expect(413));
            let mut client = server.client();
            let json = Some("application/json");
            let answer = client.send(Method::POST, &path, json, b"{".to_vec()).await.expect(400);
            assert!(answer.string("/detail").starts_with("JSON parse error - "));
            expect_shape("users", &answer);
            let described = client.send(Method::OPTIONS, &path, None, Vec::new()).await.expect(200);
            assert_eq!(described.json()["parses"], json!(["application/json"]));
        }
        let mut client = ada(&server).await;
        for path in ["2fa-check", "2fa-qr", "logout"] {
            let path = format!("/api/users/{path}/");
            client.send(Method::POST, &path, FORM, b"code=".to_vec()).await.expect(200);
        }
    })
    .await;
}

#[tokio::test]
async fn what_login_refuses_is_a_list_the_client_can_join() {
    each_open_server(async |server| {
        register(&mut server.client()).await;
        let wrong = r#"{"error":["Incorrect email or password."]}"#;
        for (body, said) in [
            (json!({ "credentials": { "email": ADA, "password": "not the one" } }), wrong),
            (json!({ "credentials": { "email": "bob@example.com", "password": PASSWORD } }), wrong),
            (
                json!({ "method": "2fa", "credentials": { "email": ADA, "password": "not the one", "code": "123456" } }),
                wrong,
            ),
            (
                json!({ "method": "2fa", "credentials": { "email": ADA, "password": PASSWORD, "code": "123456" } }),
                r#"{"error":["User doesn't require 2FA!"]}"#,
            ),
            (
                json!({}),
                r#"{"email":["This field is required."],"password":["This field is required."]}"#,
            ),
            (
                json!({ "method": "2fa" }),
                r#"{"email":["This field is required."],"password":["This field is required."],"code":["This field is required."]}"#,
            ),
            (
                json!({ "method": "2fa", "credentials": { "email": ADA, "password": PASSWORD, "code": "" } }),
                r#"{"code":["This field may not be blank."]}"#,
            ),
            (
                json!({ "credentials": { "email": ADA, "password": "12345" } }),
                r#"{"password":["Ensure this field has at least 6 characters."]}"#,
            ),
            (
                json!({ "credentials": "text" }),
                r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got str."]}"#,
            ),
            (
                json!({ "credentials": [] }),
                r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}"#,
            ),
            (json!({ "method": "social" }), r#"{"error":["Unsupported login method: social"]}"#),
            (json!({ "method": "passkey" }), r#"{"error":["Unsupported login method: passkey"]}"#),
            (json!({ "method": null }), r#"{"error":["Unsupported login method: None"]}"#),
            (json!({ "method": "" }), r#"{"error":["Unsupported login method: "]}"#),
        ] {
            let answer = server.client().post_json("/api/users/login/", &body).await.expect(400);
            assert_eq!(answer.text(), said);
            assert!(answer.set_cookies().is_empty());
            expect_shape("users", &answer);
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_is_throttled_hears_it_in_the_doors_words() {
    each_open_server(async |server| {
        register(&mut server.client()).await;
        let throttled = |answer: Answer| {
            let after = answer.clone().expect(429).header("retry-after").unwrap().to_owned();
            let said = format!(
                "{{\"error\":[\"Too many attempts. Try again in {after} seconds.\"],\
                 \"detail\":\"Request was throttled. Expected available in {after} seconds.\"}}"
            );
            assert_eq!(answer.text(), said);
        };
        for _ in 0..5 {
            traditional(&mut server.client(), ADA, "not the one").await.expect(400);
        }
        throttled(traditional(&mut server.client(), ADA, "not the one").await);
        let mut client = server.client();
        for n in 0..6 {
            let email = format!("number{n}@example.com");
            let wish = json!({ "name": "N", "email": email, "password": PASSWORD });
            let answer = client.post_json("/api/users/register/", &wish).await;
            if n < 5 { drop(answer.expect(201)) } else { throttled(answer) }
        }
        for n in 0..4 {
            let body = json!({ "email": ADA });
            let answer = client.post_json("/api/users/password/forgot/", &body).await;
            if n < 3 { drop(answer.expect(200)) } else { throttled(answer) }
        }
    })
    .await;
}

#[tokio::test]
async fn d05_d06_d10_no_other_site_acts_with_the_cookie() {
    each_open_server(async |server| {
        let client = ada(&server).await;
        let body = format!("email=ada%40example.com&password={}", PASSWORD.replace(' ', "+"));
        for (method, path) in [
            ("POST", "register"),
            ("POST", "login"),
            ("POST", "logout"),
            ("DELETE", "delete"),
            ("POST", "password/forgot"),
            ("POST", "password/reset"),
            ("POST", "2fa-check"),
            ("POST", "2fa-qr"),
            ("POST", "2fa-remove"),
        ] {
            let path = format!("/api/users/{path}/");
            for (header, value) in [
                ("origin", "https://evil.example"),
                ("origin", "null"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
            ] {
                for kind in [FORM, Some("text/plain"), Some("application/json")] {
                    let mut attacked = client.clone().with_header(header, value);
                    let method = Method::from_bytes(method.as_bytes()).unwrap();
                    let answer = attacked.send(method, &path, kind, body.clone().into()).await;
                    expect_shape("users", &answer.clone().expect(403));
                    assert!(answer.set_cookies().is_empty(), "{path} with {header}: {value}");
                }
            }
            // An image or a frame sends GET, whatever it pretends to be in a header.
            let mut framed = client.clone().with_header("x-http-method-override", method);
            framed.get(&path).await.expect(405);
            framed.get(&format!("{path}?_method={method}")).await.expect(405);
        }
        let mut client = client;
        client.get("/api/users/me/").await.expect(200);
    })
    .await;
}
