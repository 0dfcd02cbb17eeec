//! B23, B25, B26, D09, D14, E01, E03, E06, E09: authenticator apps, recovery codes, and the recent
//! proof that acts ask for.

use ironlatch_core::ports::{Clock as _, SystemClock};
use ironlatch_core::time::Timestamp;
use ironlatch_testkit::totp_code;
use serde_json::{Value, json};

use super::house::{House, PASSWORD, Person, each_house, soon};
use super::http::{Answer, Call};
use crate::process::said;

const ADA: &str = "ada@example.com";
const NEW: &str = "another way home 18";
/// Doors that take a password or have an app's code of their own.
const DOORS: [(&str, &str); 10] = [
    ("IRONLATCH_DOORS__USERS__ENABLED", "true"),
    ("IRONLATCH_DOORS__USERS__FRONTEND_URL", "https://front.example.com"),
    ("IRONLATCH_DOORS__ACCOUNTS__ENABLED", "true"),
    ("IRONLATCH_DOORS__ACCOUNTS__FRONTEND_URL", "https://other.example.com"),
    ("IRONLATCH_DOORS__OTP_SESSION__ENABLED", "true"),
    ("IRONLATCH_DOORS__OTP_SESSION__FRONTEND_URL", "https://third.example.com"),
    ("IRONLATCH_DOORS__CFG__ENABLED", "true"),
    ("IRONLATCH_DOORS__CFG__FRONTEND_URL", "https://fourth.example.com"),
    ("IRONLATCH_LIMITS__MAILS_PER_NETWORK_HOUR", "100000"),
    ("IRONLATCH_LIMITS__FAILURES_BEFORE_DELAY", "5"),
];

/// Somebody's app. The server goes by the machine's clock, so codes are taken in their order:
/// first that of the step before, which the enrolment uses up, then the present, then the next.
pub(super) struct App {
    secret: String,
    enrolled_at: i64,
    pub(super) recovery_codes: Vec<String>,
}

impl App {
    pub(super) fn code(&self, steps_later: i64) -> String {
        let at = Timestamp::from_micros((self.enrolled_at + 30 * steps_later) * 1_000_000);
        totp_code(&self.secret, at)
    }
}

fn seconds() -> i64 {
    SystemClock.now().seconds()
}

/// Enrols an app in a session of somebody's own, which stays.
pub(super) fn enrol(house: &House, person: &Person) -> App {
    // A step that is about to end would leave the tests less time than they need.
    while seconds() % 30 > 15 {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let begun = house.call(Call::post("/api/auth/2fa/totp").bearer(&person.access));
    assert_eq!(begun.status, 200, "{}", begun.text());
    let secret = begun.field("secret");
    house.keep(&secret);
    let mut app = App { secret, enrolled_at: seconds() - 30, recovery_codes: Vec::new() };
    let code = json!({ "code": app.code(0) });
    let call = Call::post("/api/auth/2fa/totp/confirm").bearer(&person.access).json(code);
    let shown = house.call(call);
    assert_eq!(shown.status, 200, "{}", shown.text());
    app.recovery_codes = serde_json::from_value(shown.json()["recovery_codes"].clone()).unwrap();
    for code in &app.recovery_codes {
        house.keep(code);
    }
    app
}

/// Ada, proven, with an app; the session she enrolled in.
fn ada(house: &House) -> (Person, App) {
    assert_eq!(house.register("ada").status, 201);
    house.verify(ADA);
    let person = house.signed_in(ADA, PASSWORD);
    let app = enrol(house, &person);
    (person, app)
}

pub(super) fn challenge(house: &House, email: &str) -> String {
    let asked = house.login(email, PASSWORD);
    assert_eq!(asked.status, 401, "{}", asked.text());
    assert_eq!(asked.field("code"), "second_factor_required");
    let challenge = asked.field("challenge");
    house.keep(&challenge);
    challenge
}

pub(super) fn verify(challenge: &str, method: &str, code: &str) -> Call {
    let body = json!({ "challenge": challenge, "method": method, "code": code });
    Call::post("/api/auth/2fa/verify").json(body)
}

fn users_login(house: &House, method: &str, code: &str) -> Answer {
    let credentials = json!({ "email": ADA, "password": PASSWORD, "code": code });
    let body = json!({ "method": method, "credentials": credentials });
    house.call(Call::post("/api/users/login/").json(body))
}

fn accounts_login(house: &House) -> Answer {
    let body = json!({ "email": ADA, "password": PASSWORD });
    house.call(Call::post("/accounts/login/").json(body))
}

fn reauthenticate(house: &House, access: &str, body: Value) -> Answer {
    house.call(Call::post("/api/auth/reauthenticate").bearer(access).json(body))
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut all: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn b23_no_step_is_accepted_twice_wherever_it_is_shown() {
    each_house(&DOORS, |house| {
        let (weak, app) = ada(house);
        let first = challenge(house, ADA);
        let confirmed = house.call(verify(&first, "totp", &app.code(0)));
        assert_eq!(confirmed.status, 400, "B23: the code that confirmed the app");
        assert_eq!(house.call(verify(&first, "totp", &app.code(1))).status, 200);
        for code in [app.code(0), app.code(1)] {
            let again = challenge(house, ADA);
            assert_eq!(house.call(verify(&again, "totp", &code)).status, 400, "B23");
            assert_eq!(users_login(house, "2fa", &code).status, 400, "B23: by another door");
        }
        let proof = json!({ "current_password": PASSWORD, "method": "totp", "code": app.code(1) });
        assert_eq!(reauthenticate(house, &weak.access, proof).status, 400, "B23");
        // Counted failures of before are forgotten by a success.
        let open = challenge(house, ADA);
        let recovery = house.call(verify(&open, "recovery_code", &app.recovery_codes[0]));
        assert_eq!(recovery.status, 200, "{}", recovery.text());
        // Fifty at once, over several challenges.
        let open: Vec<_> = (0..3).map(|_| challenge(house, ADA)).collect();
        let calls = (0..50).map(|n| verify(&open[n % 3], "totp", &app.code(2)));
        let answers = statuses(&house.race(calls.collect()));
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "B23: {answers:?}");
        assert!(answers.iter().all(|status| [200, 400, 429].contains(status)), "{answers:?}");
    })
    .await;
}

#[tokio::test]
async fn b25_e03_e09_guesses_at_the_app_are_counted_before_they_are_compared_by_every_path() {
    each_house(&DOORS, |house| {
        let (weak, app) = ada(house);
        let open: Vec<_> = (0..10).map(|_| challenge(house, ADA)).collect();
        let calls = (0..200_usize).map(|n| {
            // E03: whatever a client says of itself changes nothing.
            let spoofed = format!("198.51.{}.{}", n / 100, n % 100);
            let code = format!("{:06}", n * 4_999);
            verify(&open[n % 10], "totp", &code)
                .header("X-Forwarded-For", &spoofed)
                .header("X-Real-IP", &spoofed)
                .header("Forwarded", format!("for={spoofed}"))
                .header("User-Agent", &spoofed)
        });
        let answers = statuses(&house.race(calls.collect()));
        let compared = answers.iter().filter(|status| **status != 429).count();
        assert!(compared <= 5, "B25: {compared} of 200 were compared: {answers:?}");

        // E09: stopped is stopped, at every path that takes a code of the app.
        let blocked = |what: &str, answer: &Answer| {
            assert_eq!(answer.status, 429, "E09: {what}: {}", answer.text());
            assert!(answer.header("retry-after").is_some(), "{what}");
        };
        let right = app.code(1);
        blocked("a new challenge", &house.call(verify(&challenge(house, ADA), "totp", &right)));
        blocked("another door", &users_login(house, "2fa", &right));
        let proof = json!({ "current_password": PASSWORD, "method": "totp", "code": right });
        blocked("a proof anew", &reauthenticate(house, &weak.access, proof));
        // Guesses at the one shut nobody out of the other.
        let open = challenge(house, ADA);
        let recovery = house.call(verify(&open, "recovery_code", &app.recovery_codes[0]));
        assert_eq!(recovery.status, 200, "{}", recovery.text());
        let next = house.call(verify(&challenge(house, ADA), "totp", &app.code(2)));
        assert_eq!(next.status, 200, "a success forgets the failures");
    })
    .await;
}

#[tokio::test]
async fn b26_a_recovery_code_works_once_and_its_owner_hears_of_it() {
    each_house(&DOORS, |house| {
        let (_, app) = ada(house);
        let code = &app.recovery_codes[0];
        let open: Vec<_> = (0..5).map(|_| challenge(house, ADA)).collect();
        let calls = (0..50).map(|n| verify(&open[n % 5], "recovery_code", code));
        let answers = statuses(&house.race(calls.collect()));
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "B26: {answers:?}");
        let told = house.mail(ADA, "recovery code", 1);
        assert!(told.text.contains("Codes left: 9"), "B26: {}", told.text);
        // Failures that came after the success count: the answer may be that there were too many.
        let again = users_login(house, "2fa", code).status;
        assert!([400, 429].contains(&again), "B26: by another door: {again}");
    })
    .await;
}

#[tokio::test]
async fn e06_a_challenge_is_its_own_accounts_and_good_for_nothing_else() {
    each_house(&DOORS, |house| {
        let (_, adas) = ada(house);
        assert_eq!(house.register("eve").status, 201);
        house.verify("eve@example.com");
        let eve = house.signed_in("eve@example.com", PASSWORD);
        let eves = enrol(house, &eve);
        let (mine, theirs) = (challenge(house, "eve@example.com"), challenge(house, ADA));
        for (challenge, app) in [(&mine, &adas), (&theirs, &eves)] {
            let crossed = house.call(verify(challenge, "totp", &app.code(1)));
            assert_eq!(crossed.status, 400, "E06: {}", crossed.text());
            let code = &app.recovery_codes[0];
            assert_eq!(house.call(verify(challenge, "recovery_code", code)).status, 400, "E06");
        }
        // Of one purpose, nothing works for another.
        house.call(Call::post("/api/auth/password/forgot").json(json!({ "email": ADA })));
        let reset = house.mail(ADA, "Reset your", 1).token().unwrap();
        for token in [&reset, &eve.access, &eve.refresh] {
            let answer = house.call(verify(token, "totp", &adas.code(1)));
            assert_eq!(answer.status, 400, "E06: {}", answer.text());
            assert_eq!(answer.field("code"), "invalid_challenge");
        }
        let body = json!({ "token": theirs, "new_password": NEW });
        assert_eq!(house.call(Call::post("/api/auth/password/reset").json(body)).status, 400);
        let body = json!({ "refresh": theirs });
        assert_eq!(house.call(Call::post("/api/auth/token/refresh").json(body)).status, 401);
        assert_eq!(house.me(&theirs), 401, "E06: a challenge is no session");
        // Twenty answers to one challenge at once.
        let calls = (0..20).map(|_| verify(&theirs, "totp", &adas.code(1)));
        let answers = statuses(&house.race(calls.collect()));
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "E06: {answers:?}");
        let late = house.call(verify(&theirs, "totp", &adas.code(2)));
        assert_eq!(late.field("code"), "invalid_challenge", "E06: used up");
    })
    .await;
}

/// Whether an answer hands out anything that acts.
fn opens(answer: &Answer) -> bool {
    let names = ["refresh_token", "access_token", "sessionid"];
    let body = answer.text();
    names.iter().any(|name| answer.cookie(name).is_some())
        || ["\"access\"", "\"access_token\"", "\"refresh\"", "\"tokens\""]
            .iter()
            .any(|key| body.contains(key))
}

/// A first step that must hand out nothing.
#[track_caller]
fn asked(what: &str, answer: &Answer) {
    assert!(!opens(answer), "E01: {what} opens something: {}", answer.text());
    assert_ne!(answer.status, 200, "E01: {what}: {}", answer.text());
}

fn live_sessions(house: &House, access: &str) -> usize {
    let list = house.call(Call::get("/api/auth/sessions").bearer(access)).json();
    list["sessions"].as_array().unwrap().len()
}

#[tokio::test]
async fn e01_d14_no_password_leads_around_the_app() {
    each_house(&DOORS, |house| {
        assert_eq!(house.register("ada").status, 201);
        house.verify(ADA);
        let old = house.signed_in(ADA, PASSWORD);
        let person = house.signed_in(ADA, PASSWORD);
        let app = enrol(house, &person);

        asked("login", &house.login(ADA, PASSWORD));
        let login = json!({ "email": ADA, "password": PASSWORD });
        let known = Call::post("/api/auth/login").cookie(&person.device).json(login.clone());
        asked("D14: login from a known device", &house.call(known));
        let over = Call::post("/api/auth/login").cookie(&person.cookie).json(login);
        asked("login over a session", &house.call(over));
        asked("the door users", &users_login(house, "traditional", ""));
        asked("the door users with a wrong code", &users_login(house, "2fa", "000000"));
        asked("the door accounts", &accounts_login(house));
        let by_name = json!({ "username": "ada", "password": PASSWORD });
        asked("the door otp_session", &house.call(Call::post("/users/login/").json(by_name)));
        // Sessions of before the app was enrolled have ended with it.
        let body = json!({ "refresh": old.refresh });
        let by_body = Call::post("/api/auth/token/refresh").json(body);
        asked("an old refresh token", &house.call(by_body));
        let by_cookie = Call::post("/api/auth/token/refresh").cookie(&old.cookie);
        asked("an old cookie", &house.call(by_cookie));
        assert_eq!(live_sessions(house, &person.access), 1, "E01: the one that enrolled");

        // A reset ends that one, and the app stays the way in.
        house.call(Call::post("/api/auth/password/forgot").json(json!({ "email": ADA })));
        let reset = house.mail(ADA, "Reset your", 1).token().unwrap();
        let body = json!({ "token": reset, "new_password": NEW });
        let reset = house.call(Call::post("/api/auth/password/reset").json(body));
        assert!(reset.status == 200 && !opens(&reset), "E01: {}", reset.text());
        assert_eq!(house.me(&person.access), 401);
        let login = house.login(ADA, NEW);
        asked("login after a reset", &login);
        let answer = house.call(verify(&login.field("challenge"), "totp", &app.code(1)));
        assert_eq!(answer.status, 200, "E01: the app is the way in: {}", answer.text());
        assert_eq!(live_sessions(house, &answer.field("access")), 1, "E01");
    })
    .await;
}

#[tokio::test]
async fn e01_no_code_and_no_link_leads_around_the_app() {
    each_house(&DOORS, |house| {
        assert_eq!(house.register("ada").status, 201);
        let first = house.mail(ADA, "Verify", 1).token().unwrap();
        house.verify(ADA);
        let person = house.signed_in(ADA, PASSWORD);
        enrol(house, &person);

        let mut browser = house.browser();
        let ask = json!({ "identifier": ADA, "channel": "email" });
        for (count, requested, verified, field) in [
            (1, "/api/auth/otp/request", "/api/auth/otp/link", "token"),
            (2, "/api/auth/otp/request", "/api/auth/otp/verify", "otp_code"),
            (3, "/cfg/accounts/otp/request/", "/cfg/accounts/otp/verify/", "otp"),
        ] {
            let sent = browser.call(Call::post(requested).json(ask.clone()));
            assert_eq!(sent.status, 200, "{}", sent.text());
            let mail = house.mail(ADA, "verification code", count);
            let proof = if field == "token" {
                json!({ "token": mail.token().unwrap() })
            } else {
                let is_code = |it: &&str| it.len() == 6 && it.bytes().all(|it| it.is_ascii_digit());
                let code = mail.text.split_whitespace().find(is_code).expect("a code");
                json!({ "identifier": ADA, "channel": "email", field: code })
            };
            let answer = browser.call(Call::post(verified).json(proof));
            asked(verified, &answer);
            assert_eq!(answer.status, 401, "E01: {verified}: {}", answer.text());
        }
        // Links of other purposes open nothing.
        let again = Call::get(&format!("/api/auth/verify-email?token={first}"));
        let again = house.call(again.header("Accept", "application/json"));
        assert!(!opens(&again), "E01: {}", again.text());
        assert_eq!(live_sessions(house, &person.access), 1, "E01");
    })
    .await;
}

/// What takes an account for good: method, path, body.
fn sensitive() -> [(&'static str, &'static str, Value); 6] {
    [
        ("DELETE", "/api/auth/2fa/totp", json!({})),
        ("POST", "/api/auth/2fa/recovery-codes", json!({})),
        ("POST", "/api/auth/email/change", json!({ "email": "eve@example.com" })),
        (
            "POST",
            "/api/auth/password/change",
            json!({ "current_password": PASSWORD, "new_password": NEW }),
        ),
        ("DELETE", "/api/auth/account", json!({ "current_password": PASSWORD })),
        ("POST", "/api/auth/phone/change", json!({ "phone": "+4915120000000" })),
    ]
}

#[tokio::test]
async fn d09_a_stolen_session_takes_no_account_and_a_weaker_proof_does_not_help() {
    each_house(&DOORS, |house| {
        let (weak, app) = ada(house);
        // Opened with the password alone, before there was an app. (What is too old is refused
        // as well: the tests of the web crate move a clock for that.)
        let weak = weak.access;
        for (method, path, body) in &sensitive() {
            let refused = house.call(Call::new(method, path).bearer(&weak).json(body.clone()));
            assert_eq!(refused.status, 403, "D09: {path}: {}", refused.text());
            assert_eq!(refused.field("code"), "reauthentication_required", "{path}");
        }
        // The doors' own acts ask the same.
        for (method, path) in [("POST", "2fa-remove"), ("DELETE", "delete")] {
            let call = Call::new(method, &format!("/api/users/{path}/"));
            let cookie = format!("access_token={weak}");
            let refused = house.call(call.cookie(&cookie).json(json!({})));
            assert_eq!(refused.status, 403, "D09: {path}: {}", refused.text());
        }
        // Part of the proof is no proof; all of it gives another session.
        for body in [
            json!({ "current_password": PASSWORD }),
            json!({ "method": "totp", "code": app.code(1) }),
            json!({ "current_password": "not the one", "method": "totp", "code": app.code(1) }),
            json!({ "current_password": PASSWORD, "method": "totp", "code": "000000" }),
        ] {
            assert_eq!(reauthenticate(house, &weak, body.clone()).status, 400, "D09: {body}");
        }
        let proof = json!({ "current_password": PASSWORD, "method": "totp", "code": app.code(1) });
        let fresh = reauthenticate(house, &weak, proof);
        assert_eq!(fresh.status, 200, "{}", fresh.text());
        assert_eq!(house.me(&weak), 401, "the session it took the place of is over");
        let fresh = fresh.field("access");
        let removed = house.call(Call::new("DELETE", "/api/auth/2fa/totp").bearer(&fresh));
        assert_eq!(removed.status, 204, "{}", removed.text());
        house.signed_in(ADA, PASSWORD);
    })
    .await;
}

#[tokio::test]
async fn a_lost_app_is_taken_away_by_the_operator_alone() {
    each_house(&DOORS, |house| {
        let (person, _) = ada(house);
        house.run(&["account", "reset-second-factor", ADA]);
        soon("its sessions end", || house.me(&person.access) == 401);
        house.signed_in(ADA, PASSWORD);
        assert!(house.mail(ADA, "authenticator app", 2).text.contains("operator"));
        let again = house.command().args(["account", "reset-second-factor", ADA]).output().unwrap();
        assert!(said(&again).contains("no authenticator app is enrolled"), "{}", said(&again));
    })
    .await;
}

#[tokio::test]
async fn e09_a_password_that_is_locked_is_locked_at_every_path() {
    each_house(&DOORS, |house| {
        assert_eq!(house.register("ada").status, 201);
        house.verify(ADA);
        let person = house.signed_in(ADA, PASSWORD);
        let wrong = (0..200).map(|n| {
            let body = json!({ "email": ADA, "password": format!("not the one {n}") });
            Call::post("/api/auth/login").json(body)
        });
        let answers = statuses(&house.race(wrong.collect()));
        let compared = answers.iter().filter(|status| **status != 429).count();
        assert!(compared <= 6, "E09: {compared} were compared: {answers:?}");
        let again = || Call::post("/api/auth/login");
        for round in 0..3 {
            let body = json!({ "email": ADA, "password": format!("nor this one {round}") });
            house.call(again().json(body));
        }
        let proof = json!({ "current_password": PASSWORD });
        let bearer = |method: &str, path: &str| Call::new(method, path).bearer(&person.access);
        for (what, answer) in [
            ("login", house.login(ADA, PASSWORD)),
            ("the door users", users_login(house, "traditional", "")),
            ("the door accounts", accounts_login(house)),
            ("a proof anew", reauthenticate(house, &person.access, proof.clone())),
            ("leaving", house.call(bearer("DELETE", "/api/auth/account").json(proof))),
        ] {
            assert_eq!(answer.status, 429, "E09: {what}: {}", answer.text());
        }
    })
    .await;
}
