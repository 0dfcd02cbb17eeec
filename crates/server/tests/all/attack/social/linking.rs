//! C05 and C06: what is connected is what was proven, for the session that asked.

use ironlatch_core::settings::ProviderKind;
use serde_json::json;

use super::super::house::{PASSWORD, Person};
use super::super::http::{Answer, Call};
use super::{
    ADA, EVERY, Providers, assert_refused, come_back, each_social, leave, me, owner, post, proven,
    signed_in, someone, through,
};
use crate::attack::browser::Browser;
use crate::attack::house::House;

/// A browser in which somebody signed in with a password.
fn browser_of<'a>(house: &'a House, email: &str) -> (Browser<'a>, Person) {
    let mut browser = house.browser();
    let login = json!({ "email": email, "password": PASSWORD });
    let answer = browser.call(Call::post("/api/auth/login/").json(login));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let person = Person {
        email: email.to_owned(),
        access: answer.field("access"),
        refresh: answer.field("refresh"),
        cookie: answer.cookie("refresh_token").unwrap(),
        device: answer.cookie("__Host-ironlatch_device").unwrap_or_default(),
    };
    (browser, person)
}

/// Begins to connect a provider in a browser; where it is sent.
#[track_caller]
fn begin(browser: &mut Browser<'_>, person: &Person, name: &str) -> String {
    let call = Call::post(&format!("/api/auth/social/{name}/link"));
    let answer = browser.call(call.bearer(&person.access).json(json!({})));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.field("authorization_url")
}

fn connected(house: &House, person: &Person) -> serde_json::Value {
    me(house, &person.access)["providers"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c05_the_way_back_of_an_attackers_connects_nothing_in_my_browser() {
    each_social(&EVERY, "", |house, providers| {
        proven(house, "ada");
        proven(house, "eve");
        for (n, (name, _)) in (600..).zip(EVERY) {
            let (mut mine, ada) = browser_of(house, ADA);
            let (mut theirs, eve) = browser_of(house, "eve@example.com");
            let evil = someone(n, "eve@example.org");
            // What eve began, to connect and to sign in, with her account at the provider.
            let url = begin(&mut theirs, &eve, name);
            let to_connect = providers.at(name).visit(&url, &evil);
            let to_sign_in = through(&mut house.browser(), providers, name, &evil);
            for back in [&to_connect, &to_sign_in] {
                // In ada's browser: without a way of her own, and with one under way.
                come_back(&mut mine, &back.path());
                leave(&mut mine, name);
                let page = come_back(&mut mine, &back.path());
                assert_eq!(page.status, 400, "C05: {name}: {}", page.text());
                begin(&mut mine, &ada, name);
                come_back(&mut mine, &back.path());
                assert_eq!(connected(house, &ada), json!([]), "C05: {name}");
                let seen = owner(&mut mine).unwrap();
                assert_eq!(seen["email"], ADA, "C05: {name}: whose browser it is");
            }
            // Her code is in nobody's hands: it was never taken to the provider.
            let page = come_back(&mut theirs, &to_connect.path());
            assert_eq!(page.status, 200, "C05: {name}: {}", page.text());
            assert!(connected(house, &eve).to_string().contains(name));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c05_only_the_bearer_of_a_recent_session_begins_to_connect() {
    each_social(&EVERY, "", |house, _| {
        proven(house, "ada");
        let (mut mine, ada) = browser_of(house, ADA);
        let link = "/api/auth/social/google/link";
        let refused = |answer: &Answer, status: u16, what: &str| {
            assert_eq!(answer.status, status, "C05: {what}: {}", answer.text());
            assert!(answer.set_cookies().is_empty(), "C05: {what} plants a cookie");
        };
        // What a page of another site can make a browser do, cookies included.
        refused(&mine.call(Call::get(link).header("Sec-Fetch-Site", "cross-site")), 405, "GET");
        let cookies_alone = Call::post(link).header("Sec-Fetch-Site", "same-origin");
        refused(&mine.call(cookies_alone.json(json!({}))), 401, "by cookie");
        for kind in ["application/x-www-form-urlencoded", "text/plain", "application/json"] {
            let call = Call::post(link).header("Sec-Fetch-Site", "cross-site");
            refused(&mine.call(call.body(kind, "{}")), 403, "from another site");
        }
        // A GET begins a sign-in at most, and never for the account that is signed in.
        let url = leave(&mut mine, "google");
        assert!(url.contains("state="), "{url}");
        assert_eq!(connected(house, &ada), json!([]));
    })
    .await;
}

/// How a session ends.
type End = fn(&House, &mut Browser<'_>, &Person);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c05_a_session_that_ended_meanwhile_connects_nothing() {
    each_social(&EVERY, "", |house, providers| {
        proven(house, "ada");
        let ends: [(&str, End); 3] = [
            ("signed out", |_, browser, _| {
                browser.call(Call::post("/api/auth/logout/").header("Sec-Fetch-Site", "same-origin"));
            }),
            ("ended from elsewhere", |house, _, _| {
                let other = house.signed_in(ADA, PASSWORD);
                let all = Call::post("/api/auth/sessions/end-others").bearer(&other.access);
                assert_eq!(house.call(all).status, 200);
            }),
            ("disabled", |house, _, _| {
                house.run(&["account", "disable", ADA]);
            }),
        ];
        for (n, (what, end)) in (620..).zip(ends) {
            let (mut mine, ada) = browser_of(house, ADA);
            let url = begin(&mut mine, &ada, "google");
            let back = providers.google().visit(&url, &someone(n, "ada@example.org"));
            end(house, &mut mine, &ada);
            let page = come_back(&mut mine, &back.path());
            assert_ne!(page.status, 200, "C05: {what}: {}", page.text());
            assert!(owner(&mut mine).is_none(), "C05: {what}: signed in by connecting");
            // The identity is nobody's: it makes an account of its own, or none.
            let person = signed_in(house, providers, "google", &someone(n, "ada@example.org"));
            let seen = me(house, &person.access);
            assert_eq!(seen["email"], "ada@example.org", "C05: {what}");
            let out = Call::new("DELETE", "/api/auth/account").bearer(&person.access);
            house.call(out.json(json!({})));
            if what == "disabled" {
                break;
            }
            // Frees the address for the next round.
            let sql = "UPDATE accounts SET email = NULL, email_key = NULL, email_verified_at = NULL \
                       WHERE email_key = 'ada@example.org'";
            super::database::execute(&house.url, sql);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c05_somebody_elses_identity_and_an_unproven_account_are_refused() {
    each_social(&EVERY, "", |house, providers| {
        let bob = signed_in(house, providers, "github", &someone(7, "bob@example.com"));
        let ada = proven(house, "ada");
        let link = |person: &Person, name: &str, number: u32, email: &str| {
            let brought = providers.at(name).code_for(&someone(number, email));
            let call = Call::post(&format!("/api/auth/social/{name}/link")).bearer(&person.access);
            house.call(call.json(super::body(house, &brought)))
        };
        let taken = link(&ada, "github", 7, "bob@example.com");
        assert!((400..500).contains(&taken.status), "C05: {}", taken.text());
        assert_eq!(connected(house, &ada), json!([]));
        assert_eq!(connected(house, &bob), json!(["github"]));
        let unproven = house.person("eve");
        let refused = link(&unproven, "google", 8, "eve@example.com");
        assert!((400..500).contains(&refused.status), "C05: {}", refused.text());
        assert_eq!(connected(house, &unproven), json!([]));

        // Connected, listed, and only to be removed by its owner.
        let made = link(&ada, "google", 9, "ada@example.org");
        assert_eq!(made.status, 200, "{}", made.text());
        let own = made.field("id");
        let remove = |person: &Person, id: &str| {
            let path = format!("/api/auth/social/{id}");
            house.call(Call::new("DELETE", &path).bearer(&person.access)).status
        };
        assert_eq!(remove(&bob, &own), 404, "C05: other people's");
        assert_eq!(connected(house, &ada), json!(["google"]));
        assert_eq!(remove(&ada, &own), 204);
        assert_eq!(remove(&ada, &own), 404, "once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c06_nothing_in_the_body_changes_what_was_proven() {
    each_social(&EVERY, "", |house, providers| {
        let ada = proven(house, "ada");
        let victim = me(house, &ada.access);
        for (n, (name, _)) in (700..).zip(EVERY) {
            let brought = providers.at(name).code_for(&someone(n, &format!("e{n}@example.org")));
            let mut body = super::body(house, &brought);
            for (key, value) in [
                ("email", json!(ADA)),
                ("email_verified", json!(true)),
                ("provider", json!("google")),
                ("provider_uid", json!("1")),
                ("uid", json!("1")),
                ("sub", json!("1")),
                ("issuer", json!("https://accounts.google.com")),
                ("user", json!({ "id": victim["id"], "email": ADA })),
                ("user_id", victim["id"].clone()),
                ("account", victim["id"].clone()),
                ("username", json!("ada")),
                ("role", json!("admin")),
                ("is_staff", json!(true)),
                ("redirect_uri", json!("https://evil.example/")),
                ("nonce", json!("x")),
                ("state", json!("x")),
            ] {
                body[key] = value;
            }
            let answer = post(house, name, body.clone());
            assert_eq!(answer.status, 200, "C06: {name}: {}", answer.text());
            let user = &answer.json()["user"];
            assert_ne!(user["id"], victim["id"], "C06: {name}");
            assert_ne!(user["email"], ADA, "C06: {name}");
            // The path of our own names what it does not know.
            let brought = providers.at(name).code_for(&someone(n + 50, "f@example.org"));
            let mut body = super::body(house, &brought);
            body["email"] = json!(ADA);
            let call = Call::post(&format!("/api/auth/social/{name}/link")).bearer(&ada.access);
            let answer = house.call(call.json(body));
            assert!((400..=422).contains(&answer.status), "C06: {name}: {}", answer.text());
        }
        assert_eq!(connected(house, &ada), json!([]), "C06");
        // Parameters of the way back, changed on the way.
        let mut browser = house.browser();
        let back = through(&mut browser, providers, "google", &someone(790, "g@example.org"));
        let path = back.path() + "&email=ada%40example.com&email_verified=true&sub=1&user_id=1";
        come_back(&mut browser, &path);
        if let Some(seen) = owner(&mut browser) {
            assert_eq!(seen["email"], "g@example.org", "C06");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c06_a_code_or_token_of_one_provider_proves_nothing_at_another() {
    each_social(
        &[
            ("google", ProviderKind::Google),
            ("second", ProviderKind::Google),
            ("generic", ProviderKind::Oidc),
            ("github", ProviderKind::Github),
            ("facebook", ProviderKind::Facebook),
            ("linkedin", ProviderKind::Linkedin),
        ],
        "",
        |house, providers: &Providers| {
            for (from, provider) in &providers.all {
                for (to, _) in &providers.all {
                    if from == to {
                        continue;
                    }
                    let brought = provider.code_for(&someone(1, ADA));
                    let answer = post(house, to, super::body(house, &brought));
                    assert_refused(&answer, &format!("F08: a code of {from} at {to}"));
                }
            }
        },
    )
    .await;
}
