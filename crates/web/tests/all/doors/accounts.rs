//! `/accounts/*`.

use ironlatch_testkit::PASSWORD;

use super::{ADA, each_open_server};

#[tokio::test]
async fn protected_greets_whoever_has_an_access_token() {
    each_open_server(async |server| {
        server.sign_up(ADA).await;
        let refused = server.client().get("/accounts/protected/").await.expect(401);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"api\""));
        let started = server.sign_in(ADA, PASSWORD).await.started;
        let mut client = server.client().with_bearer(started.access.reveal());
        let answer = client.get("/accounts/protected/").await.expect(200);
        assert_eq!(answer.text(), r#"{"message":"Hello ada@example.com"}"#);
    })
    .await;
}
