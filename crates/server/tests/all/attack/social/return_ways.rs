//! D01, F07 and H10 on the server-driven way: what a browser brings back, and what it cannot.

use ironlatch_testkit::provider::Fault;
use serde_json::json;

use super::super::http::{Answer, Call};
use super::{
    ADA, EVERY, GOOGLE, assert_turned_away, come_back, each_social, leave, owner, proven, rows,
    someone, through,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f07_a_way_back_is_good_once_even_for_a_copy_of_the_browser_and_at_once() {
    each_social(&EVERY, "", |house, providers| {
        for (n, (name, _)) in (1..).zip(EVERY) {
            let mut browser = house.browser();
            let ada = someone(n, &format!("{n}@example.com"));
            let back = through(&mut browser, providers, name, &ada);
            let jar: Vec<_> = browser.jar.iter().map(|(key, it)| format!("{key}={it}")).collect();
            let call =
                Call::get(&back.path()).header("Accept", "text/html").cookie(&jar.join("; "));
            let before = providers.at(name).asked().len();
            let answers = house.race(vec![call.clone(); 12]);
            let got_in = |it: &&Answer| it.cookie("refresh_token").is_some();
            assert_eq!(answers.iter().filter(got_in).count(), 1, "F07: {name}");
            let asked = providers.at(name).asked();
            let exchanged = asked[before..].iter().filter(|it| it.parameter("code").is_some());
            assert_eq!(exchanged.count(), 1, "F07: {name}: the code was sent once");
            assert!(house.call(call).cookie("refresh_token").is_none(), "F07: {name}, later");
        }
    })
    .await;
}

/// Changes the way back; it knows the state.
type Forge = fn(&str, &str) -> String;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d01_a_forged_or_missing_state_or_cookie_signs_nobody_in() {
    each_social(&EVERY, "", |house, providers| {
        for (n, (name, _)) in (1..).zip(EVERY) {
            let provider = providers.at(name);
            let before = provider.asked().iter().filter(|it| it.path != "/authorize").count();
            let honest = |house| {
                let mut browser: super::Browser<'_> = house;
                let ada = someone(n, &format!("{n}@example.com"));
                let back = through(&mut browser, providers, name, &ada);
                (browser, back)
            };
            let forgeries: [(&str, Forge); 8] = [
                ("another state", |path, state| path.replace(state, "forged")),
                ("no state", |path, state| path.replace(&format!("state={state}"), "")),
                ("an empty state", |path, state| path.replace(state, "")),
                ("two states", |path, state| format!("{path}&state={state}")),
                ("two codes", |path, _| format!("{path}&code=other")),
                ("a longer state", |path, state| path.replace(state, &format!("{state}A"))),
                ("another case", |path, state| path.replace(state, &state.to_uppercase())),
                ("no code", |path, _| path.replacen("code=", "kode=", 1)),
            ];
            for (what, forge) in forgeries {
                let (mut browser, back) = honest(house.browser());
                let path = forge(&back.path(), back.state.as_deref().unwrap());
                let page = come_back(&mut browser, &path);
                assert_turned_away(&mut browser, &page, &format!("D01: {name}: {what}"));
            }
            // Without the cookie, with that of another browser, with one that was changed.
            let (browser, back) = honest(house.browser());
            let (other, _) = honest(house.browser());
            let flow = browser.jar.iter().max_by_key(|(_, value)| value.len()).unwrap();
            let (key, value) = (flow.0.clone(), flow.1.clone());
            let mut changed = value.clone().into_bytes();
            let middle = changed.len() / 2;
            changed[middle] = if changed[middle] == b'A' { b'B' } else { b'A' };
            let jars = [
                ("no cookie", None),
                ("another browser's", other.jar.get(&key).cloned()),
                ("a changed one", Some(String::from_utf8(changed).unwrap())),
                ("a shorter one", Some(value[..value.len() - 4].to_owned())),
                ("an empty one", Some(String::new())),
                ("the state itself", back.state.clone()),
            ];
            for (what, cookie) in jars {
                let mut thief = house.browser();
                thief.jar.extend(cookie.map(|cookie| (key.clone(), cookie)));
                let page = come_back(&mut thief, &back.path());
                assert_turned_away(&mut thief, &page, &format!("D01: {name}: {what}"));
            }
            let after = provider.asked().iter().filter(|it| it.path != "/authorize").count();
            let metadata = provider.asked_at("/realm/.well-known/openid-configuration").len();
            assert!(after <= before + metadata, "D01: {name} was asked for tokens");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_flow_is_in_a_cookie_of_this_host_that_scripts_and_other_sites_do_not_read() {
    each_social(&GOOGLE, "", |house, providers| {
        let start = Call::get("/api/auth/social/google/start?next=%2Fdocs");
        let answer = house.call(start.header("Accept", "text/html"));
        let lines = answer.set_cookies();
        let [line] = lines.as_slice() else { unreachable!("{lines:?}") };
        for part in
            ["__Host-", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/", "Max-Age=600"]
        {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(!line.contains("Domain"), "{line}");
        let value = line.split_once('=').unwrap().1.split(';').next().unwrap();
        let url = answer.header("location").unwrap();
        for (key, it) in
            url.split_once('?').unwrap().1.split('&').filter_map(|it| it.split_once('='))
        {
            let is_hidden =
                !["state", "nonce", "code_challenge"].contains(&key) || !value.contains(it);
            assert!(is_hidden, "{key} can be read in the cookie");
        }
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert!(answer.header("cache-control").is_some_and(|it| it.contains("no-store")));
        // It ends with the way back, however that ended.
        let mut browser = house.browser();
        let back = through(&mut browser, providers, "google", &someone(1, ADA));
        let answer = browser.call(Call::get(&back.path()).header("Accept", "text/html"));
        assert!(!browser.jar.keys().any(|key| line.starts_with(key)), "{:?}", browser.jar.keys());
        let location = answer.header("location").unwrap();
        assert!(!location.contains("code") && !location.contains("state"), "{location}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h10_beginning_costs_no_row_and_coming_back_with_forgeries_none_either() {
    each_social(&EVERY, "", |house, providers| {
        let ada = proven(house, "ada");
        let before = rows(house);
        for (name, _) in EVERY {
            for _ in 0..20 {
                leave(&mut house.browser(), name);
                let link = Call::post(&format!("/api/auth/social/{name}/link")).bearer(&ada.access);
                assert_eq!(house.call(link.json(json!({}))).status, 200);
            }
            for n in 0..20 {
                let path = format!("/api/auth/social/{name}/callback?code=c{n}&state=s{n}");
                let mut browser = house.browser();
                browser.jar.insert("__Host-ironlatch_social".to_owned(), format!("forged{n}"));
                come_back(&mut browser, &path);
                // A flow of ours under a state of the attacker's.
                let mut browser = house.browser();
                leave(&mut browser, name);
                come_back(&mut browser, &path);
            }
            for body in [
                json!({}),
                json!({ "code": "guessed", "code_verifier": "a".repeat(43) }),
                json!({ "id_token": "a.b.c" }),
                json!({ "access_token": "x" }),
            ] {
                assert_ne!(super::post(house, name, body).status, 200);
            }
        }
        assert_eq!(rows(house), before, "H10");
        // Saying no at the provider may cost one row, which is swept, and nothing else.
        providers.google().break_with(Fault::Denied);
        let mut browser = house.browser();
        let back = through(&mut browser, providers, "google", &someone(1, ADA));
        come_back(&mut browser, &back.path());
        let [grown, was] = [rows(house), before].map(|it| it.into_values().sum::<usize>());
        assert!(grown <= was + 1, "H10: {was} rows became {grown}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_provider_says_of_a_failure_is_in_no_page_and_no_header() {
    each_social(&EVERY, "", |house, providers| {
        for (name, _) in EVERY {
            for error in [
                "access_denied",
                "server_error",
                "user_cancelled_login",
                "<script>alert(1)</script>",
                "x\r\nSet-Cookie: a=b",
            ] {
                providers.at(name).break_with(Fault::AuthorizationError(error));
                let mut browser = house.browser();
                let back = through(&mut browser, providers, name, &someone(1, ADA));
                let page = come_back(&mut browser, &back.path());
                assert_turned_away(&mut browser, &page, &format!("{name}: {error:?}"));
                assert!(!page.text().contains("kit"), "{name}: its description is repeated");
                assert!(!page.text().contains("alert(1)"), "{name}: {error:?}");
                providers.at(name).mend();
                assert!(owner(&mut browser).is_none());
            }
        }
    })
    .await;
}
