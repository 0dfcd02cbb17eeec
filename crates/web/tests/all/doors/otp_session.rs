//! `/users/*` and `/user/*`.

use ironlatch_core::ports::Token;
use ironlatch_core::sessions::Door;
use ironlatch_core::sign_in::{Arrival, PasswordAttempt, Step};
use ironlatch_testkit::{PASSWORD, TestServer, address};

use super::{ADA, each_open_server, expect_shape};

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
