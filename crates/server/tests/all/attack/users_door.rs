//! The door `users`: nobody learns from an answer, or from the work behind it, who has an account
//! (A01–A04, A08), and no other site acts with its cookie (D05, D06, D10).

use serde_json::json;

use super::house::{House, PASSWORD, each_house, soon};
use super::http::{Answer, Call};
use super::uniform::{hashes, seen};

const OPEN: [(&str, &str); 7] = [
    ("IRONLATCH_DOORS__USERS__ENABLED", "true"),
    ("IRONLATCH_DOORS__USERS__FRONTEND_URL", FRONT_END),
    ("IRONLATCH_SIGN_UP__NEUTRAL", "true"),
    ("IRONLATCH_LIMITS__FAILURES_BEFORE_DELAY", "1000"),
    ("IRONLATCH_LIMITS__FAILURES_BEFORE_STOP", "2000"),
    ("IRONLATCH_METRICS_LISTEN", "0"),
    ("IRONLATCH_LIMITS__MAILS_PER_NETWORK_HOUR", "100000"),
];
const FRONT_END: &str = "https://front.example.com";

fn login(house: &House, email: &str, password: &str, method: &str) -> Answer {
    let credentials = json!({ "email": email, "password": password, "code": "123456" });
    let body = json!({ "method": method, "credentials": credentials });
    house.call(Call::post("/api/users/login/").json(body))
}

fn register(house: &House, email: &str) -> Answer {
    let wish = json!({ "name": "Somebody", "email": email, "password": PASSWORD });
    house.call(Call::post("/api/users/register/").json(wish))
}

/// The body as well: it says nothing of its own.
fn seen_whole(answer: &Answer) -> String {
    format!("{} {}", seen(answer), answer.text())
}

#[tokio::test]
async fn a01_a02_a08_the_doors_sign_in_tells_nothing_and_does_the_same_work() {
    each_house(&OPEN, |house| {
        for state in ["known", "disabled", "unproven"] {
            assert_eq!(register(house, &format!("{state}@example.com")).status, 201);
        }
        for state in ["known", "disabled"] {
            house.verify(&format!("{state}@example.com"));
        }
        house.run(&["account", "disable", "disabled@example.com"]);
        let expected = seen_whole(&login(house, "nobody@example.com", "not it at all", "2fa"));
        soon("it is counted", || hashes(house) >= 4);
        for state in ["known", "disabled", "unproven"] {
            let before = hashes(house);
            for (round, method) in ["traditional", "2fa"].into_iter().cycle().take(20).enumerate() {
                for email in [format!("{state}@example.com"), format!("{state}{round}@ex.com")] {
                    let answer = login(house, &email, "not it at all", method);
                    assert_eq!(seen_whole(&answer), expected, "{email} by {method}");
                }
            }
            soon("40 hashes are counted", || hashes(house) >= before + 40);
            assert_eq!(hashes(house), before + 40, "A02: one hash an attempt, {state}");
        }
        for method in ["traditional", "2fa"] {
            for state in ["disabled", "unproven"] {
                let answer = login(house, &format!("{state}@example.com"), PASSWORD, method);
                assert_eq!(seen_whole(&answer), expected, "A08: {state}, the right password");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a03_a04_the_doors_sign_up_and_reset_are_answered_alike() {
    each_house(&OPEN, |house| {
        for name in ["proven", "waits"] {
            assert_eq!(register(house, &format!("{name}@example.com")).status, 201);
        }
        house.verify("proven@example.com");
        let fresh = seen_whole(&register(house, "fresh@example.com"));
        for taken in ["proven@example.com", "PROVEN@Example.COM", "waits@example.com"] {
            assert_eq!(seen_whole(&register(house, taken)), fresh, "A03: {taken}");
        }
        let told = house.mail("proven@example.com", "already", 2);
        assert!(
            told.link().starts_with(super::house::ORIGIN),
            "a page that is there: {}",
            told.text
        );

        let forgot = |email: &str| {
            let call = Call::post("/api/users/password/forgot/").json(json!({ "email": email }));
            let started = std::time::Instant::now();
            (seen_whole(&house.call(call)), started.elapsed())
        };
        let (unknown, _) = forgot("nobody@example.com");
        assert!(unknown.starts_with("200 "), "{unknown}");
        let mut took = [Vec::new(), Vec::new()];
        for round in 0..40 {
            for (times, email) in
                took.iter_mut().zip(["proven@example.com", &format!("nobody{round}@example.com")])
            {
                let (answer, time) = forgot(email);
                assert_eq!(answer, unknown, "A04: {email}");
                times.push(time);
            }
        }
        let [known, unknown] = took.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        });
        // Both wait for one durable batch; what else they do is small beside it.
        let apart = known.abs_diff(unknown);
        assert!(apart < known.max(unknown), "A04: {known:?} and {unknown:?} on {}", house.engine());
        assert!(house.mails("nobody@example.com").is_empty());
    })
    .await;
}

#[tokio::test]
async fn d05_d06_d10_the_doors_cookie_works_for_its_front_end_alone() {
    each_house(&OPEN[..2], |house| {
        assert_eq!(register(house, "ada@example.com").status, 201);
        let signed_in = login(house, "ada@example.com", PASSWORD, "traditional");
        let cookie = signed_in.cookie("access_token").unwrap();
        for (method, path) in [
            ("POST", "register"),
            ("POST", "login"),
            ("POST", "logout"),
            ("DELETE", "delete"),
            ("POST", "password/forgot"),
            ("POST", "password/reset"),
            ("POST", "2fa-check"),
            ("POST", "2fa-qr"),
            ("POST", "2fa-remove"),
        ] {
            let path = format!("/api/users/{path}/");
            for (header, value) in [
                ("Origin", "https://evil.example"),
                ("Origin", "https://front.example.com.evil.example"),
                ("Origin", "null"),
                ("Sec-Fetch-Site", "cross-site"),
                ("Sec-Fetch-Site", "same-site"),
            ] {
                let call = Call::new(method, &path).cookie(&cookie).header(header, value);
                let answer = house.call(call.form(&[("code", "")]));
                assert_eq!(answer.status, 403, "{method} {path} with {header}: {value}");
                assert!(answer.set_cookies().is_empty());
                let first = answer.json().as_object().unwrap().values().next().cloned();
                assert!(first.unwrap().is_array(), "{}", answer.text());
            }
            let image = Call::get(&path).cookie(&cookie).header("Sec-Fetch-Dest", "image");
            assert_eq!(house.call(image).status, 405, "D10: {path}");
        }
        let me = || Call::get("/api/users/me/").cookie(&cookie);
        assert_eq!(house.call(me()).status, 200, "nothing of it was done");
        let read = house.call(me().header("Origin", "https://evil.example"));
        assert_eq!(read.header("access-control-allow-origin"), None);
        let read = house.call(me().header("Origin", FRONT_END));
        assert_eq!(read.header("access-control-allow-origin"), Some(FRONT_END));
        let logout = Call::post("/api/users/logout/").cookie(&cookie).header("Origin", FRONT_END);
        assert_eq!(house.call(logout).status, 200);
        assert_eq!(house.call(me()).status, 401);
    })
    .await;
}
