//! Sign-in with accounts at providers: `/api/auth/social/*` and the page `/sign-in` (contract
//! auth-api §1 social, §6 rows 2–6; C02, C05, D05, F01, F03).

mod connections;
mod pages;

use std::sync::Arc;

use ironlatch_core::settings::{ProviderKind, Settings};
use ironlatch_testkit::provider::{At, Back, FakeProvider, Fault, Person};
use ironlatch_testkit::{
    Answer, MovedClock, PASSWORD, TestAuth, TestClient, TestServer, address, each_engine,
};
use serde_json::{Value, json};

const KINDS: [ProviderKind; 5] = [
    ProviderKind::Google,
    ProviderKind::Github,
    ProviderKind::Facebook,
    ProviderKind::Linkedin,
    ProviderKind::Oidc,
];

/// The session's cookie.
const REFRESH: &str = "refresh_token";
/// What a browser keeps on its way to a provider.
const FLOW: &str = "ironlatch_social_flow";

/// A server with one provider, on each engine.
async fn each_with(kind: ProviderKind, test: impl AsyncFn(TestServer, FakeProvider)) {
    each_changed(kind, |_| (), test).await;
}

async fn each_changed(
    kind: ProviderKind,
    change: impl Fn(&mut Settings),
    test: impl AsyncFn(TestServer, FakeProvider),
) {
    each_engine(async |url| {
        let clock = Arc::new(MovedClock::new());
        let provider = FakeProvider::start(kind, Arc::<MovedClock>::clone(&clock)).await;
        let settings = |settings: &mut Settings| {
            change(settings);
            provider.offer_in(settings);
        };
        let auth = TestAuth::builder().database(&url).clock(&clock).settings(settings).build();
        let auth = auth.await;
        let listed = ironlatch_web::Settings {
            allowed_origins: vec!["https://app.example.com".to_owned()],
            ..ironlatch_web::Settings::default()
        };
        test(TestServer::with_settings(auth, listed), provider.clone()).await;
    })
    .await;
}

/// Somebody whom every kind of provider can know.
fn ada() -> Person {
    Person::new("1001").with_email("ada@example.com").named("Ada Lovelace")
}

fn path_of(provider: &FakeProvider) -> String {
    format!("/api/auth/social/{}/", provider.name())
}

/// The contract's way: the client brings the code.
async fn bring(client: &mut TestClient<'_>, provider: &FakeProvider, person: &Person) -> Answer {
    let brought = provider.code_for(person);
    let body = json!({ "code": brought.code, "code_verifier": brought.verifier });
    client.post_json(&path_of(provider), &body).await
}

/// The browser's way there: what the provider sends it back with.
async fn leave(
    browser: &mut TestClient<'_>,
    provider: &FakeProvider,
    person: &Person,
    query: &str,
) -> Back {
    let start = format!("/api/auth/social/{}/start{query}", provider.name());
    let left = browser.get(&start).await.expect(303);
    provider.visit(left.header("location").unwrap(), person)
}

async fn me(server: &TestServer, access: &str) -> Value {
    server.client().with_bearer(access).get("/api/auth/me").await.expect(200).json()
}

/// The bearer of the session whose cookie a browser holds.
async fn access_of(browser: &mut TestClient<'_>) -> String {
    browser.post("/api/auth/token/refresh").await.expect(200).string("/access")
}

#[tokio::test]
async fn a_client_brings_a_code_and_is_the_same_person_again() {
    for kind in KINDS {
        each_with(kind, async |server, provider| {
            let mut client = server.client();
            let new = bring(&mut client, &provider, &ada()).await.expect(200);
            let keys: Vec<_> = new.json().as_object().unwrap().keys().cloned().collect();
            assert_eq!(keys, ["access", "refresh", "user"]);
            assert!(client.cookie(REFRESH).is_some(), "{kind:?}");
            // Facebook and the old LinkedIn say nothing that counts of an address.
            let proves = !matches!(kind, ProviderKind::Facebook | ProviderKind::Linkedin);
            let shown = if proves {
                "ada@example.com".to_owned()
            } else {
                format!("{}_1001@users.noreply.invalid", provider.name())
            };
            let user = &new.json()["user"];
            assert_eq!(user["email"], shown, "{kind:?}");
            assert_eq!(user["email_verified"], proves, "{kind:?}");
            let told = me(&server, &new.string("/access")).await;
            assert_eq!(told["providers"], json!([provider.name()]), "{kind:?}");
            assert_eq!(told["email"], shown, "{kind:?}");
            let again = bring(&mut server.client(), &provider, &ada()).await.expect(200);
            assert_eq!(again.json()["user"], *user, "{kind:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn what_does_not_prove_anything_is_refused_in_the_contracts_words() {
    each_with(ProviderKind::Google, async |server, provider| {
        let exchange = "Code exchange failed";
        let profile = "Failed to fetch user from provider";
        let right = provider.code_for(&ada());
        let verifier = right.verifier.as_str();
        for (body, detail, error) in [
            (json!({}), profile, "Provide id_token or access_token"),
            (json!({ "code": "" }), profile, "Provide id_token or access_token"),
            (json!({ "access_token": "a" }), profile, "access_token is not accepted; send code"),
            (
                json!({ "code": "nonsense", "code_verifier": verifier }),
                exchange,
                "The provider did not accept the code.",
            ),
            (
                json!({ "code": right.code }),
                exchange,
                "code_verifier must be the 43 to 128 characters that the challenge was made of",
            ),
            (json!({ "id_token": "a.b.c" }), profile, "The provider did not say who this is."),
        ] {
            let refused = server.client().post_json(&path_of(&provider), &body).await.expect(400);
            assert_eq!(refused.json(), json!({ "detail": detail, "error": error }), "{body}");
            assert!(refused.set_cookies().is_empty(), "{body}");
        }
        for (body, told) in [
            (json!({ "code": null }), json!({ "code": ["This field may not be null."] })),
            (json!({ "id_token": [] }), json!({ "id_token": ["Not a valid string."] })),
        ] {
            let refused = server.client().post_json(&path_of(&provider), &body).await.expect(400);
            assert_eq!(refused.json(), told);
        }
        for path in ["/api/auth/social/myspace/", "/api/auth/social/%ff/"] {
            let refused = server.client().post_json(path, &json!({})).await.expect(400);
            assert_eq!(refused.json(), json!({ "detail": "Unsupported provider" }));
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_joined_only_where_both_sides_have_proven_it() {
    each_with(ProviderKind::Google, async |server, provider| {
        let ada_here = server.verified_account("ada@example.com").await;
        let refused = bring(&mut server.client(), &provider, &ada().unverified()).await.expect(400);
        assert_eq!(
            refused.json(),
            json!({
                "detail": "An account with this e-mail already exists. Sign in with your \
                           password to connect it."
            })
        );
        let joined = bring(&mut server.client(), &provider, &ada()).await.expect(200);
        let account = server.account("ada@example.com").await;
        assert_eq!(account.id, ada_here.id);
        assert_eq!(joined.json()["user"]["id"], account.number);
        server.sign_in("ada@example.com", PASSWORD).await;
    })
    .await;
}

#[tokio::test]
async fn a_disabled_account_is_refused_like_a_proof_that_does_not_hold() {
    each_with(ProviderKind::Github, async |server, provider| {
        bring(&mut server.client(), &provider, &ada()).await.expect(200);
        let account = ironlatch_core::accounts::AccountRef::Email(address("ada@example.com"));
        server.auth.accounts().disable(&account).await.unwrap();
        let refused = bring(&mut server.client(), &provider, &ada()).await.expect(400);
        provider.break_with(Fault::Text(At::Userinfo, "{}"));
        let not_vouched = bring(&mut server.client(), &provider, &ada()).await.expect(400);
        assert_eq!(refused.text(), not_vouched.text());
        assert!(refused.set_cookies().is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_second_factor_is_asked_for_and_answered_as_after_a_password() {
    each_with(ProviderKind::Google, async |server, provider| {
        server.verified_account("ada@example.com").await;
        let app = server.enrol("ada@example.com", PASSWORD).await;
        server.clock.advance(std::time::Duration::from_secs(30));
        let mut client = server.client();
        let asked = bring(&mut client, &provider, &ada()).await.expect(401);
        assert_eq!(asked.json()["code"], "second_factor_required");
        assert_eq!(client.cookie(REFRESH), None);
        let answer = json!({
            "challenge": asked.string("/challenge"),
            "method": "totp",
            "code": app.code(server.now()).reveal(),
        });
        let signed_in = client.post_json("/api/auth/2fa/verify", &answer).await.expect(200);
        let told = me(&server, &signed_in.string("/access")).await;
        assert_eq!(told["providers"], json!(["google"]));
        assert!(client.cookie(REFRESH).is_some());
    })
    .await;
}

/// Addresses made up for existing clients, and those that cannot be made.
#[tokio::test]
async fn an_account_without_an_address_is_shown_one_that_gets_no_mail() {
    each_with(ProviderKind::Oidc, async |server, provider| {
        for (subject, made_of_it) in [
            ("a1B2-c3_d4.e5", true),
            ("a@b.example", false),
            ("a b", false),
            ("..", false),
            (&"x".repeat(255), false),
        ] {
            let person = Person::new(subject);
            let new = bring(&mut server.client(), &provider, &person).await.expect(200);
            let user = &new.json()["user"];
            let shown = if made_of_it {
                format!("oidc_{subject}@users.noreply.invalid")
            } else {
                format!("{}@users.noreply.invalid", user["id"])
            };
            assert_eq!(user["email"], shown);
            assert_eq!(user["email_verified"], false);
            // Nobody signs up with it, or takes it for theirs.
            let body = json!({ "email": shown, "username": "eve", "password": PASSWORD });
            let refused = server.client().post_json("/api/auth/register", &body).await.expect(400);
            assert_eq!(
                refused.json()["email"],
                json!(["Enter an email address that can receive mail."])
            );
            let claims = Person::new("eve").with_email(&shown);
            let made = bring(&mut server.client(), &provider, &claims).await.expect(200);
            assert_ne!(made.string("/user/email"), shown);
            let mut bearer = server.client().with_bearer(&new.string("/access"));
            assert_eq!(bearer.get("/api/profile").await.expect(200).json()["email"], shown);
        }
        server.deliver().await;
        assert!(server.inbox.all().is_empty(), "nobody is mailed at such an address");
    })
    .await;
}
