//! A01–A04, A08: nobody learns from an answer who has an account.

use serde_json::json;

use super::house::{House, PASSWORD, each_house, soon};
use super::http::{Answer, Call, Connection};

/// What an observer could tell answers apart by: everything but the request's id and the date.
pub(super) fn seen(answer: &Answer) -> String {
    let own = ["x-request-id", "date", "set-cookie"];
    let headers = answer.headers.iter().map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        if own.contains(&name.as_str()) { name } else { format!("{name}: {value}") }
    });
    let mut headers: Vec<_> = headers.collect();
    headers.sort();
    let keys: Vec<_> =
        answer.json().as_object().into_iter().flat_map(|it| it.keys().cloned()).collect();
    let cookies: Vec<usize> = answer.set_cookies().iter().map(|line| line.len()).collect();
    format!("{} {headers:?} {keys:?} {} {cookies:?}", answer.status, answer.body.len())
}

/// How many hashes the server has made or compared.
pub(super) fn hashes(house: &House) -> u64 {
    let metrics = Connection::open(house.metrics()).call(&Call::get("/metrics"));
    assert_eq!(metrics.status, 200);
    let text = metrics.text();
    let counts = text.lines().filter(|line| line.starts_with("ironlatch_hash_seconds_count"));
    counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn a01_a02_a08_sign_in_tells_nothing_and_does_the_same_work_before_the_password_is_right() {
    let environment = [
        ("IRONLATCH_SIGN_UP__NEUTRAL", "true"),
        ("IRONLATCH_LIMITS__FAILURES_BEFORE_DELAY", "1000"),
        ("IRONLATCH_LIMITS__FAILURES_BEFORE_STOP", "2000"),
        ("IRONLATCH_METRICS_LISTEN", "0"),
    ];
    each_house(&environment, |house| {
        for name in ["known", "disabled", "unproven", "closed"] {
            assert_eq!(house.register(name).status, 201);
        }
        for name in ["known", "disabled", "closed"] {
            house.verify(&format!("{name}@example.com"));
        }
        house.run(&["account", "disable", "disabled@example.com"]);
        // Made by an operator, without a password.
        house.run(&["account", "create", "passwordless@example.com"]);
        let closed = house.signed_in("closed@example.com", PASSWORD);
        let leave = Call::new("DELETE", "/api/auth/account").bearer(&closed.access);
        house.call(leave.json(json!({ "current_password": PASSWORD })));

        let expected = seen(&house.login("nobody@example.com", "not the password"));
        // That one is counted before the others are.
        soon("it is counted", || hashes(house) >= 7);
        let states = ["known", "disabled", "unproven", "passwordless", "closed"];
        for state in states {
            let before = hashes(house);
            for round in 0..40 {
                let email = format!("{state}@example.com");
                let answer = house.login(&email, "not the password");
                assert_eq!(seen(&answer), expected, "A01, A08: {state}, round {round}");
                let unknown = format!("nobody-{state}{round}@example.com");
                let unknown = house.login(&unknown, "not the password");
                assert_eq!(seen(&unknown), expected, "A01: round {round}");
            }
            // Counted a moment after the answer.
            soon("80 hashes are counted", || hashes(house) >= before + 80);
            assert_eq!(hashes(house), before + 80, "A02: as many hashes for {state} as attempts");
        }
        for state in ["disabled", "passwordless", "closed", "unproven"] {
            let answer = house.login(&format!("{state}@example.com"), PASSWORD);
            assert_eq!(seen(&answer), expected, "A08: {state}, with the right password");
        }
        // Registering an address and trying one's own password does not tell who had it before.
        for name in ["known", "fresh"] {
            let wish = json!({ "username": format!("{name}2"), "password": "another way home 18",
                               "email": format!("{name}@example.com") });
            assert_eq!(house.call(Call::post("/api/auth/register").json(wish)).status, 201);
            let answer = house.login(&format!("{name}@example.com"), "another way home 18");
            assert_eq!(seen(&answer), expected, "A03: {name}");
        }
    })
    .await;
}

#[tokio::test]
async fn a01_lockouts_look_alike_for_known_and_unknown_addresses() {
    each_house(&[], |house| {
        assert_eq!(house.register("ada").status, 201);
        let mut blocked = 0;
        for attempt in 0..9 {
            let known = house.login("ada@example.com", "not the password");
            let unknown = house.login("eve@example.com", "not the password");
            assert_eq!(seen(&known), seen(&unknown), "attempt {attempt}");
            blocked += usize::from(known.status == 429);
        }
        assert!(blocked > 0, "guessing is slowed down");
    })
    .await;
}

#[tokio::test]
async fn a03_a04_sign_up_reset_and_resend_are_answered_alike() {
    each_house(&[("IRONLATCH_SIGN_UP__NEUTRAL", "true")], |house| {
        for name in ["proven", "waits"] {
            assert_eq!(house.register(name).status, 201);
        }
        house.verify("proven@example.com");
        let sign_up = |name: &str, email: &str| {
            house.call(Call::post("/api/auth/register").json(json!({
                "username": name, "email": email, "password": PASSWORD,
            })))
        };
        let fresh = sign_up("fresh1", "fresh1@example.com");
        for (name, email) in [
            ("again1", "proven@example.com"),
            ("again2", "PROVEN@Example.COM"),
            ("again3", "waits@example.com"),
        ] {
            assert_eq!(seen(&sign_up(name, email)), seen(&fresh), "A03: {email}");
        }
        house.mail("proven@example.com", "already", 2);
        house.mail("waits@example.com", "already", 1);

        for path in ["/api/auth/password/forgot", "/api/auth/verify-email/resend"] {
            let ask = |email: &str| {
                let mut answer = house.call(Call::post(path).json(json!({ "email": email })));
                // The body itself is compared as well: it says nothing of its own.
                answer.headers.push(("body".to_owned(), answer.text()));
                seen(&answer)
            };
            let unknown = ask("nobody@example.com");
            assert!(unknown.starts_with("200 "), "{unknown}");
            for email in ["proven@example.com", "waits@example.com", "PROVEN@example.com"] {
                assert_eq!(ask(email), unknown, "A04: {path} for {email}");
            }
        }
        house.mail("proven@example.com", "password", 2);
        assert!(house.mails("nobody@example.com").is_empty());
    })
    .await;
}
