//! D, F09, F10: sessions and refresh tokens over HTTP.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::json;

use super::house::{House, PASSWORD, Person, each_house, soon};
use super::http::{Answer, Call};

const NEW: &str = "another way home 18";

fn claim(token: &str, name: &str) -> String {
    super::contract::claims(token)[name].as_str().unwrap().to_owned()
}

fn refresh(house: &House, token: &str) -> Answer {
    house.call(Call::post("/api/auth/token/refresh").json(json!({ "refresh": token })))
}

fn refresh_by_cookie(house: &House, pair: &str) -> Answer {
    house.call(Call::post("/api/auth/token/refresh").cookie(pair))
}

/// Everything that a sign-in hands out is dead.
#[track_caller]
fn assert_dead(house: &House, person: &Person, why: &str) {
    assert_eq!(house.me(&person.access), 401, "{why}: the access token");
    assert_eq!(refresh(house, &person.refresh).status, 401, "{why}: the body's refresh token");
    assert_eq!(refresh_by_cookie(house, &person.cookie).status, 401, "{why}: the cookie");
}

#[tokio::test]
async fn d01_d03_each_sign_in_is_a_session_of_its_own_and_sign_out_ends_all_of_it() {
    each_house(&[], |house| {
        let eve = house.person("eve");
        let ada = house.person("ada");
        let mut seen = HashSet::from([claim(&eve.access, "sid"), claim(&ada.access, "sid")]);
        // D01: whatever cookie the browser was given before, the session is a new one.
        let login = json!({ "email": ada.email, "password": PASSWORD });
        for planted in [
            eve.cookie.clone(),
            "refresh_token=planted".to_owned(),
            format!("{}; refresh_token=second", eve.cookie),
            "sessionid=abc; __Host-ironlatch_device=x".to_owned(),
        ] {
            let call = Call::post("/api/auth/login").cookie(&planted).json(login.clone());
            let answer = house.call(call);
            assert_eq!(answer.status, 200, "{planted}");
            assert!(seen.insert(claim(&answer.field("access"), "sid")), "D01: a used session id");
            assert_ne!(answer.cookie("refresh_token"), Some(planted));
        }
        assert_eq!(house.me(&eve.access), 401, "D01: a sign-in over somebody's cookie ends it");
        // D03: by whichever token one signs out, all of the session's tokens are dead.
        for way in ["cookie", "body", "bearer"] {
            let person = house.signed_in(&ada.email, PASSWORD);
            let sid = claim(&person.access, "sid");
            assert!(seen.insert(sid.clone()), "D03: {sid} was another session before");
            let out = Call::post("/api/auth/logout");
            let out = match way {
                "cookie" => out.cookie(&person.cookie),
                "body" => out.json(json!({ "refresh": person.refresh })),
                _ => out.bearer(&person.access),
            };
            assert_eq!(house.call(out).status, 200);
            assert_dead(house, &person, &format!("D03: signed out by {way}"));
        }
        assert_eq!(house.me(&ada.access), 200, "other sessions stay");
    })
    .await;
}

#[tokio::test]
async fn d04_d16_a_new_password_ends_the_others_and_nobody_ends_a_strangers_session() {
    each_house(&[], |house| {
        let (ada, eve) = (house.person("ada"), house.person("eve"));
        let tab = house.signed_in(&ada.email, PASSWORD);
        // D16: other people's sessions are as unknown as none.
        let theirs = claim(&ada.access, "sid");
        for id in [theirs.as_str(), &"0".repeat(32), "x", "../sessions", "%00", "{id}"] {
            let path = format!("/api/auth/sessions/{id}");
            let answer = house.call(Call::new("DELETE", &path).bearer(&eve.access));
            assert_eq!(answer.status, 404, "D16: {id}: {}", answer.text());
            assert_eq!(answer.text(), r#"{"detail":"Not found."}"#, "D16: {id}");
        }
        let list = house.call(Call::get("/api/auth/sessions").bearer(&eve.access));
        assert_eq!(list.json()["sessions"].as_array().map(Vec::len), Some(1), "D16");
        assert!(!list.text().contains(&theirs), "D16");
        assert_eq!(house.me(&ada.access), 200, "D16");

        // D04: at once on the node that changes it.
        let change = json!({ "current_password": PASSWORD, "new_password": NEW });
        let call = Call::post("/api/auth/password/change").bearer(&tab.access).json(change);
        assert_eq!(house.call(call).status, 200);
        assert_dead(house, &ada, "D04: after a change");
        assert_eq!(house.me(&tab.access), 200, "who changed it stays");
        house.call(Call::post("/api/auth/password/forgot").json(json!({ "email": ada.email })));
        let token = house.mail(&ada.email, "Reset your", 1).token().unwrap();
        let body = json!({ "token": token, "new_password": "a third way 12345" });
        assert_eq!(house.call(Call::post("/api/auth/password/reset").json(body)).status, 200);
        assert_dead(house, &tab, "D04: after a reset");
        for old in [PASSWORD, NEW] {
            assert_eq!(house.login(&ada.email, old).status, 400, "D04: an old password");
        }
        assert_eq!(house.me(&eve.access), 200, "others are not touched");
    })
    .await;
}

/// Something that ends a person's sessions.
type Act<'a> = &'a dyn Fn(&Person);

#[tokio::test]
async fn c14_d03_d04_what_one_node_ends_another_refuses_within_a_second() {
    each_house(&[], |house| {
        // One embedded database has one server.
        if house.engine() == "SQLite" {
            return;
        }
        let other = House::start(&house.url, &[]);
        let ended: [(&str, Act); 4] = [
            ("logout", &|ada| {
                house.call(Call::post("/api/auth/logout").cookie(&ada.cookie));
            }),
            ("change", &|ada| {
                let tab = house.signed_in(&ada.email, PASSWORD);
                let change = json!({ "current_password": PASSWORD, "new_password": NEW });
                let call = Call::post("/api/auth/password/change").bearer(&tab.access);
                assert_eq!(house.call(call.json(change)).status, 200);
            }),
            ("disable", &|ada| {
                house.run(&["account", "disable", &ada.email]);
            }),
            ("deletion", &|ada| {
                let leave = Call::new("DELETE", "/api/auth/account").bearer(&ada.access);
                house.call(leave.json(json!({ "current_password": PASSWORD })));
            }),
        ];
        for (how, act) in ended {
            let ada = house.person(how);
            assert_eq!(other.me(&ada.access), 200, "the other node knows {how}");
            act(&ada);
            let since = Instant::now();
            soon("the other node hears of it", || other.me(&ada.access) == 401);
            assert!(since.elapsed() < Duration::from_secs(1), "{how}: {:?}", since.elapsed());
            assert_dead(&other, &ada, how);
        }
        other.close();
    })
    .await;
}

#[tokio::test]
async fn f09_of_fifty_refreshes_at_once_each_gets_its_own_and_the_first_used_kills_the_rest() {
    each_house(&[], |house| {
        for round in 0..20 {
            let person =
                if round == 0 { house.person("ada") } else { again(house, "ada@example.com") };
            house.age_chains();
            let call = Call::post("/api/auth/token/refresh");
            let call = call.json(json!({ "refresh": person.refresh }));
            let answers = house.race(vec![call; 50]);
            let mut tokens = HashSet::new();
            for answer in &answers {
                assert_eq!(answer.status, 200, "F09, round {round}: {}", answer.text());
                assert!(tokens.insert(answer.field("refresh")), "F09: two got the same token");
                assert_eq!(house.me(&answer.field("access")), 200, "F09: its answer works");
            }
            house.age_chains();
            let used = refresh(house, &answers[round].field("refresh"));
            assert_eq!(used.status, 200, "F09: the first one used works");
            let sibling = refresh(house, &answers[round + 1].field("refresh"));
            assert_eq!(sibling.status, 401, "F09: its sibling does not: {}", sibling.text());
            assert_eq!(house.me(&used.field("access")), 401, "F09: and ends the session");
            assert_eq!(refresh(house, &used.field("refresh")).status, 401, "F09");
        }
    })
    .await;
}

fn again(house: &House, email: &str) -> Person {
    house.signed_in(email, PASSWORD)
}

#[tokio::test]
async fn f10_an_old_refresh_token_is_refused_within_the_second_and_after_a_restart() {
    each_house(&[], |house| {
        let at_once = house.person("ada");
        let restarted = again(house, &at_once.email);
        let kept = again(house, &at_once.email);
        let newest = [&at_once, &restarted].map(|person| {
            house.age_chains();
            let child = refresh(house, &person.refresh).field("refresh");
            assert_ne!(child, person.refresh, "it rotates");
            house.age_chains();
            refresh(house, &child).field("refresh")
        });
        assert_eq!(refresh(house, &at_once.refresh).status, 401, "F10: within the same second");
        assert_eq!(refresh(house, &newest[0]).status, 401, "F10: the family is dead");
        house.restart(&[]);
        assert_eq!(refresh(house, &restarted.refresh).status, 401, "F10: after a restart");
        assert_eq!(refresh(house, &newest[1]).status, 401, "F10: and the family is dead");
        assert_eq!(house.me(&at_once.access), 401, "F10: still dead after the restart");
        assert_eq!(refresh(house, &kept.refresh).status, 200, "others live on");
        assert_eq!(refresh_by_cookie(house, &kept.cookie).status, 200);
        house.restart(&[]);
        assert_dead(house, &restarted, "F10: after another restart");
    })
    .await;
}
