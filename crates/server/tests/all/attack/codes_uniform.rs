//! A01, A04, A08: nobody learns from codes who has an account: neither from the answers nor from
//! the work that is done for them.

use std::collections::BTreeMap;

use serde_json::json;

use super::codes::{PATIENT, REQUEST, VERIFY, ask, code_for, guess};
use super::database;
use super::gateway::Gateway;
use super::house::{House, PASSWORD, each_house};
use super::http::{Answer, Call};
use super::uniform::seen;

const STATES: [&str; 5] = ["known", "disabled", "unproven", "passwordless", "closed"];

/// The body as well: it says nothing of its own. How long to wait may differ by a second.
fn seen_whole(answer: &Answer) -> String {
    if answer.status == 429 {
        return format!(
            "429 {:?}",
            answer.json().as_object().map(|it| it.keys().cloned().collect::<Vec<_>>())
        );
    }
    format!("{} {}", seen(answer), answer.text())
}

/// One account of each kind.
fn people(house: &House) {
    for name in ["known", "disabled", "unproven", "closed"] {
        assert_eq!(house.register(name).status, 201);
    }
    for name in ["known", "disabled", "closed"] {
        house.verify(&format!("{name}@example.com"));
    }
    house.run(&["account", "disable", "disabled@example.com"]);
    house.run(&["account", "create", "passwordless@example.com"]);
    let closed = house.signed_in("closed@example.com", PASSWORD);
    let leave = Call::new("DELETE", "/api/auth/account").bearer(&closed.access);
    let left = house.call(leave.json(json!({ "current_password": PASSWORD })));
    assert_eq!(left.status, 204, "{}", left.text());
}

fn limited() -> Vec<(&'static str, &'static str)> {
    let own = [
        ("IRONLATCH_LIMITS__MAILS_PER_IDENTIFIER_AND_NETWORK_HOUR", "3"),
        ("IRONLATCH_LIMITS__MAILS_PER_IDENTIFIER_HOUR", "10"),
        ("IRONLATCH_DOORS__CFG__ENABLED", "true"),
        ("IRONLATCH_DOORS__CFG__FRONTEND_URL", "https://front.example.com"),
    ];
    [&PATIENT[..], &own[..]].concat()
}

#[tokio::test]
async fn a04_asking_for_codes_is_answered_alike_below_and_over_the_limits() {
    each_house(&limited(), |house| {
        people(house);
        for path in [REQUEST, "/cfg/accounts/otp/request/"] {
            let network = if path == REQUEST { "198.51.100.1" } else { "198.51.100.2" };
            let ask = |email: &str| {
                let call = Call::post(path).header("X-Forwarded-For", network);
                seen_whole(&house.call(call.json(json!({ "identifier": email }))))
            };
            for attempt in 0..6 {
                let unknown = ask("nobody@example.com");
                let is_let_through = unknown.starts_with("200 ");
                assert_eq!(is_let_through, attempt < 4, "attempt {attempt}: {unknown}");
                for state in STATES {
                    let known = ask(&format!("{state}@example.com"));
                    assert_eq!(known, unknown, "A04: {path}, {state}, attempt {attempt}");
                }
            }
        }
        // Everybody was written to, whoever has an account.
        for name in STATES.into_iter().chain(["nobody"]) {
            house.mail(&format!("{name}@example.com"), "verification code", 8);
        }
    })
    .await;
}

#[tokio::test]
async fn a01_a08_wrong_codes_are_answered_alike() {
    let mut environment = limited();
    // The fifth failure stops.
    environment.retain(|(name, _)| !name.contains("FAILURES"));
    environment.push(("IRONLATCH_LIMITS__FAILURES_BEFORE_STOP", "5"));
    each_house(&environment, |house| {
        people(house);
        for path in [VERIFY, "/cfg/accounts/otp/verify/"] {
            let network = if path == VERIFY { 1 } else { 2 };
            let tell = |email: &str, code: &str| {
                let call = super::codes::from(network, path);
                let body = json!({ "identifier": email, "otp_code": code });
                seen_whole(&house.call(call.json(body)))
            };
            // First nobody has asked for a code, then everybody has.
            for has_asked in [false, true] {
                for state in STATES {
                    let (known, unknown) =
                        (format!("{state}@example.com"), format!("no-{state}@example.com"));
                    let codes = [&known, &unknown]
                        .map(|email| has_asked.then(|| code_for(house, email, network)));
                    for attempt in 0..4 {
                        let wrong = |code: &Option<String>| {
                            let is_right = |it| code.as_deref() == Some(it);
                            if is_right("123456") { "123457" } else { "123456" }
                        };
                        let (one, other) =
                            (tell(&known, wrong(&codes[0])), tell(&unknown, wrong(&codes[1])));
                        assert_eq!(one, other, "A01: {path}, {state}, attempt {attempt}");
                    }
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a08_the_right_code_of_a_disabled_account_is_a_wrong_one() {
    each_house(&PATIENT, |house| {
        people(house);
        let right = code_for(house, "disabled@example.com", 1);
        let disabled = house.call(guess("disabled@example.com", &right, 1));
        let wrong = house.call(guess("nobody@example.com", "123456", 1));
        assert_eq!(seen_whole(&disabled), seen_whole(&wrong), "A08");
        assert!(disabled.set_cookies().is_empty());
    })
    .await;
}

/// How many rows each table has.
fn rows(house: &House) -> BTreeMap<String, usize> {
    let mut columns: BTreeMap<String, usize> = BTreeMap::new();
    for cell in database::dump(&house.url) {
        *columns.entry(cell.place).or_default() += 1;
    }
    let mut tables = BTreeMap::new();
    for (place, cells) in columns {
        let table = place.split('.').next().unwrap_or_default().to_owned();
        let rows: &mut usize = tables.entry(table).or_default();
        *rows = (*rows).max(cells);
    }
    tables
}

/// What an act adds to the tables.
fn added(house: &House, act: impl FnOnce()) -> BTreeMap<String, isize> {
    let before = rows(house);
    act();
    let after = rows(house);
    let grown = after.into_iter().map(|(table, count)| {
        let was = before.get(&table).copied().unwrap_or_default();
        (table, count.cast_signed() - was.cast_signed())
    });
    // Every write of PostgreSQL leaves a row among the batches, the outbox's own as well.
    grown.filter(|(table, grown)| *grown != 0 && table != "batches").collect()
}

#[tokio::test]
async fn a04_the_same_rows_are_written_and_as_many_hashes_made_for_everybody() {
    let gateway = Gateway::start();
    let mut environment = [&PATIENT[..], &gateway.environment()[..]].concat();
    environment
        .extend([("IRONLATCH_METRICS_LISTEN", "0"), ("IRONLATCH_SMS__PER_NETWORK_HOUR", "1000")]);
    each_house(&environment, |house| {
        gateway.clear();
        people(house);
        let known = house.signed_in("known@example.com", PASSWORD);
        let change = Call::post("/api/auth/phone/change").bearer(&known.access);
        house.call(change.json(json!({ "phone": "+4915112345678" })));
        let code = gateway.code("+4915112345678", 1);
        let confirm = Call::post("/api/auth/phone/confirm").bearer(&known.access);
        let confirm = confirm.json(json!({ "phone": "+4915112345678", "code": code }));
        assert_eq!(house.call(confirm).status, 200);
        // What those acts have to write is written.
        house.mail("known@example.com", "phone number", 1);
        let hashes = super::uniform::hashes(house);

        let work = |identifier: &str, network: usize| {
            let asked = added(house, || assert_eq!(ask(house, identifier, network).status, 200));
            let wrong = guess(identifier, "1234567", network);
            let malformed = added(house, || assert_eq!(house.call(wrong).status, 400));
            let wrong = guess(identifier, "000000", network);
            let guessed = added(house, || assert_eq!(house.call(wrong).status, 400));
            (asked, malformed, guessed)
        };
        let unknown = work("nobody@example.com", 1);
        assert_eq!(unknown.0.get("one_time_codes"), Some(&1), "{unknown:?}");
        assert!(unknown.1.is_empty() && unknown.2.len() == 1, "{unknown:?}");
        for state in STATES {
            assert_eq!(work(&format!("{state}@example.com"), 1), unknown, "A04: {state}");
        }
        // Of the same range, whose counter is there already.
        let unknown = work("+4915112349999", 2);
        assert_eq!(work("+4915112345678", 3), unknown, "A04: a number");
        assert_eq!(super::uniform::hashes(house), hashes, "A02: no hash for anybody");
    })
    .await;
}
