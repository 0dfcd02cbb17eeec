//! What the door refuses, and in which words.

use super::*;

#[tokio::test]
async fn signup_and_login_name_every_mistake_in_the_order_of_the_fields() {
    each_open_server(async |server| {
        let both = |email: &str, password: &str| {
            format!("{{\"email\":[\"{email}\"],\"password\":[\"{password}\"]}}")
        };
        let (required, null) = ("This field is required.", "This field may not be null.");
        let (blank, no_text) = ("This field may not be blank.", "Not a valid string.");
        let bad_email = "Enter a valid email address.";
        for (body, email, password) in [
            (json!({}), required, required),
            (json!({ "password": null, "email": null }), null, null),
            (json!({ "email": "", "password": "" }), blank, blank),
            (json!({ "email": [], "password": {} }), no_text, no_text),
            (json!({ "email": "nowhere", "password": true }), bad_email, no_text),
        ] {
            for act in ["signup", "login"] {
                let answer = post(&mut server.client(), act, body.clone()).await.expect(400);
                assert_eq!(answer.text(), both(email, password), "{act}");
            }
        }
        let short = json!({ "email": "nowhere", "password": "short" });
        let answer = post(&mut server.client(), "signup", short).await.expect(400);
        assert_eq!(answer.text(), both(bad_email, "Ensure this field has at least 8 characters."));
        let own = json!({ "email": ADA, "password": ADA });
        post(&mut server.client(), "signup", own).await.expect(400);
        let found = server.auth.accounts().find(&AccountRef::Email(address(ADA))).await;
        assert!(found.unwrap().is_none(), "nothing of it made an account");
    })
    .await;
}

#[tokio::test]
async fn every_write_takes_json_and_forms_and_refuses_the_rest_in_the_doors_words() {
    each_open_server(async |server| {
        let (access, _) = ada(&server).await;
        for (method, path) in WRITES {
            if method == "DELETE" {
                continue;
            }
            let path = format!("/accounts/{path}/");
            let send = async |kind: Option<&'static str>, body: &[u8]| {
                let mut client = server.client().with_bearer(&access);
                client.send(Method::POST, &path, kind, body.to_vec()).await
            };
            let json = Some("application/json");
            let answer = send(Some("text/plain"), b"a=b").await.expect(415);
            assert_eq!(
                answer.text(),
                r#"{"detail":"Unsupported media type \"text/plain\" in request."}"#
            );
            let answer = send(json, b"{bad").await.expect(400);
            assert!(answer.string("/detail").starts_with("JSON parse error - "));
            expect_shape("accounts", &send(json, b"{\"a\":1,\"a\":2}").await.expect(400));
            expect_shape("accounts", &send(json, &vec![b' '; 64 * 1024 + 1]).await.expect(413));
            let answer = send(json, b"[]").await.expect(400);
            assert_eq!(
                answer.text(),
                r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}"#
            );
            let said = send(json, b"{}").await.expect(400);
            let multipart = "multipart/form-data; boundary=x";
            for (kind, body) in [
                ("application/x-www-form-urlencoded", "unknown=1"),
                (
                    multipart,
                    "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n",
                ),
            ] {
                let answer = send(Some(kind), body.as_bytes()).await.expect(400);
                assert_eq!(answer.text(), said.text(), "{path} by {kind}");
            }
            let mut client = server.client();
            let shown = client.send(Method::OPTIONS, &path, None, Vec::new()).await.expect(200);
            assert_eq!(shown.json()["parses"][2], "multipart/form-data");
            expect_shape("accounts", &client.get(&path).await.expect(405));
        }
        // A bad bearer token is nobody's on public paths.
        let mut client = server.client().with_bearer("garbage");
        let body = json!({ "email": ADA, "password": PASSWORD });
        post(&mut client, "login", body).await.expect(200);
        let mut client = server.client();
        client
            .post_form("/accounts/login", &[("email", ADA), ("password", PASSWORD)])
            .await
            .expect(200);
    })
    .await;
}

#[tokio::test]
async fn taken_and_unknown_addresses_are_answered_alike() {
    each_open_server(async |server| {
        ada(&server).await;
        signup(&mut server.client(), "waits@example.com").await.expect(201);
        let seen = |answer: &Answer| {
            let names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
            let cookies: Vec<_> = answer.set_cookies().iter().map(|line| line.len()).collect();
            (answer.status, answer.text().to_owned(), names, cookies)
        };
        let fresh = signup(&mut server.client(), "fresh@example.com").await;
        for email in [ADA, "ADA@Example.com", "waits@example.com"] {
            let answer = signup(&mut server.client(), email).await;
            assert_eq!(seen(&answer), seen(&fresh), "A03: {email}");
        }
        server.deliver().await;
        let _ = server.inbox.latest_about(ADA, "already");
        let ask = async |email: &str| {
            let body = json!({ "email": email });
            seen(&post(&mut server.client(), "password-reset", body).await)
        };
        let unknown = ask("nobody@example.com").await;
        for email in [ADA, "waits@example.com"] {
            assert_eq!(ask(email).await, unknown, "A04: {email}");
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_is_throttled_hears_it_in_the_doors_words() {
    each_open_server(async |server| {
        ada(&server).await;
        let throttled = |answer: Answer| {
            let answer = answer.expect(429);
            let after = answer.header("retry-after").unwrap();
            let said = format!(
                "{{\"detail\":\"Request was throttled. Expected available in {after} seconds.\"}}"
            );
            assert_eq!(answer.text(), said);
        };
        for _ in 0..5 {
            login(&server, ADA, "not the one").await.expect(401);
        }
        throttled(login(&server, ADA, PASSWORD).await);
        let mut client = server.client();
        for n in 0..6 {
            let answer = signup(&mut client, &format!("number{n}@example.com")).await;
            if n < 5 { drop(answer.expect(201)) } else { throttled(answer) }
        }
        for n in 0..4 {
            let answer = post(&mut client, "password-reset", json!({ "email": ADA })).await;
            if n < 3 { drop(answer.expect(200)) } else { throttled(answer) }
        }
    })
    .await;
}

#[tokio::test]
async fn d05_d06_no_other_site_acts_or_plants_anything() {
    each_open_server(async |server| {
        let (access, _) = ada(&server).await;
        let body = format!("email=ada%40example.com&password={}", PASSWORD.replace(' ', "+"));
        for (method, path) in WRITES {
            let path = format!("/accounts/{path}/");
            for (header, value) in [
                ("origin", "https://evil.example"),
                ("origin", "null"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
            ] {
                for kind in ["application/x-www-form-urlencoded", "text/plain", "application/json"]
                {
                    let mut attacked =
                        server.client().with_bearer(&access).with_header(header, value);
                    let method = Method::from_bytes(method.as_bytes()).unwrap();
                    let answer = attacked.send(method, &path, Some(kind), body.clone().into());
                    let answer = answer.await.expect(403);
                    expect_shape("accounts", &answer);
                    assert!(answer.set_cookies().is_empty(), "{path} with {header}: {value}");
                }
            }
            let mut framed = server.client().with_header("x-http-method-override", method);
            framed.get(&path).await.expect(405);
        }
        protected(&server, &access).await.expect(200);
    })
    .await;
}
