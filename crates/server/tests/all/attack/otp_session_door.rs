//! The door `otp_session`: nobody learns from an answer, or from the work behind it, whose address
//! it is (A01–A04, A08); a code makes one account (B01, B03); no other site acts with the cookie
//! (D05, D06, D10).

use serde_json::json;

use super::house::{House, PASSWORD, each_house, soon};
use super::http::{Answer, Call};
use super::uniform::{hashes, seen};

const OPEN: [(&str, &str); 6] = [
    ("IRONLATCH_DOORS__OTP_SESSION__ENABLED", "true"),
    ("IRONLATCH_DOORS__OTP_SESSION__FRONTEND_URL", FRONT_END),
    ("IRONLATCH_LIMITS__FAILURES_BEFORE_DELAY", "100000"),
    ("IRONLATCH_LIMITS__FAILURES_BEFORE_STOP", "200000"),
    ("IRONLATCH_METRICS_LISTEN", "0"),
    ("IRONLATCH_LIMITS__MAILS_PER_NETWORK_HOUR", "100000"),
];
const FRONT_END: &str = "https://front.example.com";

fn post(path: &str) -> Call {
    Call::post(&format!("/users/{path}/"))
}

fn signup(house: &House, username: &str, email: &str) -> Answer {
    house.call(post("signup").json(json!({ "username": username, "email": email })))
}

fn telling(username: &str, email: &str, otp: &str) -> Call {
    post("verification")
        .json(json!({ "email": email, "username": username, "password": PASSWORD, "otp": otp }))
}

fn login(house: &House, username: &str, password: &str) -> Answer {
    house.call(post("login").json(json!({ "username": username, "password": password })))
}

/// Signs somebody up: asked, mailed, verified.
fn made(house: &House, name: &str) {
    let email = format!("{name}@example.com");
    assert_eq!(signup(house, name, &email).status, 200);
    let code = house.mail(&email, "verification", 1).code();
    let verified = house.call(telling(name, &email, &code));
    assert_eq!(verified.text(), r#"{"success":true}"#);
}

/// The body as well: it says nothing of its own.
fn seen_whole(answer: &Answer) -> String {
    format!("{} {}", seen(answer), answer.text())
}

#[tokio::test]
async fn a01_a02_a08_the_doors_login_tells_nothing_and_does_the_same_work() {
    each_house(&OPEN, |house| {
        made(house, "known");
        made(house, "disabled");
        house.run(&["account", "disable", "disabled@example.com"]);
        let expected = seen_whole(&login(house, "nobody", "not it at all"));
        assert!(expected.starts_with("404 "), "{expected}");
        soon("it is counted", || hashes(house) >= 3);
        for state in ["known", "disabled"] {
            let before = hashes(house);
            for round in 0..20 {
                for name in [state.to_owned(), format!("{state}{round}")] {
                    let answer = login(house, &name, "not it at all");
                    assert_eq!(seen_whole(&answer), expected, "A01: {name}");
                }
            }
            soon("40 hashes are counted", || hashes(house) >= before + 40);
            assert_eq!(hashes(house), before + 40, "A02: one hash an attempt, {state}");
        }
        let answer = login(house, "disabled", PASSWORD);
        assert_eq!(seen_whole(&answer), expected, "A08: disabled, the right password");
    })
    .await;
}

#[tokio::test]
async fn a03_a04_asking_and_verifying_are_answered_alike_for_every_address() {
    each_house(&OPEN, |house| {
        made(house, "owner");
        house.person("claims");
        let ask = |name: &str, email: &str| {
            let started = std::time::Instant::now();
            let answer = signup(house, name, email);
            (seen_whole(&answer).replace(email, "<email>"), started.elapsed())
        };
        let (expected, _) = ask("fresh", "fresh@example.com");
        let mut took = [Vec::new(), Vec::new()];
        for round in 0..40 {
            // As long as the other, since the answer repeats it.
            let free = format!("own{round:02}@example.com");
            for (times, email) in took.iter_mut().zip(["owner@example.com", &free]) {
                let (answer, time) = ask(&format!("eve{round}"), email);
                assert_eq!(answer, expected, "A03: {email}");
                times.push(time);
            }
        }
        let [taken, free] = took.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        });
        // Both wait for one durable batch; what else they do is small beside it.
        let apart = taken.abs_diff(free);
        assert!(apart < taken.max(free), "A04: {taken:?} and {free:?} on {}", house.engine());

        let before = hashes(house);
        for _ in 0..5 {
            for (name, email) in [("eve1", "owner@example.com"), ("eve1", "own01@example.com")] {
                let answer = house.call(telling(name, email, "no code"));
                assert_eq!(answer.text(), r#"{"success":false,"detail":"wrong otp"}"#, "{email}");
            }
        }
        soon("10 hashes are counted", || hashes(house) >= before + 10);
        for (name, email) in [("eve1", "owner@example.com"), ("eve1", "own01@example.com")] {
            let answer = house.call(telling(name, email, "no code"));
            assert_eq!(answer.text(), r#"{"success":false,"detail":"OTP expired"}"#, "{email}");
        }
        assert_eq!(hashes(house), before + 10, "A02: what is dead costs nobody a hash");
        house.mail("owner@example.com", "already", 40);
        // Whoever only claims an address is nobody yet: its mailbox decides.
        ask("real", "claims@example.com");
        house.mail("claims@example.com", "Email verification", 1);
    })
    .await;
}

#[tokio::test]
async fn b01_b03_of_many_answers_at_once_one_makes_the_account_and_five_are_compared() {
    each_house(&OPEN, |house| {
        for round in 0..3 {
            let (name, email) = (format!("race{round}"), format!("race{round}@example.com"));
            signup(house, &name, &email);
            let code = house.mail(&email, "verification", 1).code();
            let answers = house.race(vec![telling(&name, &email, &code); 50]);
            let won = answers.iter().filter(|answer| answer.status == 200).count();
            assert_eq!(won, 1, "B03");
            let lost = answers.iter().filter(|answer| [401, 404, 410].contains(&answer.status));
            assert_eq!(lost.count(), 49, "B03");
        }
        signup(house, "bob", "bob@example.com");
        let code = house.mail("bob@example.com", "verification", 1).code();
        let right: u32 = code.parse().unwrap();
        let guesses = (1..=100).map(|n| format!("{:06}", (right + n) % 1_000_000));
        let guesses = guesses.map(|guess| telling("bob", "bob@example.com", &guess));
        for answer in house.race(guesses.collect()) {
            assert!([401, 410].contains(&answer.status), "B01: {}", answer.text());
        }
        let late = house.call(telling("bob", "bob@example.com", &code));
        assert_eq!(late.status, 410, "B01: the code is dead");
    })
    .await;
}

#[tokio::test]
async fn d05_d06_d10_the_session_cookie_works_for_its_front_end_alone() {
    each_house(&OPEN, |house| {
        made(house, "bob");
        let cookie = login(house, "bob", PASSWORD).cookie("sessionid").unwrap();
        for path in ["signup", "verification", "login", "logout"] {
            for path in [format!("/users/{path}/"), format!("/user/{path}")] {
                for (header, value) in [
                    ("Origin", "https://evil.example"),
                    ("Origin", "https://front.example.com.evil.example"),
                    ("Origin", "null"),
                    ("Sec-Fetch-Site", "cross-site"),
                    ("Sec-Fetch-Site", "same-site"),
                ] {
                    let call = Call::post(&path).cookie(&cookie).header(header, value);
                    let body = [("username", "bob"), ("password", PASSWORD)];
                    let answer = house.call(call.form(&body));
                    assert_eq!(answer.status, 403, "{path} with {header}: {value}");
                    assert!(answer.set_cookies().is_empty());
                    assert_eq!(answer.json()["success"], false, "{}", answer.text());
                }
                let image = Call::get(&path).cookie(&cookie).header("Sec-Fetch-Dest", "image");
                assert_eq!(house.call(image).status, 405, "D10: {path}");
            }
        }
        let who = || Call::get("/users/who_am_i/").cookie(&cookie);
        assert_eq!(house.call(who()).status, 200, "nothing of it was done");
        let read = house.call(who().header("Origin", "https://evil.example"));
        assert_eq!(read.header("access-control-allow-origin"), None);
        let read = house.call(who().header("Origin", FRONT_END));
        assert_eq!(read.header("access-control-allow-origin"), Some(FRONT_END));
        let logout = post("logout").cookie(&cookie).header("Origin", FRONT_END);
        assert_eq!(house.call(logout).status, 200);
        assert_eq!(house.call(who()).status, 403, "D03");
    })
    .await;
}
