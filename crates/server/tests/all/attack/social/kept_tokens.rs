//! C20: a provider's tokens are kept for the application alone, and only where it was asked for.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde_json::json;

use super::super::house::House;
use super::super::http::Call;
use super::{ADA, EVERY, Providers, database, each_engine, each_social, signed_in, someone};

/// Looks for everything a provider gave in every answer and every row.
fn assert_nowhere(house: &House, providers: &Providers, what: &str) {
    let mut needles = Vec::new();
    for (_, provider) in &providers.all {
        for secret in provider.given() {
            let bytes = secret.as_bytes();
            needles.push(BASE64.encode(bytes).into_bytes());
            needles.push(BASE64URL_NOPAD.encode(bytes).into_bytes());
            needles.push(HEXLOWER.encode(bytes).into_bytes());
            needles.push(secret.into_bytes());
        }
    }
    assert!(needles.len() >= 8, "the test itself");
    let mut places: Vec<(String, Vec<u8>)> =
        database::dump(&house.url).into_iter().map(|it| (it.place, it.bytes)).collect();
    if let Some(path) = database::file(&house.url) {
        for suffix in ["", "-wal"] {
            let file = format!("{}{suffix}", path.display());
            places.push((file.clone(), std::fs::read(file).unwrap_or_default()));
        }
    }
    for (place, bytes) in &places {
        for needle in &needles {
            let found = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "C20 {what}: {place} holds {}", String::from_utf8_lossy(needle));
        }
    }
}

/// Everything an owner, a stranger and a member of staff can ask.
fn ask_everything(house: &House, access: &str) -> String {
    let document = house.call(Call::get("/openapi.json")).json();
    let mut said = String::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        if item.get("get").is_none() || path.ends_with("/start") {
            continue;
        }
        let path = path.replace("{provider}", "google").replace("{name}", "google");
        let call = Call::get(&path.replace("{id}", "00000000-0000-7000-8000-000000000000"));
        said += &house.call(call.clone()).text();
        said += &house.call(call.bearer(access)).text();
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c20_tokens_of_providers_are_not_kept_unless_asked_for() {
    each_social(&EVERY, "", |house, providers| {
        for (n, (name, _)) in (1..).zip(EVERY) {
            let email = format!("{n}@example.com");
            let person = signed_in(house, providers, name, &someone(n, &email));
            let said = ask_everything(house, &person.access);
            for secret in providers.at(name).given() {
                assert!(!said.contains(&secret), "C20: {name}: an answer holds {secret}");
            }
        }
        let kept = database::dump(&house.url);
        let sealed = kept.iter().filter(|it| it.place == "identities.sealed_tokens").count();
        assert_eq!(sealed, 0, "C20: kept without being asked for");
        assert_nowhere(house, providers, "by default");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c20_kept_tokens_are_sealed_and_in_no_answer() {
    each_engine(async |url| {
        let providers = Providers::start(&EVERY).await;
        let file = providers.configuration("");
        let text = std::fs::read_to_string(&file).unwrap();
        let kept = text.replace("kind = ", "store_tokens = true\nkind = ");
        std::fs::write(&file, kept).unwrap();
        let house = House::start(&url, &[("IRONLATCH_CONFIG", &file)]);
        let staff = super::proven(&house, "staff");
        house.run(&["account", "set-role", &staff.email, "admin"]);
        for (n, (name, _)) in (1..).zip(EVERY) {
            let email = format!("{n}@example.com");
            let ada = someone(n, &email);
            signed_in(&house, &providers, name, &ada);
            // Again: what is kept is replaced.
            let person = signed_in(&house, &providers, name, &ada);
            let said = ask_everything(&house, &person.access);
            let list = house.call(Call::get("/api/auth/social/").bearer(&person.access)).text();
            for secret in providers.at(name).given() {
                assert!(!(said.clone() + &list).contains(&secret), "C20: {name}: {secret}");
            }
            for word in ["token", "sealed", "profile"] {
                assert!(!list.contains(word), "C20: {name}: {list}");
            }
        }
        let kept = database::dump(&house.url);
        let sealed = kept.iter().filter(|it| it.place == "identities.sealed_tokens").count();
        assert_eq!(sealed, EVERY.len(), "one for each identity");
        assert_nowhere(&house, &providers, "sealed");
        // The command that shows an account shows none either.
        let shown = house.run(&["account", "show", "1@example.com"]);
        let shown = crate::process::said(&shown);
        for secret in providers.google().given() {
            assert!(!shown.contains(&secret), "C20: account show");
        }
        providers.confess(&house);
        house.close();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c20_a_client_secret_is_printed_by_no_command_and_no_error() {
    each_social(&EVERY, "", |house, providers| {
        let secret = ironlatch_testkit::provider::CLIENT_SECRET;
        let printed = house.run(&["config", "print"]);
        assert!(!crate::process::said(&printed).contains(secret), "config print");
        house.keep(secret);
        for (name, _) in EVERY {
            let body = json!({ "code": "guessed", "code_verifier": "a".repeat(43) });
            let answer = super::post(house, name, body);
            assert!(!answer.text().contains(secret), "{}", answer.text());
        }
        signed_in(house, providers, "google", &someone(1, ADA));
    })
    .await;
}
