//! C: accounts that somebody else made, wants to change, or may no longer use.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::house::{House, PASSWORD, Person, each_house, soon};
use super::http::Call;
use crate::process::said;

const NEW: &str = "another way home 18";

/// Whether anything that the attacker got at sign-up still works.
fn attacker_is_in(house: &House, attacker: &Person) -> bool {
    let body = json!({ "refresh": attacker.refresh });
    let refresh = |call: Call| house.call(call).status == 200;
    house.me(&attacker.access) == 200
        || refresh(Call::post("/api/auth/token/refresh").json(body))
        || refresh(Call::post("/api/auth/token/refresh").cookie(&attacker.cookie))
        || house.login(&attacker.email, PASSWORD).status == 200
}

#[tokio::test]
async fn c01_whoever_proves_the_mailbox_takes_the_account_from_whoever_made_it() {
    each_house(&[], |house| {
        // How the owner comes to their mailbox's account; each ends the attacker's hold.
        for (way, act) in [
            ("this was me", [("act", "new-password"), ("new_password", NEW)]),
            ("not me", [("act", "close"), ("", "")]),
            ("reset by page", [("act", "reset"), ("new_password", NEW)]),
        ] {
            let name = way.replace(' ', "-");
            let attacker = house.person(&name);
            let first = house.mail(&attacker.email, "Verify", 1);
            let mut owner = house.browser();
            let path = if way == "reset by page" {
                let ask = json!({ "email": attacker.email });
                house.call(Call::post("/api/auth/password/forgot").json(ask));
                owner.visit(&house.mail(&attacker.email, "Reset your", 1).link());
                "/reset-password"
            } else {
                let page = owner.visit(&first.link()).text();
                assert!(page.contains("127.0.0.1"), "C01: when and from where: {page}");
                // A click alone proves nothing in a browser that did not sign up.
                owner.press("/verify-email", &[("act", "confirm")]);
                assert!(attacker_is_in(house, &attacker));
                "/verify-email"
            };
            let done = owner.press(path, &act);
            assert_eq!(done.status, 200, "C01: {way}: {}", done.text());
            assert!(!attacker_is_in(house, &attacker), "C01: {way}: the attacker is still in");
            assert!(!owner.jar.contains_key("refresh_token"), "C01: pages open no session");
            // Nothing the attacker's sign-up sent out works any more.
            let token = first.token().unwrap();
            let late = Call::get(&format!("/api/auth/verify-email?token={token}"));
            let late = house.call(late.header("Accept", "application/json"));
            // The very link that proved the address says so again for ten minutes, no more.
            assert_eq!(late.status, if way == "this was me" { 200 } else { 400 }, "{way}");
            assert!(!attacker_is_in(house, &attacker) && late.set_cookies().is_empty());
            if way == "not me" {
                assert_eq!(house.register(&name).status, 201, "C01: the address is free again");
            } else {
                house.signed_in(&attacker.email, NEW);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn c01_a_pre_hijacker_cannot_prove_or_prepare_anything() {
    each_house(&[], |house| {
        let mut attacker_browser = house.browser();
        let wish = json!({ "username": "x", "email": "victim@example.com", "password": PASSWORD });
        attacker_browser.call(Call::post("/api/auth/register").json(wish));
        let attacker = house.signed_in("victim@example.com", PASSWORD);
        // Knows the decoy, the sign-up cookie, the password; has every mail sent again.
        for _ in 0..3 {
            let again = json!({ "email": "victim@example.com" });
            house.call(Call::post("/api/auth/verify-email/resend").json(again.clone()));
            house.call(Call::post("/api/auth/password/forgot").json(again));
        }
        let page = attacker_browser.press("/verify-email", &[("act", "confirm")]);
        assert_eq!(page.status, 400, "C01: no link, no proof");
        // The owner resets with the first of the links; the others die with it.
        house.mail("victim@example.com", "Reset your", 3);
        house.mail("victim@example.com", "Verify", 4);
        let mails = house.mails("victim@example.com");
        let resets: Vec<_> =
            mails.iter().filter(|it| it.subject().contains("Reset your")).collect();
        let body = json!({ "token": resets[0].token().unwrap(), "new_password": NEW });
        let reset = house.call(Call::post("/api/auth/password/reset").json(body));
        assert_eq!(reset.status, 200, "{}", reset.text());
        assert!(!attacker_is_in(house, &attacker), "C01");
        for mail in &mails {
            let token = mail.token().unwrap();
            let body = json!({ "token": token, "new_password": "taken again 12345" });
            assert_eq!(house.call(Call::post("/api/auth/password/reset").json(body)).status, 400);
            attacker_browser.visit(&mail.link());
            let act = [("act", "new-password"), ("new_password", "taken again 12345")];
            let page = attacker_browser.press("/verify-email", &act);
            assert_ne!(page.status, 200, "C01: an old link takes nothing: {}", page.text());
        }
        house.signed_in("victim@example.com", NEW);
    })
    .await;
}

#[tokio::test]
async fn c07_and_races_on_links_have_one_winner() {
    each_house(&[], |house| {
        for round in 0..20 {
            let email = format!("race{round}@example.com");
            let spelled = [email.clone(), email.to_uppercase(), format!(" {email} ")];
            let calls = (0..50).map(|n| {
                Call::post("/api/auth/register").json(json!({
                    "username": format!("race{round}-{n}"), "email": spelled[n % 3],
                    "password": PASSWORD,
                }))
            });
            let answers = house.race(calls.collect());
            let statuses: Vec<u16> = answers.iter().map(|it| it.status).collect();
            let made = statuses.iter().filter(|it| **it == 201).count();
            assert_eq!(made, 1, "C07, round {round}: {statuses:?}");
            assert!(statuses.iter().all(|it| [201, 400].contains(it)), "C07: {statuses:?}");
        }
        for round in 0..20 {
            let email = format!("race{round}@example.com");
            house.call(Call::post("/api/auth/password/forgot").json(json!({ "email": email })));
        }
        for round in 0..20 {
            let email = format!("race{round}@example.com");
            let typed = house
                .all_mails()
                .into_iter()
                .find_map(|mail| mail.to.into_iter().find(|to| to.eq_ignore_ascii_case(&email)));
            let token = house.mail(&typed.unwrap(), "Reset your", 1).token().unwrap();
            let calls = (0..50).map(|n| {
                let body = json!({ "token": token, "new_password": format!("winner is {n:05}") });
                Call::post("/api/auth/password/reset").json(body)
            });
            let answers = house.race(calls.collect());
            let winners: Vec<usize> =
                (0..50).filter(|n: &usize| answers[*n].status == 200).collect();
            assert_eq!(winners.len(), 1, "a link is used once, round {round}: {winners:?}");
            house.signed_in(&email, &format!("winner is {:05}", winners[0]));
            let loser = (winners[0] + 1) % 50;
            assert_eq!(house.login(&email, &format!("winner is {loser:05}")).status, 400);
        }
    })
    .await;
}

#[tokio::test]
async fn c11_nobody_gives_themselves_what_is_not_theirs_to_give() {
    let more = [
        ("role", json!("admin")),
        ("is_staff", json!(true)),
        ("is_superuser", json!(true)),
        ("is_admin", json!(true)),
        ("email_verified", json!(true)),
        ("email_verified_at", json!(1)),
        ("id", json!(1)),
        ("number", json!(1)),
        ("security_version", json!(99)),
        ("groups", json!(["admins"])),
        ("permissions", json!(["everything"])),
        ("custom_fields", json!({ "role": "admin" })),
        ("created_at", json!(0)),
        ("disabled_at", json!(0)),
        ("__proto__", json!({ "role": "admin" })),
    ];
    each_house(&[], |house| {
        let mut wish = json!({
            "username": "eve", "email": "eve@example.com", "password": PASSWORD,
        });
        for (name, value) in &more {
            wish[name] = value.clone();
        }
        let made = house.call(Call::post("/api/auth/register").json(wish));
        assert_eq!(made.status, 201, "unknown fields are ignored under the contract");
        let shown = said(&house.run(&["account", "show", "eve@example.com"]));
        assert!(shown.contains("role          user"), "C11: {shown}");
        for word in ["admin", "everything", "yes", "true"] {
            assert!(!shown.contains(word), "C11: {word} in {shown}");
        }
        let eve = house.signed_in("eve@example.com", PASSWORD);
        let me = house.call(Call::get("/api/auth/me").bearer(&eve.access)).json();
        assert_eq!(me["email_verified"], false, "C11");
        assert_ne!(me["id"], 1, "C11");

        // Own paths refuse them, and do nothing.
        for (method, path, fine) in own_paths() {
            for (name, value) in &more {
                let mut body = fine.clone();
                body[name] = value.clone();
                let call = Call::new(method, path).bearer(&eve.access).json(body);
                let answer = house.call(call);
                assert_eq!(answer.status, 400, "C11: {name} at {path}: {}", answer.text());
                assert_eq!(answer.json()[name], json!(["Unknown field."]), "C11: {path}");
            }
        }
        assert_eq!(house.me(&eve.access), 200, "nothing was done");
        house.signed_in("eve@example.com", PASSWORD);
        assert_eq!(
            said(&house.run(&["account", "show", "eve@example.com"])).lines().count(),
            shown.lines().count()
        );
    })
    .await;
}

/// The paths of our own that take a body, with one that would do.
fn own_paths() -> [(&'static str, &'static str, Value); 5] {
    let change = json!({ "current_password": PASSWORD, "new_password": NEW });
    [
        ("POST", "/api/auth/verify-email/resend", json!({ "email": "eve@example.com" })),
        ("POST", "/api/auth/password/forgot", json!({ "email": "eve@example.com" })),
        ("POST", "/api/auth/password/reset", json!({ "token": "x", "new_password": NEW })),
        ("POST", "/api/auth/password/change", change),
        ("DELETE", "/api/auth/account", json!({ "current_password": PASSWORD })),
    ]
}

#[tokio::test]
async fn c14_a_disabled_account_gets_nothing_by_any_grant_within_a_second() {
    each_house(&[], |house| {
        let ada = house.person("ada");
        let other = house.signed_in(&ada.email, PASSWORD);
        house.call(Call::post("/api/auth/password/forgot").json(json!({ "email": ada.email })));
        let verify = house.mail(&ada.email, "Verify", 1);
        let reset = house.mail(&ada.email, "Reset your", 1).token().unwrap();
        house.run(&["account", "disable", &ada.email]);
        let disabled = Instant::now();
        soon("its bearer is refused", || house.me(&ada.access) == 401);
        assert!(disabled.elapsed() < Duration::from_secs(1), "C14: {:?}", disabled.elapsed());

        let refresh = || Call::post("/api/auth/token/refresh");
        let change = json!({ "current_password": PASSWORD, "new_password": NEW });
        let token = verify.token().unwrap();
        for (grant, call) in [
            ("bearer", Call::get("/api/auth/me").bearer(&other.access)),
            ("sessions", Call::get("/api/auth/sessions").bearer(&other.access)),
            ("end others", Call::post("/api/auth/sessions/end-others").bearer(&other.access)),
            ("change", Call::post("/api/auth/password/change").bearer(&ada.access).json(change)),
            (
                "deletion",
                Call::new("DELETE", "/api/auth/account")
                    .bearer(&ada.access)
                    .json(json!({ "current_password": PASSWORD })),
            ),
            ("refresh by body", refresh().json(json!({ "refresh": ada.refresh }))),
            ("refresh by body, never used", refresh().json(json!({ "refresh": other.refresh }))),
            ("refresh by cookie", refresh().cookie(&ada.cookie)),
            (
                "reset link",
                Call::post("/api/auth/password/reset")
                    .json(json!({ "token": reset, "new_password": NEW })),
            ),
            (
                "verification link",
                Call::get(&format!("/api/auth/verify-email?token={token}"))
                    .header("Accept", "application/json"),
            ),
        ] {
            let answer = house.call(call);
            let is_refused = [400, 401].contains(&answer.status);
            assert!(is_refused, "C14: {grant}: {} {}", answer.status, answer.text());
            assert!(answer.field("access").is_empty() && answer.set_cookies().is_empty());
        }
        for password in [PASSWORD, NEW] {
            assert_eq!(house.login(&ada.email, password).status, 400, "C14: password");
        }
        let known = json!({ "email": ada.email, "password": PASSWORD });
        let call = Call::post("/api/auth/login").cookie(&ada.device).json(known);
        assert_eq!(house.call(call).status, 400, "C14: password from a known device");
        let mails = house.mails(&ada.email).len();
        house.call(Call::post("/api/auth/password/forgot").json(json!({ "email": ada.email })));
        house.register("last");
        house.mail("last@example.com", "Verify", 1);
        assert_eq!(house.mails(&ada.email).len(), mails, "C14: no reset mail");
    })
    .await;
}
