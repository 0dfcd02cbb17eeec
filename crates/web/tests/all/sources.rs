//! Registration sources over HTTP: what is taken from a request, and who may see the analytics.

use http::Method;
use ironlatch_core::ports::Token;
use ironlatch_core::sign_in::NewAccount;
use ironlatch_core::time::days;
use ironlatch_testkit::{Answer, PASSWORD, TestAuth, TestClient, TestServer, address, each_auth};
use ironlatch_web::Settings;
use serde_json::{Value, json};

use crate::each_server;

const REPORTS: [&str; 4] = [
    "/api/auth/sources",
    "/api/auth/sources/top",
    "/api/auth/sources/daily",
    "/api/auth/sources/conversion",
];

/// Somebody at the command line made this account.
async fn account(test: &TestAuth, email: &str, is_staff: bool, is_superuser: bool) -> String {
    let new = NewAccount {
        email: address(email),
        username: None,
        password: Some(Token::new(PASSWORD.to_owned())),
        is_staff,
        is_superuser,
        role: None,
    };
    test.auth.sign_in().create_account(new).await.unwrap();
    test.sign_in(email, PASSWORD).await.started.access.reveal().to_owned()
}

async fn operator(server: &TestServer) -> TestClient<'_> {
    let token = account(server, "staff@example.com", true, false).await;
    server.client().with_bearer(&token)
}

async fn patched(client: &mut TestClient<'_>, path: &str, body: &Value) -> Answer {
    let body = body.to_string().into_bytes();
    client.send(Method::PATCH, path, Some("application/json"), body).await
}

/// Registers from wherever the client's headers, the query and these members say.
async fn register(client: &mut TestClient<'_>, name: &str, query: &str, members: Value) {
    let mut body = json!({
        "username": name, "email": format!("{name}@example.com"), "password": PASSWORD,
    });
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    client.post_json(&format!("/api/auth/register{query}"), &body).await.expect(201);
}

/// What the top list shows: page, name, accounts.
async fn top(operator: &mut TestClient<'_>) -> Vec<(String, String, i64)> {
    let answer = operator.get("/api/auth/sources/top?limit=100").await.expect(200).json();
    let rows = answer["sources"].as_array().unwrap().iter();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.map(|row| (text(row, "url"), text(row, "display_name"), row["users"].as_i64().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_source_is_read_from_body_query_and_referrer() {
    each_auth(async |auth| {
        let settings = Settings {
            allowed_origins: vec!["https://app.example.com".to_owned()],
            ..Settings::default()
        };
        let server = TestServer::with_settings(auth, settings);
        let mut staff = operator(&server).await;

        let said = json!({ "source_url": "https://dashboard.myapp.com" });
        register(&mut server.client(), "a", "?utm_source=x", said).await;
        register(&mut server.client(), "b", "?utm_source=facebook&utm_campaign=spring", json!({}))
            .await;
        let campaign = json!({ "utm_source": "mail" });
        register(&mut server.client(), "c", "", campaign).await;
        let come = |referrer| server.client().with_header("referer", referrer);
        register(&mut come("https://News.example/a?id=7&utm_medium=rss#c"), "d", "", json!({}))
            .await;
        for (n, ours) in [
            "https://app.example.com/join?id=1",
            "https://app.example.com/",
            "http://127.0.0.1:8000/register",
            "junk",
        ]
        .iter()
        .enumerate()
        {
            register(&mut come(ours), &format!("ours{n}"), "", json!({})).await;
        }
        let led = "https://app.example.com/join?utm_source=ads";
        register(&mut come(led), "e", "", json!({})).await;
        for (n, bad) in [
            json!("javascript:alert(1)"),
            json!(["https://list.example"]),
            json!(null),
            json!(""),
            json!(format!("https://long.example/{}", "a".repeat(200))),
        ]
        .iter()
        .enumerate()
        {
            register(&mut server.client(), &format!("bad{n}"), "", json!({ "source_url": bad }))
                .await;
        }

        let mut found = top(&mut staff).await;
        found.sort();
        let row = |url: &str, name: &str| (url.to_owned(), name.to_owned(), 1);
        assert_eq!(
            found,
            [
                row(
                    "http://127.0.0.1:8000?utm_source=facebook&utm_campaign=spring",
                    "Facebook - Spring Campaign"
                ),
                row("http://127.0.0.1:8000?utm_source=mail", "Mail"),
                row("https://app.example.com/join?utm_source=ads", "Ads"),
                row("https://dashboard.myapp.com", "Dashboard"),
                row("https://news.example/a?utm_medium=rss", "news.example"),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn only_operators_see_and_change_sources() {
    each_server(async |server| {
        let plain = account(&server, "plain@example.com", false, false).await;
        let superuser = account(&server, "super@example.com", false, true).await;
        let one = "/api/auth/sources/019b76da-0000-7000-8000-000000000000";
        for path in REPORTS {
            server.client().get(path).await.expect(401);
            server.client().with_bearer(&plain).get(path).await.expect(403);
            server.client().with_bearer(&superuser).get(path).await.expect(200);
        }
        let change = json!({ "name": "x" });
        patched(&mut server.client(), one, &change).await.expect(401);
        patched(&mut server.client().with_bearer(&plain), one, &change).await.expect(403);
        patched(&mut server.client().with_bearer(&superuser), one, &change).await.expect(404);
        patched(&mut operator(&server).await, "/api/auth/sources/7", &change).await.expect(404);
    })
    .await;
}

#[tokio::test]
async fn reports_have_bounds_that_name_the_field() {
    each_server(async |server| {
        let mut staff = operator(&server).await;
        let path = "/api/auth/sources";
        let day = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.";
        let limit = "Ensure this value is between 1 and 1000.";
        for (query, body) in [
            ("from=yesterday", json!({ "from": [day] })),
            ("to=2026-02-30", json!({ "to": [day] })),
            ("from=&to=", json!({ "from": [day], "to": [day] })),
            (
                "from=2026-01-02&to=2026-01-01",
                json!({ "from": ["The first day must not lie after the last."] }),
            ),
            (
                "from=2024-11-26&to=2025-12-31",
                json!({ "from": ["A period has at most 400 days."] }),
            ),
            ("limit=0", json!({ "limit": [limit] })),
            ("limit=1001", json!({ "limit": [limit] })),
            ("limit=-1", json!({ "limit": ["A valid integer is required."] })),
            ("limit=99999999999", json!({ "limit": ["A valid integer is required."] })),
            ("include_inactive=maybe", json!({ "include_inactive": ["Must be a valid boolean."] })),
            ("form=2026-01-01", json!({ "form": ["Unknown field."] })),
        ] {
            let answer = staff.get(&format!("{path}?{query}")).await.expect(400);
            assert_eq!(answer.json(), body, "{query}");
        }
        staff.get(&format!("{path}?limit=1&limit=2")).await.expect(400);
        let usual = staff.get(path).await.expect(200).json();
        assert_eq!(
            usual,
            json!({
                "from": "2025-12-03", "to": "2026-01-01", "sources": [], "truncated": false,
            })
        );
        let longest = "from=2024-11-27&to=2025-12-31&limit=1000";
        staff.get(&format!("{path}?{longest}")).await.expect(200);
        let top = staff.get("/api/auth/sources/top").await.expect(200).json();
        assert_eq!(top, json!({ "sources": [], "truncated": false }));
        staff.get("/api/auth/sources/top?from=2026-01-01").await.expect(400);
    })
    .await;
}

#[tokio::test]
async fn numbers_are_those_counted_by_hand() {
    each_server(async |server| {
        for (n, url) in
            ["https://a.example", "https://b.example", "https://a.example"].iter().enumerate()
        {
            if n == 2 {
                server.clock.advance(days(1));
            }
            let from = json!({ "source_url": url });
            register(&mut server.client(), &format!("p{n}"), "", from).await;
        }
        // Who signs in from elsewhere later is linked, not counted as a sign-up.
        for url in ["https://b.example", "https://a.example"] {
            let body =
                json!({ "email": "p0@example.com", "password": PASSWORD, "source_url": url });
            server.client().post_json("/api/auth/login", &body).await.expect(200);
        }
        let mut staff = operator(&server).await;
        let get = async |staff: &mut TestClient<'_>, path: &str, keys: &[&str]| -> Vec<Value> {
            let answer = staff.get(path).await.expect(200).json();
            let rows = answer["sources"].as_array().unwrap().iter();
            rows.map(|row| keys.iter().map(|key| row[*key].clone()).collect()).collect()
        };
        let keys = ["url", "users", "sign_ups"];
        let (a, b) = ("https://a.example", "https://b.example");
        assert_eq!(
            get(&mut staff, "/api/auth/sources/top", &keys).await,
            [json!([a, 2, 2]), json!([b, 2, 1])]
        );
        assert_eq!(
            get(&mut staff, "/api/auth/sources", &keys).await,
            [json!([a, 2, 2]), json!([b, 2, 1])]
        );
        let first = "/api/auth/sources?from=2026-01-01&to=2026-01-01";
        assert_eq!(get(&mut staff, first, &keys).await, [json!([a, 1, 1]), json!([b, 1, 1])]);
        let second = "/api/auth/sources?from=2026-01-02&to=2026-01-02&limit=1";
        assert_eq!(get(&mut staff, second, &keys).await, [json!([a, 1, 1])]);
        assert_eq!(staff.get(second).await.json()["truncated"], true);
        let daily = ["day", "url", "sign_ups"];
        assert_eq!(
            get(&mut staff, "/api/auth/sources/daily", &daily).await,
            [json!(["2026-01-01", a, 1]), json!(["2026-01-01", b, 1]), json!(["2026-01-02", a, 1]),]
        );
        assert_eq!(get(&mut staff, "/api/auth/sources/conversion", &keys).await, [] as [Value; 0]);
    })
    .await;
}

#[tokio::test]
async fn markup_in_a_source_stays_text() {
    each_server(async |server| {
        let page =
            "https://x.example/<img>?utm_source=<script>alert(1)</script>&utm_campaign=%0d%0ax";
        register(&mut server.client(), "a", "", json!({ "source_url": page })).await;
        let answer = operator(&server).await.get("/api/auth/sources/top").await.expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let source = &answer.json()["sources"][0];
        assert_eq!(source["display_name"], "<script>alert(1)</script> - X Campaign");
        let url = source["url"].as_str().unwrap();
        assert!(!url.contains(['<', '>', '"', ' ', '\r', '\n']), "B16: {url}");
    })
    .await;
}

#[tokio::test]
async fn an_operator_names_a_source_or_sets_it_aside() {
    each_server(async |server| {
        let mut staff = operator(&server).await;
        let from = json!({ "source_url": "https://www.shop.example/x" });
        register(&mut server.client(), "a", "", from).await;
        let listed = staff.get("/api/auth/sources/top").await.json();
        let path = format!("/api/auth/sources/{}", listed["sources"][0]["id"].as_str().unwrap());
        let change = json!({ "name": " Shop ", "description": "<b>ours</b>" });
        let shown = patched(&mut staff, &path, &change).await.expect(200).json();
        assert_eq!(shown["display_name"], "Shop");
        assert_eq!(shown["category"], "shop.example");
        assert_eq!(shown["domain"], "www.shop.example");
        assert_eq!(shown["description"], "<b>ours</b>");
        let hidden = patched(&mut staff, &path, &json!({ "is_active": false })).await.expect(200);
        assert_eq!(hidden.json()["name"], "Shop", "what is not mentioned stays");
        for report in ["/api/auth/sources/top", "/api/auth/sources"] {
            assert_eq!(staff.get(report).await.json()["sources"], json!([]));
            let all = staff.get(&format!("{report}?include_inactive=true")).await.json();
            assert_eq!(all["sources"].as_array().unwrap().len(), 1);
        }
        let named = patched(&mut staff, &path, &json!({ "name": "", "is_active": true })).await;
        assert_eq!(named.expect(200).json()["display_name"], "shop.example");
        let too_long = "Ensure this field has no more than 100 characters.";
        for (change, body) in [
            (
                json!({ "name": "a\r\nb" }),
                json!({ "name": ["Control characters are not allowed."] }),
            ),
            (json!({ "name": "x".repeat(101) }), json!({ "name": [too_long] })),
            (json!({ "name": null }), json!({ "name": ["This field may not be null."] })),
            (json!({ "name": true }), json!({ "name": ["Not a valid string."] })),
            (
                json!({ "is_active": "perhaps" }),
                json!({ "is_active": ["Must be a valid boolean."] }),
            ),
            (json!({ "url": "https://x.example" }), json!({ "url": ["Unknown field."] })),
        ] {
            assert_eq!(patched(&mut staff, &path, &change).await.expect(400).json(), body);
        }
    })
    .await;
}
