//! Sign-in with providers that lie, hang and break, and with people who try what they should not.
//!
//! The providers run beside the server, on the test's own threads: such a test needs more than
//! one (`flavor = "multi_thread"`).

mod cross_site;
mod identity_tokens;
mod kept_tokens;
mod linking;
mod outside;
mod protocol;
mod return_ways;
mod takeover;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use ironlatch_core::ports::SystemClock;
use ironlatch_core::settings::ProviderKind;
use ironlatch_testkit::each_engine;
use ironlatch_testkit::provider::{Back, Brought, FakeProvider, Person as Someone};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::browser::Browser;
use super::database;
use super::house::{House, ORIGIN, Person};
use super::http::{Answer, Call};

/// What the contract says to whoever must sign in another way first.
const TAKEN: &str =
    "An account with this e-mail already exists. Sign in with your password to connect it.";
/// Whose account it is about.
const ADA: &str = "ada@example.com";

/// The providers of a test by their names.
struct Providers {
    all: Vec<(String, FakeProvider)>,
    folder: TempDir,
}

impl Providers {
    async fn start(kinds: &[(&str, ProviderKind)]) -> Self {
        let mut all = Vec::new();
        for (name, kind) in kinds {
            let provider = FakeProvider::start(*kind, Arc::new(SystemClock)).await;
            all.push(((*name).to_owned(), provider));
        }
        Self { all, folder: tempfile::tempdir().unwrap() }
    }

    #[track_caller]
    fn at(&self, name: &str) -> &FakeProvider {
        let found = self.all.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| unreachable!("no provider {name}")).1
    }

    fn google(&self) -> &FakeProvider {
        self.at("google")
    }

    /// What the test wants, and `[social.*]`, as a file.
    fn configuration(&self, more: &str) -> String {
        let mut text = more.to_owned();
        for (name, provider) in &self.all {
            let _ = writeln!(text, "{}", provider.toml(name, ORIGIN));
        }
        let path = self.folder.path().join("ironlatch.toml");
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Lets the house look for everything they gave in its log.
    fn confess(&self, house: &House) {
        for (_, provider) in &self.all {
            provider.given().iter().for_each(|secret| house.keep(secret));
            for asked in provider.asked() {
                for name in ["client_secret", "code_verifier", "state", "nonce", "code_challenge"] {
                    asked.parameter(name).into_iter().for_each(|secret| house.keep(secret));
                }
                let header = asked.authorization.unwrap_or_default();
                house.keep(header.split(' ').next_back().unwrap_or_default());
            }
        }
    }
}

/// Runs a test against a server on each engine with these providers; `more` is added to its
/// configuration file.
async fn each_social(
    kinds: &[(&str, ProviderKind)],
    more: &str,
    test: impl Fn(&mut House, &Providers),
) {
    each_engine(async |url| {
        let providers = Providers::start(kinds).await;
        let file = providers.configuration(more);
        let mut house = House::start(&url, &[("IRONLATCH_CONFIG", &file)]);
        test(&mut house, &providers);
        providers.confess(&house);
        house.close();
    })
    .await;
}

const GOOGLE: [(&str, ProviderKind); 1] = [("google", ProviderKind::Google)];
const EVERY: [(&str, ProviderKind); 5] = [
    ("google", ProviderKind::Google),
    ("generic", ProviderKind::Oidc),
    ("github", ProviderKind::Github),
    ("facebook", ProviderKind::Facebook),
    ("linkedin", ProviderKind::Linkedin),
];

/// The owner of an address, as a provider knows them; subjects are numbers, as GitHub's are.
fn someone(number: u32, email: &str) -> Someone {
    Someone::new(&number.to_string()).with_email(email).named("Some One")
}

/// What the contract's front end posts.
fn body(house: &House, brought: &Brought) -> Value {
    house.keep(&brought.code);
    house.keep(&brought.verifier);
    json!({ "code": brought.code, "code_verifier": brought.verifier })
}

fn post(house: &House, provider: &str, body: Value) -> Answer {
    house.call(Call::post(&format!("/api/auth/social/{provider}/")).json(body))
}

/// The contract's way in, from the provider's page to the answer.
fn bring(house: &House, providers: &Providers, name: &str, someone: &Someone) -> Answer {
    let brought = providers.at(name).code_for(someone);
    post(house, name, body(house, &brought))
}

/// The same, signed in.
#[track_caller]
fn signed_in(house: &House, providers: &Providers, name: &str, someone: &Someone) -> Person {
    let answer = bring(house, providers, name, someone);
    assert_eq!(answer.status, 200, "{}", answer.text());
    Person {
        email: answer.json()["user"]["email"].as_str().unwrap().to_owned(),
        access: answer.field("access"),
        refresh: answer.field("refresh"),
        cookie: answer.cookie("refresh_token").unwrap(),
        device: answer.cookie("__Host-ironlatch_device").unwrap(),
    }
}

/// An answer that says nothing but what the contract allows, and gives nothing.
#[track_caller]
fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 400, "{what}: {}", answer.text());
    assert!(answer.cookie("refresh_token").is_none(), "{what}: a cookie");
    let said = answer.json();
    let detail = said["detail"].as_str().unwrap_or_default();
    let known = ["Code exchange failed", "Failed to fetch user from provider", TAKEN];
    assert!(known.contains(&detail), "{what}: {said}");
    assert!(said.get("access").is_none() && said.get("refresh").is_none(), "{what}: {said}");
}

fn me(house: &House, access: &str) -> Value {
    let answer = house.call(Call::get("/api/auth/me/").bearer(access));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Somebody with a password and a proven address.
#[track_caller]
fn proven(house: &House, name: &str) -> Person {
    assert_eq!(house.register(name).status, 201);
    let email = format!("{name}@example.com");
    house.verify(&email);
    house.signed_in(&email, super::house::PASSWORD)
}

/// Begins the server-driven way in a browser; where it is sent.
#[track_caller]
fn leave(browser: &mut Browser<'_>, name: &str) -> String {
    let start = Call::get(&format!("/api/auth/social/{name}/start"))
        .header("Accept", "text/html,*/*;q=0.8")
        .header("Sec-Fetch-Site", "same-origin");
    let answer = browser.call(start);
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location").unwrap().to_owned()
}

/// Goes through the provider's page with somebody.
#[track_caller]
fn through(
    browser: &mut Browser<'_>,
    providers: &Providers,
    name: &str,
    someone: &Someone,
) -> Back {
    let url = leave(browser, name);
    providers.at(name).visit(&url, someone)
}

/// Opens the address that the provider sends a browser back to; the page it ends at.
fn come_back(browser: &mut Browser<'_>, path: &str) -> Answer {
    let call = Call::get(path)
        .header("Accept", "text/html,*/*;q=0.8")
        .header("Sec-Fetch-Site", "cross-site")
        .header("Sec-Fetch-Mode", "navigate");
    let answer = browser.call(call);
    let Some(location) = answer.header("location") else { return answer };
    assert_eq!(answer.status, 303, "{}", answer.text());
    let (base, _) = path.split_once("/api/").unwrap();
    let page = location.trim_start_matches("../");
    browser.visit(&format!("{base}/{}", page.trim_start_matches('/')))
}

/// Whom a browser's cookie signs in.
fn owner(browser: &mut Browser<'_>) -> Option<Value> {
    let call = Call::post("/api/auth/token/refresh/").header("Sec-Fetch-Site", "same-origin");
    let refreshed = browser.call(call);
    (refreshed.status == 200).then(|| {
        let call = Call::get("/api/auth/me/").bearer(&refreshed.field("access"));
        browser.call(call).json()
    })
}

/// A page that begins again, in a browser that is nobody's.
#[track_caller]
fn assert_turned_away(browser: &mut Browser<'_>, answer: &Answer, what: &str) {
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
    assert!(answer.text().contains("Sign in"), "{what}: {}", answer.text());
    assert!(owner(browser).is_none(), "{what}: somebody is signed in");
}

/// How many rows each table has, but for those by which batches are known: workers write too.
fn rows(house: &House) -> BTreeMap<String, usize> {
    let mut cells = BTreeMap::new();
    for cell in database::dump(&house.url) {
        *cells.entry(cell.place).or_insert(0_usize) += 1;
    }
    let mut tables = BTreeMap::new();
    for (place, count) in cells {
        let table = place.split('.').next().unwrap_or_default().to_owned();
        if ["batches", "commit_marker"].contains(&table.as_str()) {
            continue;
        }
        let most = tables.entry(table).or_insert(0);
        *most = count.max(*most);
    }
    tables
}
