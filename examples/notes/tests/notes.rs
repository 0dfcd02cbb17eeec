//! The example as its users meet it: refused, let in, refused again.

use ironlatch_core::accounts::{AccountRef, Email};
use ironlatch_testkit::{PASSWORD, TestAuth, TestServer, each_engine};
use serde_json::json;

const ADA: &str = "ada@example.com";

/// The application over a test's `Auth`, whose public URL knows the prefix.
async fn server(database_url: &str) -> TestServer {
    let public_url = format!("http://127.0.0.1:3000{}", example_notes::PREFIX);
    let builder = TestAuth::builder().database(database_url);
    let test = builder.settings(|settings| settings.public_url = public_url).build().await;
    let app = example_notes::app(test.auth.clone(), ironlatch_web::Settings::default());
    TestServer::with_router(test, app)
}

async fn access(server: &TestServer) -> String {
    let body = json!({"email": ADA, "password": PASSWORD});
    let answer = server.client().post_json("/identity/api/auth/login/", &body).await.expect(200);
    answer.string("/access")
}

#[tokio::test]
async fn routes_ask_for_a_person_an_address_or_a_role() {
    each_engine(async |url| {
        let server = server(&url).await;
        let note = json!({"text": "Buy milk"});

        assert_eq!(server.client().get("/notes").await.status, 401);
        assert_eq!(server.client().with_bearer("x.y.z").get("/notes").await.status, 401);

        let body = json!({"username": "ada", "email": ADA, "password": PASSWORD});
        server.client().post_json("/identity/api/auth/register/", &body).await.expect(201);
        let access = access(&server).await;
        let mut ada = server.client().with_bearer(&access);
        assert_eq!(ada.get("/notes").await.expect(200).json(), json!([]));
        assert_eq!(ada.post_json("/notes", &note).await.status, 403, "not proven yet");

        server.deliver().await;
        let link = server.inbox.latest(ADA).path();
        assert!(link.starts_with("/identity/verify-email"), "the link knows the prefix: {link}");
        let token = server.inbox.latest(ADA).token();
        let mut json_client = server.client().with_header("accept", "application/json");
        let path = format!("/identity/api/auth/verify-email/?token={token}");
        json_client.get(&path).await.expect(200);
        ada.post_json("/notes", &note).await.expect(201);
        assert_eq!(ada.get("/notes").await.expect(200).json(), json!([note]));

        assert_eq!(ada.get("/admin/notes").await.status, 403, "not an admin yet");
        let who = AccountRef::Email(Email::parse(ADA).unwrap());
        server.auth.accounts().set_role(&who, "admin").await.unwrap();
        assert_eq!(ada.get("/admin/notes").await.expect(200).json(), json!(1));

        let bob = json!({"email": "bob@example.com"});
        ada.post_json("/admin/people", &bob).await.expect(201);
        ada.post_json("/admin/people", &bob).await.expect(200);
        ada.post_json("/admin/people", &json!({"email": "bob"})).await.expect(400);

        ada.post("/identity/api/auth/logout/").await.expect(200);
        assert_eq!(ada.get("/notes").await.status, 401, "signed out");
    })
    .await;
}

#[tokio::test]
async fn the_mailed_link_opens_a_page_under_the_prefix() {
    each_engine(async |url| {
        let server = server(&url).await;
        let mut browser = server.browser();
        let body = json!({"username": "ada", "email": ADA, "password": PASSWORD});
        browser.client().post_json("/identity/api/auth/register/", &body).await.expect(201);
        server.deliver().await;

        browser.visit(&server.inbox.latest(ADA).path()).await;
        assert_eq!(browser.status(), 200, "{}", browser.text());
        assert!(server.account(ADA).await.email_verified_at.is_none(), "looking proves nothing");
        browser.submit().await;
        assert_eq!(browser.status(), 200, "{}", browser.text());
        assert!(server.account(ADA).await.email_verified_at.is_some());
    })
    .await;
}
