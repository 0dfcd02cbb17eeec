//! D05: nobody is signed in by another site, with whatever code it has.

use serde_json::json;

use super::super::http::Call;
use super::{EVERY, assert_refused, each_social, owner, post, someone};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d05_another_site_cannot_make_a_browser_bring_its_own_code() {
    each_social(&EVERY, "", |house, providers| {
        for (n, (name, _)) in (1..).zip(EVERY) {
            let provider = providers.at(name);
            let brought = provider.code_for(&someone(n, &format!("{n}@example.com")));
            let json = super::body(house, &brought);
            let form =
                [("code", brought.code.as_str()), ("code_verifier", brought.verifier.as_str())];
            let path = format!("/api/auth/social/{name}/");
            let before = provider.asked().len();
            let sites: [&[(&str, &str)]; 5] = [
                &[("Origin", "https://evil.example")],
                &[("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")],
                &[("Origin", "null")],
                &[("Sec-Fetch-Site", "cross-site")],
                &[("Sec-Fetch-Site", "same-site")],
            ];
            for headers in sites {
                let bodies = [
                    Call::post(&path).json(json.clone()),
                    Call::post(&path).form(&form),
                    Call::post(&path).body("text/plain", json.to_string()),
                    Call::post(&format!("{path}?code={}", brought.code)),
                ];
                for mut call in bodies {
                    for (key, value) in headers {
                        call = call.header(key, value);
                    }
                    let mut browser = house.browser();
                    let answer = browser.call(call);
                    assert_eq!(answer.status, 403, "D05: {name} {headers:?}: {}", answer.text());
                    assert!(owner(&mut browser).is_none(), "D05: {name} {headers:?}");
                }
            }
            assert_eq!(provider.asked().len(), before, "D05: {name} was asked");
            // A code in the address is no code; the same body from our own page is taken.
            let in_query = Call::post(&format!("{path}?code={}", brought.code)).json(json!({}));
            assert_refused(&house.call(in_query), &format!("D05: {name}, in the query"));
            assert_eq!(post(house, name, json).status, 200, "D05: {name}, the test itself");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d05_the_answer_is_readable_for_listed_origins_alone() {
    each_social(&EVERY, "allowed_origins = []\n", |house, providers| {
        for (name, _) in EVERY {
            let _ = providers.at(name);
            let path = format!("/api/auth/social/{name}/");
            for origin in ["https://evil.example", "null", "http://auth.example.com"] {
                let ask = Call::new("OPTIONS", &path)
                    .header("Origin", origin)
                    .header("Access-Control-Request-Method", "POST")
                    .header("Access-Control-Request-Headers", "content-type");
                let answer = house.call(ask);
                let granted = answer.header("access-control-allow-origin");
                assert_eq!(granted, None, "D05: {name} from {origin}");
            }
        }
    })
    .await;
}
