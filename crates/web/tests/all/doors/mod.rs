//! The doors: other systems' contracts, each in its own words.

mod accounts;
mod cfg;
mod cfg_codes;
mod every_path;
mod otp_session;
mod users;

use http::Method;
use ironlatch_testkit::{Answer, TestAuth, TestServer, each_engine, open_doors};
use ironlatch_web::Settings;
use serde_json::Value;

const ADA: &str = "ada@example.com";

/// Runs the test on every engine, each time with a server of its own whose doors are open.
pub(super) async fn each_open_server(test: impl AsyncFn(TestServer)) {
    each_engine(async |url| {
        let auth = TestAuth::builder().database(&url).settings(open_doors).build().await;
        test(TestServer::over(auth)).await;
    })
    .await;
}

/// A path of each door, with a method it allows.
const DOORS: [(&str, Method, &str); 4] = [
    ("users", Method::POST, "/api/users/logout/"),
    ("otp_session", Method::POST, "/users/logout/"),
    ("accounts", Method::GET, "/accounts/protected/"),
    ("cfg", Method::POST, "/cfg/accounts/token/refresh/"),
];

/// Fails unless an answer has the shape in which the door's clients read errors.
#[track_caller]
fn expect_shape(door: &str, answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{door}");
    let body = answer.json();
    match door {
        "users" => {
            let first = body.as_object().and_then(|keys| keys.values().next()).cloned();
            let first = first.as_ref().and_then(Value::as_array).expect("a list comes first");
            assert!(first.iter().all(Value::is_string) && !first.is_empty(), "{body}");
        }
        "otp_session" => {
            let keys: Vec<_> = body.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["success", "detail"], "{body}");
            assert!(body["success"] == false && body["detail"].is_string(), "{body}");
        }
        _ => assert!(body["detail"].is_string(), "{body}"),
    }
}

#[tokio::test]
async fn a_door_is_closed_until_it_is_opened() {
    let closed = TestServer::new().await;
    for (door, method, path) in DOORS {
        let answer = closed.client().send(method, path, None, Vec::new()).await;
        assert_eq!(answer.status, 404, "{door}");
        assert!(answer.text().is_empty(), "nothing of ours answers there: {}", answer.text());
    }
    let one = TestAuth::builder().settings(|settings| settings.doors.accounts.enabled = true);
    let one = TestServer::over(one.build().await);
    one.client().get("/accounts/protected").await.expect(401);
    assert!(one.client().get("/api/health").await.expect(404).text().is_empty());
}

#[tokio::test]
async fn whatever_is_refused_on_the_way_in_is_said_in_the_doors_words() {
    let auth = TestAuth::builder().settings(open_doors).build().await;
    let settings = Settings { hosts: Some(vec!["127.0.0.1".to_owned()]), ..Settings::default() };
    let server = TestServer::with_settings(auth, settings);
    for (door, method, path) in DOORS {
        let beside = path.rsplit_once("/accounts").map_or_else(
            || path.trim_end_matches("logout/").to_owned(),
            |(before, _)| format!("{before}/accounts/"),
        );
        for nothing in [beside.clone(), format!("{beside}no/such/path")] {
            let answer = server.client().get(&nothing).await.expect(404);
            expect_shape(door, &answer);
        }
        let call = async |name, value| {
            let mut client = server.client().with_header(name, value);
            client.send(method.clone(), path, None, Vec::new()).await
        };
        expect_shape(door, &call("host", "evil.example").await.expect(421));
        expect_shape(door, &call("accept", "image/png").await.expect(406));
        let mut stranger = server.client().with_header("origin", "https://evil.example");
        let answer = stranger.send(Method::POST, path, None, Vec::new()).await.expect(403);
        expect_shape(door, &answer);
        let answer = server.client().send(Method::PUT, path, None, Vec::new()).await;
        expect_shape(door, &answer.expect(405));
    }
}

#[tokio::test]
async fn the_front_ends_of_open_doors_may_call() {
    let front_end = "https://front.example.com";
    let with_front_end = |settings: &mut ironlatch_core::settings::Settings| {
        open_doors(settings);
        settings.doors.users.frontend_url = Some(format!("{front_end}/app/"));
        settings.doors.accounts.frontend_url = Some("https://closed.example.com".to_owned());
        settings.doors.accounts.enabled = false;
    };
    let server = TestServer::over(TestAuth::builder().settings(with_front_end).build().await);
    let from = async |origin: &str| {
        server.client().with_header("origin", origin).post("/api/users/logout/").await
    };
    let answer = from(front_end).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(front_end));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("vary"), Some("Accept, Origin"));
    for other in ["https://closed.example.com", "https://front.example.com.evil.example"] {
        from(other).await.expect(403);
    }
}
