//! B: codes to sign in with, and the link beside them.

use serde_json::json;

use super::house::{House, ORIGIN, each_house};
use super::http::{Answer, Call};
use super::links::{EVIL, FORGED_HEADERS, look_at_arrival, look_at_page};
use super::sink::Mail;

pub(super) const REQUEST: &str = "/api/auth/otp/request/";
pub(super) const VERIFY: &str = "/api/auth/otp/verify/";
const WRONG: &str = r#"{"success":false,"error":"Invalid or expired OTP"}"#;

/// Every guess is compared: with the delays, most would be refused before they race.
pub(super) const PATIENT: [(&str, &str); 4] = [
    ("IRONLATCH_TRUSTED_PROXIES", "127.0.0.1"),
    ("IRONLATCH_LIMITS__FAILURES_BEFORE_DELAY", "100000"),
    ("IRONLATCH_LIMITS__FAILURES_BEFORE_STOP", "200000"),
    ("IRONLATCH_LIMITS__MAILS_PER_NETWORK_HOUR", "100000"),
];

/// A call from a network, by its number.
pub(super) fn from(network: usize, path: &str) -> Call {
    Call::post(path)
        .header("X-Forwarded-For", format!("198.51.{}.{}", network / 250, network % 250))
}

pub(super) fn ask(house: &House, identifier: &str, network: usize) -> Answer {
    house.call(from(network, REQUEST).json(json!({ "identifier": identifier })))
}

/// Asks for a code and takes it out of the mailbox.
#[track_caller]
pub(super) fn code_for(house: &House, email: &str, network: usize) -> String {
    let is_ours = |mail: &&Mail| mail.subject().contains("verification code");
    let before = house.mails(email).iter().filter(is_ours).count();
    let asked = ask(house, email, network);
    assert_eq!(asked.status, 200, "{}", asked.text());
    house.mail(email, "verification code", before + 1).code()
}

pub(super) fn guess(identifier: &str, code: &str, network: usize) -> Call {
    from(network, VERIFY).json(json!({ "identifier": identifier, "otp_code": code }))
}

/// Another code, so many away.
fn shifted(code: &str, by: usize) -> String {
    format!("{:06}", (code.parse::<usize>().unwrap() + by) % 1_000_000)
}

fn successes(answers: &[Answer]) -> usize {
    for answer in answers {
        assert!([200, 400, 429].contains(&answer.status), "{} {}", answer.status, answer.text());
    }
    answers.iter().filter(|answer| answer.status == 200).count()
}

#[tokio::test]
async fn b01_of_two_hundred_guesses_at_once_three_are_compared() {
    each_house(&PATIENT, |house| {
        let mut found = 0;
        for round in 0..10 {
            let email = format!("ada{round}@example.com");
            let right = code_for(house, &email, 1);
            // The right one is among them, each time at another place.
            let each = (0..200).map(|n| guess(&email, &shifted(&right, (n + 19 * round) % 200), 1));
            found += successes(&house.race(each.collect()));
            let late = house.call(guess(&email, &right, 1));
            assert_eq!((late.status, late.text().as_str()), (400, WRONG), "B01: worn out");
        }
        // One in 67 rounds is expected; were all compared, it would be ten of ten.
        assert!(found <= 3, "B01: {found} of 10 codes were found");
    })
    .await;
}

#[tokio::test]
async fn b01_b02_guesses_are_stopped_and_a_new_code_changes_nothing() {
    // Delays double from a second on; here the fifth failure stops at once.
    let environment = [PATIENT[0], PATIENT[3], ("IRONLATCH_LIMITS__FAILURES_BEFORE_STOP", "5")];
    each_house(&environment, |house| {
        let right = code_for(house, "ada@example.com", 1);
        let each = (1..=200).map(|n| guess("ada@example.com", &shifted(&right, n), 1));
        let answers = house.race(each.collect());
        assert_eq!(successes(&answers), 0);
        // Five for those who wait for the code, five more once it is dead and nobody does.
        let evaluated = answers.iter().filter(|answer| answer.status == 400).count();
        assert!((3..=10).contains(&evaluated), "B01: {evaluated} guesses got past the counters");
        let mut further = 0;
        let stopped = (0..6).any(|_| {
            let next = code_for(house, "ada@example.com", 1);
            further += 1;
            house.call(guess("ada@example.com", &shifted(&next, 1), 1)).status == 429
        });
        assert!(stopped && further <= 3, "B02: {further} new codes");
        for _ in 0..3 {
            let next = code_for(house, "ada@example.com", 1);
            let answer = house.call(guess("ada@example.com", &next, 1));
            assert_eq!(answer.status, 429, "B02: {}", answer.text());
            let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!(after > 86_400, "B02: {after} s");
        }
        // Whoever waits for a code in another network is not stopped by all that.
        let other = code_for(house, "ada@example.com", 2);
        assert_eq!(house.call(guess("ada@example.com", &other, 2)).status, 200);
    })
    .await;
}

#[tokio::test]
async fn b03_b09_a_code_and_its_link_work_once_together() {
    each_house(&PATIENT, |house| {
        for round in 0..10 {
            let email = format!("ada{round}@example.com");
            let code = code_for(house, &email, 1);
            let answers = house.race(vec![guess(&email, &code, 1); 50]);
            assert_eq!(successes(&answers), 1, "B03, round {round}");
            assert_eq!(house.call(guess(&email, &code, 1)).text(), WRONG, "B03: later as well");
        }
        for round in 0..10 {
            let email = format!("bob{round}@example.com");
            let asked = ask(house, &email, 1);
            let flow = asked.cookie("__Host-ironlatch_code_flow").unwrap();
            let mail = house.mail(&email, "verification code", 1);
            let (code, token) = (mail.code(), mail.token().unwrap());
            let click = from(1, "/api/auth/otp/link").cookie(&flow);
            let click = click.json(json!({ "token": token }));
            let each =
                (0..30).map(|n| if n % 3 == 2 { guess(&email, &code, 1) } else { click.clone() });
            let answers = house.race(each.collect());
            let won = answers.iter().filter(|answer| answer.status == 200).count();
            assert_eq!(won, 1, "B09, round {round}: {answers:?}");
            assert_eq!(house.call(click).status, 400, "B09: later as well");
            assert_eq!(house.call(guess(&email, &code, 1)).status, 400, "B09: nor its code");
        }
    })
    .await;
}

#[tokio::test]
async fn b04_a_code_is_for_whom_it_was_sent_to() {
    each_house(&PATIENT, |house| {
        let ada = code_for(house, "ada@example.com", 1);
        let eve = code_for(house, "eve@example.com", 1);
        for (who, code) in [("eve@example.com", &ada), ("ada@example.com", &eve)] {
            assert_eq!(house.call(guess(who, code, 1)).text(), WRONG, "B04");
        }
        for (who, code) in [("ada@example.com", &ada), ("eve@example.com", &eve)] {
            let signed_in = house.call(guess(who, code, 1));
            assert_eq!(signed_in.status, 200, "B04: both flows are as they were");
            assert_eq!(signed_in.json()["user"]["email"], *who);
        }
    })
    .await;
}

#[tokio::test]
async fn b06_no_answer_and_no_line_of_the_log_holds_a_code() {
    let environment = [("IRONLATCH_DOORS__CFG__ENABLED", "true")];
    each_house(&environment, |house| {
        let paths = [REQUEST, "/cfg/accounts/otp/request/"];
        for (n, path) in paths.into_iter().enumerate() {
            let email = format!("ada{n}@example.com");
            for count in 1..=4 {
                let body = json!({ "identifier": email });
                let answer = house.call(Call::post(path).json(body));
                assert_eq!(answer.status, 200, "{}", answer.text());
                let mail = house.mail(&email, "verification code", count);
                let (code, token) = (mail.code(), mail.token().unwrap());
                let shown = format!("{:?}{}", answer.headers, answer.text());
                for secret in [&code, &token] {
                    assert!(!shown.contains(secret.as_str()), "B06: {path}: {shown}");
                }
                assert!(!mail.subject().contains(&code), "B06: nor the subject");
                let logged = house.log();
                let mut words = logged.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
                assert!(words.all(|word| word != code), "B06: nor the log");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn b10_b11_b12_scanners_use_no_sign_in_link_up_and_are_not_signed_in() {
    each_house(&PATIENT, |house| {
        let mut asking = house.browser();
        asking.call(Call::post(REQUEST).json(json!({ "identifier": "ada@example.com" })));
        let mail = house.mail("ada@example.com", "verification code", 1);
        let (link, token) = (mail.link(), mail.token().unwrap());
        let target = link.strip_prefix(ORIGIN).unwrap();
        assert!(target.starts_with("/sign-in?"), "{target}");
        for n in 0..20 {
            let method = if n % 4 == 3 { "HEAD" } else { "GET" };
            let accept = ["*/*", "text/html", "application/json", "image/*"][n % 4];
            let call = Call::new(method, target).header("Accept", accept);
            let first = house.call(call.header("User-Agent", "Scanner/1.0"));
            look_at_arrival(&first, &token, "link_sign_in");
            let mut scanner = house.browser();
            let page = scanner.visit(&link);
            assert_eq!(page.status, 403, "B10: {}", page.text());
            assert!(page.set_cookies().is_empty(), "B11: {:?}", page.set_cookies());
            assert!(!page.text().contains(&token) && !page.text().contains("//"), "B12");
            look_at_page(&asking.visit(&link), &token);
            assert!(!asking.jar.contains_key("refresh_token"), "B11: looking opens no session");
        }
        let pressed = asking.press("/sign-in", &[]);
        assert_eq!(pressed.status, 200, "{}", pressed.text());
        assert!(asking.jar.contains_key("refresh_token"));
    })
    .await;
}

#[tokio::test]
async fn b13_a_link_signs_in_no_browser_but_the_one_that_asked() {
    each_house(&PATIENT, |house| {
        let mut eves = house.browser();
        eves.call(Call::post(REQUEST).json(json!({ "identifier": "eve@evil.example" })));
        let mail = house.mail("eve@evil.example", "verification code", 1);
        // Ada's browser has asked for a code of her own; another has asked for nothing.
        for has_asked in [true, false] {
            let mut adas = house.browser();
            if has_asked {
                adas.call(Call::post(REQUEST).json(json!({ "identifier": "ada@example.com" })));
            }
            let page = adas.visit(&mail.link());
            assert_eq!(page.status, 403, "B13: {}", page.text());
            let forced = Call::post("/sign-in").header("Origin", "null");
            let forced = forced.header("Sec-Fetch-Site", "same-origin");
            let pressed = adas.call(forced.form(&[("link", "x")]));
            assert_eq!(pressed.status, 403, "B13: {}", pressed.text());
            let token = mail.token().unwrap();
            let by_json =
                adas.call(Call::post("/api/auth/otp/link").json(json!({ "token": token })));
            assert_eq!(by_json.status, 403, "B13: {}", by_json.text());
            assert!(!adas.jar.contains_key("refresh_token"), "B13");
            let other_site = Call::post("/sign-in").header("Origin", "https://evil.example");
            let other_site =
                other_site.header("Sec-Fetch-Site", "cross-site").form(&[("link", "x")]);
            assert!(adas.call(other_site).status >= 400);
            assert!(!adas.jar.contains_key("refresh_token"), "B13");
        }
        eves.visit(&mail.link());
        assert_eq!(eves.press("/sign-in", &[]).status, 200, "nothing was used up");
        assert!(eves.jar.contains_key("refresh_token"));
    })
    .await;
}

#[tokio::test]
async fn b16_nobody_writes_into_the_mail_with_a_code() {
    each_house(&PATIENT, |house| {
        for identifier in [
            "ada@example.com\r\nBcc: eve@evil.example",
            "ada@example.com\nSubject: hello",
            "ada@example.com\0",
            "<script>alert(1)</script>@example.com",
            "ada@example.com>, <eve@evil.example",
            "Eve <eve@evil.example>",
            "+4915123\r\n45678901",
            "+49151234567;dial=1",
        ] {
            let answer = ask(house, identifier, 1);
            assert_eq!(answer.status, 400, "B16: {identifier:?}: {}", answer.text());
        }
        let agent = "<b>Click</b> https://evil.example/x {{ 7*7 }}";
        let call = from(1, &format!("{REQUEST}?utm_source=evil.example&utm_campaign=%3Cb%3E"));
        let call = call.header("User-Agent", agent).header("Referer", "https://evil.example/");
        let body = json!({ "identifier": "ada@example.com",
                           "source_url": "https://evil.example/x?utm_source=evil" });
        assert_eq!(house.call(call.json(body)).status, 200);
        let mail = house.mail("ada@example.com", "verification code", 1);
        assert_eq!(mail.to, ["ada@example.com"]);
        let whole = mail.raw.clone() + &mail.text + &mail.html;
        assert!(!whole.contains("evil") && !whole.contains("<b>Click"), "B16: {whole}");
        assert_eq!(house.all_mails().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn b18_no_header_gets_into_a_sign_in_link() {
    each_house(&PATIENT, |house| {
        let mut expected = 0;
        for (name, value) in FORGED_HEADERS {
            let call = Call::post(REQUEST).header(name, value);
            let answer = house.call(call.json(json!({ "identifier": "ada@example.com" })));
            let status = if name == "Host" { 421 } else { 200 };
            assert_eq!(answer.status, status, "B18: {name}: {}", answer.text());
            let shown = format!("{:?}{}", answer.headers, answer.text());
            assert!(!shown.contains(EVIL), "B18: {name} comes back: {shown}");
            expected += usize::from(status == 200);
        }
        house.mail("ada@example.com", "verification code", expected);
        for mail in house.mails("ada@example.com") {
            let own = format!("{ORIGIN}/sign-in?token=");
            assert!(!mail.raw.contains("evil") && !mail.html.contains("evil"), "{}", mail.raw);
            assert!(mail.link().starts_with(&own), "B18: {}", mail.link());
        }
    })
    .await;
}

#[tokio::test]
async fn b21_codes_flood_neither_one_mailbox_nor_many() {
    let environment = [
        ("IRONLATCH_TRUSTED_PROXIES", "127.0.0.1"),
        ("IRONLATCH_LIMITS__MAILS_PER_IDENTIFIER_AND_NETWORK_HOUR", "3"),
        ("IRONLATCH_LIMITS__MAILS_PER_IDENTIFIER_HOUR", "10"),
    ];
    each_house(&environment, |house| {
        house.register("ada");
        for network in 0..20 {
            for attempt in 0..5 {
                let seen = |email: &str| {
                    let answer = ask(house, email, network);
                    (answer.status, answer.body.len())
                };
                let (known, unknown) = (seen("ada@example.com"), seen("nobody@example.com"));
                assert_eq!(known, unknown, "B21: network {network}, attempt {attempt}");
            }
        }
        for spelled in ["ADA@example.com", "ada@EXAMPLE.com", " ada@example.com "] {
            ask(house, spelled, 77);
        }
        // One network writes to few, and what comes last proves that the queue is empty.
        let asked = (0..100).map(|n| ask(house, &format!("many{n}@example.com"), 99).status);
        assert_eq!(asked.filter(|status| *status == 200).count(), 60, "B21: many mailboxes");
        code_for(house, "last@example.com", 100);
        for email in ["ada@example.com", "nobody@example.com"] {
            let codes =
                house.mails(email).into_iter().filter(|mail| mail.any_code().is_some()).count();
            // Ten new ones an hour, each sent once more at most.
            assert!((4..=20).contains(&codes), "B21: {codes} mails to {email}");
        }
        let many = house.all_mails().into_iter().filter(|mail| mail.to[0].starts_with("many"));
        assert_eq!(many.count(), 60, "B21");
    })
    .await;
}
