//! The door `accounts`: nobody learns who has an account (A01–A04, A08), its links and tokens
//! open nothing else (B05, B10, B18), nobody takes over what another proves (C01, C07, D16), and
//! bad bodies are refused before anything is done (H01).

use serde_json::json;

use super::bad_input::{json_bodies, other_bodies};
use super::house::{House, ORIGIN, PASSWORD, each_house, soon};
use super::http::{Answer, Call, Connection};
use super::uniform::{hashes, seen};

const NEW: &str = "another way home 18";

const OPEN: [(&str, &str); 6] = [
    ("IRONLATCH_DOORS__ACCOUNTS__ENABLED", "true"),
    ("IRONLATCH_LIMITS__FAILURES_BEFORE_DELAY", "100000"),
    ("IRONLATCH_LIMITS__FAILURES_BEFORE_STOP", "100001"),
    ("IRONLATCH_LIMITS__MAILS_PER_NETWORK_HOUR", "100000"),
    ("IRONLATCH_METRICS_LISTEN", "0"),
    ("IRONLATCH_TRUSTED_PROXIES", "127.0.0.1"),
];

fn post(act: &str) -> Call {
    Call::post(&format!("/accounts/{act}/"))
}

fn signup(house: &House, email: &str) -> Answer {
    house.call(post("signup").json(json!({ "email": email, "password": PASSWORD })))
}

fn login(house: &House, email: &str, password: &str) -> Answer {
    house.call(post("login").json(json!({ "email": email, "password": password })))
}

fn verify(token: &str) -> Call {
    let path = format!("/accounts/verify-email/?token={token}");
    Call::get(&path).header("Accept", "application/json")
}

/// Somebody who has signed up, proven their address and signed in: both tokens.
fn person(house: &House, email: &str) -> (String, String) {
    assert_eq!(signup(house, email).status, 201);
    let token = house.mail(email, "Verify", 1).token().unwrap();
    assert_eq!(house.call(verify(&token)).status, 200);
    let answer = login(house, email, PASSWORD);
    assert_eq!(answer.status, 200, "{}", answer.text());
    (answer.field("access_token"), answer.field("refresh_token"))
}

fn protected(house: &House, access: &str) -> u16 {
    house.call(Call::get("/accounts/protected/").bearer(access)).status
}

/// The body as well: it says nothing of its own.
fn seen_whole(answer: &Answer) -> String {
    format!("{} {}", seen(answer), answer.text())
}

#[tokio::test]
async fn a01_a02_a03_a04_a08_the_accounts_door_tells_nobody_who_has_an_account() {
    let mut environment = OPEN.to_vec();
    environment.push(("IRONLATCH_SIGN_UP__NEUTRAL", "true"));
    each_house(&environment, |house| {
        for state in ["known", "disabled"] {
            person(house, &format!("{state}@example.com"));
        }
        assert_eq!(signup(house, "unproven@example.com").status, 201);
        house.run(&["account", "disable", "disabled@example.com"]);
        let expected = seen_whole(&login(house, "nobody@example.com", "not it at all"));
        assert!(expected.contains("Invalid credentials."), "{expected}");
        soon("it is counted", || hashes(house) >= 6);
        for state in ["known", "disabled", "unproven"] {
            let before = hashes(house);
            for round in 0..20 {
                for email in [format!("{state}@example.com"), format!("{state}{round}@ex.com")] {
                    let answer = login(house, &email, "not it at all");
                    assert_eq!(seen_whole(&answer), expected, "A01: {email}");
                }
            }
            soon("40 hashes are counted", || hashes(house) >= before + 40);
            assert_eq!(hashes(house), before + 40, "A02: one hash an attempt, {state}");
        }
        for state in ["disabled", "unproven"] {
            let answer = login(house, &format!("{state}@example.com"), PASSWORD);
            assert_eq!(seen_whole(&answer), expected, "A08: {state}, the right password");
        }
        let before = hashes(house);
        let fresh = seen_whole(&signup(house, "fresh@example.com"));
        let taken = ["known@example.com", "KNOWN@Example.COM", "unproven@example.com"];
        for email in taken {
            assert_eq!(seen_whole(&signup(house, email)), fresh, "A03: {email}");
        }
        soon("every sign-up hashes", || hashes(house) >= before + 4);
        house.mail("known@example.com", "already", 2);
        let ask = |email: &str| {
            seen_whole(&house.call(post("password-reset").json(json!({ "email": email }))))
        };
        let unknown = ask("nobody@example.com");
        for email in taken {
            assert_eq!(ask(email), unknown, "A04: {email}");
        }
        assert!(house.mails("nobody@example.com").is_empty());
    })
    .await;
}

#[tokio::test]
async fn b05_b10_the_accounts_doors_secrets_open_nothing_else() {
    each_house(&OPEN, |house| {
        let (access, refresh) = person(house, "ada@example.com");
        house.call(post("password-reset").json(json!({ "email": "ada@example.com" })));
        let reset = house.mail("ada@example.com", "Reset your", 1);
        assert!(reset.link().starts_with(&format!("{ORIGIN}/reset-password?token=")));
        let reset = reset.token().unwrap();
        assert_eq!(signup(house, "eve@example.com").status, 201);
        let mail = house.mail("eve@example.com", "Verify", 1);
        let link = mail.link();
        assert!(link.starts_with(&format!("{ORIGIN}/verify-email/?token=")), "{link}");
        let verification = mail.token().unwrap();
        let path = link.strip_prefix(ORIGIN).unwrap();
        for _ in 0..20 {
            house.call(Call::get(path).header("Accept", "text/html"));
            house.call(verify(&verification).header("Accept", "text/html").header("X", "y"));
            let scanner = format!("/accounts/verify-email/?token={verification}");
            let answer = house.call(Call::get(&scanner));
            assert_eq!((answer.status, answer.set_cookies().len()), (303, 0), "B10, B11");
        }
        let places = |secret: &str| {
            let new = json!({ "token": secret, "new_password": NEW });
            [
                ("verify", verify(secret)),
                ("confirm", post("password-reset/confirm").json(new)),
                ("refresh", post("refresh").json(json!({ "refresh_token": secret }))),
                ("bearer", Call::get("/accounts/sessions/").bearer(secret)),
            ]
        };
        let cookie = house.signed_in("ada@example.com", PASSWORD).cookie;
        let (_, cookie) = cookie.split_once('=').unwrap();
        for (secret, own) in [
            (reset.as_str(), "confirm"),
            (&access, "bearer"),
            (&refresh, "refresh"),
            (cookie, "none"),
        ] {
            for (place, call) in places(secret) {
                if place != own {
                    let answer = house.call(call);
                    assert!([400, 401].contains(&answer.status), "B05: {own} at {place}");
                }
            }
        }
        for (place, call) in places(&verification) {
            if place != "verify" {
                assert!([400, 401].contains(&house.call(call).status), "B05: at {place}");
            }
        }
        for (secret, own) in
            [(access.as_str(), "bearer"), (&refresh, "refresh"), (&reset, "confirm")]
        {
            let (_, call) = places(secret).into_iter().find(|(place, _)| *place == own).unwrap();
            assert_eq!(house.call(call).status, 200, "{own} still does what it is for");
        }
        assert_eq!(protected(house, &access), 401, "D04: a reset ends every session");
    })
    .await;
}

#[tokio::test]
async fn b18_no_header_gets_into_the_accounts_doors_links() {
    each_house(&OPEN, |house| {
        for (n, (name, value)) in [
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Proto", "http://evil.example/?"),
            ("X-Forwarded-Prefix", "//evil.example"),
            ("X-Original-URL", "https://evil.example/"),
            ("Forwarded", "host=evil.example;proto=http;for=192.0.2.1"),
            ("Referer", "https://evil.example/"),
        ]
        .into_iter()
        .enumerate()
        {
            let email = format!("sign-up{n}@example.com");
            let wish = json!({ "email": email, "password": PASSWORD });
            assert_eq!(house.call(post("signup").header(name, value).json(wish)).status, 201);
            house.mail(&email, "Verify", 1);
            let ask = post("password-reset").header(name, value);
            assert_eq!(house.call(ask.json(json!({ "email": email }))).status, 200);
            house.mail(&email, "Reset your", 1);
            let get = Call::get("/accounts/verify-email/?token=x").header(name, value);
            let sent = house.call(get);
            assert_eq!(sent.header("location"), Some("../../verify-email?token=x"), "{name}");
        }
        let refused = post("password-reset").header("Host", "evil.example");
        let refused = house.call(refused.json(json!({ "email": "ada@example.com" })));
        assert_eq!(refused.status, 421, "{}", refused.text());
        for mail in house.all_mails() {
            assert!(!mail.raw.contains("evil") && !mail.html.contains("evil"), "{}", mail.raw);
            assert!(mail.link().starts_with(&format!("{ORIGIN}/")), "B18: {}", mail.link());
        }
    })
    .await;
}

#[tokio::test]
async fn c01_who_signed_up_with_a_strangers_address_here_keeps_nothing_of_it() {
    each_house(&OPEN, |house| {
        let email = "victim@example.com";
        assert_eq!(signup(house, email).status, 201);
        let early = house.mail(email, "Verify", 1).token().unwrap();
        // A session of the unproven account, by the way in that does not wait.
        let attacker = house.signed_in(email, PASSWORD);
        assert_eq!(login(house, email, PASSWORD).status, 401, "this door waits");
        house.call(post("password-reset").json(json!({ "email": email })));
        let token = house.mail(email, "Reset your", 1).token().unwrap();
        let body = json!({ "token": token, "new_password": NEW });
        let done = house.call(post("password-reset/confirm").json(body));
        assert_eq!(done.status, 200, "{}", done.text());
        assert_eq!(protected(house, &attacker.access), 401, "C01");
        let body = json!({ "refresh_token": attacker.refresh });
        assert_eq!(house.call(post("refresh").json(body)).status, 401, "C01");
        assert_eq!(login(house, email, PASSWORD).status, 401, "C01");
        assert_eq!(house.call(verify(&early)).status, 400, "C01");
        assert_eq!(login(house, email, NEW).status, 200, "the owner is in");
    })
    .await;
}

#[tokio::test]
async fn c07_of_fifty_signups_at_once_one_account_and_no_fault_comes() {
    each_house(&OPEN, |house| {
        for round in 0..20 {
            let email = format!("race{round}@example.com");
            let spelled = [email.clone(), email.to_uppercase(), format!(" {email} ")];
            let passwords: Vec<_> = (0..50).map(|n| format!("one of many {n:05}")).collect();
            let calls = (0..50).map(|n| {
                let body = json!({ "email": spelled[n % 3], "password": passwords[n] });
                post("signup").json(body)
            });
            let answers = house.race(calls.collect());
            let first = seen_whole(&answers[0]);
            for answer in &answers {
                assert_eq!((answer.status, seen_whole(answer)), (201, first.clone()), "C07");
            }
            house.run(&["account", "show", &email]);
            let verifies = || {
                let mut mails = house.all_mails();
                mails.retain(|mail| mail.to.iter().any(|to| to.eq_ignore_ascii_case(&email)));
                mails.iter().filter(|mail| mail.subject().contains("Verify")).count()
            };
            soon("the owner gets the link", || verifies() > 0);
            assert_eq!(verifies(), 1, "C07: one account, one link");
        }
    })
    .await;
}

#[tokio::test]
async fn d16_nobody_ends_a_strangers_session() {
    each_house(&OPEN, |house| {
        let (ada, _) = person(house, "ada@example.com");
        let (eve, _) = person(house, "eve@example.com");
        let list = house.call(Call::get("/accounts/sessions/").bearer(&ada)).json();
        let id = list[0]["id"].as_str().unwrap().to_owned();
        let end = |access: &str, id: &str| {
            let path = format!("/accounts/sessions/{id}/");
            house.call(Call::new("DELETE", &path).bearer(access))
        };
        let unknown = end(&eve, "4abe78dd-54f5-40d4-a482-22b7390235b2");
        let foreign = end(&eve, &id);
        assert_eq!(foreign.status, 404, "D16");
        assert_eq!(seen_whole(&foreign), seen_whole(&unknown), "D16");
        assert_eq!(protected(house, &ada), 200);
        assert_eq!(end(&ada, &id).status, 204);
        assert_eq!(protected(house, &ada), 401, "D03");
    })
    .await;
}

#[tokio::test]
async fn h01_bad_bodies_get_a_clear_refusal_on_the_accounts_door() {
    each_house(&OPEN, |house| {
        let (access, refresh) = person(house, "ada@example.com");
        soon("sign-up and sign-in are counted", || hashes(house) >= 2);
        let before = hashes(house);
        let acts =
            ["signup", "login", "refresh", "logout", "password-reset", "password-reset/confirm"];
        for act in acts {
            // One connection for all of them, or a thousand ports would be used up.
            let mut connection = Connection::open(house.address());
            let json = json_bodies().into_iter();
            let json = json.map(|(what, bytes)| (what, "application/json", bytes));
            let other = other_bodies().into_iter();
            let other = other.map(|(kind, bytes)| (format!("{kind:.40}"), kind, bytes));
            for (what, kind, bytes) in json.chain(other) {
                let mut answer = connection.call(&post(act).body(kind, &bytes));
                if answer.status == 0 {
                    // What is too large ends the connection.
                    connection = Connection::open(house.address());
                    answer = connection.call(&post(act).body(kind, &bytes));
                }
                let is_clear = (400..500).contains(&answer.status) && answer.json().is_object();
                assert!(is_clear, "{act}, {what}: {} {}", answer.status, answer.text());
            }
        }
        assert_eq!(hashes(house), before, "H01: nothing was hashed for any of it");
        for query in ["?token=%ff", "?token=a&token=b", "?token[]=a", "?%00=%00&&&==", "?token"] {
            let path = format!("/accounts/verify-email/{query}");
            let answer = house.call(Call::get(&path).header("Accept", "application/json"));
            assert_eq!(answer.status, 400, "{query}: {}", answer.text());
            assert!(answer.json()["error"].is_string());
        }
        assert_eq!(protected(house, &access), 200);
        let body = json!({ "refresh_token": refresh });
        assert_eq!(house.call(post("refresh").json(body)).status, 200);
    })
    .await;
}
