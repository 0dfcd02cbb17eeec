//! B22: nobody earns from SMS to numbers of their own.

use serde_json::json;

use super::codes::{PATIENT, REQUEST, ask, from, guess};
use super::gateway::Gateway;
use super::house::{House, each_house, soon};
use super::http::{Answer, Call};

/// A number of a range, which differs from its like in the last four digits.
fn number(range: usize, n: usize) -> String {
    format!("+4915{range:02}2345{n:04}")
}

fn environment<'a>(gateway: &'a Gateway, own: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&PATIENT[..], &gateway.environment()[..], own].concat()
}

/// Nothing came but what is expected: an SMS asked for last, to a range of its own, is there.
fn settled(house: &House, gateway: &Gateway, expected: usize) {
    soon("every SMS arrives", || gateway.all().len() >= expected);
    assert_eq!(house.call(ask_json("/api/auth/otp/request", "last@example.com")).status, 200);
    house.mail("last@example.com", "verification code", 1);
    assert_eq!(gateway.all().len(), expected, "B22: {:?}", gateway.all());
}

fn ask_json(path: &str, identifier: &str) -> Call {
    Call::post(path).json(json!({ "identifier": identifier }))
}

#[tokio::test]
async fn b22_sms_go_to_the_countries_that_are_paid_for_and_to_no_dear_numbers() {
    let gateway = Gateway::start();
    each_house(&environment(&gateway, &[]), |house| {
        gateway.clear();
        let ada = house.person("ada");
        house.verify(&ada.email);
        let elsewhere = [
            "+33612345678",
            "+447700900123",
            "+12125550123",
            "+18765550123",
            "+79123456789",
            "+8613912345678",
            "+881612345678",
            "+882161234567",
            "+979123456789",
            "+4990012345678",
            "+491371234567",
            "+4918012345678",
            "+4970012345678",
        ];
        for (n, number) in elsewhere.into_iter().enumerate() {
            for (path, field) in [(REQUEST, "identifier"), ("/api/auth/phone/change", "phone")] {
                let body = json!({ field: number });
                let answer = house.call(from(n, path).bearer(&ada.access).json(body));
                assert_eq!(answer.status, 400, "B22: {path} {number}: {}", answer.text());
            }
        }
        for spelled in ["0033 612345678", "33612345678", "+33 (6) 12-34-56-78"] {
            assert_eq!(ask(house, spelled, 50).status, 400, "B22: {spelled}");
        }
        assert_eq!(ask(house, &number(11, 1), 51).status, 200);
        settled(house, &gateway, 1);
    })
    .await;
}

#[tokio::test]
async fn b22_a_network_a_range_and_a_day_have_so_many_sms() {
    let gateway = Gateway::start();
    let own = [
        ("IRONLATCH_SMS__PER_NETWORK_HOUR", "3"),
        ("IRONLATCH_SMS__PER_PREFIX_HOUR", "5"),
        ("IRONLATCH_SMS__DAILY_BUDGET", "12"),
    ];
    each_house(&environment(&gateway, &own), |house| {
        gateway.clear();
        // One network, many ranges.
        let statuses: Vec<_> = (0..10).map(|n| ask(house, &number(n, 1), 1).status).collect();
        assert_eq!(statuses, [vec![200; 3], vec![429; 7]].concat(), "B22: per network");
        // One range, many networks, all at once.
        let each =
            (0..50).map(|n| from(100 + n, REQUEST).json(json!({ "identifier": number(60, n) })));
        let went = count(&house.race(each.collect()), 429);
        assert_eq!(went, 5, "B22: per range");
        // Every network and range anew: the day's budget ends it, for everybody.
        let each = (0..50)
            .map(|n| from(200 + n, REQUEST).json(json!({ "identifier": number(20 + n % 40, n) })));
        let answers = house.race(each.collect());
        let went = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(went, 4, "B22: the day's budget");
        assert!(answers.iter().all(|answer| [200, 429, 503].contains(&answer.status)));
        let spent = ask(house, &number(90, 1), 300);
        assert_eq!(spent.status, 503, "{}", spent.text());
        assert!(spent.header("retry-after").is_some());
        settled(house, &gateway, 12);
        let status = house.run(&["sms", "status"]);
        assert!(crate::process::said(&status).contains("12 of 12"));
    })
    .await;
}

/// How many went; the others were turned away.
fn count(answers: &[Answer], refusal: u16) -> usize {
    for answer in answers {
        assert!([200, refusal].contains(&answer.status), "{} {}", answer.status, answer.text());
    }
    answers.iter().filter(|answer| answer.status == 200).count()
}

#[tokio::test]
async fn b22_an_operator_stops_sms_at_once_and_for_every_server() {
    let gateway = Gateway::start();
    each_house(&environment(&gateway, &[]), |house| {
        gateway.clear();
        let ada = house.person("ada");
        house.verify(&ada.email);
        assert_eq!(ask(house, &number(11, 1), 1).status, 200);
        let code = gateway.code(&number(11, 1), 1);
        house.run(&["sms", "stop"]);
        let refused = ask(house, &number(12, 2), 2);
        assert_eq!(refused.status, 503, "B22: {}", refused.text());
        assert!(refused.header("retry-after").is_some());
        let change = Call::post("/api/auth/phone/change").bearer(&ada.access);
        let change = change.json(json!({ "phone": number(13, 3) }));
        assert_eq!(house.call(change.clone()).status, 503, "B22: wherever it is asked for");
        settled(house, &gateway, 1);
        // What was sent before still works, and mails go on.
        assert_eq!(house.call(guess(&number(11, 1), &code, 1)).status, 200);
        house.run(&["sms", "start"]);
        assert_eq!(ask(house, &number(12, 2), 2).status, 200);
        gateway.code(&number(12, 2), 1);
        assert_eq!(house.call(change).status, 200);
        gateway.code(&number(13, 3), 1);
        assert_eq!(gateway.all().len(), 3);
    })
    .await;
}
