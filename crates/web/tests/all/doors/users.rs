//! `/api/users/*`.

use ironlatch_core::ports::Token;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Arrival, PasswordAttempt, Step};
use ironlatch_testkit::{PASSWORD, TestServer, address};
use serde_json::json;

use super::{ADA, each_open_server};

/// An access token of the door.
async fn token(server: &TestServer) -> Token {
    let attempt = PasswordAttempt {
        identifier: address(ADA).into(),
        password: Token::new(PASSWORD.to_owned()),
        expects_second_factor: false,
        arrival: Arrival::new(server.stranger()).through(Door::Users),
    };
    match server.auth.sign_in().with_password(attempt).await.unwrap() {
        Step::SignedIn(signed_in) => signed_in.started.access,
        Step::SecondFactor(_) => panic!("no second factor is enrolled"),
    }
}

#[tokio::test]
async fn health_and_dashboard_are_what_the_front_end_waits_for() {
    each_open_server(async |server| {
        let health = server.client().get("/api/health/").await.expect(200);
        assert_eq!(health.text(), r#"{"status":"ok"}"#);
        let refused = server.client().get("/api/dashboard/").await.expect(401);
        assert_eq!(
            refused.text(),
            r#"{"error":["Authentication credentials were not provided."],"detail":"Authentication credentials were not provided."}"#
        );
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"api\""));
        server.sign_up(ADA).await;
        let token = token(&server).await;
        // The header counts for nothing on this door.
        let mut bearer = server.client().with_bearer(token.reveal());
        bearer.get("/api/dashboard/").await.expect(401);
        let mut client = server.client();
        client.set_cookie("access_token", token.reveal());
        let dashboard = client.get("/api/dashboard/").await.expect(200);
        assert_eq!(
            dashboard.text(),
            r#"{"business":null,"linked_platforms":[],"posts_summary":null}"#
        );
        assert_eq!(dashboard.header("vary"), Some("Accept"));
        assert_eq!(dashboard.header("allow"), Some("GET, HEAD, OPTIONS"));
    })
    .await;
}

#[tokio::test]
async fn logout_ends_the_session_and_answers_200_to_everybody() {
    each_open_server(async |server| {
        server.sign_up(ADA).await;
        let token = token(&server).await;
        let mut client = server.client();
        client.set_cookie("access_token", token.reveal());
        for _ in 0..2 {
            let answer = client.post("/api/users/logout/").await.expect(200);
            assert_eq!(answer.json(), json!({ "message": "Logged out successfully" }));
            assert_eq!(
                answer.set_cookies(),
                ["access_token=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; \
                  SameSite=None; Secure"]
            );
        }
        client.set_cookie("access_token", token.reveal());
        client.get("/api/dashboard/").await.expect(401);
    })
    .await;
}
