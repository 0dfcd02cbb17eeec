//! Every path of our API and of every door, as `docs/doors.md` lists them: whatever is sent, the answer is one
//! its clients can read.

use http::Method;
use ironlatch_core::ports::Token;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Arrival, PasswordAttempt, SignedIn, Step};
use ironlatch_testkit::{
    Answer, PASSWORD, TestAuth, TestClient, TestServer, address, each_engine, open_doors,
};
use ironlatch_web::Settings;
use serde_json::{Value, json};

struct Route {
    door: String,
    method: Method,
    path: String,
}

fn routes() -> Vec<Route> {
    let page = include_str!("../../../../../docs/doors.md");
    let rows = page.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, door, method, path, ..] = cells[..] else { panic!("{line}") };
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        // The name of a connection there, and of no provider.
        let path = path.replace("{id}", "018f4e5c-7a10-7000-8000-000000000000");
        let path = path.replace("{name}", "018f4e5c-7a10-7000-8000-000000000000") + "/";
        Route { door: door.to_owned(), method, path }
    });
    // Browsers pass through these two, which answer with pages.
    let is_way = |path: &str| path.ends_with("/start/") || path.ends_with("/callback/");
    rows.filter(|route| !is_way(&route.path)).collect()
}

/// A server whose limits do not get in the way.
async fn open_server(url: &str) -> TestServer {
    let settings = |settings: &mut ironlatch_core::settings::Settings| {
        open_doors(settings);
        settings.limits.sign_ups_per_network_hour = 100_000;
    };
    TestServer::over(TestAuth::builder().database(url).settings(settings).build().await)
}

async fn signed_in(server: &TestServer, email: &str, door: Door) -> SignedIn {
    let attempt = PasswordAttempt {
        identifier: address(email).into(),
        password: Token::new(PASSWORD.to_owned()),
        expects_second_factor: false,
        arrival: Arrival::new(server.stranger()).through(door),
    };
    match server.auth.sign_in().with_password(attempt).await.unwrap() {
        Step::SignedIn(signed_in) => *signed_in,
        Step::SecondFactor(_) => panic!("no second factor is enrolled"),
    }
}

/// Somebody's client, signed in in each door's way.
async fn member<'a>(server: &'a TestServer, email: &str) -> TestClient<'a> {
    server.verified_account(email).await;
    let by_token = signed_in(server, email, Door::Users).await.started;
    let by_cookie = signed_in(server, email, Door::OtpSession).await.started;
    let mut client = server.client().with_bearer(by_token.access.reveal());
    client.set_cookie("access_token", by_token.access.reveal());
    client.set_cookie("sessionid", by_cookie.cookie.unwrap().0.reveal());
    for path in
        ["/api/users/me/", "/users/who_am_i/", "/accounts/protected/", "/cfg/accounts/profile/"]
    {
        client.get(path).await.expect(200);
    }
    client
}

/// Fails unless the door's client can read what is refused.
#[track_caller]
fn expect_readable(route: &Route, sent: &str, answer: &Answer) {
    let Route { door, method, path } = route;
    let at = format!("{method} {path} with {sent:.80}: {} {}", answer.status, answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"), "{at}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{at}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{at}");
    if answer.status < 400 {
        assert_eq!(answer.status / 100, 2, "{at}");
        return;
    }
    assert!(answer.status < 500, "{at}");
    let body = answer.json();
    let is_list = |value: &Value| {
        let texts = value.as_array().is_some_and(|all| all.iter().all(Value::is_string));
        texts && !value.as_array().unwrap().is_empty()
    };
    let members = body.as_object().unwrap_or_else(|| panic!("{at}"));
    let first = members.values().next().unwrap_or_else(|| panic!("{at}"));
    let is_fine = match door.as_str() {
        "users" => is_list(first) || body == json!({ "status": false }),
        "otp_session" => {
            members.keys().eq(["success", "detail"])
                && *first == false
                && body["detail"].is_string()
        }
        "accounts" | "cfg" | "api" => first.is_string() || is_list(first),
        other => panic!("what do clients of {other} read?"),
    };
    assert!(is_fine, "{at}");
}

/// Names of values in any of the contracts.
#[rustfmt::skip]
const FIELDS: [&str; 28] = [
    "email", "password", "name", "role", "method", "credentials", "code", "uid", "token",
    "new_password", "refresh", "identifier", "channel", "otp", "otp_code", "source_url",
    "first_name", "last_name", "phone", "date_of_birth", "avatar", "username", "user_id",
    "password_confirm", "code_verifier", "access_token", "id_token", "next",
];

#[rustfmt::skip]
const DOCUMENTS: [&str; 14] = [
    "", "{", "{}", "[]", "null", "true", "1", "\"text\"", "{bad", "{'a':1}", "NaN", "\u{feff}{}",
    "{\"email\":\"a\",\"email\":\"b\"}", "{\"refresh\":\"a\",\"refresh\":\"b\"}",
];

/// Each is given to every field at once.
#[rustfmt::skip]
const VALUES: [&str; 25] = [
    "null", "true", "1", "-1", "1.5", "1e400", "184467440737095516160", "[]", "[\"a\"]", "{}",
    "{\"$ne\":\"\"}", "\"\"", "\" \"", "\"\\u0000\"", "\"a\\u0000b@example.com\"", "\"\\ud800\"",
    "\"\u{202e}\"", "\"' OR 1=1 --\"", "\"a@b\"", "\"@\"", "\"%s%n\"", "\"123456\"",
    "\"+4915112345678\"", "\"../../etc/passwd\"", "\"<script>alert(1)</script>\"",
];

const OTHER_KINDS: [(&str, &str); 9] = [
    ("text/plain", "{}"),
    ("application/xml", "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]>"),
    ("application/json, text/plain", "{}"),
    ("application/x-www-form-urlencoded", "email=%ff&password=%&identifier=%ff"),
    ("application/x-www-form-urlencoded", "email=a&email=b&refresh=a&refresh=b"),
    ("application/x-www-form-urlencoded", "email[$ne]=&email%00=a"),
    ("multipart/form-data", "x"),
    ("multipart/form-data; boundary=x", "--x\r\nContent-Dispo"),
    (
        "multipart/form-data; boundary=x",
        "--x\r\nContent-Disposition: form-data; name=\"avatar\"; filename=\"a\"\r\n\r\nx\r\n",
    ),
];

/// Bodies with something wrong about them.
fn bad_bodies() -> Vec<(&'static str, Vec<u8>)> {
    let in_every_field = |value: &str| {
        let members: Vec<_> = FIELDS.iter().map(|name| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    };
    let mut documents: Vec<Vec<u8>> = DOCUMENTS.map(|text| text.as_bytes().to_vec()).to_vec();
    documents.extend(VALUES.map(in_every_field));
    documents.push(in_every_field(&format!("\"{}\"", "x".repeat(2_000))));
    documents.push(b"{\"email\":\"\xff\xfe\"}".to_vec());
    documents.push(("[".repeat(9_000) + &"]".repeat(9_000)).into_bytes());
    documents.push(vec![b' '; 64 * 1024 + 1]);
    let documents = documents.into_iter().map(|body| ("application/json", body));
    documents.chain(OTHER_KINDS.map(|(kind, body)| (kind, body.as_bytes().to_vec()))).collect()
}

#[tokio::test]
async fn whatever_body_comes_the_answer_is_one_its_clients_read() {
    let bodies = bad_bodies();
    each_engine(async |url| {
        let server = open_server(&url).await;
        for (n, route) in routes().iter().enumerate() {
            let client = member(&server, &format!("number{n}@example.com")).await;
            for (kind, body) in &bodies {
                let sent = format!("{kind} {}", String::from_utf8_lossy(body));
                for client in [client.clone(), server.client()] {
                    // One path leads whoever does not ask for JSON by name to a page.
                    let mut client = client.with_header("accept", "application/json");
                    client.move_to(server.stranger().address);
                    let method = route.method.clone();
                    let answer = client.send(method, &route.path, Some(kind), body.clone()).await;
                    expect_readable(route, &sent, &answer);
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_around_every_path_is_said_in_its_doors_words() {
    let auth = TestAuth::builder().settings(open_doors).build().await;
    let settings = Settings { hosts: Some(vec!["127.0.0.1".to_owned()]), ..Settings::default() };
    let server = TestServer::with_settings(auth, settings);
    let routes = routes();
    for route in &routes {
        let call = async |method: &Method, name: &'static str, value: &str| {
            let client = server.client().with_header("accept", "application/json");
            let mut client = client.with_header(name, value);
            let answer = client.send(method.clone(), &route.path, None, Vec::new()).await;
            expect_readable(route, value, &answer);
            answer.status
        };
        assert_eq!(call(&route.method, "host", "evil.example").await, 421);
        assert_eq!(call(&route.method, "accept", "image/png").await, 406);
        if !route.method.is_safe() {
            assert_eq!(call(&route.method, "origin", "https://evil.example").await, 403);
            assert_eq!(call(&route.method, "sec-fetch-site", "cross-site").await, 403);
        }
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let is_served = |it: &Route| it.path == route.path && it.method == method;
            if !routes.iter().any(is_served) {
                assert_eq!(
                    call(&method, "user-agent", "none").await,
                    405,
                    "{method} {}",
                    route.path
                );
            }
        }
        for header in ["Bearer", "Bearer a b", "Bearer garbage", "Basic YTpi", ""] {
            call(&route.method, "authorization", header).await;
        }
    }
}
