//! The contract replayed: every exchange that was observed with the original system, in its
//! order, compared by status, body with its order of keys, headers and cookies.

mod accounts_door;
mod cfg;
mod differences;
mod observed;
mod otp_session_door;
mod requests;
mod social;
mod users_door;

use differences::{DIFFERENCES, Difference};
use observed::{Exchange, of_answer};
use requests::Replay;
pub(super) use requests::claims;

use super::house::each_house;
use social::Providers;

/// Compares one exchange; what differs must be what the table says, neither more nor less.
fn compare(
    differences: &[Difference],
    expected: &Exchange,
    found: &Exchange,
    engine: &str,
) -> Vec<String> {
    let name = &expected.name;
    let differing = expected.differing(found);
    let listed = differences.iter().filter(|listed| listed.exchange == name);
    let listed: Vec<&Difference> = listed.collect();
    let allowed: Vec<&str> = listed.iter().flat_map(|it| it.differs.split(' ')).collect();
    let mut wrong = Vec::new();
    for part in &differing {
        if !allowed.contains(part) {
            wrong.push(format!(
                "{engine}, {name}: {part} differs\n  observed {}\n  found    {}",
                expected.part(part),
                found.part(part)
            ));
        }
    }
    for part in &allowed {
        if !differing.contains(part) {
            wrong.push(format!("{engine}, {name}: {part} is listed but does not differ"));
        }
    }
    for it in &listed {
        if !found.shows(it.instead) {
            wrong.push(format!(
                "{engine}, {name}: instead of {} there is {} {} {}",
                it.instead,
                found.status,
                found.body,
                found.part("cookies")
            ));
        }
    }
    wrong
}

/// On several threads: the providers answer while the test waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_observed_exchange_is_answered_as_the_original_did() {
    let sign_in = observed::read(include_str!("auth-api.txt"));
    let refresh = observed::read(include_str!("refresh.txt"));
    assert_eq!((sign_in.len(), refresh.len()), (52, 16));
    let providers = Providers::start().await;
    let configuration = providers.configuration();
    let environment = [("IRONLATCH_CONFIG", configuration.as_str())];
    each_house(&environment, |house| {
        let engine = house.engine();
        let mut wrong = Vec::new();
        let mut replay = Replay::new(house).beside(&providers);
        for expected in &sign_in {
            let answer = replay.auth_api(&expected.name);
            wrong.extend(compare(
                &DIFFERENCES,
                expected,
                &of_answer(&expected.name, &answer),
                engine,
            ));
        }
        replay.begin_bodies();
        for expected in &refresh {
            let answer = replay.refresh(&expected.name);
            let mut expected = expected.clone();
            expected.name = format!("body: {}", expected.name);
            wrong.extend(compare(
                &DIFFERENCES,
                &expected,
                &of_answer(&expected.name, &answer),
                engine,
            ));
        }
        for difference in &DIFFERENCES {
            let known =
                |it: &Exchange, prefix: &str| difference.exchange == format!("{prefix}{}", it.name);
            let is_known = sign_in.iter().any(|it| known(it, ""))
                || refresh.iter().any(|it| known(it, "body: "));
            assert!(is_known && difference.why.len() > 20, "{}", difference.exchange);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}

#[tokio::test]
async fn every_observed_exchange_of_the_users_door_is_answered_as_the_original_did() {
    let observed = observed::read(include_str!("users-door.txt"));
    assert_eq!(observed.len(), 60);
    for difference in &users_door::DIFFERENCES {
        let is_known = observed.iter().any(|it| it.name == difference.exchange);
        assert!(is_known && difference.why.len() > 20, "{}", difference.exchange);
    }
    each_house(&users_door::ENVIRONMENT, |house| {
        let engine = house.engine();
        let mut wrong = Vec::new();
        let mut replay = users_door::Replay::new(house);
        for expected in &observed {
            let found = of_answer(&expected.name, &replay.answer(&expected.name));
            wrong.extend(compare(&users_door::DIFFERENCES, expected, &found, engine));
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}

#[tokio::test]
async fn every_observed_exchange_of_the_accounts_door_is_answered_as_the_original_did() {
    let mut observed = observed::read(include_str!("accounts-door.txt"));
    assert_eq!(observed.len(), 22);
    let mut bearers = observed::read(include_str!("refresh.txt"));
    bearers.retain(|it| accounts_door::OF_BEARERS.contains(&it.name.as_str()));
    assert_eq!(bearers.len(), accounts_door::OF_BEARERS.len());
    observed.extend(bearers);
    for difference in &accounts_door::DIFFERENCES {
        let is_known = observed.iter().any(|it| it.name == difference.exchange);
        assert!(is_known && difference.why.len() > 20, "{}", difference.exchange);
    }
    each_house(&accounts_door::ENVIRONMENT, |house| {
        let engine = house.engine();
        let mut wrong = Vec::new();
        let mut replay = accounts_door::Replay::new(house);
        for expected in &observed {
            let found = of_answer(&expected.name, &replay.answer(&expected.name));
            wrong.extend(compare(&accounts_door::DIFFERENCES, expected, &found, engine));
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}

#[tokio::test]
async fn every_observed_exchange_of_the_cfg_door_is_answered_as_the_original_did() {
    let observed = observed::read(include_str!("cfg.txt"));
    assert_eq!(observed.len(), 30);
    for difference in &cfg::DIFFERENCES {
        let is_known = observed.iter().any(|it| it.name == difference.exchange);
        assert!(is_known && difference.why.len() > 20, "{}", difference.exchange);
    }
    each_house(&cfg::ENVIRONMENT, |house| {
        let engine = house.engine();
        let mut wrong = Vec::new();
        let mut replay = cfg::Replay::new(house);
        for expected in &observed {
            let found = of_answer(&expected.name, &replay.answer(&expected.name));
            wrong.extend(compare(&cfg::DIFFERENCES, expected, &found, engine));
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}

#[tokio::test]
async fn every_observed_exchange_of_the_otp_session_door_is_answered_as_the_original_did() {
    let observed = observed::read(include_str!("otp-session-door.txt"));
    assert_eq!(observed.len(), 28);
    for difference in &otp_session_door::DIFFERENCES {
        let is_known = observed.iter().any(|it| it.name == difference.exchange);
        assert!(is_known && difference.why.len() > 20, "{}", difference.exchange);
    }
    each_house(&otp_session_door::ENVIRONMENT, |house| {
        let engine = house.engine();
        let mut wrong = Vec::new();
        let mut replay = otp_session_door::Replay::new(house);
        for expected in &observed {
            let found = of_answer(&expected.name, &replay.answer(&expected.name));
            wrong.extend(compare(&otp_session_door::DIFFERENCES, expected, &found, engine));
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}

/// Claims that existing clients read, by the lines of the observation.
#[tokio::test]
async fn tokens_carry_the_claims_that_existing_clients_read() {
    each_house(&[], |house| {
        let ada = house.person("ada");
        for (kind, token) in [("access", &ada.access), ("refresh", &ada.refresh)] {
            let claims = claims(token);
            let number = house.login(&ada.email, super::house::PASSWORD).json()["user"]["id"]
                .as_i64()
                .unwrap();
            assert_eq!(claims["token_type"], kind);
            assert_eq!(claims["user_id"], number.to_string(), "the number as a string");
            let jti = claims["jti"].as_str().unwrap();
            assert!(jti.len() == 32 && jti.bytes().all(|it| it.is_ascii_hexdigit()), "{jti}");
            let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
            // The original's sample had 30 minutes and 30 days; the contract's proposal stands.
            let expected = if kind == "access" { 15 * 60 } else { 14 * 24 * 3600 };
            assert_eq!(life, expected, "{kind}");
        }
        let mail = house.mail(&ada.email, "Verify your email", 1);
        // Observed: a link to the API that verifies by GET, and the token itself. Ruling 5:
        // mails link to pages, whose GET consumes nothing.
        assert_eq!(mail.subject(), "Verify your email");
        let page = format!("{}/verify-email?token=", super::house::ORIGIN);
        assert!(mail.link().starts_with(&page), "{}", mail.text);
        assert!(!mail.text.contains("/api/"), "{}", mail.text);
    })
    .await;
}
